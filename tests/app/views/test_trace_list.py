"""The trace list: rows stay put while runs arrive, filters name what they hide, everything works by keyboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QMouseEvent
from pytestqt.qtbot import QtBot

from traceview.app.models.trace_list import TraceListModel
from traceview.app.models.trace_stats import TraceStats
from traceview.app.state.filters import Filters
from traceview.app.state.open_run import Source
from traceview.app.theme import theme
from traceview.app.views.trace_counters import TraceCounters, percentiles_text
from traceview.app.views.trace_histogram import TraceHistogram, clock_text
from traceview.app.views.trace_list import TraceList
from traceview.protocol.records import Status, TraceSummary
from traceview.testing import START_NS

MakeSummary = Callable[..., TraceSummary]
S = 1_000_000_000
LIVE = Source(Path("traces.db"), "Live", live=True)
FILE = Source(Path("a.db"), "run.json", live=False, origin=Path("/x/run.json"))

pytestmark = pytest.mark.usefixtures("qapp_look")


@pytest.fixture
def traces(qtbot: QtBot) -> TraceList:
    """An empty list in a window of its own, live."""
    made = TraceList(TraceListModel(), Filters())
    qtbot.addWidget(made)
    made.set_source(LIVE)
    made.set_loading(False)
    made.resize(320, 700)
    made.show()
    return made


def _fill(traces: TraceList, *summaries: TraceSummary) -> None:
    traces._model.update(summaries)
    traces._refresh()


def test_an_empty_list_says_that_runs_will_appear(traces: TraceList) -> None:
    assert traces._hint.isVisible()
    assert traces._hint.text == "Runs appear here as they start."
    assert not traces.histogram.isVisible()
    traces.set_loading(True)
    assert traces._hint.text == ""
    traces.grab()


def test_a_filter_that_hides_everything_offers_to_be_cleared(
    traces: TraceList, summary: MakeSummary, qtbot: QtBot
) -> None:
    _fill(traces, summary())
    assert not traces._hint.isVisible()
    traces._filters.type("tortoise")
    assert traces._hint.text == "No trace matches the filter."
    traces.grab()
    traces._hint.clear.click()
    assert traces._model.rowCount() == 1
    assert traces.filter_bar.field.text == ""


def test_the_rail_says_that_a_filter_hides_traces(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, *(summary(at=at) for at in range(12)))
    traces.set_rail(True)
    foot = traces._rail_foot
    assert foot.accessibleName() == "12 traces"
    plain = foot.grab().toImage()
    traces._filters.type("duration > 1 h")
    qtbot.waitUntil(lambda: foot.accessibleName().startswith("0 of 12 traces"))
    assert foot.grab().toImage() != plain
    assert traces._hint.isVisible()
    assert not traces._hint.clear.isVisible(), "its words have no room here"
    traces.set_rail(False)
    qtbot.waitUntil(traces._hint.clear.isVisible)


def test_the_title_counts_shown_of_all(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, *(summary(at=at) for at in range(12)))
    assert traces._title.counts == "12"
    traces._filters.type("duration > 1 h")
    qtbot.waitUntil(lambda: traces._title.counts == "0 of 12")


def test_rows_paint_every_status_in_both_themes_and_in_the_rail(traces: TraceList, summary: MakeSummary) -> None:
    _fill(
        traces,
        summary(at=1, takes=None),
        summary(at=2, status=Status.ERROR, preview="<b>&amp;\n\u202eevil", input_tokens=21_400, cost_usd=0.04),
        summary(at=3, status=Status.INTERRUPTED, takes=None),
        summary(at=4, spans=1),
    )
    dark = traces.grab().toImage()
    traces.set_theme(theme(False))
    assert traces.grab().toImage() != dark
    traces.set_rail(True)
    assert traces.rail
    assert traces.width() == 44
    traces.grab()
    traces.set_rail(True)
    traces.set_rail(False)
    traces.grab()


def test_new_runs_at_the_top_move_neither_selection_nor_scroll(
    traces: TraceList, summary: MakeSummary, qtbot: QtBot
) -> None:
    _fill(traces, *(summary(at=at) for at in range(40)))
    rows = traces.rows
    rows.set_current(20)
    picked = rows.chosen
    rows.verticalScrollBar().setValue(480)
    top = rows._model.trace(rows.visible_rows()[0]).trace_id
    with qtbot.assertNotEmitted(rows.trace_picked):
        _fill(traces, summary(at=50, takes=None), summary(at=51))
    assert rows.chosen == picked
    assert rows._model.trace(rows.current).trace_id == picked
    assert rows._model.trace(rows.visible_rows()[0]).trace_id == top


def test_a_list_at_its_top_shows_the_new_run(traces: TraceList, summary: MakeSummary) -> None:
    _fill(traces, *(summary(at=at) for at in range(40)))
    _fill(traces, summary(at=50))
    assert traces.rows.scroll_y == 0


def test_a_removed_row_above_keeps_the_rows_in_place(traces: TraceList, summary: MakeSummary) -> None:
    _fill(traces, *(summary(at=at, preview="keep") for at in range(40)))
    rows = traces.rows
    traces._filters.type("keep")
    rows.verticalScrollBar().setValue(480)
    top = rows._model.trace(rows.visible_rows()[0]).trace_id
    _fill(traces, summary(at=39, preview="lose"))
    assert rows._model.trace(rows.visible_rows()[0]).trace_id == top
    _fill(traces, summary(at=0, preview="lose"))
    assert rows._model.trace(rows.visible_rows()[0]).trace_id == top


def test_j_and_k_walk_the_filtered_list(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, *(summary(at=at, status=Status.ERROR if at % 2 else Status.OK) for at in range(6)))
    traces._filters.add("status:error")
    with qtbot.waitSignals([traces.trace_picked] * 2):
        traces.step(1)
        traces.step(1)
    assert traces.rows.chosen == summary(at=3).trace_id
    traces.step(-1)
    traces.step(-1)
    assert traces.rows.chosen == summary(at=5).trace_id


def test_stepping_through_nothing_does_nothing(traces: TraceList) -> None:
    traces.step(1)
    assert traces.rows.chosen is None


def test_what_is_chosen_by_the_app_is_marked_but_not_picked(
    traces: TraceList, summary: MakeSummary, qtbot: QtBot
) -> None:
    _fill(traces, *(summary(at=at) for at in range(40)))
    with qtbot.assertNotEmitted(traces.trace_picked):
        traces.rows.choose(summary(at=2).trace_id)
        traces.rows.choose(b"unknown")
    assert traces.rows.current == -1
    traces.rows.choose(None)


def test_typing_filters_and_says_what_is_wrong(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, summary(at=1, takes=1), summary(at=2, takes=9))
    field = traces.filter_bar.field
    qtbot.keyClicks(field.edit, "duration > 2")
    qtbot.waitUntil(lambda: traces._model.rowCount() == 1)
    qtbot.keyClicks(field.edit, " status:")
    qtbot.waitUntil(traces.filter_bar._error.isVisible)
    assert traces._model.rowCount() == 1
    traces.set_theme(theme(False))
    traces.grab()
    qtbot.keyClicks(field.edit, "ok")
    qtbot.keyClick(field.edit, Qt.Key.Key_Return)
    assert not traces.filter_bar._error.isVisible()
    qtbot.waitUntil(traces.rows.hasFocus)


def test_slash_leads_to_the_filter_line(traces: TraceList, qtbot: QtBot) -> None:
    traces.focus_filter()
    qtbot.waitUntil(traces.filter_bar.field.edit.hasFocus)
    traces.set_rail(True)
    with qtbot.waitSignal(traces.widen_requested):
        traces.focus_filter()


def test_chips_name_what_is_filtered_by_and_take_it_away(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, *(summary(at=60 * at, tags=("night run",)) for at in range(12)))
    traces.set_zone(UTC)
    traces._filters.add('tag:"night run"')
    traces._filters.brush((START_NS, START_NS + 300 * S))
    chips = traces.filter_bar.chips()
    assert [chip.label for chip in chips] == ["tag: night run", "14:13 – 14:18"]
    traces.set_theme(theme(False))
    chips[0].click()
    traces.filter_bar.chips()[0].click()
    assert traces.filter_bar.chips() == []
    assert not traces._filters.active


def test_many_traces_wait_for_a_pause_in_typing(traces: TraceList) -> None:
    traces.filter_bar.set_many(True)
    assert traces.filter_bar._typing.interval() > 0
    traces.filter_bar.set_many(False)
    assert traces.filter_bar._typing.interval() == 0


def test_the_menu_copies_narrows_and_exports(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    trace = summary(
        preview="Where?", session="s-1", user="u", project="p", tags=("a", "b"), models=("gpt",), status=Status.ERROR
    )
    _fill(traces, trace, summary(at=-5))
    menu = traces.build_menu(0)
    actions = {action.text(): action for action in menu.actions()}
    clipboard = QGuiApplication.clipboard()
    actions["Copy trace id"].trigger()
    assert clipboard.text() == trace.trace_id.hex()
    actions["Copy input"].trigger()
    assert clipboard.text() == "Where?"
    actions["Copy"].trigger()
    assert clipboard.text() == f"{trace.trace_id.hex()}\tWhere?, support-agent, error, 1.50\u2009s"
    document = json.loads(bytes(clipboard.mimeData().data("application/json").data()))
    assert (document["trace_id"], document["status"]) == (trace.trace_id.hex(), "error")
    terms = [action.text() for action in actions["Show only"].menu().actions()]
    assert terms == [
        "session:s-1", "user:u", "project:p", "tag:a", "tag:b", "model:gpt", "name:support-agent", "status:error",
    ]  # fmt: skip
    with qtbot.waitSignal(traces.export_requested) as asked:
        actions["Export…"].trigger()
    assert asked.args == [[trace.trace_id]]
    with qtbot.waitSignal(traces.export_requested) as asked:
        actions["Export all 2 shown…"].trigger()
    assert len(asked.args[0]) == 2
    next(action for action in actions["Show only"].menu().actions() if action.text() == "tag:a").trigger()
    assert traces._filters.chips == ("tag:a",)
    menu.close()


def test_a_right_click_or_the_menu_key_asks_for_the_menu(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, summary(at=1), summary(at=2))
    rows = traces.rows
    asked: list[int] = []
    rows.menu_requested.connect(lambda row, _place: asked.append(row))
    place = rows.viewport().mapToGlobal(QPoint(50, 60))
    rows.contextMenuEvent(QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(50, 60), place))
    rows.contextMenuEvent(QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0)))
    rows.set_current(0)
    rows.contextMenuEvent(QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0)))
    assert asked == [1, 0]
    for menu in traces.findChildren(type(traces.build_menu(0))):
        menu.close()


def test_ctrl_c_copies_the_current_trace(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, summary())
    QGuiApplication.clipboard().clear()
    qtbot.keyClick(traces, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == ""
    traces.rows.set_current(0)
    qtbot.keyClick(traces, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert summary().trace_id.hex() in QGuiApplication.clipboard().text()
    qtbot.keyClick(traces, Qt.Key.Key_F9)


def test_running_rows_turn_only_while_they_are_seen(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> None:
    _fill(traces, summary(takes=None))
    assert traces.rows._spin.isActive()
    traces.rows._repaint_running()
    _fill(traces, summary())
    assert not traces.rows._spin.isActive()
    _fill(traces, summary(takes=None))
    traces.rows.set_live(False)
    traces.hide()
    assert not traces.rows._spin.isActive()


def test_the_pill_says_how_runs_arrive_and_follows_them(traces: TraceList, qtbot: QtBot) -> None:
    pill = traces.pill
    for up, any_runs, word in ((True, False, "Listening"), (True, True, "Live"), (False, True, "Offline")):
        pill.set_state(up=up, any_runs=any_runs)
        assert pill.word == word
        pill.grab()
    with qtbot.waitSignal(traces.follow_changed) as changed:
        pill.click()
    assert changed.args == [False]
    pill.grab()


def test_a_file_can_be_kept_and_does_not_follow(traces: TraceList, qtbot: QtBot) -> None:
    traces.set_source(FILE)
    assert not traces.pill.isVisible()
    with qtbot.waitSignal(traces.keep_requested) as kept:
        traces.keep.click()
    assert kept.args == [FILE]


def test_sources_are_switched_and_closed(traces: TraceList, qtbot: QtBot) -> None:
    bar = traces.source_bar
    bar.set_sources((LIVE,), LIVE)
    assert not bar.isVisible()
    bar.set_sources((LIVE, FILE), FILE)
    assert [(entry.chip.label, entry.chip.isChecked()) for entry in bar.entries()] == [
        ("Live", False), ("run.json", True),
    ]  # fmt: skip
    traces.set_theme(theme(False))
    traces.grab()
    with qtbot.waitSignal(bar.source_picked) as picked:
        bar.entries()[0].chip.click()
    assert picked.args == [LIVE]
    close = bar.entries()[1].close_button
    assert close is not None
    with qtbot.waitSignal(bar.source_closed) as closed:
        close.click()
    assert closed.args == [FILE]
    bar.set_sources((LIVE,), LIVE)
    assert not bar.isVisible()


def test_a_file_being_read_shows_how_far_and_can_be_stopped(traces: TraceList, qtbot: QtBot) -> None:
    bar, file = traces.source_bar, Path("/x/big.json")
    traces.set_reading(file, 0, 0)
    assert bar.isVisible()
    traces.set_reading(file, 50, 200)
    reading = bar.readings()[file]
    assert reading.share == 0.25
    traces.set_theme(theme(False))
    traces.grab()
    with qtbot.waitSignal(bar.reading_cancelled) as cancelled:
        reading.cancel.click()
    assert cancelled.args == [file]
    bar.end_reading(file)
    bar.end_reading(file)
    assert not bar.isVisible()


def test_counters_show_six_figures(summary: MakeSummary, qtbot: QtBot) -> None:
    counters = TraceCounters()
    qtbot.addWidget(counters)
    assert counters.texts() == {
        "Total": "0", "Running": "0", "Failed": "0", "p50 / p95": "–", "Tokens": "–", "Cost": "–",
    }  # fmt: skip
    stats = TraceStats(
        [
            summary(at=1, takes=None),
            summary(at=2, takes=5.4, status=Status.ERROR, input_tokens=4_820_000, cost_usd=13.07),
            summary(at=3, takes=31),
        ]
    )
    counters.set_stats(stats)
    assert counters.texts() == {
        "Total": "3", "Running": "1", "Failed": "1", "p50 / p95": "5.4 / 31 s", "Tokens": "4.82M", "Cost": "$13.07",
    }  # fmt: skip
    counters.set_theme(theme(False))
    counters.grab()
    assert counters.sizeHint().width() > 0


def test_interrupted_runs_and_lost_spans_get_a_line_of_their_own_that_leads_to_them(
    traces: TraceList, summary: MakeSummary, qtbot: QtBot
) -> None:
    _fill(traces, summary(at=1))
    counters, height = traces.counters, traces.counters.height()
    _fill(traces, summary(at=2, status=Status.INTERRUPTED), summary(at=3, dropped=212), summary(at=4, dropped=12))
    assert counters.texts()["Interrupted"] == "1"
    assert counters.texts()["Dropped spans"] == "224"
    assert counters.height() > height
    third = QPoint(10, counters.height() - 10)
    assert counters.cell_at(third) == "Interrupted"
    assert counters.cell_at(QPoint(counters.width() - 10, counters.height() - 10)) == ""
    counters.mouseMoveEvent(_moved(third))
    assert "status:interrupted" in counters.toolTip()
    counters.grab()
    qtbot.mouseClick(counters, Qt.MouseButton.LeftButton, pos=third)
    assert [trace.status for trace in _shown(traces)] == [Status.INTERRUPTED]
    traces._filters.clear()
    traces._refresh()
    qtbot.mouseClick(counters, Qt.MouseButton.LeftButton, pos=third + QPoint(counters.width() // 3, 0))
    assert [trace.dropped for trace in _shown(traces)] == [12, 212]
    traces.grab()
    qtbot.mouseClick(counters, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    assert traces._filters.chips == ("dropped > 0",)


def _moved(place: QPoint) -> QMouseEvent:
    none = Qt.MouseButton.NoButton
    return QMouseEvent(
        QEvent.Type.MouseMove, QPointF(place), QPointF(place), none, none, Qt.KeyboardModifier.NoModifier
    )


def _shown(traces: TraceList) -> list[TraceSummary]:
    return [traces._model.trace(row) for row in range(traces._model.rowCount())]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.5, 80, "500 ms / 1.3 m"),
        (9.99, 9.99, "10 / 10 s"),
        (100, 100, "1.7 / 1.7 m"),
        (0.0000421, 7_000, "42 µs / 1.9 h"),
        (0.9996, 0.9996, "1.0 / 1.0 s"),
        (0.0000002, 0.0000002, "200 / 200 ns"),
    ],
)
def test_percentiles_fit_a_narrow_column(summary: MakeSummary, low: float, high: float, text: str) -> None:
    assert percentiles_text(TraceStats([summary(takes=low), summary(at=1, takes=high)])) == text


@pytest.mark.parametrize(
    ("span_s", "text"),
    [(60, "14:13:20"), (7_200, "14:13"), (3 * 86_400, "21 Sep 14:13"), (30 * 86_400, "21 Sep")],
)
def test_the_axis_says_as_much_of_a_time_as_its_length_needs(span_s: int, text: str) -> None:
    assert clock_text(START_NS, span_s * S, UTC) == text


@pytest.fixture
def histogram(traces: TraceList, summary: MakeSummary, qtbot: QtBot) -> TraceHistogram:
    """The histogram over a hundred runs, one a minute, every tenth failed."""
    _fill(traces, *(summary(at=60 * at, status=Status.OK if at % 10 else Status.ERROR) for at in range(100)))
    traces.set_zone(UTC)
    qtbot.waitUntil(lambda: traces.histogram.width() == 296)
    traces._refresh()
    return traces.histogram


def test_a_drag_brushes_a_range_and_a_double_click_takes_it_away(
    traces: TraceList, histogram: TraceHistogram, qtbot: QtBot
) -> None:
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(74, 20))
    _move(histogram, 75)
    _move(histogram, 148)
    qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=QPoint(148, 20))
    assert traces._filters.range is not None
    assert 22 <= traces._model.rowCount() <= 28
    histogram.grab()
    _drag(histogram, qtbot, 148, 222)
    assert 45 <= traces._model.rowCount() <= 53
    _drag(histogram, qtbot, 74, 148)
    assert 22 <= traces._model.rowCount() <= 28
    traces._stats_timer.stop()
    traces._refresh()
    traces.set_theme(theme(False))
    histogram.grab()
    qtbot.mouseDClick(histogram, Qt.MouseButton.LeftButton)
    assert traces._filters.range is None


def test_the_range_moves_by_keys(traces: TraceList, histogram: TraceHistogram, qtbot: QtBot) -> None:
    qtbot.keyClick(histogram, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    first = traces._filters.range
    assert first is not None
    traces._refresh()
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    traces._refresh()
    second = traces._filters.range
    assert second is not None
    assert second[0] > first[0]
    qtbot.keyClick(histogram, Qt.Key.Key_Escape)
    assert traces._filters.range is None
    qtbot.keyClick(histogram, Qt.Key.Key_F9)


def test_an_empty_histogram_takes_no_brush(qtbot: QtBot) -> None:
    histogram = TraceHistogram()
    qtbot.addWidget(histogram)
    histogram.grab()
    assert (histogram.x_of(5), histogram.time_at(5)) == (0, 0)
    with qtbot.assertNotEmitted(histogram.range_brushed):
        qtbot.mousePress(histogram, Qt.MouseButton.LeftButton)
        _move(histogram, 40)
        qtbot.keyClick(histogram, Qt.Key.Key_Escape)


def _drag(histogram: TraceHistogram, qtbot: QtBot, start: int, end: int) -> None:
    histogram.set_data(histogram._histogram, _range_of(histogram))
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(start, 20))
    _move(histogram, end)
    qtbot.mouseRelease(histogram, Qt.MouseButton.LeftButton, pos=QPoint(end, 20))


def _range_of(histogram: TraceHistogram) -> tuple[int, int] | None:
    parent = histogram.parentWidget()
    while not isinstance(parent, TraceList):
        assert parent is not None
        parent = parent.parentWidget()
    return parent._filters.range


def _move(histogram: TraceHistogram, x: int) -> None:
    place = QPointF(x, 20)
    button = Qt.MouseButton.LeftButton
    histogram.mouseMoveEvent(
        QMouseEvent(QEvent.Type.MouseMove, place, place, button, button, Qt.KeyboardModifier.NoModifier)
    )
