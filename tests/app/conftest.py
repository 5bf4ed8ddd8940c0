"""What the app's tests share: traces made up in one line, fonts and style as the app sets them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from traceview.app.theme import load_fonts, palette, theme, ui_font
from traceview.protocol.records import Status, TraceSummary
from traceview.testing import START_NS

SECOND = 1_000_000_000

MakeSummary = Callable[..., TraceSummary]


def _summary(name: str = "support-agent", *, at: float = 0.0, takes: float | None = 1.5, **other: Any) -> TraceSummary:
    start = START_NS + round(at * SECOND)
    fields: dict[str, Any] = {
        "trace_id": hashlib.sha256(f"{name}/{at}".encode()).digest()[:16],
        "name": name,
        "status": Status.RUNNING if takes is None else Status.OK,
        "start_ns": start,
        "end_ns": None if takes is None else start + round(takes * SECOND),
        "spans": 34,
        "errors": 0,
        "running": 0,
        "llm_calls": 5,
        "session": None,
        "user": None,
        "project": None,
        "tags": (),
        "metadata": {},
        "models": (),
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "preview": None,
        "dropped": 0,
        "change": 1,
    }
    return TraceSummary(**fields | other)


@pytest.fixture
def summary() -> MakeSummary:
    """Makes a trace summary: `at` seconds after the builders' start, taking `takes` seconds (None: still running)."""
    return _summary


@pytest.fixture(scope="session")
def qapp_look(qapp: QApplication) -> QApplication:
    """The application with the app's style, fonts and palette."""
    qapp.setStyle("Fusion")
    load_fonts()
    qapp.setFont(ui_font())
    qapp.setPalette(palette(theme(True)))
    return qapp
