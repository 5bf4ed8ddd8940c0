"""Spans whose process died end at its death, as interrupted; who speaks again was not dead."""

from __future__ import annotations

from pathlib import Path

import msgspec

from traceview.conventions import facts
from traceview.protocol.records import SpanRow, Status, TraceSummary
from traceview.store import StoreReader, StoreWriter
from traceview.testing import START_NS, STEP_NS, build_trace

RUN = build_trace("run:agent~ > (done:tool, open:llm~)")
DEATH = START_NS + 20 * STEP_NS
SESSION = b"s" * 16


def read(path: Path) -> tuple[TraceSummary, dict[str, SpanRow]]:
    reader = StoreReader(path)
    (trace,) = reader.traces()
    rows = {row.name: row for row in reader.spans(trace.trace_id)}
    reader.close()
    return trace, rows


def test_open_spans_end_where_their_process_died(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "a.db", facts)
    writer.apply(RUN.parts, session=SESSION, seq=1)
    assert writer.interrupt(SESSION, at_ns=DEATH) == 2
    assert writer.interrupt(SESSION, at_ns=DEATH + 1) == 0
    writer.close()
    trace, rows = read(tmp_path / "a.db")
    assert (trace.status, trace.running, trace.end_ns) == (Status.INTERRUPTED, 0, DEATH)
    assert (rows["open"].status, rows["open"].end_ns) == (Status.INTERRUPTED, DEATH)
    assert (rows["run"].status, rows["run"].end_ns) == (Status.INTERRUPTED, DEATH)
    assert rows["done"].status is Status.OK


def test_a_death_before_the_start_ends_a_span_at_its_start(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "a.db", facts)
    writer.apply(RUN.parts, session=SESSION, seq=1)
    writer.interrupt(SESSION, at_ns=1)
    writer.close()
    _, rows = read(tmp_path / "a.db")
    assert rows["open"].end_ns == rows["open"].start_ns


def test_an_end_that_comes_after_all_counts_and_is_no_contradiction(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "a.db", facts)
    writer.apply(RUN.parts, session=SESSION, seq=1)
    writer.interrupt(SESSION, at_ns=DEATH)
    end = DEATH + 5 * STEP_NS
    late = msgspec.structs.replace(RUN.part("open"), status=Status.OK, end_ns=end, events=())
    writer.apply([late], session=SESSION, seq=2)
    writer.close()
    trace, rows = read(tmp_path / "a.db")
    assert (rows["open"].status, rows["open"].end_ns) == (Status.OK, end)
    assert (rows["run"].status, rows["run"].end_ns) == (Status.RUNNING, None)
    assert (trace.status, trace.end_ns) == (Status.RUNNING, None)
    reader = StoreReader(tmp_path / "a.db")
    payload = reader.payload(RUN.trace_id, RUN.part("open").span_id)
    reader.close()
    assert payload is not None
    assert "traceview.conflict" not in payload.attributes


def test_how_much_a_session_lost_is_known(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "a.db", facts)
    assert writer.dropped_by(SESSION) == 0
    writer.apply(RUN.parts, session=SESSION, seq=1, dropped=3)
    assert writer.dropped_by(SESSION) == 3
    writer.close()
