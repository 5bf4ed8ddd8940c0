"""A table of judged items over what is known of the chosen one: the frame of evaluations and candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QRect
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from traceview.app.controls import Chip
from traceview.app.inspectors.block_view import BlockView
from traceview.app.inspectors.blocks import Block
from traceview.app.inspectors.labels import Label, Painted
from traceview.app.models.json_values import encodable
from traceview.app.painted_rows import PaintedRows
from traceview.app.theme import COLUMN_HEADER, ROW, Theme, ui_font

_DETAIL_SHARE = 0.4
_DETAIL_LEAST = 72


class ItemRows(PaintedRows):
    """Rows that copy themselves."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the current row."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.current >= 0:
            QGuiApplication.clipboard().setText(encodable(self.row_text(self.current)))
        else:
            super().keyPressEvent(event)

    def paint_heads(self, painter: QPainter, rect: QRect, colors: Theme) -> None:
        """Paints the heads of the columns above the rows."""


class ItemTable(QWidget):
    """Caption, what removed how many, heads and rows; below them the blocks of the current row."""

    def __init__(self, rows: ItemRows, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = rows
        self.caption = Label("", self, font=ui_font(12))
        self.strip = QWidget(self)
        self.removed = Label("Removed by", self.strip, font=ui_font(12))
        self._chips: list[Chip] = []
        self._heads = _Heads(rows, self)
        self._line = _Line(self)
        self.detail = BlockView("Details", self)
        self._theme = rows._theme
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.strip, self._heads, self.rows, self._line, self.detail):
            column.addWidget(part)
        column.setStretch(2, 1)
        column.addStretch()
        self.strip.setFixedHeight(36)
        self.caption.setParent(self.strip)
        self.setFocusProxy(rows)
        rows.current_changed.connect(self._show_detail)
        self.detail.hide()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        parts: tuple[Any, ...] = (
            self.rows,
            self.caption,
            self.removed,
            self._heads,
            self._line,
            self.detail,
            *self._chips,
        )
        for part in (*parts, *self._chips):
            part.set_theme(colors)

    @property
    def chips(self) -> Sequence[Chip]:
        """The chips below the caption."""
        return self._chips

    def set_caption(self, text: str, chips: Sequence[Chip] = ()) -> None:
        """Says what the table holds; the chips, each what removed items and how many, stand below it."""
        self.caption.set_text(text)
        for chip in self._chips:
            chip.hide()
            chip.deleteLater()
        self._chips = list(chips)
        for chip in self._chips:
            chip.setParent(self.strip)
            chip.set_theme(self._theme)
        self.removed.setVisible(bool(self._chips))
        self.strip.setFixedHeight(64 if self._chips else 36)
        self._place_strip()

    def _place_strip(self) -> None:
        self.caption.setGeometry(12, 8, max(0, self.strip.width() - 24), 20)
        self.removed.setGeometry(12, 36, 72, 20)
        left = 88
        for chip in self._chips:
            width = chip.sizeHint().width()
            chip.setGeometry(left, 36, width, 20)
            left += width + 6
            chip.setVisible(left <= self.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The details take two fifths of the height."""
        super().resizeEvent(event)
        self._share_height()
        self._place_strip()

    def _share_height(self) -> None:
        self.detail.setFixedHeight(max(_DETAIL_LEAST, int(self.height() * _DETAIL_SHARE)))
        # Few rows leave their room to nobody: the details follow at once.
        self.rows.setMaximumHeight(self.rows.row_count() * self.rows.row_height)

    def blocks_of(self, row: int) -> list[Block]:
        """What is shown of the current row."""
        return []

    def _show_detail(self, row: int) -> None:
        self.detail.setVisible(row >= 0)
        self._line.setVisible(row >= 0)
        if row >= 0:
            self.detail.fill(iter([self.blocks_of(row)]))

    def keep_current(self, again: bool) -> None:
        """After other rows came: the first is the current one, or (`again`) the one that was."""
        row = self.rows.current if again else 0
        self._share_height()
        self.rows.rows_changed()
        self.rows.set_current(row, scroll=not again)
        self._show_detail(self.rows.current)
        if not again:
            self.rows.verticalScrollBar().setValue(0)


class _Heads(Painted):
    def __init__(self, rows: ItemRows, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows = rows
        self.setFixedHeight(COLUMN_HEADER)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
        painter.fillRect(0, 0, self.width(), 1, colors.border)
        box = QRect(0, 0, self._rows.viewport().width(), ROW)
        self._rows.paint_heads(painter, box, colors)


class _Line(Painted):
    """A hairline between rows and details."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(1)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.border)


def share(value: float, most: float) -> float:
    """A score's share of a bar: of 1 where all scores are shares, else of the largest."""
    whole: Any = most if most > 1 else 1.0
    return max(0.0, min(1.0, value / whole)) if whole > 0 else 0.0
