"""The selection: panes hear of every change once, and of nothing that did not change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from traceview.analysis.steps import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.protocol.records import Status, TraceSummary
from traceview.testing import build_trace


def _run(text: str = "plan > (search, answer)", name: str = "run", source: str = "a.db") -> OpenRun:
    trace = build_trace(text, trace=name)
    tree = build_tree(trace.rows())
    moments = find_moments(tree, [])
    summary = TraceSummary(
        trace_id=trace.trace_id,
        name=name,
        status=Status.OK,
        start_ns=moments.times[0],
        end_ns=None,
        spans=len(tree),
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
    return OpenRun(Source(Path(source), source, False), summary, tree, (), moments, moments.times[0], moments.times[-1])


class _Heard:
    """Every signal of a selection, in order."""

    def __init__(self, selection: Selection) -> None:
        self.all: list[tuple[str, Any]] = []
        for name in ("run_opened", "run_updated", "span_selected", "span_hovered", "moment_changed"):
            getattr(selection, name).connect(lambda value, name=name: self.all.append((name, value)))
        selection.run_closed.connect(lambda: self.all.append(("run_closed", None)))

    def names(self) -> list[str]:
        found = [name for name, _ in self.all]
        self.all.clear()
        return found


@pytest.fixture
def selection(qapp: QApplication) -> Selection:
    return Selection()


@pytest.fixture
def heard(selection: Selection) -> _Heard:
    return _Heard(selection)


def test_at_first_nothing_is_shown(selection: Selection) -> None:
    assert (selection.run, selection.span_id, selection.hovered, selection.moment) == (None, None, None, -1)


def test_another_run_is_opened_and_a_newer_picture_of_it_updates(selection: Selection, heard: _Heard) -> None:
    run = _run()
    selection.show(run)
    assert heard.names() == ["run_opened"]
    newer = replace(run, now_ns=run.now_ns + 1)
    selection.show(newer)
    assert heard.names() == ["run_updated"]
    assert selection.run is newer
    selection.show(_run(name="another"))
    assert heard.names() == ["run_opened"]
    selection.show(_run(name="another", source="b.db"))
    assert heard.names() == ["run_opened"]


def test_an_update_keeps_the_span_and_the_moment(selection: Selection, heard: _Heard) -> None:
    run = _run()
    selection.show(run)
    selection.select_span(run.tree.rows[1].span_id)
    selection.go_to_moment(2)
    heard.names()
    selection.show(replace(run, now_ns=0))
    assert heard.names() == ["run_updated"]
    assert (selection.span_id, selection.moment) == (run.tree.rows[1].span_id, 2)


def test_another_run_begins_with_nothing_selected(selection: Selection, heard: _Heard) -> None:
    run = _run()
    selection.show(run)
    selection.select_span(run.tree.rows[1].span_id)
    selection.hover(run.tree.rows[2].span_id)
    selection.go_to_moment(2)
    heard.names()
    selection.show(_run(name="another"))
    assert heard.names() == ["span_selected", "span_hovered", "moment_changed", "run_opened"]
    assert (selection.span_id, selection.hovered, selection.moment) == (None, None, -1)


def test_closing_is_told_once(selection: Selection, heard: _Heard) -> None:
    selection.show(None)
    assert heard.names() == []
    selection.show(_run())
    selection.show(None)
    selection.show(None)
    assert heard.names() == ["run_opened", "run_closed"]
    assert selection.run is None


def test_only_changes_are_told(selection: Selection, heard: _Heard) -> None:
    for _ in range(2):
        selection.select_span(b"12345678")
        selection.hover(b"12345678")
    assert heard.names() == ["span_selected", "span_hovered"]
    selection.select_span(None)
    selection.hover(None)
    assert heard.names() == ["span_selected", "span_hovered"]


def test_the_moment_keeps_within_the_run(selection: Selection, heard: _Heard) -> None:
    selection.go_to_moment(3)
    assert selection.moment == -1
    run = _run()
    selection.show(run)
    heard.names()
    for asked, moment in ((99, len(run.moments) - 1), (-7, -1), (0, 0), (0, 0)):
        selection.go_to_moment(asked)
        assert selection.moment == moment
    assert heard.names() == ["moment_changed"] * 3


def test_a_run_knows_its_spans_by_id() -> None:
    run = _run()
    assert run.row(run.tree.rows[2].span_id) is run.tree.rows[2]
    assert run.row(b"nowhere!") is None
