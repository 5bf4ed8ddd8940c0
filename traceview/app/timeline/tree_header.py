"""The heads of the tree's columns, and the chip of the filter that hides rows."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from traceview.app.controls import Chip
from traceview.app.paint import draw_text, text_width
from traceview.app.theme import CHIP, COLUMN_HEADER, PANE_PADDING, Theme, theme, ui_font
from traceview.app.timeline.tree_view import tokens_right

_CHIP_GAP: Final = 14


class TreeHeader(QWidget):
    """Paints "Span", "Tokens" and "Duration" over the columns of the tree.

    Signals:
        filter_removed(): the chip was clicked away.
    """

    filter_removed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._chip: Chip | None = None
        self.setFixedHeight(COLUMN_HEADER)
        self.setAccessibleName("Columns: Span, Tokens, Duration")

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        if self._chip is not None:
            self._chip.set_theme(colors)
        self.update()

    @property
    def chip(self) -> Chip | None:
        """The filter's chip, or None while nothing is filtered."""
        return self._chip

    def set_filter(self, text: str) -> None:
        """Shows a removable chip that names the filter, or none for ""."""
        if self._chip is not None:
            self._chip.hide()
            self._chip.deleteLater()
            self._chip = None
        if text:
            self._chip = Chip(text, removable=True, parent=self)
            self._chip.set_theme(self._theme)
            self._chip.clicked.connect(self.filter_removed)
            self._place_chip()
            self._chip.show()

    def _place_chip(self) -> None:
        if self._chip is not None:
            left = PANE_PADDING + round(text_width(ui_font(11, 600), "Span")) + _CHIP_GAP
            self._chip.setGeometry(left, (COLUMN_HEADER - CHIP) // 2, self._chip.sizeHint().width(), CHIP)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_chip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
        font = ui_font(11, 600)
        row = QRect(PANE_PADDING, 0, self.width() - 2 * PANE_PADDING, self.height() - 1)
        draw_text(painter, row, "Span", font, colors.text3)
        draw_text(painter, row, "Duration", font, colors.text3, Qt.AlignmentFlag.AlignRight)
        right = tokens_right(self.width())
        if right:
            box = QRect(right - 80, 0, 80, self.height() - 1)
            draw_text(painter, box, "Tokens", font, colors.text3, Qt.AlignmentFlag.AlignRight)
