"""What the inspectors' tests share: spans with payloads in a run, the values nobody hopes to meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from traceview.analysis.anomalies import find_anomalies
from traceview.analysis.moments import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.inspectors.subject import Subject, make_subject
from traceview.app.jobs import Jobs
from traceview.app.state.open_run import OpenRun, Source
from traceview.conventions import facts
from traceview.protocol.records import EventRow, SpanPart, SpanPayload, SpanRow, Status
from traceview.testing import START_NS, build_trace

MS = 1_000_000
TRACE = b"t" * 16


def _row(part: SpanPart, change: int = 1) -> SpanRow:
    """The row that the store makes of a part."""
    said = facts(part)
    return SpanRow(
        span_id=part.span_id,
        parent_id=part.parent_id,
        name=part.name or "",
        kind=said.kind or "other",
        status=Status.OK if part.status is None else part.status,
        status_message=part.status_message,
        start_ns=part.start_ns or START_NS,
        end_ns=part.end_ns,
        model=said.model,
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        cache_read_tokens=said.cache_read_tokens,
        cache_write_tokens=said.cache_write_tokens,
        reasoning_tokens=said.reasoning_tokens,
        cost_usd=said.cost_usd,
        detail=said.detail,
        event_count=len(part.events),
        change=change,
    )


def _payload(part: SpanPart) -> SpanPayload:
    """The payload that the store keeps of a part."""
    return SpanPayload(
        attributes=part.attributes,
        input=part.input,
        output=part.output,
        reasoning=part.reasoning,
        events=part.events,
        links=part.links,
        resource=part.resource,
    )


def _part(kind: str = "tool", *, ms: int | None = 2180, name: str = "a span", **said: Any) -> SpanPart:
    """One span of a kind, `ms` long (None: running)."""
    status = Status.RUNNING if ms is None else Status.OK
    fields: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": b"s" * 8,
        "name": name,
        "kind": kind,
        "start_ns": START_NS,
        "end_ns": None if ms is None else START_NS + ms * MS,
        "status": status,
    }
    return SpanPart(**fields | said)


@pytest.fixture
def part() -> Callable[..., SpanPart]:
    """Makes one span of a kind, `ms` long (None: running)."""
    return _part


@pytest.fixture
def payload() -> Callable[[SpanPart], SpanPayload]:
    """The payload that the store keeps of a part."""
    return _payload


@pytest.fixture
def subject() -> Callable[..., Subject]:
    """Makes a span with its payload, as the inspectors are given it."""

    def make(kind: str = "tool", **said: Any) -> Subject:
        found = _part(kind, **said)
        return make_subject(TRACE, START_NS, _row(found), _payload(found))

    return make


@pytest.fixture
def make_run(summary: Callable[..., Any]) -> Callable[..., OpenRun]:
    """Makes an open run of parts; `change` is the number at which its rows changed last."""

    def make(parts: tuple[SpanPart, ...], change: int = 1, source: str = "live") -> OpenRun:
        tree = build_tree([_row(part, change) for part in parts])
        events = sorted(
            (EventRow(part.span_id, event.time_ns, event.name) for part in parts for event in part.events),
            key=lambda event: event.time_ns,
        )
        now = max((part.end_ns or part.start_ns or 0) for part in parts)
        whole = summary(trace_id=parts[0].trace_id, start_ns=START_NS)
        moments = find_moments(tree, events)
        where, doubts = Source(Path(source), source, True), find_anomalies(tree)
        return OpenRun(where, whole, tree, tuple(events), moments, START_NS, now, doubts)

    return make


@pytest.fixture
def jobs(qapp: QApplication) -> Iterator[Jobs]:
    """The worker thread."""
    found = Jobs()
    yield found
    found.close()


@pytest.fixture
def clipboard(qapp_look: QApplication) -> Callable[[], str]:
    """What the clipboard holds; empty at first."""
    QGuiApplication.clipboard().clear()
    return QGuiApplication.clipboard().text


@pytest.fixture(autouse=True)
def look(qapp_look: QApplication) -> None:
    """Fonts and style are the app's."""


@pytest.fixture
def built() -> Callable[[str], tuple[SpanPart, ...]]:
    """Spans written as text, chains where no kind is given."""

    def build(text: str) -> tuple[SpanPart, ...]:
        return tuple(msgspec.structs.replace(part, kind=part.kind or "chain") for part in build_trace(text).parts)

    return build


@pytest.fixture
def nested() -> Callable[[int], Any]:
    """Makes a list in a list in a list …"""

    def build(levels: int) -> Any:
        value: Any = []
        for _ in range(levels):
            value = [value]
        return value

    return build


@pytest.fixture
def hostile() -> dict[Any, Any]:
    """The values that nobody hopes to meet."""
    return dict(_HOSTILE)


_HOSTILE = {
    "nul": "a\x00b\x1b[31mred",
    "rtl": "\u202eevil\u202c",
    "surrogate": "x\ud800y",
    "line": "z" * 2_000_000,
    "nan": float("nan"),
    "huge": 10**5000,
    "bytes": b"\x00\x01" * 100,
    "<b>html</b>": "<img src='file:///etc/passwd'>",
    "none": None,
    "set": {1},
    "emoji": "👩\u200d💻 ok",
    7: "a number as key",
}
