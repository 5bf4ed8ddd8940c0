"""A scrolled column of blocks of any height: only those that are seen are measured and painted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QMenu, QWidget

from traceview.app.inspectors.blocks import Block
from traceview.app.models.json_values import encodable
from traceview.app.theme import INSPECTOR_PADDING, Theme, theme

_TOP: Final = 14
_BOTTOM: Final = 16
_LINE: Final = 48
_SETTLINGS: Final = 4


class BlockList(QAbstractScrollArea):
    """Blocks below one another. Heights are estimated until a block is seen; then the one at the top stays in place."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._blocks: list[Block] = []
        self._heights: list[int] = []
        self._measured = bytearray()
        self._tops: list[int] = [_TOP]
        self._current = -1
        self._pressed: tuple[int, QPoint] | None = None
        self._selecting = -1
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.verticalScrollBar().setSingleStep(_LINE)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.viewport().update()

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks, from the top."""
        return self._blocks

    @property
    def current(self) -> int:
        """The block where the keyboard is, or -1."""
        return self._current

    @property
    def measured(self) -> int:
        """How many blocks have been measured at this width; the rest is estimated."""
        return sum(self._measured)

    def set_blocks(self, blocks: Sequence[Block], *, again: bool = False) -> None:
        """Shows other blocks from the top, or (`again`) newer ones of the same thing, folded and scrolled as before."""
        if again:
            for older, newer in zip(self._blocks, blocks, strict=False):
                newer.adopt(older)
        known = self._heights if again else []
        self._blocks = list(blocks)
        self._pressed, self._selecting = None, -1
        self._current = min(self._current, len(blocks) - 1) if again else -1
        self._forget_heights(known)
        if not again:
            self.verticalScrollBar().setValue(0)
        self._settle()
        self.viewport().update()

    def append(self, blocks: Sequence[Block]) -> None:
        """Adds blocks at the end."""
        width = self._width()
        self._blocks.extend(blocks)
        self._heights.extend(block.estimate(width) for block in blocks)
        self._measured.extend(bytes(len(blocks)))
        self._update_tops()
        self.viewport().update()

    def _width(self) -> int:
        return max(40, self.viewport().width() - 2 * INSPECTOR_PADDING)

    def _forget_heights(self, known: Sequence[int] = ()) -> None:
        """Estimates all heights anew, but for the first ones, of which it is `known` what they were."""
        width = self._width()
        self._heights = [*known[: len(self._blocks)], *(block.estimate(width) for block in self._blocks[len(known) :])]
        self._measured = bytearray(len(self._blocks))
        self._update_tops()

    def _above(self, index: int) -> int:
        return self._blocks[index].above if index else 0

    def _update_tops(self) -> None:
        spaced = (self._above(index) + height for index, height in enumerate(self._heights))
        self._tops = list(accumulate(spaced, initial=_TOP))
        bar = self.verticalScrollBar()
        height = self.viewport().height()
        bar.setPageStep(height)
        bar.setRange(0, max(0, self._tops[-1] + _BOTTOM - height))

    def _settle(self) -> None:
        """Measures what is seen until nothing moves; the block at the top stays where it is."""
        bar = self.verticalScrollBar()
        for _ in range(_SETTLINGS):
            first = self._at(bar.value())
            if first < 0 or not self._measure(first):
                return
            into = bar.value() - self._tops[first]
            self._update_tops()
            bar.setValue(self._tops[first] + into)

    def _measure(self, first: int) -> bool:
        """Measures the blocks from `first` down to the lower edge; whether any height was another."""
        width, changed = self._width(), False
        room = self.viewport().height() + self.verticalScrollBar().value() - self._tops[first]
        for index in range(first, len(self._blocks)):
            if room <= 0:
                break
            if not self._measured[index]:
                self._measured[index] = 1
                height = self._blocks[index].height(width)
                changed = changed or height != self._heights[index]
                self._heights[index] = height
            room -= self._heights[index] + self._above(index)
        return changed

    def _at(self, y: int) -> int:
        """The block at a height of the whole column, the space above it included; -1 where there are none."""
        return min(len(self._blocks), max(1, bisect_right(self._tops, y))) - 1

    def rect_of(self, index: int) -> QRect:
        """Where a block lies in the viewport, the space above it not included."""
        top = self._tops[index] + self._above(index) - self.verticalScrollBar().value()
        return QRect(INSPECTOR_PADDING, top, self._width(), self._heights[index])

    def paintEvent(self, event: QPaintEvent) -> None:
        self._settle()
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(event.rect(), self._theme.bg1)
            bottom = event.rect().bottom()
            for index in range(max(0, self._at(self.verticalScrollBar().value())), len(self._blocks)):
                box = self.rect_of(index)
                if box.top() > bottom:
                    break
                self._blocks[index].paint(painter, box, self._theme)
                if index == self._current and self.hasFocus():
                    painter.fillRect(0, box.top(), 2, box.height(), self._theme.accent)
        finally:
            painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width is another height of everything; the block at the top stays there."""
        super().resizeEvent(event)
        bar = self.verticalScrollBar()
        first = self._at(bar.value())
        into = bar.value() - self._tops[first] if first >= 0 else 0
        if event.size().width() != event.oldSize().width():
            self._forget_heights()
        else:
            self._update_tops()
        if first >= 0:
            bar.setValue(self._tops[first] + min(into, self._heights[first]))

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def changed(self, index: int) -> None:
        """A block looks different now and may have another height."""
        self._measured[index] = 0
        self._settle()
        self.viewport().update()

    def set_current(self, index: int) -> None:
        """Moves the keyboard to a block and scrolls it into view, its top first."""
        self._current = index
        bar = self.verticalScrollBar()
        for _ in range(2):  # scrolling there may show what had only been estimated
            top, bottom = self._tops[index], self._tops[index + 1]
            if top < bar.value() or bottom - top > self.viewport().height():
                bar.setValue(top)
            elif bottom > bar.value() + self.viewport().height():
                bar.setValue(bottom - self.viewport().height())
            self._settle()
        self.viewport().update()
        if QAccessible.isActive():
            self.setAccessibleDescription(self._blocks[index].text()[:1000])
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))

    def copy(self) -> None:
        """Copies the selected text, else the whole of the current block."""
        found = self._blocks[self._selecting].selected_text() if self._selecting >= 0 else ""
        if not found and self._current >= 0:
            found = self._blocks[self._current].text()
        if found:
            QGuiApplication.clipboard().setText(encodable(found))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Links and boxes act; in text a selection begins."""
        index, place = self._hit(event.position().toPoint())
        self._clear_selection()
        if event.button() is not Qt.MouseButton.LeftButton or index < 0:
            return
        if self._blocks[index].stop:
            self._current = index
        self._pressed = (index, place)
        if self._blocks[index].press(place, self._width()):
            self._pressed = None
            self.changed(index)
        self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Selects while the button is down; over what can be clicked the mouse is a hand."""
        point = event.position().toPoint()
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            index, start = self._pressed
            end = point - self.rect_of(index).topLeft()
            if self._blocks[index].select(start, end, self._width()):
                self._selecting = index
                self.viewport().update()
            return
        index, place = self._hit(point)
        hot = index >= 0 and self._blocks[index].hot(place, self._width())
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hot else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ends a selection; it stays."""
        self._pressed = None

    def _hit(self, point: QPoint) -> tuple[int, QPoint]:
        """The block at a point of the viewport, and where in it; -1 beside all."""
        index = self._at(point.y() + self.verticalScrollBar().value())
        if index >= 0:
            box = self.rect_of(index)
            if box.contains(point):
                return index, point - box.topLeft()
        return -1, point

    def _clear_selection(self) -> None:
        if self._selecting >= 0:
            self._blocks[self._selecting].clear_selection()
            self._selecting = -1

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Copy, for the selection or the block under the mouse."""
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        index = self._current if by_key else self._hit(self.viewport().mapFromGlobal(event.globalPos()))[0]
        if index >= 0:
            self._current = index
            menu = self.menu()
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(event.globalPos())

    def menu(self) -> QMenu:
        """What one can do with the current block."""
        menu = QMenu(self)
        menu.addAction("Copy").triggered.connect(self.copy)
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and Down walk the blocks, Return folds, Ctrl+C copies; the page keys scroll."""
        bar = self.verticalScrollBar()
        page = max(_LINE, self.viewport().height() - _LINE)
        scrolls = {
            Qt.Key.Key_PageUp: bar.value() - page,
            Qt.Key.Key_PageDown: bar.value() + page,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: bar.maximum(),
        }
        key = Qt.Key(event.key())
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self._blocks:
            self._walk(1 if key is Qt.Key.Key_Down else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            if self._blocks[self._current].activate():
                self.changed(self._current)
        elif key in scrolls and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            bar.setValue(scrolls[key])
        else:
            super().keyPressEvent(event)

    def _walk(self, step: int) -> None:
        """To the next block where one stops; through one that is higher than the pane line by line."""
        bar = self.verticalScrollBar()
        if self._current >= 0:
            box = self.rect_of(self._current)
            beyond = box.bottom() > self.viewport().height() if step > 0 else box.top() < 0
            if beyond:
                bar.setValue(bar.value() + step * _LINE)
                return
        index = self._current + step
        while 0 <= index < len(self._blocks):
            if self._blocks[index].stop:
                self.set_current(index)
                return
            index += step

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()
