"""Reads a store without ever disturbing it: a read-only connection, and no transaction left open between two calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from traceview.protocol.records import (
    KINDS,
    STATE_EVENT,
    Event,
    EventRow,
    SpanPart,
    SpanPayload,
    SpanRow,
    Status,
    TraceInfo,
    TraceSummary,
)
from traceview.store.blocks import BlockDamaged
from traceview.store.columns import CONFLICT, PICO, ROW_COLUMNS, SUMMARY_COLUMNS, column_list
from traceview.store.driver import driver_error
from traceview.store.errors import StoreError, explain
from traceview.store.listing import ORDER, Place, TraceFilter, condition
from traceview.store.lookups import select_in
from traceview.store.merging import CONFLICT_ATTRIBUTE, to_payload
from traceview.store.opening import open_readable
from traceview.store.payloads import BlockCache, find_locators, merge_at

_STATUSES: Final = tuple(Status)
_from_json: Final = msgspec.json.decode
_SUMMARIES: Final = f"SELECT {column_list(SUMMARY_COLUMNS)} FROM trace"  # noqa: S608
_ROWS: Final = f"SELECT {column_list(ROW_COLUMNS)} FROM span WHERE trace_no = ?"  # noqa: S608
_PLACES: Final = "SELECT span_id, flags, source_no, locators, status, start_ns, end_ns FROM span WHERE trace_no = ?"
_SOME_PLACES: Final = f"{_PLACES.replace(' FROM', ', name, kind FROM')} AND span_id IN "
_TRACE_IDS: Final = "SELECT trace_no, trace_id FROM trace WHERE trace_no IN "
_PLACES_AT_ONCE: Final = 500
_NEWEST_FIRST: Final = " ORDER BY start_ns DESC, trace_no DESC"


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much a store holds. `dropped` counts spans known to be lost, `dead_letters` parts that couldn't be stored."""

    traces: int
    spans: int
    dropped: int
    dead_letters: int


class StoreReader:
    """Reads a store, live or exported; one thread uses it at a time. Every method raises StoreError when it can't."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = open_readable(path)
        self._resources: dict[int | None, dict[str, Any]] = {}
        self._blocks = BlockCache()

    def data_version(self) -> int:
        """A number that changes whenever another connection has written to the store; costs microseconds."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def head(self) -> int:
        """The highest change number: everything up to it is what a read made now sees."""
        return int(self._rows("SELECT value FROM meta WHERE key = 'change'")[0][0])

    def forgotten(self) -> int:
        """How many traces the store has forgotten (retention) so far: a list read before the latest is out of date."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'forgotten'")
        return int(rows[0][0]) if rows else 0

    def counts(self) -> StoreCounts:
        """How many traces and spans there are."""
        found = dict(self._rows("SELECT key, value FROM meta"))
        return StoreCounts(*(found.get(field, 0) for field in ("traces", "spans", "dropped", "dead_letters")))

    def size_bytes(self) -> int:
        """What the store takes on disk, its write-ahead log included."""
        total = 0
        for suffix in ("", "-wal"):
            try:
                total += self.path.with_name(self.path.name + suffix).stat().st_size
            except OSError:
                pass
        return total

    def traces(self, *, changed_after: int = 0, limit: int | None = None) -> list[TraceSummary]:
        """Traces whose change number is above `changed_after`, newest start first."""
        # The hint: SQLite would rather walk all traces in the wished order.
        hinted = " INDEXED BY trace_by_change WHERE change > ?"
        where, values = (hinted, [changed_after]) if changed_after else ("", [])
        values.append(-1 if limit is None else limit)
        return self._summaries(_SUMMARIES + where + _NEWEST_FIRST + " LIMIT ?", values)

    def page(self, wanted: TraceFilter, *, after: Place | None = None, limit: int) -> list[TraceSummary]:
        """The traces that are wanted, newest start first, from behind a place on."""
        where, values = condition(wanted, after)
        return self._summaries(_SUMMARIES + where + ORDER, (*values, limit))

    def trace(self, trace_id: bytes) -> TraceSummary | None:
        """One trace, None if it isn't here."""
        found = self._summaries(_SUMMARIES + " WHERE trace_id = ?", (trace_id,))
        return found[0] if found else None

    def find(self, text: str) -> list[TraceSummary]:
        """Traces whose id starts with this hex text, or whose name is exactly this; newest first."""
        condition, values = " WHERE name = ?", [text]
        bounds = _id_range(text)
        if bounds is not None:
            condition += " OR trace_id BETWEEN ? AND ?"
        return self._summaries(_SUMMARIES + condition + _NEWEST_FIRST, (*values, *(bounds or ())))

    def left_out_after(self, number: int) -> list[tuple[int, bytes]]:
        """The decisions to leave out a trace whose number is higher, with the trace's id; the newest are remembered."""
        sql = "SELECT number, trace_id FROM decision WHERE number > ? AND rule IS NOT NULL ORDER BY number"
        return self._rows(sql, (number,))

    def last_decision(self) -> int:
        """The highest number of a decision so far."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM decision")[0][0])

    def left_out_by(self, text: str) -> str | None:
        """The sampling rule that left out a trace whose id starts with this hex text; None where none is remembered."""
        bounds = _id_range(text)
        sql = "SELECT rule FROM decision WHERE trace_id BETWEEN ? AND ? AND rule IS NOT NULL LIMIT 1"
        rows = self._rows(sql, bounds) if bounds is not None else []
        return str(rows[0][0]) if rows else None

    def trace_ids(self, trace_nos: Sequence[int]) -> dict[int, bytes]:
        """The ids of the traces with these numbers in the store; those that are not here (any more) are left out."""
        with self._reading():
            return dict(select_in(self._live(), _TRACE_IDS, trace_nos))

    def spans(self, trace_id: bytes, *, changed_after: int = 0) -> list[SpanRow]:
        """The spans of a trace (those with a change number above `changed_after`), in no order."""
        number = self._number(trace_id)
        if number is None:
            return []
        if changed_after:
            rows = self._rows(_ROWS + " AND change > ?", (number, changed_after))
        else:
            rows = self._rows(_ROWS, (number,))
        with self._reading():
            return _span_rows(rows)

    def events(self, trace_id: bytes, *, changed_after: int = 0) -> list[EventRow]:
        """The events of a trace by time (those recorded after `changed_after`)."""
        number = self._number(trace_id)
        sql = (
            "SELECT span_id, time_ns, name FROM event WHERE trace_no = ? AND change > ?"
            " ORDER BY time_ns, change, span_id, ordinal"
        )
        return [EventRow(*row) for row in self._rows(sql, (number, changed_after))]

    def payload(self, trace_id: bytes, span_id: bytes) -> SpanPayload | None:
        """The heavy half of one span, None if the span isn't here."""
        number = self._number(trace_id)
        self._resources.clear()
        rows = self._rows(_PLACES + " AND span_id = ?", (number, span_id))
        for place, whole in self._whole_spans(number, rows):
            return self._payload(place, whole)
        return None

    def payloads(self, trace_id: bytes, span_ids: Sequence[bytes] | None = None) -> Iterator[tuple[bytes, SpanPayload]]:
        """Every span's id and heavy half by start, or those of `span_ids` in their order; a few blocks in memory at a
        time. A span that isn't here has an empty one.
        """
        number = self._number(trace_id)
        if span_ids is None:
            for place, whole in self._whole_spans(number, self._places(number)):
                yield place[0], self._payload(place, whole)
            return
        self._resources.clear()
        for begun in range(0, len(span_ids), _PLACES_AT_ONCE):
            wanted = span_ids[begun : begun + _PLACES_AT_ONCE]
            places = {place[0]: place for place in self._places_of(number, wanted)}
            for span_id in wanted:
                found = self._whole_spans(number, [places[span_id]] if span_id in places else [])
                yield span_id, next((self._payload(*pair) for pair in found), SpanPayload())

    def whole_spans(self, trace_id: bytes, span_ids: Sequence[bytes]) -> Iterator[SpanPart]:
        """These spans of a trace merged from all their parts, newest start first; what is not here is left out."""
        number = self._number(trace_id)
        with self._reading():
            places = list(select_in(self._live(), _SOME_PLACES, dict.fromkeys(span_ids), (number,)))
        places = sorted(dict.fromkeys(places), key=lambda place: place[5], reverse=True)
        for place, whole in self._whole_spans(number, places):
            *_, status, start_ns, _, name, kind = place
            yield msgspec.structs.replace(
                whole, start_ns=start_ns, status=_STATUSES[status], name=name, kind=KINDS[kind]
            )

    def state_events(self, trace_id: bytes) -> list[tuple[bytes, Event]]:
        """The `traceview.state` events of a trace with their attributes, by time, each with its span's id."""
        number = self._number(trace_id)
        sql = f"{_PLACES} AND span_id IN (SELECT span_id FROM event WHERE trace_no = ? AND name = ?)"  # noqa: S608
        rows = self._rows(sql, (number, number, STATE_EVENT))
        found = [
            (place[0], event)
            for place, whole in self._whole_spans(number, rows)
            for event in whole.events
            if event.name == STATE_EVENT
        ]
        found.sort(key=lambda pair: pair[1].time_ns)
        return found

    def parts(self, trace_id: bytes) -> Iterator[SpanPart]:
        """The whole spans of a trace by start, for export; the first one says what is said of the trace."""
        summary = self.trace(trace_id)
        if summary is None:
            return
        info: TraceInfo | None = TraceInfo(
            summary.name, summary.session, summary.user, summary.project, summary.tags, summary.metadata
        )
        number = self._number(trace_id)
        for place, whole in self._whole_spans(number, self._places(number)):
            _, flags, source_no, _, status, start_ns, end_ns = place
            yield msgspec.structs.replace(
                whole,
                start_ns=start_ns,
                end_ns=end_ns,  # that of an interrupted span, when its process died, stands in no part
                status=_STATUSES[status],
                attributes={**whole.attributes, CONFLICT_ATTRIBUTE: True} if flags & CONFLICT else whole.attributes,
                resource={**self._resource(source_no), **whole.resource},
                trace=info,
            )
            info = None

    def close(self) -> None:
        """Closes the file; safe twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # --- payloads

    def _places(self, number: int | None) -> list[tuple[Any, ...]]:
        self._resources.clear()  # a process may have said more of itself since
        return self._rows(_PLACES + " ORDER BY start_ns, span_id", (number,))

    def _places_of(self, number: int | None, span_ids: Sequence[bytes]) -> list[tuple[Any, ...]]:
        with self._reading():
            return list(select_in(self._live(), _PLACES + " AND span_id IN ", span_ids, (number,)))

    def _payload(self, place: tuple[Any, ...], whole: SpanPart) -> SpanPayload:
        return to_payload(whole, self._resource(place[2]), conflict=bool(place[1] & CONFLICT))

    def _whole_spans(
        self, number: int | None, places: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[tuple[Any, ...], SpanPart]]:
        """The spans at these places (rows of _PLACES), merged from their parts."""
        for place in places:
            span_id, flags, _, entries = place[:4]
            connection = self._live()
            with self._reading():
                locators = find_locators(connection, number, span_id, flags, entries)
                whole = merge_at(connection, self._blocks, locators)
            yield place, whole

    def _resource(self, source_no: int | None) -> dict[str, Any]:
        found = self._resources.get(source_no)
        if found is None:
            rows = self._rows("SELECT resource FROM source WHERE source_no = ?", (source_no,))
            found = msgspec.msgpack.decode(rows[0][0]) if rows and rows[0][0] else {}
            self._resources[source_no] = found
        return found

    # --- queries

    def _number(self, trace_id: bytes) -> int | None:
        rows = self._rows("SELECT trace_no FROM trace WHERE trace_id = ?", (trace_id,))
        return int(rows[0][0]) if rows else None

    def _summaries(self, sql: str, values: Sequence[Any]) -> list[TraceSummary]:
        rows = self._rows(sql, values)
        with self._reading():
            return [summary_of(row) for row in rows]

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        connection = self._live()
        try:
            return connection.execute(sql, values).fetchall()
        except driver_error() as error:
            if "decode" not in str(error) or connection.text_factory is not str:
                raise explain(error, self.path) from error
        # Text that is no UTF-8: a damaged file, or another program's. Show what can be shown.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        return self._rows(sql, values)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns what damaged content raises into one sentence."""
        try:
            yield
        except driver_error() as error:
            raise explain(error, self.path) from error
        except (BlockDamaged, msgspec.DecodeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise StoreError(
                f"{self.path} is damaged ({error}): what other traces hold may still be readable"
            ) from error

    def _live(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self.path} was closed")
        return self._connection


def _span_rows(rows: Sequence[tuple[Any, ...]]) -> list[SpanRow]:
    kinds, statuses = KINDS, _STATUSES
    return [
        SpanRow(span, parent, name, kinds[kind], statuses[status], *rest)
        for span, parent, name, kind, status, *rest in rows
    ]


def summary_of(row: tuple[Any, ...]) -> TraceSummary:
    """A row of SUMMARY_COLUMNS as the record it stands for."""
    trace_id, name, status, start_ns, last_ns, spans, errors, running, llm_calls = row[:9]
    session, user, project, tags, metadata, models = row[9:15]
    input_tokens, output_tokens, cost_pico_usd, preview, dropped, change = row[15:]
    return TraceSummary(
        trace_id=trace_id,
        name=name,
        status=_STATUSES[status],
        start_ns=start_ns,
        end_ns=None if running else last_ns,
        spans=spans,
        errors=errors,
        running=running,
        llm_calls=llm_calls,
        session=session,
        user=user,
        project=project,
        tags=tuple(_from_json(tags)) if tags else (),
        metadata=_from_json(metadata) if metadata else {},
        models=tuple(_from_json(models)) if models else (),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=None if cost_pico_usd is None else cost_pico_usd / PICO,
        preview=preview,
        dropped=dropped,
        change=change,
    )


def _id_range(text: str) -> tuple[bytes, bytes] | None:
    """The lowest and highest trace id that start with this hex text; None where it is none."""
    digits = text.strip().lower()
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    return bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
