"""The timeline paints what its numbers say, and does what the mouse means."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.timeline.bar_colors import blend, hatch_brush, timeline_colors
from traceview.app.timeline.geometry import TimeRange
from traceview.app.timeline.waterfall import Waterfall
from traceview.protocol.records import KINDS, Status

Show = Callable[[OpenRun], Waterfall]
MS = 1_000_000
DARK = theme(True)


def picture(pane: Waterfall) -> QImage:
    QApplication.processEvents()
    return pane.timeline.viewport().grab().toImage()


def pixel(pane: Waterfall, row: int, time: float, lower: int = 0) -> QColor:
    """The colour of the timeline at a time, in the middle of a row."""
    x = round(pane.timeline.scale.x(time))
    return picture(pane).pixelColor(x, pane.tree.row_rect(row).center().y() + lower)


def alike(one: QColor, other: QColor) -> bool:
    """The same colour but for rounding."""
    return all(abs(a - b) <= 2 for a, b in zip(one.getRgb(), other.getRgb(), strict=True))


def fill(kind: str, dark: bool = True) -> QColor:
    return timeline_colors(dark).kinds[KINDS.index(kind)].solid


def tint(kind: str, dark: bool = True) -> QColor:
    return timeline_colors(dark).kinds[KINDS.index(kind)].tint


def test_leaves_are_solid_containers_tinted_and_self_time_solid_on_top(show: Show, runs: ModuleType) -> None:
    pane = show(
        runs.make_run(
            [
                runs.make_row(1, None, 0, 100 * MS, kind="agent"),
                runs.make_row(2, 1, 0, 50 * MS, kind="tool"),
                runs.make_row(3, 1, 60 * MS, 100 * MS, kind="llm"),
            ]
        )
    )
    assert pixel(pane, 1, 25 * MS) == fill("tool")
    assert pixel(pane, 2, 80 * MS) == fill("llm")
    assert pixel(pane, 0, 25 * MS) == tint("agent")
    assert pixel(pane, 0, 55 * MS) == fill("agent")
    assert pixel(pane, 1, 55 * MS) == DARK.bg1
    assert pane.timeline.bars.self_time(0) == 10 * MS


def test_in_the_light_theme_bars_have_outlines(show: Show, runs: ModuleType) -> None:
    pane = show(runs.make_run([runs.make_row(1, None, 0, 100 * MS, kind="llm")]))
    pane.set_theme(theme(False))
    assert pixel(pane, 0, 50 * MS) == fill("llm", dark=False)
    assert pixel(pane, 0, 50 * MS, lower=-5) == theme(False).kind("llm").ink


def test_a_failed_leaf_is_red_and_hatched(show: Show, runs: ModuleType) -> None:
    pane = show(runs.make_run([runs.make_row(1, None, 0, 100 * MS, status=Status.ERROR, message="boom")]))
    seen = {pixel(pane, 0, at * MS).rgb() for at in range(10, 90)}
    colors = timeline_colors(True)
    assert colors.error.solid.rgb() in seen
    assert len(seen) > 3
    assert hatch_brush(colors, 1.0) is hatch_brush(colors, 1.0)


def test_a_container_that_failed_itself_is_tinted_red(show: Show, runs: ModuleType) -> None:
    rows = [runs.make_row(1, None, 0, 100 * MS, status=Status.ERROR), runs.make_row(2, 1, 0, 100 * MS)]
    pane = show(runs.make_run(rows))
    assert pixel(pane, 0, 50 * MS) == timeline_colors(True).error.tint


def test_a_failure_that_was_passed_on_is_not_painted_again(show: Show, runs: ModuleType) -> None:
    failed = {"status": Status.ERROR, "message": "boom"}
    rows = [
        runs.make_row(1, None, 0, 100 * MS, kind="agent", detail="two steps", **failed),
        runs.make_row(2, 1, 0, 100 * MS, **failed),
    ]
    pane = show(runs.make_run(rows))
    assert pixel(pane, 0, 50 * MS) == tint("agent")
    bars = pane.timeline.bars
    labels = [bars.label_text(bars.bar(i, pane.timeline.scale), pane.rows.record(i), 0) for i in (0, 1)]
    assert labels == ["two steps", "boom"]


def test_an_interrupted_bar_ends_torn(show: Show, runs: ModuleType) -> None:
    rows = [
        runs.make_row(1, None, 0, 100 * MS, kind="agent", status=Status.INTERRUPTED),
        runs.make_row(2, 1, 0, 50 * MS, status=Status.INTERRUPTED),
    ]
    pane = show(runs.make_run(rows))
    image = picture(pane)
    right = round(pane.timeline.scale.x(50 * MS)) - 2
    middle = pane.tree.row_rect(1).center().y()
    edge = {image.pixelColor(right, middle + dy).rgb() for dy in range(-5, 6)}
    assert len(edge) > 2
    assert image.pixelColor(right - 20, middle) == fill("tool")


def test_a_running_bar_ends_bright_at_the_now_line(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=True))
    now = pane.rows.now
    assert pixel(pane, 0, now) == DARK.accent
    before = pane.timeline.scale
    near = picture(pane).pixelColor(round(before.x(now)) - 4, pane.tree.row_rect(0).center().y())
    assert near.lightness() > tint("agent").lightness() + 40
    line = picture(pane).pixelColor(round(before.x(now)), pane.tree.row_rect(5).center().y())
    assert alike(line, blend(DARK.accent, 0.55, DARK.bg1))


def test_slivers_keep_three_pixels(show: Show, runs: ModuleType) -> None:
    rows = [runs.make_row(1, None, 0, 10_000 * MS), runs.make_row(2, 1, 5_000 * MS, 5_000 * MS, kind="llm")]
    pane = show(runs.make_run(rows))
    x = round(pane.timeline.scale.x(5_000 * MS))
    y = pane.tree.row_rect(1).center().y()
    image = picture(pane)
    assert [image.pixelColor(x + dx, y) == fill("llm") for dx in (-1, 0, 1, 2, 3)] == [False, True, True, True, False]


def test_a_collapsed_bar_shows_its_children_and_counts_those_merged(show: Show, runs: ModuleType) -> None:
    rows = [
        runs.make_row(1, None, 0, 1_000 * MS, kind="agent"),
        runs.make_row(2, 1, 100 * MS, 400 * MS, kind="tool"),
        *[runs.make_row(10 + i, 1, 500 * MS + i * 1000, 500 * MS + i * 1000 + 500, kind="llm") for i in range(40)],
        runs.make_row(60, 1, 700 * MS, 800 * MS, kind="tool", status=Status.ERROR),
    ]
    pane = show(runs.make_run(rows))
    pane.rows.set_collapsed(0, True)
    assert pixel(pane, 0, 250 * MS) == fill("tool")
    assert pixel(pane, 0, 450 * MS) == tint("agent")
    assert pixel(pane, 0, 750 * MS) == timeline_colors(True).error.solid
    bar = pane.timeline.bars.bar(0, pane.timeline.scale)
    assert pane.timeline.bars.label_text(bar, pane.rows.record(0), 40) == "40 merged"
    pane.window_of_time.show(TimeRange(0, 1_000 * MS).padded(50))
    picture(pane)


def test_a_tiny_collapsed_bar_is_one_ribbon(show: Show, runs: ModuleType) -> None:
    rows = [
        runs.make_row(1, None, 0, 10_000 * MS, kind="agent"),
        runs.make_row(2, 1, 0, 10 * MS, kind="chain"),
        *[runs.make_row(10 + i, 2, i * MS, (i + 1) * MS, kind="llm") for i in range(5)],
    ]
    pane = show(runs.make_run(rows))
    pane.rows.set_collapsed(1, True)
    x = round(pane.timeline.scale.x(0))
    y = pane.tree.row_rect(1).center().y()
    image = picture(pane)
    seen = [image.pixelColor(x + dx, y + dy) for dx in range(4) for dy in range(-3, 4)]
    assert max(color.hsvSaturation() * color.value() for color in seen) > 20_000


def test_self_time_finer_than_pixels_is_shown_by_its_share(show: Show, runs: ModuleType) -> None:
    rows = [runs.make_row(0, None, 0, 10_000_000, kind="agent")]
    rows += [runs.make_row(1 + i, 0, i * 1000, i * 1000 + 500) for i in range(10_000)]
    pane = show(runs.make_run(rows))
    half = pixel(pane, 0, 5_000_000)
    assert tint("agent").lightness() < half.lightness() < fill("agent").lightness()


def test_events_are_dots_and_counts(show: Show, runs: ModuleType) -> None:
    run = runs.support_agent(live=False)
    pane = show(run)
    assert pixel(pane, 3, 900 * MS) == DARK.text1
    pane.tree.verticalScrollBar().setValue(24 * 10)
    span = next(i for i, row in enumerate(run.tree.rows) if row.name == "filter.policies")
    row = pane.rows.row_of(span)
    seen = {pixel(pane, row, at * MS).rgb() for at in range(4_300, 4_900, 20)}
    assert DARK.text1.rgb() in seen


def test_hundreds_of_events_in_one_place_are_one_count(show: Show, runs: ModuleType) -> None:
    rows = [runs.make_row(1, None, 0, 1_000 * MS, events=500)]
    events = [runs.EventRow(rows[0].span_id, runs.START_NS + 500 * MS + i, "log") for i in range(500)]
    pane = show(runs.make_run(rows, events))
    assert pixel(pane, 0, 500 * MS + 250, lower=-5) == DARK.text1


def test_bars_out_of_view_leave_an_arrow(show: Show, runs: ModuleType) -> None:
    rows = [
        runs.make_row(0, None, 0, 1_000 * MS),
        runs.make_row(1, 0, 0, 10 * MS),
        runs.make_row(2, 0, 900 * MS, 1_000 * MS),
    ]
    pane = show(runs.make_run(rows))
    pane.window_of_time.show(TimeRange(400 * MS, 500 * MS))
    image, width = picture(pane), pane.timeline.viewport().width()
    for row, place in ((1, 7), (2, width - 14)):
        middle = pane.tree.row_rect(row).center().y()
        assert any(image.pixelColor(place + dx, middle) != DARK.bg1 for dx in (-2, 0, 2))


def test_the_future_of_a_replay_is_dimmed(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [runs.make_row(1, None, 0, 100 * MS, kind="tool"), runs.make_row(2, None, 50 * MS, 60 * MS)]
    pane = show(runs.make_run(rows))
    selection.go_to_moment(1)
    assert pixel(pane, 0, 25 * MS) == fill("tool")
    assert alike(pixel(pane, 0, 75 * MS), blend(DARK.bg1, 0.68, fill("tool")))
    assert pixel(pane, 0, 50 * MS, lower=10) == DARK.accent


def test_labels_of_the_past_are_read_across_the_playhead(show: Show, runs: ModuleType, selection: Selection) -> None:
    rows = [
        runs.make_row(0, None, 0, 1_000 * MS),
        runs.make_row(1, 0, 10 * MS, 20 * MS, detail="a long label that reaches over"),
        runs.make_row(2, 0, 30 * MS, 1_000 * MS),
        runs.make_row(3, 0, 400 * MS, 450 * MS, detail="another long label"),
    ]
    pane = show(runs.make_run(rows))
    selection.go_to_moment(3)
    image = picture(pane)

    def brightest(row: int) -> int:
        rect = pane.tree.row_rect(row)
        return max(
            image.pixelColor(x, y).lightness() for x in range(120, 220) for y in range(rect.top(), rect.bottom())
        )

    before = brightest(1)
    selection.go_to_moment(-1)
    image = picture(pane)
    assert before == brightest(1)
    selection.go_to_moment(3)
    right = range(round(pane.timeline.scale.x(450 * MS)) + 6, round(pane.timeline.scale.x(450 * MS)) + 80)
    image = picture(pane)
    rect = pane.tree.row_rect(3)
    assert (
        max(image.pixelColor(x, y).lightness() for x in right for y in range(rect.top(), rect.bottom())) < before - 40
    )


def test_the_root_stays_at_the_top_while_its_spans_scroll(show: Show, runs: ModuleType) -> None:
    pane = show(runs.loops(300))
    assert pane.tree.pinned_row() == -1
    pane.tree.verticalScrollBar().setValue(24 * 40 + 5)
    assert pane.tree.pinned_row() == 0
    assert picture(pane).pixelColor(100, 23) == DARK.border_strong
    assert picture(pane).pixelColor(200, 12) == tint("agent")


def test_the_wheel_scrolls_rows_and_with_ctrl_zooms_at_the_mouse(
    show: Show, runs: ModuleType, mouse: Callable[..., Any]
) -> None:
    pane = show(runs.loops(300))
    wheel = mouse(pane.timeline.viewport()).wheel
    wheel(200, 100, -2)
    assert pane.tree.scroll_y == 2 * 3 * 24
    time = pane.timeline.scale.time(200)
    wheel(200, 100, 3, Qt.KeyboardModifier.ControlModifier)
    assert pane.window_of_time.shown.length < pane.window_of_time.whole.length / 2
    assert pane.timeline.scale.time(200) == pytest.approx(time)
    start = pane.window_of_time.shown.start
    wheel(200, 100, -1, Qt.KeyboardModifier.ShiftModifier)
    assert pane.window_of_time.shown.start > start


def test_dragging_moves_time_and_rows(show: Show, runs: ModuleType, mouse: Callable[..., Any]) -> None:
    pane = show(runs.loops(300))
    whole = pane.window_of_time.whole.length
    pane.window_of_time.show(TimeRange(whole * 0.4, whole * 0.5))
    pane.tree.verticalScrollBar().setValue(240)
    time = pane.timeline.scale.time(200)
    mouse(pane.timeline.viewport()).drag((200, 200), (160, 180), (150, 170))
    assert pane.timeline.scale.time(150) == pytest.approx(time)
    assert pane.tree.scroll_y == 270


def test_a_click_selects_and_a_double_click_zooms(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.support_agent(live=False))
    y = pane.tree.row_rect(4).center().y()
    hand = mouse(pane.timeline.viewport())
    hand.click(300, y)
    assert selection.span_id == pane.rows.record(4).span_id
    hand.double_click(300, y)
    assert pane.window_of_time.fits(1_970 * MS, 6_920 * MS)
    hand.click(300, 590)
    hand.double_click(300, 595)


def test_a_trembling_click_is_still_a_click(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.support_agent(live=False))
    mouse(pane.timeline.viewport()).drag((300, 60), (301, 61))
    assert selection.span_id is not None
    assert pane.window_of_time.shows_whole


def test_the_mouse_marks_row_and_time(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.support_agent(live=False))
    hand = mouse(pane.timeline.viewport())
    hand.move(200, pane.tree.row_rect(3).center().y())
    assert pane.tree.hovered == 3
    assert selection.hovered == pane.rows.record(3).span_id
    image = picture(pane)
    assert image.pixelColor(480, pane.tree.row_rect(3).top() + 2) == DARK.hover
    assert DARK.text3.rgb() in {image.pixelColor(200, y).rgb() for y in range(300, 320)}
    pane.ruler.grab()
    hand.leave()
    assert selection.hovered is None
    assert pane.timeline.pointer_time is None


def test_a_card_tells_of_the_bar_the_mouse_rests_on(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], qtbot: QtBot
) -> None:
    pane = show(runs.support_agent(live=False))
    hand = mouse(pane.timeline.viewport())
    span = next(i for i, row in enumerate(pane.rows.run.tree.rows) if row.name == "policy.search")
    y = pane.tree.row_rect(pane.rows.row_of(span)).center().y()
    x = pane.timeline.scale.x(3_000 * MS)
    hand.move(x, y)
    card = pane.hover_card
    assert card.card is None
    qtbot.waitUntil(lambda: card.isVisible())
    assert card.card is not None
    assert (card.card.title, card.card.caption) == ("policy.search", "retriever")
    assert card.card.lines == (
        ("Start", "1.97\u2009s"),
        ("Duration", "3.45\u2009s"),
        ("Self", "50\u2009ms, 1.4\u2009%"),
    )
    pane.grab()
    assert pane.rect().contains(card.geometry())
    hand.move(x + 3, y)
    assert card.isVisible()
    hand.move(500, y)
    assert not card.isVisible()


def test_spans_with_doubtful_times_are_marked_and_never_drawn_backwards(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], qtbot: QtBot
) -> None:
    rows = [
        runs.make_row(1, None, 200 * MS, 1_000 * MS, name="planner"),
        runs.make_row(2, 1, 80 * MS, 600 * MS, name="early"),
        runs.make_row(3, 1, 700 * MS, 500 * MS, name="backwards"),
        runs.make_row(4, 99, 300 * MS, 900 * MS, name="orphan"),
    ]
    pane = show(runs.make_run(rows))
    places = {row.name: i for i, row in enumerate(pane.rows.run.tree.rows)}
    tree, tips = pane.tree, {name: pane.tree.tooltip_of(pane.rows.row_of(place)) for name, place in places.items()}
    assert tips == {
        "planner": "", "early": "Begins 120\u2009ms before its parent",
        "backwards": "Ends 200\u2009ms before it begins", "orphan": "Its parent is not here",
    }  # fmt: skip
    assert [tree._marks(places[name], True) != [] for name in ("planner", "early", "backwards", "orphan")] == [
        False, True, True, True,
    ]  # fmt: skip
    bar = pane.timeline.bars.bar(places["backwards"], pane.timeline.scale)
    assert bar.left < bar.right
    assert pane.rows.duration(places["backwards"]) == -200 * MS
    hand = mouse(pane.timeline.viewport())
    hand.move((bar.left + bar.right) // 2, tree.row_rect(pane.rows.row_of(places["backwards"])).center().y())
    card = pane.hover_card
    qtbot.waitUntil(lambda: card.isVisible())
    assert card.card is not None
    assert ("Duration", "−200\u2009ms") in card.card.lines
    assert card.card.warnings == ("Ends 200\u2009ms before it begins",)
    assert "before it begins" in card.accessibleName()
    assert not pane.grab().isNull()


def test_a_card_says_what_the_bar_has_no_room_for(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], qtbot: QtBot
) -> None:
    rows = [
        runs.make_row(1, None, 0, 100 * MS, name="leaf", kind="strange", detail="d" * 60, events=3),
        runs.make_row(2, None, 0, 0, name="bad", status=Status.ERROR, message="it broke " * 30),
        runs.make_row(3, None, 0, None, name="busy"),
    ]
    pane = show(runs.make_run(rows))
    hand = mouse(pane.timeline.viewport())
    card = pane.hover_card
    for row, lines in ((0, ("Detail", "d" * 60)), (1, ("Duration", "0\u2009µs")), (2, ("Running for", "100\u2009ms"))):
        hand.move(pane.timeline.scale.x(0) + 1, pane.tree.row_rect(row).center().y())
        qtbot.waitUntil(lambda: card.isVisible())
        assert card.card is not None
        assert lines in card.card.lines
        pane.grab()
    hand.move(pane.timeline.scale.x(0) + 1, pane.tree.row_rect(1).center().y())
    qtbot.waitUntil(lambda: card.isVisible())
    assert card.card is not None
    assert card.card.note.startswith("it broke")
    assert card.card.caption == "tool, error"


def test_an_area_is_summed_up_on_a_card(show: Show, runs: ModuleType, mouse: Callable[..., Any], qtbot: QtBot) -> None:
    rows = [
        runs.make_row(1, None, 0, 1_000 * MS, name="root"),
        runs.make_row(2, 1, 0, 400 * MS),
        runs.make_row(3, 1, 500 * MS, 900 * MS, status=Status.ERROR),
    ]
    pane = show(runs.make_run(rows))
    scale = pane.timeline.scale
    hand = mouse(pane.timeline.viewport())
    begin, stop = (scale.x(300 * MS), 30), (scale.x(700 * MS), 70)
    hand.drag(begin, (stop[0] - 20, 50), stop, keys=Qt.KeyboardModifier.ShiftModifier)
    area = pane.timeline.area
    assert area is not None
    assert (area.first, area.last) == (1, 2)
    card = pane.area_card.card
    assert card is not None
    assert card.caption == "2 spans"
    assert dict(card.lines)["Errors"] == "1"
    assert dict(card.lines)["Total in spans"] == "300\u2009ms"
    pane.grab()
    pane.window_of_time.zoom(0.5)
    assert pane.area_card.isVisible()
    pane.activateWindow()
    pane.tree.setFocus()
    QTest.keyClick(pane.tree, Qt.Key.Key_Escape)
    assert pane.timeline.area is None
    assert not pane.area_card.isVisible()


def test_rows_that_change_take_the_area_away(show: Show, runs: ModuleType, mouse: Callable[..., Any]) -> None:
    pane = show(runs.loops(50))
    mouse(pane.timeline.viewport()).drag((100, 40), (200, 80), keys=Qt.KeyboardModifier.ShiftModifier)
    assert pane.timeline.area is not None
    pane.collapse_all()
    assert pane.timeline.area is None


def test_the_scroll_bar_at_the_edge_is_the_trees(show: Show, runs: ModuleType) -> None:
    pane = show(runs.loops(300))
    bar = pane.timeline.scroll_bar
    assert bar.isVisible()
    bar.setValue(480)
    assert pane.tree.scroll_y == 480
    pane.tree.verticalScrollBar().setValue(96)
    assert bar.value() == 96
    show(runs.make_run([runs.make_row(1, None, 0, 5)], trace_id=b"u" * 16))
    assert not bar.isVisible()


def test_only_bars_near_the_mouse_count_as_under_it(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=False))
    scale = pane.timeline.scale
    y = pane.tree.row_rect(4).center().y()
    assert pane.timeline.span_at(QPointF(scale.x(1_970 * MS) - 4, y)) == 4
    assert pane.timeline.span_at(QPointF(scale.x(1_970 * MS) - 40, y)) == -1
    assert pane.timeline.span_at(QPointF(100, 5_000)) == -1
