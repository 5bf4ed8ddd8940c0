"""Runs as text, shown through the shared selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from traceview.analysis.steps import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.jobs import Jobs
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.protocol.records import EventRow, SpanRow, Status, TraceSummary
from traceview.testing import build_trace

MakeRun = Callable[..., OpenRun]

_SOURCE = Source(Path("traces.db"), "Live", True)
_SUMMARY = TraceSummary(
    trace_id=bytes(16),
    name="run",
    status=Status.OK,
    start_ns=0,
    end_ns=None,
    spans=0,
    errors=0,
    running=0,
    llm_calls=0,
    session=None,
    user=None,
    project=None,
    tags=(),
    metadata={},
    models=(),
    input_tokens=None,
    output_tokens=None,
    cost_usd=None,
    preview=None,
    dropped=0,
    change=1,
)


def _run(rows: Sequence[SpanRow], events: Sequence[EventRow], status: Status, name: str) -> OpenRun:
    tree = build_tree(rows)
    moments = find_moments(tree, events)
    start, end = (moments.times[0], moments.times[-1]) if len(moments) else (0, 0)
    summary = msgspec.structs.replace(_SUMMARY, trace_id=name.encode().ljust(16, b"\0"), status=status)
    return OpenRun(_SOURCE, summary, tree, tuple(events), moments, start, end)


@pytest.fixture
def make_run() -> MakeRun:
    """Makes an open run: `make_run("plan > (search, answer)", events=…, running=True, stretch=1000)`.

    `events` are (span's name, ns since the run's start, event's name); `stretch` multiplies all times since the start.
    """

    def make(
        text: str,
        events: Sequence[tuple[str, int, str]] = (),
        *,
        running: bool = False,
        stretch: float = 1,
        name: str = "run",
    ) -> OpenRun:
        rows = build_trace(text, trace=name).rows() if text else []
        start = rows[0].start_ns if rows else 0
        rows = [
            msgspec.structs.replace(
                row,
                start_ns=start + round((row.start_ns - start) * stretch),
                end_ns=None if row.end_ns is None else start + round((row.end_ns - start) * stretch),
            )
            for row in rows
        ]
        ids = {row.name: row.span_id for row in rows}
        happened = [EventRow(ids[span], start + time, event) for span, time, event in events]
        happened.sort(key=lambda event: event.time_ns)
        return _run(rows, happened, Status.RUNNING if running else Status.OK, name)

    return make


@pytest.fixture
def selection(qapp: object) -> Selection:
    """The shared selection, with no run."""
    return Selection()


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    """The worker; closed after the test."""
    jobs = Jobs()
    yield jobs
    jobs.close()
