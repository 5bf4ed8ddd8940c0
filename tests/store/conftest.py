"""Real stores in temporary folders, a simple understanding of attributes, and sums made afresh from rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from traceview.protocol.records import Facts, SpanPart, SpanRow, Status, TraceInfo, TraceSummary
from traceview.store import StoreReader, StoreWriter


def simple_facts(part: SpanPart) -> Facts:
    """Reads attributes named like the fields of Facts; `preview` is how a root's input begins where that is text."""
    said = part.attributes
    named = {
        name: said[name]
        for name in ("model", "provider", "input_tokens", "output_tokens", "reasoning_tokens", "cost_usd", "detail")
        if name in said
    }
    named |= {name: said[name] for name in ("cache_read_tokens", "cache_write_tokens") if name in said}
    return Facts(
        kind=None if part.kind else said.get("kind"),
        preview=part.input[:200] if isinstance(part.input, str) and part.parent_id is None else None,
        trace=TraceInfo(session=said["session"]) if "session" in said else None,
        **named,
    )


class Store:
    """One store file with its writer; readers are closed with it."""

    def __init__(self, path: Path, cleanup: ExitStack) -> None:
        self.path = path
        self._cleanup = cleanup
        self.writer = self.open_writer()

    def open_writer(self, **settings: Any) -> StoreWriter:
        settings = {"floor_bytes": 0, **settings}
        writer = StoreWriter(self.path, settings.pop("understand", simple_facts), **settings)
        self._cleanup.callback(writer.close)
        return writer

    def reader(self) -> StoreReader:
        reader = StoreReader(self.path)
        self._cleanup.callback(reader.close)
        return reader

    def apply(self, *parts: SpanPart, **more: Any) -> int:
        return self.writer.apply(parts, **more)

    def trace(self, trace_id: bytes) -> TraceSummary:
        found = self.reader().trace(trace_id)
        assert found is not None
        return found

    def row(self, part: SpanPart) -> SpanRow:
        return next(row for row in self.reader().spans(part.trace_id) if row.span_id == part.span_id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as cleanup:
        yield Store(tmp_path / "traces.db", cleanup)


@pytest.fixture
def facts() -> Callable[[SpanPart], Facts]:
    return simple_facts


def sums_of(rows: Sequence[SpanRow]) -> dict[str, Any]:
    """What a TraceSummary must say, made from scratch from the rows of its spans."""

    def reports(row: SpanRow) -> bool:
        return any(value is not None for value in (row.input_tokens, row.output_tokens, row.cost_usd))

    llm = [row for row in rows if row.kind == "llm"]
    below = [row for row in llm if row.parent_id != row.span_id]
    with_call = {row.parent_id for row in below}
    with_usage = {row.parent_id for row in below if reports(row)}
    paid = [row for row in llm if row.span_id not in with_usage]
    count = {status: sum(row.status is status for row in rows) for status in Status}
    root = min(rows, key=lambda row: (row.parent_id is not None, row.start_ns, row.span_id))
    if count[Status.RUNNING]:
        status = Status.RUNNING
    elif root.status is Status.ERROR or (root.parent_id is not None and count[Status.ERROR]):
        status = Status.ERROR
    else:
        status = Status.INTERRUPTED if count[Status.INTERRUPTED] else Status.OK
    last = max(max(row.start_ns, row.end_ns or row.start_ns) for row in rows)
    costs = [round(row.cost_usd * 10**12) for row in paid if row.cost_usd is not None]
    return {
        "name": root.name,
        "status": status,
        "start_ns": min(row.start_ns for row in rows),
        "end_ns": None if count[Status.RUNNING] else last,
        "spans": len(rows),
        "errors": count[Status.ERROR],
        "running": count[Status.RUNNING],
        "llm_calls": sum(row.span_id not in with_call for row in llm),
        "models": tuple(sorted({row.model for row in rows if row.model is not None})),
        "input_tokens": _sum(row.input_tokens for row in paid),
        "output_tokens": _sum(row.output_tokens for row in paid),
        "cost_usd": sum(costs) / 10**12 if costs else None,
    }


def _sum(values: Iterator[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


@pytest.fixture
def assert_sums_exact() -> Callable[[StoreReader, bytes], None]:
    """Checks that a trace's sums, kept up span by span, are what its rows say."""

    def check(reader: StoreReader, trace_id: bytes) -> None:
        summary = reader.trace(trace_id)
        assert summary is not None
        expected = sums_of(reader.spans(trace_id))
        assert {name: getattr(summary, name) for name in expected} == expected

    return check
