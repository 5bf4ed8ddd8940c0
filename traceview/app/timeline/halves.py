"""The two columns of the waterfall, tree and timeline, and how wide the user wants the tree."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

_TREE_WIDTH: Final = 360
_NARROW_TREE: Final = 304
_NARROW: Final = 840
_NARROW_WINDOW: Final = 1360
_WIDEST: Final = 10_000


class Halves(QSplitter):
    """Keeps the left column at its width whatever happens to the pane: the timeline takes what there is."""

    def __init__(self, left: tuple[QWidget, ...], right: tuple[QWidget, ...], parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._chosen = 0
        self.setHandleWidth(1)
        self.setChildrenCollapsible(False)
        self.addWidget(_column(left))
        self.addWidget(_column(right))
        self.splitterMoved.connect(self._choose)

    @property
    def chosen(self) -> int:
        """The width of the left column that the user chose, or 0."""
        return self._chosen

    def choose(self, width: object) -> None:
        """Takes over a width that was saved, if it makes sense."""
        if isinstance(width, int) and 0 < width < _WIDEST:
            self._chosen = width
            self._divide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._divide()

    def _divide(self) -> None:
        left = self._chosen or (_NARROW_TREE if self._is_narrow() else _TREE_WIDTH)
        left = min(left, self.width() // 2)
        self.setSizes([left, max(1, self.width() - left - 1)])

    def _is_narrow(self) -> bool:
        """Whether there is little room; in a narrow window others have already given up theirs for this pane's."""
        window, pane = self.window(), self.parentWidget()
        return self.width() < _NARROW or (window is not pane and window.width() < _NARROW_WINDOW)

    def _choose(self, place: int, _index: int) -> None:
        self._chosen = place


def _column(widgets: tuple[QWidget, ...]) -> QWidget:
    result = QWidget()
    column = QVBoxLayout(result)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for widget in widgets:
        column.addWidget(widget)
    column.setStretch(len(widgets) - 1, 1)
    return result
