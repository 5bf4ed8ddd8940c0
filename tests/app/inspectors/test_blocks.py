"""A column of blocks: only what is seen is measured; it folds, selects, copies and is walked by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QMouseEvent
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.block_list import BlockList
from traceview.app.inspectors.block_view import BlockView
from traceview.app.inspectors.blocks import (
    Block,
    FoldBlock,
    HeadBlock,
    LineBlock,
    Look,
    TextBlock,
    as_text,
    loud,
    prose,
    quiet,
)
from traceview.app.inspectors.wrapped_text import LINE_HEIGHT, MAX_UNFOLDED, WrappedText
from traceview.app.theme import mono_font, theme, ui_font

Shown = list[tuple[str, Any]]


@pytest.fixture
def shown() -> Shown:
    """What was asked to be shown elsewhere."""
    return []


@pytest.fixture
def column(qtbot: QtBot) -> BlockList:
    found = BlockList("Blocks")
    found.set_theme(theme(True))
    found.resize(384, 400)
    qtbot.addWidget(found)
    found.show()
    return found


def prose_block(text: str, shown: Shown, *, fold: int = 3, **look: Any) -> TextBlock:
    how = Look(prose, ui_font(12), fold=fold, **look)
    return TextBlock(text, how, "A title", lambda title, value: shown.append((title, value)))


def fold_block(value: Any, shown: Shown) -> FoldBlock:
    return FoldBlock("call", "{id: 1}", value, lambda *what: shown.append(what), icon="tool", ink=quiet)


def mouse(column: BlockList, kind: QEvent.Type, place: QPoint, buttons: Qt.MouseButton) -> None:
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    event = QMouseEvent(kind, QPointF(place), QPointF(place), button, buttons, Qt.KeyboardModifier.NoModifier)
    {
        QEvent.Type.MouseButtonPress: column.mousePressEvent,
        QEvent.Type.MouseMove: column.mouseMoveEvent,
        QEvent.Type.MouseButtonRelease: column.mouseReleaseEvent,
    }[kind](event)


def click(column: BlockList, place: QPoint) -> None:
    mouse(column, QEvent.Type.MouseButtonPress, place, Qt.MouseButton.LeftButton)
    mouse(column, QEvent.Type.MouseButtonRelease, place, Qt.MouseButton.NoButton)


def test_a_short_text_is_seen_whole() -> None:
    text = WrappedText("one line", ui_font(12), 3)
    assert text.set_width(300) == LINE_HEIGHT
    assert text.link == ""
    assert text.estimate(300) == LINE_HEIGHT


def test_a_long_text_folds_to_some_lines_and_says_how_many_more() -> None:
    text = WrappedText("line\n" * 20, ui_font(12), 3)
    assert text.set_width(300) == 3 * LINE_HEIGHT
    assert text.link == "18 more lines"
    text.toggle()
    assert text.set_width(300) == 21 * LINE_HEIGHT
    assert text.link == "Fold"
    five = WrappedText("line\n" * 4 + "x", ui_font(12), 3)
    assert five.set_width(300) == 5 * LINE_HEIGHT
    six = WrappedText("line\n" * 5 + "x", ui_font(12), 5)
    assert six.set_width(300) == 6 * LINE_HEIGHT
    assert six.link == ""


def test_a_folded_text_of_some_kb_tells_its_size() -> None:
    text = WrappedText("x" * 10_000, ui_font(12), 3)
    assert text.set_width(300) == 3 * LINE_HEIGHT
    assert text.link == "10\u2009kB in all"
    text.toggle()
    assert text.set_width(300) > 100 * LINE_HEIGHT
    assert text.estimate(300) > 100 * LINE_HEIGHT


def test_two_mb_are_never_set_here() -> None:
    text = WrappedText("z" * 2_000_000, mono_font(12), 3)
    text.set_width(300)
    assert text.too_long
    assert text.link == "Show all, 2\u2009MB"
    assert text._layout is not None
    assert len(text._layout.text()) == 4_096
    text.toggle()
    assert text.set_width(300) < 200 * LINE_HEIGHT


def test_a_selection_is_copied_as_it_was_recorded() -> None:
    text = WrappedText("a\x00b\r\n😀 next\rline\ud800", mono_font(12), 9)
    assert text.position_at(5, 5) == 0
    assert text.selected_text() == ""
    text.set_width(300)
    text.select(text.position_at(500, LINE_HEIGHT + 5), text.position_at(0, 5))
    assert text.selected_text() == "a\x00b\r\n😀 next\rline\ufffd"
    text.select(2, 2)
    assert text.selected_text() == ""


def test_only_what_is_seen_is_measured(column: BlockList, shown: Shown) -> None:
    column.set_blocks([prose_block(f"message {number}\n" * 3, shown) for number in range(20_000)])
    column.grab()
    assert 0 < column.measured < 40
    column.verticalScrollBar().setValue(500_000)
    column.grab()
    assert column.measured < 80


def test_what_is_seen_stays_in_place_as_heights_become_known(column: BlockList, shown: Shown) -> None:
    column.set_blocks([prose_block("w " * (number % 7) * 300, shown, fold=200) for number in range(300)])
    bar = column.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    column.grab()
    settled = bar.value()
    column.grab()
    assert bar.value() == settled
    first = column._at(bar.value())
    column.resize(600, 400)
    column.grab()
    assert abs(column._at(bar.value()) - first) <= 1
    column.resize(600, 300)


def test_a_link_unfolds_and_folds(column: BlockList, shown: Shown) -> None:
    block = prose_block("line\n" * 20, shown)
    column.set_blocks([block, prose_block("after", shown)])
    before = column.rect_of(1).top()
    box = column.rect_of(0)
    link = QPoint(box.left() + 10, box.bottom() - 5)
    mouse(column, QEvent.Type.MouseMove, link, Qt.MouseButton.NoButton)
    assert column.viewport().cursor().shape() is Qt.CursorShape.PointingHandCursor
    mouse(column, QEvent.Type.MouseMove, QPoint(box.left() + 200, box.top() + 4), Qt.MouseButton.NoButton)
    assert column.viewport().cursor().shape() is Qt.CursorShape.ArrowCursor
    mouse(column, QEvent.Type.MouseMove, QPoint(1, 1), Qt.MouseButton.NoButton)
    click(column, link)
    assert column.rect_of(1).top() > before
    assert block.activate()
    assert not prose_block("short", shown).activate()
    click(column, QPoint(2, 2))


def test_what_is_too_long_is_shown_elsewhere(column: BlockList, shown: Shown, qtbot: QtBot) -> None:
    value = {"numbers": list(range(30_000))}
    text = TextBlock(as_text(value), Look(loud, mono_font()), "Result", lambda *what: shown.append(what), value)
    column.set_blocks([text])
    assert len(text.text()) == MAX_UNFOLDED + 1
    qtbot.keyClick(column, Qt.Key.Key_Down)
    qtbot.keyClick(column, Qt.Key.Key_Return)
    assert shown == [("Result", value)]


def test_a_box_opens_to_its_value(column: BlockList, shown: Shown) -> None:
    call = fold_block({"id": 48213, "note": "n\n" * 30}, shown)
    column.set_blocks([call, LineBlock("after")])
    closed = column.rect_of(0).height()
    click(column, column.rect_of(0).center())
    assert column.rect_of(0).height() > closed
    assert call.text().startswith('call {\n  "id": 48213,')
    column.grab()
    inside = column.rect_of(0).topLeft() + QPoint(60, 58)
    mouse(column, QEvent.Type.MouseButtonPress, inside, Qt.MouseButton.LeftButton)
    mouse(column, QEvent.Type.MouseMove, inside + QPoint(60, 0), Qt.MouseButton.LeftButton)
    assert call.selected_text()
    column.grab()
    click(column, column.rect_of(0).topLeft() + QPoint(60, 5))
    assert column.rect_of(0).height() == closed
    assert call.selected_text() == ""
    call.clear_selection()
    assert not call.press(QPoint(2, 5), 352)
    assert not call.select(QPoint(60, 40), QPoint(90, 40), 352)


def test_a_long_text_in_a_box_folds_too(shown: Shown) -> None:
    call = fold_block(["x"] * 100, shown)
    call.activate()
    height = call.height(352)
    link = QPoint(60, height - 15)
    assert call.hot(link, 352)
    assert call.press(link, 352)
    assert call.height(352) > height
    newer = fold_block(["x"] * 101, shown)
    newer.adopt(call)
    assert newer.height(352) > height
    fold_block([1], shown).adopt(fold_block([1], shown))


def test_text_is_selected_by_mouse_and_copied(column: BlockList, shown: Shown, clipboard: Callable[[], str]) -> None:
    column.set_blocks([HeadBlock("User", whole="everything"), prose_block("hello world", shown, rule=True)])
    box = column.rect_of(1)
    start, end = box.topLeft() + QPoint(12, 5), box.topRight() + QPoint(-5, 5)
    mouse(column, QEvent.Type.MouseButtonPress, start, Qt.MouseButton.LeftButton)
    mouse(column, QEvent.Type.MouseMove, end, Qt.MouseButton.LeftButton)
    mouse(column, QEvent.Type.MouseButtonRelease, end, Qt.MouseButton.NoButton)
    column.grab()
    column.copy()
    assert clipboard() == "hello world"
    head = column.rect_of(0).center()
    mouse(column, QEvent.Type.MouseButtonPress, head, Qt.MouseButton.LeftButton)
    mouse(column, QEvent.Type.MouseMove, end, Qt.MouseButton.LeftButton)
    column.copy()
    assert clipboard() == "everything"


def test_the_keyboard_walks_folds_copies_and_scrolls(
    column: BlockList, shown: Shown, qtbot: QtBot, clipboard: Callable[[], str]
) -> None:
    column.activateWindow()
    column.setFocus()
    blocks: list[Block] = [prose_block("line\n" * 30, shown, fold=100), LineBlock("second"), fold_block(1, shown)]
    blocks += [LineBlock(f"line {number}") for number in range(60)]
    blocks[1].stop = False
    column.set_blocks(blocks)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(column, key)
    assert column.current == 0
    assert column.verticalScrollBar().value() > 0
    while column.current == 0:
        qtbot.keyClick(column, Qt.Key.Key_Down)
    assert column.current == 2
    qtbot.keyClick(column, Qt.Key.Key_Return)
    qtbot.keyClick(column, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard() == "call 1"
    qtbot.keyClick(column, Qt.Key.Key_Up)
    assert column.current == 0
    qtbot.keyClick(column, Qt.Key.Key_Up)
    assert column.verticalScrollBar().value() >= 0
    qtbot.keyClick(column, Qt.Key.Key_End)
    assert column.verticalScrollBar().value() == column.verticalScrollBar().maximum()
    qtbot.keyClick(column, Qt.Key.Key_PageUp)
    qtbot.keyClick(column, Qt.Key.Key_PageDown)
    qtbot.keyClick(column, Qt.Key.Key_Home)
    assert column.verticalScrollBar().value() == 0
    column.set_current(40)
    assert column.rect_of(40).bottom() <= column.viewport().height()
    qtbot.keyClick(column, Qt.Key.Key_X)
    column.clearFocus()


def test_a_block_has_a_menu(column: BlockList, clipboard: Callable[[], str]) -> None:
    column.set_blocks([LineBlock("shown", copied="copied")])
    for reason in (QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard):
        place = column.rect_of(0).center()
        column.contextMenuEvent(QContextMenuEvent(reason, place, column.viewport().mapToGlobal(place)))
        column.findChild(QMenu).close()
    column.menu().actions()[0].trigger()
    assert clipboard() == "copied"
    below = QPoint(20, 300)
    column.contextMenuEvent(QContextMenuEvent(QContextMenuEvent.Reason.Mouse, below, column.mapToGlobal(below)))


def test_newer_blocks_stay_folded_and_scrolled_as_they_were(column: BlockList, shown: Shown) -> None:
    def blocks() -> list[Block]:
        return [fold_block({"a": 1}, shown), prose_block("line\n" * 20, shown), *(LineBlock("x") for _ in range(50))]

    column.set_blocks(blocks())
    for index in (0, 1):
        column.blocks[index].activate()
        column.changed(index)
    heights = [column.rect_of(index).height() for index in (0, 1)]
    column.verticalScrollBar().setValue(333)
    column.set_blocks(blocks(), again=True)
    column.grab()
    assert [column.rect_of(index).height() for index in (0, 1)] == heights
    assert column.verticalScrollBar().value() == 333
    column.set_blocks([], again=True)
    column.grab()
    column.copy()
    LineBlock("x").adopt(LineBlock("y"))


def test_a_view_is_filled_in_slices(qtbot: QtBot, shown: Shown) -> None:
    view = BlockView("Many")
    qtbot.addWidget(view)
    view.set_theme(theme(True))
    view.resize(384, 400)

    def groups() -> Iterator[list[Block]]:
        for number in range(50_000):
            yield [LineBlock(f"line {number}")]

    view.fill(groups())
    assert 0 < len(view.list.blocks) < 50_000
    qtbot.waitUntil(lambda: len(view.list.blocks) == 50_000, timeout=20_000)
    view.fill(groups(), again=True)
    assert len(view.list.blocks) >= 50_000
    view.fill(iter([[LineBlock("one")]]))
    assert len(view.list.blocks) == 1


def test_a_view_has_a_page_for_what_is_too_long(qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    view = BlockView("Blocks")
    qtbot.addWidget(view)
    view.set_theme(theme(False))
    view.show()
    view.activateWindow()
    view.fill(iter([[LineBlock("one")]]))
    view.show_detail("Result", "x" * 100)
    assert view.currentWidget() is view.detail
    qtbot.waitUntil(view.detail.text.edit.hasFocus)
    qtbot.keyClick(view.detail.text.edit, Qt.Key.Key_Escape)
    assert view.currentWidget() is view.list
    view.show_detail("Result", [1])
    view.detail.back.click()
    assert view.currentWidget() is view.list
    view.show_detail("Result", [1])
    view.fill(iter([[LineBlock("two")]]))
    assert view.currentWidget() is view.list
    view.list.set_current(0)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard() == "two"
    qtbot.keyClick(view, Qt.Key.Key_X)
