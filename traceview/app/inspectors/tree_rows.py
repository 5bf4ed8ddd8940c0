"""The painted rows of a JSON tree: guides, chevrons, keys and values in mono, hits of a search marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QKeyEvent, QKeySequence, QMouseEvent, QPainter

from traceview.app.icons import draw_icon
from traceview.app.inspectors.value_search import find_in_value
from traceview.app.models.json_tree import JsonTree, Node, Path
from traceview.app.models.json_values import count_text, describe, preview_text, scalar_text, visible
from traceview.app.paint import draw_text, text_width
from traceview.app.painted_rows import PaintedRows, RowState
from traceview.app.theme import INDENT, ROW, mono_font, ui_font

_LEFT: Final = 12
_CHEVRON: Final = 16
_GAP: Final = 12
# Rows deeper than this share of the width stand still and say how deep they are instead.
_INDENT_SHARE: Final = 0.4
_ACTIONS: Final = 52


class TreeRows(PaintedRows):
    """The visible rows of a JsonTree. `guides_from` is where the leftmost indent guide stands.

    Signals:
        toggled(): a row was opened or closed.
        opened(int): Return or a double click on a row that has nothing to open in place: its value wants room.
        copy_wanted(int): Ctrl+C or the copy icon on a row.
        menu_wanted(int, QPoint): the context menu of a row, at a place on the screen.
    """

    toggled = Signal()
    opened = Signal(int)
    copy_wanted = Signal(int)
    menu_wanted = Signal(int, QPoint)

    guides_from = _LEFT + 8

    def __init__(self, name: str) -> None:
        super().__init__(ROW)
        self.tree = JsonTree({})
        self._needle: re.Pattern[str] | None = None
        self.setAccessibleName(name)
        self.row_activated.connect(self._activate)

    def set_tree(self, tree: JsonTree) -> None:
        """Shows another tree."""
        self.tree = tree
        self.rows_changed()

    def mark(self, wanted: str) -> None:
        """Marks this text wherever it is seen; "" marks nothing."""
        self._needle = re.compile(re.escape(wanted), re.IGNORECASE) if wanted else None
        self.viewport().update()

    def row_count(self) -> int:
        """How many rows are visible."""
        return len(self.tree)

    def row_text(self, row: int) -> str:
        """Key and value of a row."""
        node = self.tree.rows[row]
        state = ("open" if node.is_open else "closed") if node.can_open else ""
        return " ".join(part for part in (visible(node.label), *self.value_texts(node), state) if part)

    def value_texts(self, node: Node) -> tuple[str, str]:
        """The value in strong ink, and what stands faintly after it."""
        if node.is_range:
            return "", ""
        if not node.can_open or (isinstance(node.value, str) and not node.is_open):
            return visible(scalar_text(node.value)), "JSON" if node.in_string else ""
        count = count_text(node.content)
        if isinstance(node.value, str):
            return "", f"{count}  JSON in a string"
        return "", count if node.is_open else f"{count}  {visible(preview_text(node.content))}"

    def toggle(self, row: int) -> None:
        """Opens or closes a row that can be."""
        if self.tree.rows[row].can_open:
            self.tree.toggle(row)
            self.rows_changed()
            self.toggled.emit()

    def indent(self, node: Node) -> int:
        """Where a row's chevron stands."""
        deepest = max(2, int(self.viewport().width() * _INDENT_SHARE) // INDENT)
        return _LEFT + INDENT * min(node.depth, deepest)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """Guides, chevron, key, value; on the current row and the one under the mouse also what one can do."""
        node = self.tree.rows[row]
        left = self.indent(node)
        beyond = INDENT * node.depth > left
        self._paint_guides(painter, rect, self.guides_from + (2 * INDENT if beyond else 0), left)
        if beyond:
            draw_text(painter, rect.adjusted(_LEFT, 0, 0, 0), str(node.depth), ui_font(11), self._theme.text3)
        if node.can_open:
            name = "chevron-down" if node.is_open else "chevron-right"
            draw_icon(painter, left, rect.top() + 4, name, self._theme.text3)
        box = rect.adjusted(left + _CHEVRON + 2, 0, -_LEFT, 0)
        if state.selected or state.hovered:
            self._paint_actions(painter, rect)
            box.setRight(rect.right() - _ACTIONS)
        self._paint_cells(painter, node, box)

    def _paint_guides(self, painter: QPainter, rect: QRect, first: int, left: int) -> None:
        for x in range(first, left, INDENT):
            painter.fillRect(x, rect.top(), 1, rect.height(), self._theme.border)

    def _paint_actions(self, painter: QPainter, rect: QRect) -> None:
        draw_icon(painter, rect.right() - 47, rect.top() + 4, "copy", self._theme.text2)
        draw_icon(painter, rect.right() - 23, rect.top() + 4, "more", self._theme.text2)

    def _paint_cells(self, painter: QPainter, node: Node, box: QRect) -> None:
        colors = self._theme
        room = box.width() if not node.can_open else round(box.width() * 0.7)
        label = visible(node.label)
        used = self.draw_marked(painter, box, label, mono_font(), colors.text2, room) + _GAP if label else 0
        strong, faint = self.value_texts(node)
        rest = box.adjusted(round(used), 0, 0, 0)
        if strong:
            room = rest.width() - (40 if faint else 0)
            used = self.draw_marked(painter, rest, strong, mono_font(), colors.text1, room)
            rest = rest.adjusted(round(used) + 8, 0, 0, 0)
        if faint and rest.width() > 12:
            draw_text(painter, rest, faint, mono_font(), colors.text3)

    def draw_marked(self, painter: QPainter, box: QRect, text: str, font: QFont, ink: QColor, room: int) -> float:
        """Draws a text at the left of a box, with the hits of the search marked; returns the width used."""
        box = QRect(box.left(), box.top(), min(box.width(), room), box.height())
        if box.width() <= 0:
            return 0
        used = draw_text(painter, box, text, font, ink)
        if self._needle is not None:
            for hit in self._needle.finditer(text[:400]):
                self._paint_hit(painter, box, text, font, hit.span())
        return used

    def _paint_hit(self, painter: QPainter, box: QRect, text: str, font: QFont, span: tuple[int, int]) -> None:
        start = text_width(font, text[: span[0]])
        width = text_width(font, text[span[0] : span[1]])
        if start + width <= box.width():
            place = QRect(box.left() + round(start), box.top() + 3, round(width) + 1, box.height() - 6)
            painter.fillRect(place, self._theme.hit_wash)
            place.adjust(0, -3, 2, 3)
            draw_text(painter, place, text[span[0] : span[1]], font, self._theme.hit)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A chevron opens and closes, the icons at the right act, all else selects."""
        place = event.position().toPoint()
        row = self.row_at(place.y())
        super().mousePressEvent(event)
        if event.button() is not Qt.MouseButton.LeftButton or row < 0:
            return
        node = self.tree.rows[row]
        left, right = self.indent(node), self.viewport().width()
        if node.can_open and left - 4 <= place.x() < left + _CHEVRON + 4:
            self.toggle(row)
        elif right - 28 <= place.x():
            self.menu_wanted.emit(row, self.viewport().mapToGlobal(place))
        elif right - _ACTIONS <= place.x():
            self.copy_wanted.emit(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Right opens or goes in, Left closes or goes out, Ctrl+C copies."""
        row = self.current
        if event.matches(QKeySequence.StandardKey.Copy) and row >= 0:
            self.copy_wanted.emit(row)
        elif event.key() == Qt.Key.Key_Right and row >= 0:
            self._go_in(row)
        elif event.key() == Qt.Key.Key_Left and row >= 0:
            self._go_out(row)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of the row under the mouse, or of the current row for the menu key."""
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        place = self.viewport().mapFromGlobal(event.globalPos())
        row = self.current if by_key else self.row_at(place.y())
        if row >= 0:
            self.set_current(row)
            at = self.row_rect(row).center() if by_key else place
            self.menu_wanted.emit(row, self.viewport().mapToGlobal(at))

    def _activate(self, row: int) -> None:
        if self.tree.rows[row].can_open:
            self.toggle(row)
        else:
            self.opened.emit(row)

    def _go_in(self, row: int) -> None:
        node = self.tree.rows[row]
        if node.is_open:
            self.set_current(row + 1)
        else:
            self.toggle(row)

    def _go_out(self, row: int) -> None:
        if self.tree.rows[row].is_open:
            self.toggle(row)
        elif (parent := self.tree.parent_row(row)) >= 0:
            self.set_current(parent)

    def value(self, row: int) -> Any:
        """The value of a row."""
        return self.tree.value_of(row)

    def search(self, wanted: str) -> Iterator[Path | None]:
        """The paths of the entries that hold a text, and Nones for work without a hit."""
        return find_in_value(self.tree.root.value, wanted)

    def open_at_first(self, tree: JsonTree) -> None:
        """Opens what one wants to see of a value that is new here."""
        tree.open_first()

    def caption(self) -> str:
        """What the value is, while no row is the current one."""
        return describe(self.tree.root.value)
