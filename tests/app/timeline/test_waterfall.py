"""The waterfall follows the shared selection, and what one does in it is seen everywhere."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.timeline.geometry import TimeRange
from traceview.app.timeline.waterfall import Waterfall

Show = Callable[[OpenRun], Waterfall]


def span_named(pane: Waterfall, name: str) -> int:
    run = pane.rows.run
    assert run is not None
    return next(i for i, row in enumerate(run.tree.rows) if row.name == name)


def id_of(pane: Waterfall, name: str) -> bytes:
    return pane.rows.record(span_named(pane, name)).span_id


def selected(pane: Waterfall, selection: Selection) -> str | None:
    place = pane.rows.place(selection.span_id)
    return None if place < 0 else pane.rows.record(place).name


def test_a_run_is_shown_whole(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=False))
    assert pane.rows.count == 34
    assert pane.window_of_time.shows_whole
    assert pane.window_of_time.whole == TimeRange(0, 27_840_000_000)
    assert pane.timeline.viewport().height() == pane.tree.viewport().height()


def test_a_run_that_is_open_already_is_shown_at_once(
    qtbot: QtBot, qapp_look: QApplication, selection: Selection, runs: ModuleType
) -> None:
    selection.show(runs.support_agent())
    pane = Waterfall(selection)
    qtbot.addWidget(pane)
    assert pane.rows.count == 34


def test_closing_the_run_empties_the_pane(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    selection.show(None)
    assert pane.rows.count == 0
    pane.grab()


def test_a_span_selected_elsewhere_is_scrolled_to_and_its_parents_opened(
    show: Show, runs: ModuleType, selection: Selection
) -> None:
    pane = show(runs.support_agent())
    pane.collapse_all()
    selection.select_span(id_of(pane, "web.fetch"))
    row = pane.tree.current
    assert pane.rows.index(row, 0).data() == "web.fetch"
    selection.select_span(id_of(pane, "answer"))
    assert pane.tree.row_rect(pane.tree.current).bottom() <= pane.tree.viewport().height()


def test_a_span_selected_elsewhere_is_brought_into_the_time_shown(
    show: Show, runs: ModuleType, selection: Selection
) -> None:
    pane = show(runs.support_agent())
    pane.window_of_time.show(TimeRange(0, 1e9))
    selection.select_span(id_of(pane, "refunds.create"))
    shown = pane.window_of_time.shown
    assert shown.length == 1e9
    assert shown.overlaps(21.31e9, 22.25e9)


def test_a_row_chosen_here_is_selected_everywhere(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    pane.tree.set_current(3)
    assert selected(pane, selection) == "plan"
    QTest.keyClick(pane.tree, Qt.Key.Key_Down)
    assert selected(pane, selection) == "gather"


def test_hovering_is_shared_both_ways(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    selection.hover(id_of(pane, "plan"))
    assert pane.tree.hovered == 3
    pane.tree.set_hovered(4)
    assert selection.hovered == id_of(pane, "gather")
    pane.tree.set_hovered(-1)
    assert selection.hovered is None


def test_news_keep_zoom_scroll_selection_and_what_is_collapsed(
    show: Show, runs: ModuleType, selection: Selection
) -> None:
    pane = show(runs.loops(200))
    pane.rows.set_collapsed(1, True)
    pane.window_of_time.show(TimeRange(1e6, 5e6))
    pane.tree.verticalScrollBar().setValue(24 * 20 + 7)
    selection.select_span(pane.rows.record(60).span_id)
    pane.tree.verticalScrollBar().setValue(24 * 20 + 7)
    top = pane.rows.record_at(20)
    window = pane.window_of_time.shown
    selection.show(runs.loops(320))
    assert pane.rows.span_count == 320
    assert pane.rows.is_collapsed(1)
    assert pane.window_of_time.shown == window
    assert pane.rows.record_at(pane.tree.scroll_y // 24).span_id == top.span_id
    assert pane.tree.scroll_y % 24 == 7
    assert pane.rows.record_at(pane.tree.current).span_id == selection.span_id


def test_rows_that_come_above_do_not_push_what_is_read(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [runs.make_row(0, None, 0, 10_000)] + [runs.make_row(i, 0, 100 * i, 100 * i + 50) for i in range(1, 60)]
    pane = show(runs.make_run(rows))
    pane.tree.verticalScrollBar().setValue(24 * 30)
    early = [runs.make_row(100 + i, 0, i + 1, i + 2) for i in range(5)]
    selection.show(runs.make_run([*rows, *early]))
    assert pane.tree.scroll_y == 24 * 35


def test_the_whole_stays_whole_while_a_run_grows(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.loops(50))
    selection.show(runs.loops(100))
    assert pane.window_of_time.shows_whole
    assert pane.window_of_time.whole.end == pane.rows.now


def test_an_earlier_start_moves_the_window_with_its_spans(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [runs.make_row(1, None, 1_000_000, 9_000_000)]
    pane = show(runs.make_run(rows))
    pane.window_of_time.show(TimeRange(1_000_000, 2_000_000))
    selection.show(runs.make_run([*rows, runs.make_row(2, None, 500_000, 600_000)]))
    assert pane.window_of_time.shown == TimeRange(1_500_000, 2_500_000)


def test_another_run_starts_afresh(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.loops(200))
    pane.window_of_time.show(TimeRange(1e6, 5e6))
    pane.tree.verticalScrollBar().setValue(500)
    selection.show(runs.make_run([runs.make_row(1, None, 0, 5_000_000)], trace_id=b"u" * 16))
    assert pane.tree.scroll_y == 0
    assert pane.window_of_time.shown == TimeRange(0, 5_000_000)


def test_fit_shows_the_selected_span_and_again_the_whole(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent(live=False))
    selection.select_span(id_of(pane, "gather"))
    pane.fit()
    assert pane.window_of_time.shown.length == pytest.approx(4.95e9 * 1.12)
    pane.fit()
    assert pane.window_of_time.shows_whole
    selection.select_span(None)
    pane.zoom_in()
    pane.fit()
    assert pane.window_of_time.shows_whole


def test_zooming_keeps_what_is_under_the_mouse(show: Show, runs: ModuleType, mouse: Callable[..., Any]) -> None:
    pane = show(runs.support_agent(live=False))
    mouse(pane.timeline.viewport()).move(200, 100)
    before = pane.timeline.pointer_time
    pane.zoom_in()
    pane.zoom_in()
    assert pane.timeline.pointer_time == pytest.approx(before)
    assert pane.window_of_time.shown.length < 15e9
    pane.zoom_out()
    pane.zoom_out()
    assert pane.window_of_time.shown.length == pytest.approx(27.84e9)


def test_panning_moves_the_time_shown(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=False))
    pane.window_of_time.show(TimeRange(10e9, 12e9))
    pane.pan_right()
    assert pane.window_of_time.shown.start == pytest.approx(10.3e9)
    pane.pan_left()
    assert pane.window_of_time.shown.start == pytest.approx(10e9)


def test_errors_are_walked_in_a_ring_wherever_they_are(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [
        runs.make_row(i, 0 if i else None, i, 100 - i, status=runs.Status.ERROR if i in (2, 5) else runs.Status.OK)
        for i in range(8)
    ]
    pane = show(runs.make_run(rows))
    pane.rows.set_collapsed(0, True)
    pane.next_error()
    assert selected(pane, selection) == "span 2"
    assert pane.tree.current == 2
    pane.next_error()
    assert selected(pane, selection) == "span 5"
    pane.next_error()
    assert selected(pane, selection) == "span 2"
    pane.previous_error()
    assert selected(pane, selection) == "span 5"


def test_without_errors_nothing_moves(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.loops(10))
    pane.next_error()
    pane.previous_error()
    assert selection.span_id is None


def test_spans_of_one_depth_are_walked(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    selection.select_span(id_of(pane, "plan"))
    pane.next_span()
    assert selected(pane, selection) == "gather"
    pane.next_span()
    assert selected(pane, selection) == "draft decision"
    pane.previous_span()
    pane.previous_span()
    assert selected(pane, selection) == "plan"
    selection.select_span(id_of(pane, "support-agent"))
    pane.previous_span()
    assert selected(pane, selection) == "support-agent"


def test_nothing_happens_without_a_run(pane: Waterfall) -> None:
    for action in (
        pane.zoom_in, pane.zoom_out, pane.pan_left, pane.pan_right, pane.fit, pane.next_error, pane.previous_error,
        pane.collapse_all, pane.expand_all, pane.next_span, pane.previous_span, pane.focus_find,
    ):  # fmt: skip
        action()
    pane.find_field.set_text("x")
    pane.grab()
    assert pane.rows.count == 0


def test_collapsing_moves_a_selection_inside_to_the_parent(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    selection.select_span(id_of(pane, "backoff"))
    pane.tree.collapse_asked.emit(pane.rows.row_of(span_named(pane, "carrier.track")), True)
    assert selected(pane, selection) == "carrier.track"
    pane.collapse_all()
    assert selected(pane, selection) == "gather"
    pane.expand_all()
    assert pane.rows.count == 34
    assert selected(pane, selection) == "gather"
    pane.tree.collapse_asked.emit(99, True)
    assert pane.rows.count == 34


def test_the_filter_hides_short_spans_and_its_chip_takes_it_away(show: Show, runs: ModuleType, qtbot: QtBot) -> None:
    pane = show(runs.support_agent())
    qtbot.mouseClick(pane.filter_button, Qt.MouseButton.LeftButton)
    chip = pane.header.chip
    assert chip is not None
    assert chip.label == "≥ 10 ms"
    lines = [pane.rows.index(row, 0).data() for row in range(pane.rows.count)]
    assert lines[21] == "3 hidden by filter, 0 errors"
    assert pane.rows.count == 32
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: pane.rows.count == 34)
    assert pane.header.chip is None
    assert not pane.filter_button.isChecked()


def test_the_line_of_hidden_spans_shows_them(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.support_agent())
    pane.filter_button.setChecked(True)
    pane.tree.verticalScrollBar().setValue(24 * 10)
    rect = pane.tree.row_rect(21)
    mouse(pane.timeline.viewport()).click(300, rect.center().y())
    assert selection.span_id is None
    mouse(pane.tree.viewport()).move(20, rect.center().y())
    assert pane.tree.hovered == 21
    mouse(pane.tree.viewport()).click(pane.tree.width() - 30, rect.center().y())
    assert pane.rows.count == 34
    assert pane.header.chip is not None


def test_return_on_a_line_of_hidden_spans_shows_them(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent())
    pane.filter_button.setChecked(True)
    pane.tree.set_current(21)
    QTest.keyClick(pane.tree, Qt.Key.Key_Return)
    assert pane.rows.count == 34


def test_finding_counts_shows_and_walks_hits(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    pane.focus_find()
    QTest.keyClicks(pane.find_field.edit, "carrier")
    assert pane.finder.hits == [span_named(pane, "carrier.track"), 18]
    assert pane.find_field._count == "1 of 2"
    assert selection.span_id is None
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Return)
    assert selected(pane, selection) == "carrier.track"
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Return)
    assert selected(pane, selection) == "web.fetch"
    assert pane.find_field._count == "2 of 2"
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Return)
    assert pane.find_field._count == "1 of 2"
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert pane.find_field._count == "2 of 2"
    pane.find_field.set_text("no such thing")
    assert pane.find_field._count == "not found"
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Return)
    QTest.keyClick(pane.find_field.edit, Qt.Key.Key_Escape)
    assert pane.find_field._count == ""
    assert pane.tree.found_text == ""


def test_a_hit_that_is_collapsed_is_revealed_when_gone_to(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    pane.collapse_all()
    pane.find_field.set_text("backoff")
    assert pane.rows.row_of(span_named(pane, "backoff")) == -1
    pane.finder.go_to_next()
    assert pane.rows.row_of(span_named(pane, "backoff")) >= 0


def test_the_search_starts_at_the_selected_span(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    selection.select_span(id_of(pane, "policy.search"))
    pane.find_field.set_text("carrier")
    assert pane.find_field._count == "1 of 2"
    pane.find_field.set_text("carriero")
    pane.find_field.set_text("carrier")
    assert pane.find_field._count == "2 of 2"
    selection.select_span(id_of(pane, "answer"))
    pane.find_field.set_text("carrie")
    pane.find_field.set_text("carrier")
    assert pane.find_field._count == "1 of 2"


def test_hits_follow_a_growing_run(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [runs.make_row(0, None, 0, 1_000, name="root"), runs.make_row(1, 0, 500, 600, name="needle")]
    pane = show(runs.make_run(rows))
    pane.find_field.set_text("needle")
    assert pane.find_field._count == "1 of 1"
    selection.show(runs.make_run([*rows, runs.make_row(2, 0, 100, 200, name="needle two")]))
    assert pane.find_field._count == "1 of 2"
    selection.show(runs.make_run([runs.make_row(9, None, 0, 10)], trace_id=b"u" * 16))
    assert pane.find_field._count == "not found"


def test_searching_a_huge_run_waits_for_the_typist(
    show: Show, runs: ModuleType, qtbot: QtBot, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traceview.app.timeline.finder._LARGE", 100)
    pane = show(runs.loops(200))
    pane.find_field.set_text("llm 2")
    assert pane.find_field._count == ""
    qtbot.waitUntil(lambda: pane.find_field._count.startswith("1 of"))
    pane.find_field.set_text("tool")
    pane.finder.go_to_next()
    assert selected(pane, selection).startswith("tool")


def test_the_replays_moment_is_a_line_and_stays_in_view(show: Show, runs: ModuleType, selection: Selection) -> None:
    run = runs.support_agent(live=False)
    pane = show(run)
    pane.window_of_time.show(TimeRange(0, 1e9))
    last = len(run.moments) - 1
    selection.go_to_moment(last)
    time = run.moments[last].time_ns - run.start_ns
    assert pane.window_of_time.shown.overlaps(time, time)
    assert pane.timeline.playhead == time
    selection.go_to_moment(-1)
    assert pane.timeline.playhead is None


def test_news_do_not_pull_the_view_back_to_the_playhead(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.loops(200))
    selection.go_to_moment(2)
    away = TimeRange(pane.window_of_time.whole.end / 2, pane.window_of_time.whole.end / 2 + 1e6)
    pane.window_of_time.show(away)
    selection.show(runs.loops(220))
    assert pane.window_of_time.shown == away
    assert pane.timeline.playhead is not None


def test_the_width_of_the_tree_is_remembered(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent())
    assert pane.save_state() == {}
    assert pane.tree.width() == 360
    pane.restore_state({"tree_width": 280})
    assert pane.tree.width() == 280
    assert pane.save_state() == {"tree_width": 280}
    pane.restore_state({"tree_width": "wide"})
    assert pane.tree.width() == 280
    pane.resize(500, 400)
    assert pane.tree.width() == 250


def test_a_narrow_pane_has_a_narrower_tree(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent())
    pane.resize(800, 400)
    assert pane.tree.width() == 304


def test_in_a_narrow_window_the_tree_gives_up_its_tokens(
    pane: Waterfall, qtbot: QtBot, selection: Selection, runs: ModuleType
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    pane.setParent(window)
    window.resize(1280, 800)
    pane.setGeometry(40, 40, 902, 600)
    window.show()
    QApplication.processEvents()
    assert pane.tree.width() == 304
    window.resize(1600, 800)
    pane.setGeometry(40, 40, 901, 600)
    QApplication.processEvents()
    assert pane.tree.width() == 360
    pane.setParent(None)


def test_the_selected_row_is_blue_while_the_keyboard_is_in_the_pane(
    show: Show, runs: ModuleType, qtbot: QtBot, selection: Selection
) -> None:
    pane = show(runs.support_agent())
    selection.select_span(id_of(pane, "plan"))
    pane.activateWindow()
    pane.tree.setFocus()
    qtbot.waitUntil(lambda: pane.tree.pane_focused)
    row = pane.tree.row_rect(3)
    assert pane.tree.grab().toImage().pixelColor(200, row.top() + 2) == theme(True).selection
    pane.tree.clearFocus()
    qtbot.waitUntil(lambda: not pane.tree.pane_focused)
    assert pane.tree.grab().toImage().pixelColor(200, row.top() + 2) == theme(True).bg4


def test_both_themes_paint_everything(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    pane.filter_button.setChecked(True)
    pane.find_field.set_text("carrier")
    selection.go_to_moment(30)
    pictures = []
    for dark in (True, False):
        pane.set_theme(theme(dark))
        pictures.append(pane.grab().toImage())
        assert pictures[-1].pixelColor(pane.width() - 30, pane.height() - 5) == theme(dark).bg1
    assert pictures[0] != pictures[1]


def test_names_and_messages_are_shown_never_obeyed(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [
        runs.make_row(0, None, 0, 1_000_000, name="<b>bold</b>\n\u202etxet\x00", kind="<i>"),
        runs.make_row(1, 0, 10, 20, name="", status=runs.Status.ERROR, message="<img src=file:///etc/passwd>" * 50),
    ]
    pane = show(runs.make_run(rows))
    pane.find_field.set_text("bold")
    selection.select_span(rows[1].span_id)
    pane.grab()
    pane.find_field.set_text("ß")
    pane.grab()


def test_spans_without_end_in_a_file_end_at_the_newest_time(show: Show, runs: ModuleType) -> None:
    run = runs.support_agent(live=True)
    pane = show(msgspec_source(run, runs))
    assert pane.rows.now == 27_840_000_000
    pane.grab()


def msgspec_source(run: OpenRun, runs: ModuleType) -> OpenRun:
    """The same run from a file."""
    return OpenRun(
        runs.FILE, msgspec.structs.replace(run.summary), run.tree, run.events, run.moments, run.start_ns, run.now_ns
    )
