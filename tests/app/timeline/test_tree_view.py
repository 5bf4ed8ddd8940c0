"""The tree of spans: folded by chevron and key, pinned at its root, never without a name."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QHelpEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.timeline.tree_view import duration_right, tokens_right
from traceview.app.timeline.waterfall import Waterfall
from traceview.protocol.records import Status

Show = Callable[[OpenRun], Waterfall]
DARK = theme(True)


def image_of(pane: Waterfall) -> QImage:
    QApplication.processEvents()
    return pane.tree.viewport().grab().toImage()


def has(pane: Waterfall, row: int, color: QColor, left: int = 0, right: int = 10_000) -> bool:
    """Whether a colour is seen in a row of the tree."""
    image, rect = image_of(pane), pane.tree.row_rect(row)
    xs, ys = range(left, min(right, image.width())), range(max(0, rect.top()), min(rect.bottom(), image.height()))
    return any(image.pixelColor(x, y) == color for y in ys for x in xs)


def place(pane: Waterfall, name: str) -> int:
    return next(i for i, row in enumerate(pane.rows.run.tree.rows) if row.name == name)


def test_columns_leave_when_there_is_no_room() -> None:
    assert duration_right(360) == 328
    assert tokens_right(360) == 272
    assert tokens_right(304) == 0


def test_the_chevron_folds_and_unfolds(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.support_agent())
    gather = place(pane, "gather")
    rect = pane.tree.row_rect(pane.rows.row_of(gather))
    hand = mouse(pane.tree.viewport())
    hand.click(34, rect.center().y())
    assert pane.rows.is_collapsed(gather)
    assert selection.span_id is None
    hand.double_click(34, rect.center().y())
    assert not pane.rows.is_collapsed(gather)
    hand.click(120, rect.center().y())
    assert selection.span_id == pane.rows.record(gather).span_id


def test_a_double_click_on_a_name_zooms_to_the_span(show: Show, runs: ModuleType, mouse: Callable[..., Any]) -> None:
    pane = show(runs.support_agent())
    row = pane.rows.row_of(place(pane, "plan"))
    mouse(pane.tree.viewport()).double_click(120, pane.tree.row_rect(row).center().y())
    assert pane.window_of_time.fits(80e6, 1_920e6)


def test_arrows_walk_and_fold(show: Show, runs: ModuleType, selection: Selection) -> None:
    pane = show(runs.support_agent())
    tree = pane.tree
    tree.set_current(pane.rows.row_of(place(pane, "backoff")))
    QTest.keyClick(tree, Qt.Key.Key_Left)
    track = place(pane, "carrier.track")
    assert tree.current == pane.rows.row_of(track)
    QTest.keyClick(tree, Qt.Key.Key_Left)
    assert pane.rows.is_collapsed(track)
    assert tree.current == pane.rows.row_of(track)
    QTest.keyClick(tree, Qt.Key.Key_Right)
    assert not pane.rows.is_collapsed(track)
    QTest.keyClick(tree, Qt.Key.Key_Right)
    assert tree.current == pane.rows.row_of(track) + 1
    QTest.keyClick(tree, Qt.Key.Key_Right)
    assert tree.current == pane.rows.row_of(track) + 1
    tree.set_current(0)
    QTest.keyClick(tree, Qt.Key.Key_Left)
    QTest.keyClick(tree, Qt.Key.Key_Left)
    assert tree.current == 0


def test_a_collapsed_parent_shows_the_worst_inside(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent())
    row = pane.rows.row_of(place(pane, "carrier.track"))
    assert not has(pane, row, DARK.error)
    pane.rows.set_collapsed(place(pane, "carrier.track"), True)
    assert has(pane, row, DARK.error, left=66)


@pytest.mark.parametrize(("status", "color"), [(Status.ERROR, DARK.error), (Status.INTERRUPTED, DARK.interrupted)])
def test_what_went_wrong_has_its_icon(show: Show, runs: ModuleType, status: Status, color: QColor) -> None:
    pane = show(runs.make_run([runs.make_row(1, None, 0, 5_000_000, status=status)]))
    assert has(pane, 0, color, left=28, right=46)


def test_the_duration_of_a_running_span_is_in_accent(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=True))
    assert has(pane, 0, DARK.accent, left=280)
    assert not has(pane, 1, DARK.accent)


def test_hits_are_marked_in_names(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent())
    row = pane.rows.row_of(place(pane, "carrier.track"))
    assert not has(pane, row, DARK.hit_wash)
    pane.find_field.set_text("CARRIER")
    assert has(pane, row, DARK.hit_wash)
    assert not has(pane, row + 1, DARK.hit_wash)


def test_the_pinned_root_is_clicked_where_it_is_seen(
    show: Show, runs: ModuleType, mouse: Callable[..., Any], selection: Selection
) -> None:
    pane = show(runs.loops(300))
    pane.tree.verticalScrollBar().setValue(24 * 50)
    assert pane.tree.row_at(10) == 0
    assert pane.tree.row_at(30) == 51
    mouse(pane.timeline.viewport()).click(100, 10)
    assert selection.span_id == pane.rows.record(0).span_id


def test_rows_are_never_brought_under_the_pinned_root(show: Show, runs: ModuleType) -> None:
    pane = show(runs.loops(300))
    pane.tree.verticalScrollBar().setValue(24 * 50)
    pane.tree.set_current(50)
    assert pane.tree.row_rect(50).top() == 24
    pane.tree.set_current(0)
    assert pane.tree.scroll_y == 0


def test_of_several_roots_the_one_above_is_pinned(show: Show, runs: ModuleType) -> None:
    rows = []
    for root in range(3):
        begin = root * 100_000
        rows.append(runs.make_row(root * 100, None, begin, begin + 90_000, name=f"root {root}"))
        rows += [runs.make_row(root * 100 + i, root * 100, begin + i, begin + i + 1) for i in range(1, 60)]
    pane = show(runs.make_run(rows))
    pane.tree.verticalScrollBar().setValue(24 * 70)
    assert pane.tree.pinned_row() == 60
    pane.tree.verticalScrollBar().setValue(24 * 60)
    assert pane.tree.pinned_row() == -1


def test_names_keep_their_room_however_deep(show: Show, runs: ModuleType) -> None:
    count = 5_000
    rows = [runs.make_row(i, i - 1 if i else None, i, 2 * count - i, name="name") for i in range(count)]
    pane = show(runs.make_run(rows))
    pane.tree.verticalScrollBar().setValue(24 * 4_000)
    assert has(pane, 4_005, DARK.text1, left=100, right=260)
    pane.collapse_all()
    assert pane.rows.count == 2


def test_a_cut_name_is_told_in_full(show: Show, runs: ModuleType, qtbot: QtBot) -> None:
    pane = show(
        runs.make_run(
            [runs.make_row(1, None, 0, 5_000_000, name="<b>" + "long " * 30), runs.make_row(2, 1, 0, 5, name="short")]
        )
    )
    for row, cut in ((0, True), (1, False), (7, False)):
        place_ = QPoint(80, row * 24 + 10)
        event = QHelpEvent(QEvent.Type.ToolTip, place_, pane.tree.viewport().mapToGlobal(place_))
        QApplication.sendEvent(pane.tree.viewport(), event)
        qtbot.waitUntil(lambda cut=cut: (QToolTip.isVisible() and "&lt;b&gt;long" in QToolTip.text()) == cut)
    QToolTip.hideText()
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


def test_an_empty_run_says_so(show: Show, runs: ModuleType) -> None:
    pane = show(runs.make_run([]))
    assert has(pane, 0, DARK.text3)


def test_rows_can_be_read_aloud(show: Show, runs: ModuleType) -> None:
    pane = show(runs.support_agent(live=False))
    assert pane.tree.row_text(3) == "plan, llm, ok, 1.84\u2009s"
    assert pane.tree.accessibleName() == "Spans"
