"""Attributes as sorted rows of key and value in two columns, those of the resource under a head of their own."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QRect
from PySide6.QtGui import QFont, QPainter, QResizeEvent

from traceview.app.icons import draw_icon
from traceview.app.inspectors.tree_rows import TreeRows
from traceview.app.models.json_tree import JsonTree, Node
from traceview.app.models.json_values import key_text, visible
from traceview.app.paint import draw_text, metrics, text_width
from traceview.app.painted_rows import RowState
from traceview.app.theme import INDENT, mono_font, ui_font
from traceview.protocol.records import SpanPayload

ATTRIBUTES: Final = "attributes"
RESOURCE: Final = "resource"

_LEFT: Final = 12
_GAP: Final = 12
_MOST_OF_WIDTH: Final = 0.64
# More keys than this are not measured for the width of their column.
_MEASURED: Final = 500
_HEADS: Final = {ATTRIBUTES: "Attributes", RESOURCE: "Resource"}


def attribute_groups(payload: SpanPayload) -> dict[str, Any]:
    """The span's attributes and its resource's, each sorted by key; empty groups are left out."""
    groups = {ATTRIBUTES: payload.attributes, RESOURCE: payload.resource}
    return {
        name: {key: group[key] for key in sorted(group, key=str.casefold)} for name, group in groups.items() if group
    }


class AttributeRows(TreeRows):
    """The rows of `attribute_groups`: heads at depth 0, attributes at depth 1, what is inside them below."""

    def __init__(self) -> None:
        super().__init__("Attributes")
        self._column = 0

    def open_at_first(self, tree: JsonTree) -> None:
        """Opens the groups."""
        for row in reversed(range(len(tree))):
            tree.expand(row)

    def rows_changed(self) -> None:
        """Other keys may need a wider column."""
        self._column = 0
        super().rows_changed()

    def caption(self) -> str:
        """How many there are of each group."""
        groups = self.tree.root.value
        return ", ".join(f"{len(group):,} {_plural(name, len(group))}" for name, group in groups.items())

    def indent(self, node: Node) -> int:
        """Attributes stand at the left edge, their insides are indented."""
        return super().indent(node) - (INDENT if node.depth else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The columns share another width."""
        self._column = 0
        super().resizeEvent(event)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """A head, an attribute in two columns, or a row inside one."""
        node = self.tree.rows[row]
        if node.depth == 0:
            self._paint_head(painter, node, rect)
        elif node.depth == 1 and not node.is_range:
            self._paint_attribute(painter, node, rect, state)
        else:
            super().paint_row(painter, row, rect, state)

    def _paint_head(self, painter: QPainter, node: Node, rect: QRect) -> None:
        colors = self._theme
        name = "chevron-down" if node.is_open else "chevron-right"
        draw_icon(painter, _LEFT, rect.top() + 4, name, colors.text3)
        box = rect.adjusted(_LEFT + 18, 0, -_LEFT, 0)
        used = draw_text(painter, box, _HEADS.get(node.key, str(node.key)), ui_font(11, 600), colors.text3)
        draw_text(painter, box.adjusted(round(used) + 8, 0, 0, 0), f"{len(node.value):,}", ui_font(11), colors.text3)

    def _paint_attribute(self, painter: QPainter, node: Node, rect: QRect, state: RowState) -> None:
        colors, font = self._theme, mono_font()
        if node.can_open:
            name = "chevron-down" if node.is_open else "chevron-right"
            draw_icon(painter, _LEFT, rect.top() + 4, name, colors.text3)
        column = self.column()
        keys = QRect(_LEFT + 18, rect.top(), column, rect.height())
        label = shortened(visible(node.label), column)
        self.draw_marked(painter, keys, label, _key_font(), colors.text2, column)
        values = rect.adjusted(keys.right() + _GAP, 0, -_LEFT, 0)
        if state.selected or state.hovered:
            self._paint_actions(painter, rect)
            values.setRight(rect.right() - 52)
        strong, faint = self.value_texts(node)
        used = self.draw_marked(painter, values, strong, font, colors.text1, values.width()) if strong else 0
        rest = values.adjusted(round(used) + (8 if used else 0), 0, 0, 0)
        if faint and rest.width() > 12:
            draw_text(painter, rest, faint, font, colors.text3)

    def column(self) -> int:
        """The width of the keys' column: what the longest key needs, at most 64 % of the width."""
        if not self._column:
            width = self.viewport().width() - 2 * _LEFT - 18 - _GAP
            longest = max((text_width(_key_font(), key) for key in self._keys()), default=0)
            self._column = max(40, min(round(longest) + 1, int(width * _MOST_OF_WIDTH)))
        return self._column

    def _keys(self) -> list[str]:
        groups = self.tree.root.value if isinstance(self.tree.root.value, dict) else {}
        return [visible(key_text(key)) for group in groups.values() for key in list(group)[:_MEASURED]]


def _key_font() -> QFont:
    return mono_font(11)


def shortened(key: str, width: int) -> str:
    """A dotted key that fits a width: its first part, …, and as much of its end as there is room for."""
    letter = metrics(_key_font()).horizontalAdvance("x")
    room = max(4, int(width / letter))
    if len(key) <= room:
        return key
    head = key[: key.find(".") + 1]
    head = head if 0 < len(head) <= room // 3 else key[: room // 3]
    return f"{head}…{key[len(key) - room + len(head) + 1 :]}"


def _plural(group: str, count: int) -> str:
    if group == RESOURCE:
        return "of the resource"
    return "attribute" if count == 1 else "attributes"
