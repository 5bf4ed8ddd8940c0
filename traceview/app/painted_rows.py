"""The base of every painted list: rows of one height, painted only where visible, walked by mouse and keyboard.

A QTreeView needs seconds for every change at a million rows; a flat view over rows that the subclass keeps does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from traceview.app.theme import ROW, Theme, theme

# A scroll bar counts in int32; a million rows of 24 px fit, a hundred million do not and then scroll by rows.
_MAX_SCROLL = 2_000_000_000
_PLAIN = Qt.KeyboardModifier.NoModifier


@dataclass(frozen=True, slots=True)
class RowState:
    """How a row is to be painted: `selected` is the current row, `focused` whether the list has the keyboard."""

    selected: bool
    hovered: bool
    focused: bool


class PaintedRows(QAbstractScrollArea):
    """A list of equal rows painted by the subclass, which overrides `row_count()` and `paint_row()`.

    It paints pane ground, hover and selection (wash and a 2 px accent edge) itself, before `paint_row`. Subclasses call
    `rows_changed()` when rows come, go or change. With `ends_by_ctrl` Home and End are left to the window (the replay's
    ends), and Ctrl+Home and Ctrl+End go to the ends of the list.

    Signals:
        current_changed(int): another row is the current one; -1 is none. Emitted for user input and `set_current`.
        row_activated(int): Return or a double click on a row.
        row_clicked(int): a left click on a row.
        hovered_row_changed(int): the row under the mouse, or -1.
    """

    current_changed = Signal(int)
    row_activated = Signal(int)
    row_clicked = Signal(int)
    hovered_row_changed = Signal(int)

    ends_by_ctrl = False

    def __init__(self, row_height: int = ROW, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row_height = row_height
        self._theme = theme(True)
        self._current = -1
        self._hovered = -1
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.verticalScrollBar().setSingleStep(row_height)

    def row_count(self) -> int:
        """How many rows there are."""
        return 0

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """Paints one row into `rect` (viewport coordinates); the ground is already there."""

    def row_text(self, row: int) -> str:
        """What a screen reader says of a row, and what Ctrl+C copies."""
        return ""

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.viewport().update()

    @property
    def current(self) -> int:
        """The current row, or -1."""
        return self._current

    @property
    def hovered(self) -> int:
        """The row under the mouse, or -1."""
        return self._hovered

    @property
    def scroll_y(self) -> int:
        """How far down the rows are scrolled, in pixels."""
        return self.verticalScrollBar().value()

    def rows_changed(self) -> None:
        """Tells that rows came, went or changed: scroll range, current row and picture follow."""
        count = self.row_count()
        if self._current >= count:
            self._current = -1
            self.current_changed.emit(-1)
        self._update_range()
        self.viewport().update()

    def set_current(self, row: int, *, scroll: bool = True) -> None:
        """Makes a row the current one (-1 for none) and scrolls it into view."""
        row = row if 0 <= row < self.row_count() else -1
        changed = row != self._current
        self._current = row
        if scroll and row >= 0:
            self.ensure_row_visible(row)
        if changed:
            self.viewport().update()
            self._tell_screen_reader()
            self.current_changed.emit(row)

    def set_hovered(self, row: int) -> None:
        """Marks a row as under the mouse, here or in a pane that shares the rows."""
        if row != self._hovered:
            self._hovered = row
            self.viewport().update()
            self.hovered_row_changed.emit(row)

    def ensure_row_visible(self, row: int) -> None:
        """Scrolls as little as needed so that the whole row is seen."""
        bar = self.verticalScrollBar()
        top = row * self.row_height
        bottom = top + self.row_height
        height = self.viewport().height()
        if top < bar.value():
            bar.setValue(top)
        elif bottom > bar.value() + height:
            bar.setValue(bottom - height)

    def row_at(self, y: int) -> int:
        """The row at a height of the viewport, or -1."""
        row = (y + self.scroll_y) // self.row_height
        return row if 0 <= row < self.row_count() else -1

    def row_rect(self, row: int) -> QRect:
        """Where a row lies in the viewport."""
        return QRect(0, row * self.row_height - self.scroll_y, self.viewport().width(), self.row_height)

    def visible_rows(self) -> range:
        """The rows that are at least partly seen."""
        first = self.scroll_y // self.row_height
        last = (self.scroll_y + self.viewport().height() - 1) // self.row_height
        return range(max(0, first), min(last + 1, self.row_count()))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(event.rect(), self._theme.bg1)
            focused = self.hasFocus()
            for row in self.visible_rows():
                rect = self.row_rect(row)
                if rect.intersects(event.rect()):
                    state = RowState(row == self._current, row == self._hovered, focused)
                    self._paint_ground(painter, rect, state)
                    self.paint_row(painter, row, rect, state)
            self.paint_over(painter)
        finally:
            painter.end()

    def paint_over(self, painter: QPainter) -> None:
        """Paints what lies over the rows (a hint in an empty list, a drop line); nothing by default."""

    def _paint_ground(self, painter: QPainter, rect: QRect, state: RowState) -> None:
        colors = self._theme
        if state.selected:
            painter.fillRect(rect, colors.selection if state.focused else colors.bg4)
            painter.fillRect(rect.left(), rect.top(), 2, rect.height(), colors.accent)
        elif state.hovered:
            painter.fillRect(rect, colors.hover)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_range()

    def _update_range(self) -> None:
        bar = self.verticalScrollBar()
        height = self.viewport().height()
        bar.setPageStep(height)
        bar.setRange(0, min(_MAX_SCROLL, max(0, self.row_count() * self.row_height - height)))

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        self.set_hovered(self.row_at(round(event.position().y())))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self.row_at(round(event.position().y()))
        if event.button() is Qt.MouseButton.LeftButton and row >= 0:
            self.set_current(row)
            self.row_clicked.emit(row)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self.row_at(round(event.position().y()))
        if event.button() is Qt.MouseButton.LeftButton and row >= 0:
            self.row_activated.emit(row)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.set_hovered(self.row_at(round(event.position().y())))

    def leaveEvent(self, event: QEvent) -> None:
        self.set_hovered(-1)
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        count = self.row_count()
        if not count:
            super().keyPressEvent(event)
            return
        page = max(1, self.viewport().height() // self.row_height - 1)
        steps = {
            Qt.Key.Key_Up: self._current - 1,
            Qt.Key.Key_Down: self._current + 1,
            Qt.Key.Key_PageUp: self._current - page,
            Qt.Key.Key_PageDown: self._current + page,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: count - 1,
        }
        key, modifiers = Qt.Key(event.key()), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        by_ctrl = self.ends_by_ctrl and key in (Qt.Key.Key_Home, Qt.Key.Key_End)
        if key in steps and modifiers == (Qt.KeyboardModifier.ControlModifier if by_ctrl else _PLAIN):
            self.set_current(max(0, min(count - 1, steps[key])))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current >= 0:
            self.row_activated.emit(self._current)
        else:
            super().keyPressEvent(event)

    def _tell_screen_reader(self) -> None:
        if self._current >= 0 and QAccessible.isActive():
            self.setAccessibleDescription(self.row_text(self._current))
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
