"""Paints the timeline from bottom to top: washes, grid, bars, what is yet to come, labels, the pinned root, lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from traceview.app.theme import ROW, Theme, theme
from traceview.app.timeline.bars import BarPainter, Frame, RowLabel
from traceview.app.timeline.geometry import Scale, TimeRange
from traceview.app.timeline.ticks import find_ticks
from traceview.app.timeline.time_window import TimeWindow
from traceview.app.timeline.tree_view import SpanTreeView

LEFT_PAD: Final = 12
# Room right of the run's end for labels and for the now pill.
RIGHT_PAD: Final = 60
_FUTURE: Final = 0.68
_NOW_LINE: Final = 0.55


def plot_scale(window: TimeWindow, width: int) -> Scale:
    """How the shown times map to the pixels of a pane of this width: timeline, ruler and minimap agree."""
    return Scale(window.shown, LEFT_PAD, max(1, width - LEFT_PAD - RIGHT_PAD))


def visible_range(scale: Scale, width: int) -> TimeRange:
    """The times from the pane's left edge to its right edge, margins included."""
    return TimeRange(scale.time(0), scale.time(width))


class TimelinePainter:
    """Paints the visible rows of a tree view at a scale.

    `live` draws a line at now; `playhead` is where the replay stands in ns since the run's start: what comes later is
    dimmed, and None is "not replaying".
    """

    def __init__(self, tree: SpanTreeView) -> None:
        self._tree = tree
        self._theme = theme(True)
        self.bars = BarPainter(tree.rows, self._theme)
        self.live = False
        self.playhead: float | None = None

    def set_theme(self, colors: Theme) -> None:
        """Paints in other colours from now on."""
        self._theme = colors
        self.bars.set_theme(colors)

    def paint(self, painter: QPainter, frame: Frame, height: int) -> None:
        """Paints what of the view is exposed."""
        tree, exposed = self._tree, frame.exposed
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        tops = ((row, row * ROW - tree.scroll_y) for row in tree.visible_rows())
        rows = [(row, top) for row, top in tops if exposed.top() - ROW < top <= exposed.bottom()]
        self._paint_band(painter, frame, rows, QRect(0, 0, frame.right, height))
        pinned = tree.pinned_row()
        if pinned >= 0 and exposed.top() < ROW:
            band = QRect(0, 0, frame.right, ROW)
            painter.fillRect(band, self._theme.bg1)
            self._paint_band(painter, frame, [(pinned, 0)], band)
            painter.fillRect(0, ROW - 1, frame.right, 1, self._theme.border_strong)
        self._paint_lines(painter, frame.scale, height)

    def _paint_band(self, painter: QPainter, frame: Frame, rows: Iterable[tuple[int, int]], band: QRect) -> None:
        """Paints rows, given with their tops, into a part of the view."""
        for row, top in rows:
            self._paint_wash(painter, row, QRect(0, top, frame.right, ROW))
        self._paint_grid(painter, frame, band)
        labels = [label for row, top in rows if (label := self._paint_row(painter, row, top, frame)) is not None]
        future = self._dim_future(painter, frame.scale, band)
        for label in labels:
            painter.setOpacity(1 - _FUTURE if label.bar_left > future else 1)
            self.bars.paint_label(painter, label, frame)
        painter.setOpacity(1)

    def _paint_wash(self, painter: QPainter, row: int, rect: QRect) -> None:
        tree, colors = self._tree, self._theme
        if row == tree.current:
            painter.fillRect(rect, colors.selection if tree.pane_focused else colors.bg4)
        elif row == tree.hovered:
            painter.fillRect(rect, colors.hover)

    def _paint_grid(self, painter: QPainter, frame: Frame, band: QRect) -> None:
        if self._tree.rows.span_count:
            for tick in find_ticks(visible_range(frame.scale, frame.right), frame.right):
                if tick.time >= 0:
                    painter.fillRect(round(frame.scale.x(tick.time)), band.top(), 1, band.height(), self._theme.border)

    def _paint_row(self, painter: QPainter, row: int, top: int, frame: Frame) -> RowLabel | None:
        span = self._tree.rows.span_at(row)
        if span >= 0:
            return self.bars.paint(painter, span, top, frame, selected=row == self._tree.current)
        painter.setPen(QPen(self._theme.border_strong, 1, Qt.PenStyle.DashLine))
        middle = top + ROW // 2
        painter.drawLine(LEFT_PAD, middle, frame.right - 8, middle)
        return None

    def _dim_future(self, painter: QPainter, scale: Scale, band: QRect) -> float:
        """Veils what is later than the playhead; returns the x from where on."""
        if self.playhead is None:
            return float("inf")
        x = round(scale.x(self.playhead))
        if x <= band.right():
            veil = QColor(self._theme.bg1)
            veil.setAlphaF(_FUTURE)
            painter.fillRect(band.adjusted(max(0, x), 0, 0, 0), veil)
        return x

    def _paint_lines(self, painter: QPainter, scale: Scale, height: int) -> None:
        if self.live:
            now = QColor(self._theme.accent)
            now.setAlphaF(_NOW_LINE)
            painter.fillRect(round(scale.x(self._tree.rows.now)), 0, 1, height, now)
        if self.playhead is not None:
            painter.fillRect(round(scale.x(self.playhead)) - 1, 0, 2, height, self._theme.accent)
