"""Compares a store with what the programs noted: what of it is missing, and what is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from notes import read_notes, text_of

from traceview.protocol.records import LOG_EVENT, STATE_EVENT, SpanPayload, SpanRow, Status
from traceview.store import StoreReader
from traceview.store.checkup import check_store

_MOST_FAULTS: Final = 20


@dataclass
class Tally:
    """Counts of span calls (opened, event, output, ended), summed over rounds; `faults` names the first in words."""

    recorded: int = 0
    stored: int = 0
    duplicated: int = 0
    spans: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Calls that had returned and left nothing in the store."""
        return self.recorded - self.stored

    def add(self, other: Tally) -> None:
        """Adds what another comparison found."""
        self.recorded += other.recorded
        self.stored += other.stored
        self.duplicated += other.duplicated
        self.spans += other.spans
        self.faults += other.faults

    def blame(self, fault: str) -> None:
        """Names what is wrong, as long as the list is short enough to be read."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)


@dataclass(frozen=True)
class _Found:
    """One span of the store and the marks of its events, as often as they are there."""

    row: SpanRow
    payload: SpanPayload
    marks: Counter[str]


def compare(store: Path, notes: dict[str, Path]) -> Tally:
    """Looks for all that the programs noted (`notes`: file by program name) in a store that nobody writes to."""
    tally = Tally()
    problem = check_store(store, 60.0).problem
    if problem:
        tally.blame(problem)
    found = _read(store, set(notes), tally)
    for name, path in notes.items():
        for call, which in read_notes(path):
            tally.recorded += 1
            span = found.get(f"{name}:{which.partition('.')[0]}")
            missing = "the span itself" if span is None else _missing(span, call, which)
            if missing is None:
                tally.stored += 1
            else:
                tally.blame(f"{name}: `{call} {which}` was noted, the store lacks {missing}")
    return tally


def _missing(span: _Found, call: str, which: str) -> str | None:
    match call:
        case "s":
            whole = span.payload.input == {"text": text_of(int(which))}
            return None if whole else f"the input, it has {str(span.payload.input)[:80]}"
        case "e":
            return None if span.marks[which] else "the event"
        case "o":
            return None if span.payload.output == int(which) else f"the output, it has {span.payload.output!r}"
        case _:
            ended = span.row.status is Status.OK and span.row.end_ns is not None
            return None if ended else f"its end, it is {span.row.status.word}"


def _read(store: Path, names: set[str], tally: Tally) -> dict[str, _Found]:
    """The spans of these programs by name; what is there twice goes into the tally."""
    found: dict[str, _Found] = {}
    reader = StoreReader(store)
    try:
        for trace in reader.traces():
            if trace.name.partition(":")[0] not in names:
                continue  # what was thrown at the daemon by others
            rows = reader.spans(trace.trace_id)
            if (trace.spans, trace.running, trace.dropped) != (len(rows), 0, 0):
                tally.blame(
                    f"trace {trace.name} counts {trace.spans} spans, {trace.running} running, {trace.dropped} dropped; "
                    f"it has {len(rows)}"
                )
            payloads = dict(reader.payloads(trace.trace_id))
            told = Counter(event.span_id for event in reader.events(trace.trace_id))
            for row in rows:
                span = _Found(row, payloads[row.span_id], Counter(_marks(payloads[row.span_id])))
                if row.end_ns is not None and row.end_ns < row.start_ns:
                    tally.blame(f"{row.name} ends {row.start_ns - row.end_ns} ns before it starts")
                for fault in _twice(span, told[row.span_id], found):
                    tally.duplicated += 1
                    tally.blame(f"{row.name}: {fault}")
                found[row.name] = span
    finally:
        reader.close()
    tally.spans += len(found)
    return found


def _twice(span: _Found, told: int, before: dict[str, _Found]) -> Iterator[str]:
    if span.row.name in before:
        yield f"stored twice, as {before[span.row.name].row.span_id.hex()} and {span.row.span_id.hex()}"
    for mark, count in span.marks.items():
        if count > 1:
            yield f"event {mark} is stored {count} times"
    if {told, span.row.event_count} != {len(span.payload.events)}:
        yield f"{len(span.payload.events)} events, counted as {span.row.event_count} and listed {told} times"


def _marks(payload: SpanPayload) -> Iterator[str]:
    for event in payload.events:
        attributes: dict[str, Any] = event.attributes
        if event.name in (LOG_EVENT, STATE_EVENT):
            yield str(attributes.get("mark") or attributes)
