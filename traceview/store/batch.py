"""What one transaction does with a batch of parts: loads the rows they touch, merges, writes each row once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from traceview.protocol.records import (
    CANDIDATE_EVENT,
    EVALUATION_EVENT,
    NO_FACTS,
    Event,
    Facts,
    SpanPart,
    TraceInfo,
)
from traceview.protocol.sampling import SAMPLED_OUT_KEY
from traceview.store.blocks import ENTRY, NOWHERE, BlockDamaged, BlockPacker, join_entries, split_entries
from traceview.store.calls import mark_calls
from traceview.store.columns import (
    CONFLICT,
    JUDGED,
    SPAN_COLUMNS,
    SPILLED,
    TRACE_COLUMNS,
    bindable,
    insert_statement,
    write_rows,
)
from traceview.store.cutting import MIN_RECORD
from traceview.store.joining import split, to_slots
from traceview.store.lookups import (
    SELECT_DECISIONS,
    SELECT_SPANS,
    SELECT_TRACES,
    SELECT_TRACES_BY_NO,
    select_in,
)
from traceview.store.merging import merge, same_span
from traceview.store.payloads import BlockCache, find_locators
from traceview.store.pieces import INSERT_PIECES, Pieces
from traceview.store.readying import ReadyPart
from traceview.store.spans import SpanState
from traceview.store.traces import TraceState

_log = logging.getLogger(__name__)

Understand = Callable[[SpanPart], Facts]

_INSERT_SPANS: Final = insert_statement("span", SPAN_COLUMNS)
_INSERT_TRACES: Final = insert_statement("trace", TRACE_COLUMNS)
_INSERT_BLOCKS: Final = insert_statement("payload_block", ("block_no", "data"))
_INSERT_EVENTS: Final = insert_statement("event", ("trace_no", "change", "span_id", "ordinal", "time_ns", "name"))
_INSERT_SPILLED: Final = insert_statement("span_part", ("trace_no", "span_id", "digest", "locator"))

_OPEN_SPANS: Final = "SELECT trace_no, span_id FROM span INDEXED BY span_open WHERE end_ns IS NULL AND source_no IS ?"
_INTERRUPTED_SPANS: Final = (
    "SELECT trace_no, span_id FROM span INDEXED BY span_interrupted WHERE status = 3 AND source_no IS ?"
)

# A span row lists this many parts itself; of a span with more (a long run that logs a lot) older ones move to
# span_part, or each new part would write a longer row.
_INLINE_BYTES: Final = 16 * ENTRY.size
_MAX_EVENT_NAME: Final = 500
# What is damaged, or nested too deeply, keeps nothing from being stored.
_UNCOMPARABLE: Final = (BlockDamaged, msgspec.DecodeError, RecursionError)
_JUDGEMENTS: Final = (EVALUATION_EVENT, CANDIDATE_EVENT)


class Batch:
    """The work of one transaction. `take()` merges parts, `write()` stores what changed; then read the counters."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        packer: BlockPacker,
        pieces: Pieces,
        understand: Understand,
        *,
        change: int,
        next_trace: int,
        now_ns: int,
        source_no: int | None,
        any_decided: bool,
    ) -> None:
        self._connection = connection
        self._packer = packer
        self._pieces = pieces
        self._understand = understand
        self._change = change
        self._now_ns = now_ns
        self._source_no = source_no
        self._any_decided = any_decided
        self._traces: dict[bytes, TraceState] = {}
        self._events: list[tuple[int, int, bytearray, int, int, str]] = []
        self._spilled: dict[tuple[int, bytes, bytes], int] = {}
        self._first_locator = packer.next_locator
        self.next_trace = next_trace
        self.new_traces = 0
        self.new_spans = 0
        self.changed_spans = 0
        self.wrote = False
        self.understanding_failed: Exception | None = None

    def take(self, parts: Sequence[ReadyPart]) -> None:
        """Merges parts into the spans they belong to, in the order given."""
        groups: dict[bytes, list[ReadyPart]] = {}
        for ready in parts:
            trace_id = ready.part.trace_id
            group = groups.get(trace_id)
            if group is None:
                groups[trace_id] = [ready]
            else:
                group.append(ready)
        self._load_traces(groups)
        for trace_id, group in groups.items():
            trace = self._traces[trace_id]
            if not trace.fresh:
                self._load_spans(trace, {ready.part.span_id for ready in group})
            for ready in group:
                self._take_part(trace, ready)

    def add_dropped(self, trace_no: int | None, count: int) -> bool:
        """Notes that so many spans of a trace were lost; False where there is no such trace."""
        for trace in self._traces.values():
            if trace.trace_no == trace_no:
                break
        else:
            found = self._load_by_number([trace_no])
            if not found:
                return False
            trace = found[0]
        trace.dropped += count
        trace.touched = True
        return True

    def set_interrupted(self, source_no: int | None, interrupted: bool, at_ns: int | None = None) -> None:
        """Marks the spans of a source that have no end as interrupted (at a time, if known), or as running again."""
        open_spans: dict[int, list[bytes]] = {}
        rows = self._connection.execute(_OPEN_SPANS if interrupted else _INTERRUPTED_SPANS, (source_no,))
        for trace_no, span_id in rows.fetchall():
            open_spans.setdefault(trace_no, []).append(span_id)
        for trace in self._load_by_number(open_spans):
            self._load_spans(trace, open_spans[trace.trace_no])
            for span in trace.members.values():
                before = span.status
                span.set_interrupted(interrupted, at_ns)
                span.dirty = span.dirty or span.status != before

    def write(self) -> None:
        """Writes blocks, spans, events and traces."""
        execute = self._connection.executemany
        rows: list[tuple[Any, ...]] = []
        for trace in self._traces.values():
            self._settle(trace, rows)
        write_rows(self._connection, "span", SPAN_COLUMNS, rows)
        execute(_INSERT_BLOCKS, self._packer.take())  # late: they are being packed meanwhile
        if shared := self._pieces.take():
            execute(INSERT_PIECES, shared)
        if self._events:
            execute(_INSERT_EVENTS, self._events)
        if self._spilled:
            execute(_INSERT_SPILLED, [bindable((*key, locator)) for key, locator in self._spilled.items()])
        touched = [trace for trace in self._traces.values() if trace.touched]
        for trace in touched:
            self._recheck(trace)
        write_rows(self._connection, "trace", TRACE_COLUMNS, [bindable(trace.row(self._change)) for trace in touched])
        self.new_traces += sum(trace.fresh for trace in touched)
        self.wrote = bool(touched)

    def last_trace_no(self, parts: Sequence[ReadyPart]) -> int | None:
        """The number of the trace that the last part belongs to."""
        return self._traces[parts[-1].part.trace_id].trace_no if parts else None

    # --- merging

    def _take_part(self, trace: TraceState, ready: ReadyPart) -> None:
        part, mark = ready.part, ready.mark
        span = trace.members.get(part.span_id)
        events: Sequence[Event] = part.events
        if span is None:
            if len(part.span_id) != 8 or len(part.trace_id) != 16:
                raise ValueError("a trace id has 16 bytes and a span id has 8")
            span = trace.members[part.span_id] = SpanState(part.span_id, self._source_no)
        elif mark in span.news or ((span.entries or span.flags & SPILLED) and self._is_known(trace, span, mark)):
            return
        elif part.end_ns is not None and span.has_ended:
            added = self._compare(trace, span, ready)
            if added is None:
                self._remember(trace, span, NOWHERE, [mark])
                span.rewrite = True
                trace.say_news(part.trace)
                return
            events = added
            span.flags |= CONFLICT
        facts = self._facts(part)
        span.absorb(part, facts, self._now_ns)
        span.news[mark] = ready
        for event in events:
            name = event.name[:_MAX_EVENT_NAME]
            self._events.append(
                (trace.trace_no, self._change, bytearray(span.span_id), span.event_count, event.time_ns, name)
            )
            span.event_count += 1
            if event.name in _JUDGEMENTS:
                span.flags |= JUDGED
        if part.end_ns is not None and span.flags & JUDGED:
            span.detail = self._judged(trace, span) or span.detail
        if facts.trace is not None:
            trace.say(facts.trace)
        if part.trace is not None and part.trace is not facts.trace:
            trace.say(part.trace)

    def _judged(self, trace: TraceState, span: SpanState) -> str | None:
        """What stands beside the bar of a span that judged."""
        try:
            return self._facts(merge(self._parts_of(trace, span))).detail
        except _UNCOMPARABLE:
            return None

    def _facts(self, part: SpanPart) -> Facts:
        try:
            return self._understand(part)
        except Exception as error:
            self.understanding_failed = error
            return NO_FACTS

    def _is_known(self, trace: TraceState, span: SpanState, mark: bytes) -> bool:
        """Whether the span had the part before this batch."""
        place = span.entries.find(mark)
        while place >= 0:
            if place % ENTRY.size == 8:
                return True
            place = span.entries.find(mark, place + 1)
        if not span.flags & SPILLED:
            return False
        key = (trace.trace_no, span.span_id, mark)
        if key in self._spilled:
            return True
        sql = "SELECT 1 FROM span_part WHERE trace_no = ? AND span_id = ? AND digest = ?"
        return self._connection.execute(sql, key).fetchone() is not None

    def _compare(self, trace: TraceState, span: SpanState, ready: ReadyPart) -> Sequence[Event] | None:
        """A second report of the end: None if it says nothing new, else the events that were not there before."""
        try:
            parts = [self._common_resource(span), *self._parts_of(trace, span)]
            before = merge(parts)
            after = merge([*parts, *split(ready.record)])
            return None if same_span(before, after) else after.events[len(before.events) :]
        except _UNCOMPARABLE:
            return ready.part.events

    def _parts_of(self, trace: TraceState, span: SpanState) -> list[SpanPart]:
        """The parts of a span in order of arrival, this batch's included."""
        locators = find_locators(self._connection, trace.trace_no, span.span_id, span.flags, span.entries)
        mine = (trace.trace_no, span.span_id)
        locators += [place for key, place in self._spilled.items() if key[:2] == mine]
        before = sorted(place for place in set(locators) if NOWHERE < place < self._first_locator)
        cache = BlockCache()
        parts = [part for locator in before for part in split(cache.part(self._connection, locator))]
        return parts + [part for ready in span.news.values() for part in split(ready.record)]

    def _common_resource(self, span: SpanState) -> SpanPart:
        sql = "SELECT resource FROM source WHERE source_no = ?"
        row = self._connection.execute(sql, (span.source_no,)).fetchone()
        resource = msgspec.msgpack.decode(row[0]) if row and row[0] else {}
        return SpanPart(b"", span.span_id, resource=resource)

    def _place(self, trace: TraceState, span: SpanState) -> None:
        """Gives the new parts of a span their place in the blocks."""
        for stored, marks in to_slots(span.news):
            if len(stored) >= MIN_RECORD:  # a part alone
                ready = span.news[marks[0]]
                stored = self._pieces.share(trace, ready.part, bytes(stored), ready.cuts)
            self._remember(trace, span, self._packer.add(stored), marks)

    def _remember(self, trace: TraceState, span: SpanState, locator: int, marks: Sequence[bytes]) -> None:
        """Notes where parts lie that share a slot; once the row lists many, they move to span_part."""
        span.entries += join_entries(locator, marks)
        if len(span.entries) > _INLINE_BYTES:
            for place, known in split_entries(span.entries):
                self._spilled[trace.trace_no, span.span_id, known] = place
            span.entries = b""
            span.flags |= SPILLED

    # --- loading

    def _load_traces(self, trace_ids: Iterable[bytes]) -> None:
        wanted = [trace_id for trace_id in trace_ids if trace_id not in self._traces]
        for row in select_in(self._connection, SELECT_TRACES, wanted):
            self._traces[row[1]] = TraceState.from_row(row)
        fresh = [trace_id for trace_id in wanted if trace_id not in self._traces]
        for trace_id in fresh:
            self._traces[trace_id] = TraceState(self.next_trace, trace_id)
            self.next_trace += 1
        for trace_id, rule in select_in(self._connection, SELECT_DECISIONS, fresh) if self._any_decided else ():
            self._traces[trace_id].pinned = rule is None
            if rule is not None:
                self._traces[trace_id].say(TraceInfo(metadata={SAMPLED_OUT_KEY: rule}))

    def _load_by_number(self, numbers: Iterable[int | None]) -> list[TraceState]:
        found = []
        for row in select_in(self._connection, SELECT_TRACES_BY_NO, numbers):
            trace = self._traces.get(row[1])
            if trace is None:
                trace = self._traces[row[1]] = TraceState.from_row(row)
            found.append(trace)
        return found

    def _load_spans(self, trace: TraceState, span_ids: Iterable[bytes]) -> None:
        wanted = [span_id for span_id in span_ids if span_id not in trace.members]
        for row in select_in(self._connection, SELECT_SPANS, wanted, (trace.trace_no,)):
            trace.members[row[1]] = SpanState.from_row(row)

    # --- settling

    def _settle(self, trace: TraceState, rows: list[tuple[Any, ...]]) -> None:
        """Counts the changed spans of a trace into its sums and collects their rows."""
        mark_calls(self._connection, trace, self._load_spans)
        for span in trace.members.values():
            if span.dirty:
                if span.news:
                    span.settle_status()
                    self._place(trace, span)
                span.change = self._change
                self.changed_spans += 1
                if span.old is None:
                    self.new_spans += 1
            elif not span.rewrite:
                continue
            trace.touched = trace.touched or span.dirty or span.share() != span.old
            trace.count(span)
            rows.append(span.row(trace.trace_no))

    def _recheck(self, trace: TraceState) -> None:
        number = (trace.trace_no,)
        fetch = self._connection.execute
        if trace.recheck_times:
            sql = "SELECT min(start_ns), max(max(start_ns, coalesce(end_ns, start_ns))) FROM span WHERE trace_no = ?"
            trace.start_ns, trace.last_ns = fetch(sql, number).fetchone()
        if trace.recheck_models:
            sql = "SELECT DISTINCT model FROM span WHERE trace_no = ? AND model IS NOT NULL"
            trace.models = {row[0] for row in fetch(sql, number)}
        if trace.recheck_root:
            sql = (
                "SELECT span_id FROM span WHERE trace_no = ? ORDER BY parent_id IS NOT NULL, start_ns, span_id LIMIT 1"
            )
            span_id = fetch(sql, number).fetchone()[0]
            self._load_spans(trace, [span_id])
            span = trace.members[span_id]
            trace.take_root(span_id, span.parent_id is not None, span.start_ns, span.status, span.name)
        if trace.recheck_root or trace.recheck_preview:
            self._find_preview(trace)

    def _find_preview(self, trace: TraceState) -> None:
        """What the root was given, also where it has a parent somewhere else."""
        assert trace.root_id is not None
        span = trace.members[trace.root_id]
        trace.preview = None
        try:
            parts = self._parts_of(trace, span)
        except _UNCOMPARABLE:
            return
        for part in parts:
            facts = self._facts(msgspec.structs.replace(part, parent_id=None))
            if facts.preview is not None:
                trace.preview = facts.preview
