"""The rows of the state panel: key, value, and the step that last changed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
)
from PySide6.QtWidgets import QMenu, QToolTip

from traceview.analysis.changes import ChangeKind, Path
from traceview.app.controls import plain_tooltip
from traceview.app.icons import draw_icon
from traceview.app.models.state_tree import StateRow, StateTree, copy_text, path_text, value_text
from traceview.app.paint import draw_text, elide, text_width
from traceview.app.painted_rows import PaintedRows, RowState
from traceview.app.theme import INDENT, PANE_PADDING, Theme, mono_font, ui_font

_GLYPH: Final = 14
_CHEVRON: Final = 22
KEY: Final = 40
_WIDE_ENOUGH: Final = 260
_GLYPHS: Final = {ChangeKind.ADDED: "plus", ChangeKind.REMOVED: "minus", ChangeKind.CHANGED: "tilde"}
_TOOLTIP: Final = 1_500
_OLD_VALUE: Final = 30


def value_column(width: int) -> int:
    """Where the column of values begins in a panel of a width."""
    return max(min(140, width // 2), round(width * 0.42))


def has_last_changed(width: int) -> bool:
    """Whether a panel of a width has room for the column that says which step last changed a value."""
    return width >= _WIDE_ENOUGH


def count_text(count: int) -> str:
    """A number of changes in words."""
    return "no changes" if count == 0 else "1 change" if count == 1 else f"{count:,} changes"


@dataclass(frozen=True, slots=True)
class LastChange:
    """Which step last changed a value: its words ("step 16"), whether it is the current one, and where it happened."""

    words: str
    current: bool
    told: str


class StateRows(PaintedRows):
    """Painted rows over a StateTree.

    Signals:
        report_chosen(int): the user wants to go to where the report with this index was made.
    """

    report_chosen = Signal(int)

    def __init__(self, tree: StateTree, last_change: Callable[[int], LastChange]) -> None:
        super().__init__()
        self._tree = tree
        self._last_change = last_change
        self.setAccessibleName("State and memory")
        self.row_activated.connect(self._activate)

    def row_count(self) -> int:
        return len(self._tree.rows)

    def row_text(self, row: int) -> str:
        entry = self._tree.rows[row]
        words = f"{entry.label}, {entry.text}"
        if entry.kind is not None and entry.kind is not ChangeKind.INSIDE:
            words += f", {entry.kind.value}"
        return f"{words}, {self._last_change(entry.event).words}" if entry.event >= 0 else words

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        entry, colors = self._tree.rows[row], self._theme
        ink, ground = _colors(entry.kind, colors)
        if ground is not None and not state.selected:
            painter.fillRect(rect, ground)
        top = rect.top() + (rect.height() - 16) // 2
        glyph = _glyph(entry)
        if glyph:
            draw_icon(painter, _GLYPH, top + 1, glyph, ink or colors.changed, 14)
        left = KEY + INDENT * entry.depth
        if entry.expandable:
            chevron = "chevron-down" if entry.expanded else "chevron-right"
            draw_icon(painter, _CHEVRON + INDENT * entry.depth, top, chevron, colors.text3)
        middle = value_column(rect.width())
        key = QRect(left, rect.top(), middle - left - 8, rect.height())
        if entry.hidden:
            draw_text(painter, key, entry.label, ui_font(12), colors.text3)
            return
        name = colors.text3 if isinstance(entry.path[-1], int) else colors.text1
        draw_text(painter, key, entry.label, mono_font(12), name)
        left = self._paint_last_change(painter, entry, rect)
        self._paint_value(painter, entry, QRect(middle, rect.top(), left - middle - 12, rect.height()), ink)

    def _paint_value(self, painter: QPainter, entry: StateRow, rect: QRect, ink: QColor | None) -> None:
        colors, font = self._theme, mono_font(12)
        plain = colors.text3 if isinstance(entry.value, dict | list) else colors.text2
        text = entry.text
        if entry.kind is ChangeKind.INSIDE and not entry.expanded:
            text += f" · {count_text(entry.changes)}"
        elif entry.kind is ChangeKind.CHANGED:
            text = _fitting(entry, rect.width())
        width = draw_text(painter, rect, text, font, ink or plain)
        if entry.kind is ChangeKind.REMOVED:
            painter.fillRect(rect.left(), rect.center().y(), round(width), 1, colors.removed)

    def _paint_last_change(self, painter: QPainter, entry: StateRow, rect: QRect) -> int:
        """Paints which step last changed a value; returns where that begins."""
        box = rect.adjusted(0, 0, -PANE_PADDING, 0)
        if not self._tells_last_change(entry):
            return box.right()
        change = self._last_change(entry.event)
        ink = self._theme.text2 if change.current else self._theme.accent
        used = draw_text(painter, box, change.words, ui_font(12, 600), ink, Qt.AlignmentFlag.AlignRight)
        return box.right() - round(used)

    def _tells_last_change(self, entry: StateRow) -> bool:
        """An open container leaves it to what stands in it."""
        return entry.event >= 0 and not entry.expanded and has_last_changed(self.viewport().width())

    def link_at(self, place: QPoint) -> int:
        """The report whose "step n" lies at a place of the viewport, or -1."""
        row = self.row_at(place.y())
        if row < 0 or not self._tells_last_change(self._tree.rows[row]):
            return -1
        event = self._tree.rows[row].event
        width = round(text_width(ui_font(12, 600), self._last_change(event).words))
        right = self.viewport().width() - PANE_PADDING
        return event if right - width - 4 <= place.x() <= right + 4 else -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        place = event.position().toPoint()
        row = self.row_at(place.y())
        if event.button() is not Qt.MouseButton.LeftButton or row < 0:
            return
        report = self.link_at(place)
        entry = self._tree.rows[row]
        chevron = _CHEVRON + INDENT * entry.depth
        if report >= 0:
            self.report_chosen.emit(report)
        elif entry.expandable and chevron - 4 <= place.x() <= chevron + 18:
            self._set_expanded(row, not entry.expanded)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        link = self.link_at(event.position().toPoint()) >= 0
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if link else Qt.CursorShape.ArrowCursor)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.current
        entry = self._tree.rows[row] if row >= 0 else None
        if entry is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copy_value()
        elif entry is not None and event.key() == Qt.Key.Key_Right and entry.expandable:
            if entry.expanded:
                self.set_current(row + 1)
            else:
                self._set_expanded(row, True)
        elif entry is not None and event.key() == Qt.Key.Key_Left:
            if entry.expanded:
                self._set_expanded(row, False)
            else:
                self.set_current(max(0, self._tree.parent_row(row)))
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), plain_tooltip(self.tooltip_at(event.pos())), self.viewport())
            return True
        return super().viewportEvent(event)

    def tooltip_at(self, place: QPoint) -> str:
        """What hovering tells: the whole value up to a limit, or who made the last change."""
        row = self.row_at(place.y())
        if row < 0 or self._tree.rows[row].hidden:
            return ""
        report = self.link_at(place)
        if report >= 0:
            return self._last_change(report).told
        entry = self._tree.rows[row]
        text = entry.text if isinstance(entry.value, dict | list) else copy_text(entry.value)
        return f"{path_text(entry.path)}\n{text[:_TOOLTIP]}{'…' if len(text) > _TOOLTIP else ''}"

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Mouse:
            self.set_current(self.row_at(event.pos().y()))
        menu = self.menu()
        if menu is not None:
            menu.popup(event.globalPos())

    def menu(self) -> QMenu | None:
        """What can be done with the current row."""
        row = self.current
        if row < 0 or self._tree.rows[row].hidden:
            return None
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy value", self.copy_value)
        menu.addAction("Copy path", self.copy_path)
        report = self._tree.rows[row].event
        if report >= 0:
            menu.addAction(f"Go to {self._last_change(report).words}", lambda: self.report_chosen.emit(report))
        return menu

    def copy_value(self) -> None:
        """Puts the current row's value on the clipboard."""
        if self.current >= 0:
            QGuiApplication.clipboard().setText(copy_text(self._tree.rows[self.current].value))

    def copy_path(self) -> None:
        """Puts the current row's path on the clipboard."""
        if self.current >= 0:
            QGuiApplication.clipboard().setText(path_text(self._tree.rows[self.current].path))

    def current_path(self) -> Path | None:
        """The path of the current row."""
        return self._tree.rows[self.current].path if 0 <= self.current < len(self._tree.rows) else None

    def refresh(self, path: Path | None) -> None:
        """Shows what the tree holds now, with the row of a path as the current one."""
        self.rows_changed()
        self.set_current(self._tree.row_of(path) if path is not None else -1, scroll=False)

    def _activate(self, row: int) -> None:
        entry = self._tree.rows[row]
        if entry.expandable:
            self._set_expanded(row, not entry.expanded)
        elif entry.event >= 0:
            self.report_chosen.emit(entry.event)

    def _set_expanded(self, row: int, expanded: bool) -> None:
        self._tree.set_expanded(row, expanded)
        self.rows_changed()


def _fitting(entry: StateRow, width: int) -> str:
    """ "old → new" in a width: where both don't fit, the old value is cut, at last altogether."""
    font, after = mono_font(12), f" → {value_text(entry.value)}"
    left = width - round(text_width(font, after))
    if left >= text_width(font, value_text(entry.before)):
        return entry.text
    return elide(font, value_text(entry.before), left) + after if left > _OLD_VALUE else after.lstrip()


def _glyph(entry: StateRow) -> str:
    if entry.kind is ChangeKind.INSIDE:
        return "" if entry.expanded else "tilde"
    return _GLYPHS.get(entry.kind, "") if entry.kind is not None else ""


def _colors(kind: ChangeKind | None, colors: Theme) -> tuple[QColor | None, QColor | None]:
    """Ink and wash of a change."""
    match kind:
        case ChangeKind.ADDED:
            return colors.added, colors.added_wash
        case ChangeKind.REMOVED:
            return colors.removed, colors.removed_wash
        case ChangeKind.CHANGED:
            return colors.changed, colors.changed_wash
        case _:
            return None, None
