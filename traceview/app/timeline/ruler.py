"""The ruler above the timeline: times of the grid, and pills for now, for the playhead and for the mouse."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from traceview.analysis.figures import duration_text
from traceview.app.models.span_rows import SpanRows
from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.theme import COLUMN_HEADER, Theme, theme, ui_font
from traceview.app.timeline.ticks import find_ticks, round_step, tick_label
from traceview.app.timeline.time_window import TimeWindow
from traceview.app.timeline.timeline_painter import LEFT_PAD, plot_scale, visible_range

_PILL: Final = 18
_PILL_PAD: Final = 8
_TICK: Final = 5


class Ruler(QWidget):
    """Paints the times of the timeline below it."""

    def __init__(self, rows: SpanRows, window: TimeWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._window = window
        self._theme = theme(True)
        self._live = False
        self._playhead: float | None = None
        self._pointer: float | None = None
        self.setFixedHeight(COLUMN_HEADER)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Time ruler")
        window.changed.connect(self.update)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def set_live(self, live: bool) -> None:
        """Whether a pill says how long the run has been going."""
        self._live = live
        self.update()

    def set_playhead(self, time: float | None) -> None:
        """Where the replay stands, in ns since the run's start, or None."""
        self._playhead = time
        self.update()

    def set_pointer(self, time: float | None) -> None:
        """The time under the mouse, or None."""
        if time != self._pointer:
            self._pointer = time
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.fillRect(self.rect(), self._theme.bg2)
            painter.fillRect(0, self.height() - 1, self.width(), 1, self._theme.border)
            if self._rows.span_count:
                self._paint_times(painter)
        finally:
            painter.end()

    def _paint_times(self, painter: QPainter) -> None:
        colors = self._theme
        pills = self._pills()
        scale = plot_scale(self._window, self.width())
        for tick in find_ticks(visible_range(scale, self.width()), self.width()):
            x = round(scale.x(tick.time))
            if tick.time < 0 or x < 0:
                continue
            painter.fillRect(x, self.height() - _TICK, 1, _TICK, colors.border_strong)
            width = round(text_width(ui_font(11), tick.label)) + 1
            left = max(min(x, LEFT_PAD + 2), x - width // 2)
            box = QRect(left, 0, width + 2, self.height() - 2)
            if box.right() < self.width() and not any(box.adjusted(-3, 0, 3, 0).intersects(pill) for pill, *_ in pills):
                draw_text(painter, box, tick.label, ui_font(11), colors.text3)
        for pill, text, ground, ink in pills:
            fill_round(painter, pill, ground, 4)
            draw_text(painter, pill.adjusted(2, 0, 2, 0), text, ui_font(12, 600), ink, Qt.AlignmentFlag.AlignHCenter)

    def _pills(self) -> list[tuple[QRect, str, QColor, QColor]]:
        """The pills, the topmost last: box, text, ground, ink. Only one pill stands where several would."""
        colors = self._theme
        wanted: list[tuple[float, str, QColor, QColor]] = []
        if self._live:
            text = duration_text(self._rows.now)
            wanted.append((self._rows.now, text, colors.accent, colors.on_accent))
        if self._playhead is not None:
            text = duration_text(round(self._playhead))
            wanted.append((self._playhead, text, colors.accent, colors.on_accent))
        if self._pointer is not None and self._pointer >= 0:
            wanted.append((self._pointer, self._exact(self._pointer), colors.bg4, colors.text1))
        pills: list[tuple[QRect, str, QColor, QColor]] = []
        for time, text, ground, ink in wanted:
            box = self._pill_box(time, text)
            if box is not None:
                pills = [pill for pill in pills if not pill[0].intersects(box)]
                pills.append((box, text, ground, ink))
        return pills

    def _pill_box(self, time: float, text: str) -> QRect | None:
        x = round(plot_scale(self._window, self.width()).x(time))
        if not 0 <= x <= self.width():
            return None
        width = round(text_width(ui_font(12, 600), text)) + 2 * _PILL_PAD
        left = max(2, min(x - width // 2, self.width() - width - 2))
        return QRect(left, (self.height() - _PILL) // 2, width, _PILL)

    def _exact(self, time: float) -> str:
        """A time with the decimals that tell neighbouring pixels apart."""
        shown = self._window.shown
        return tick_label(time, round_step(shown.length / max(1, self.width()) / 4), max(shown.end, time))
