"""The histogram over the trace list: when runs started, which failed, and a range to brush."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.app.controls import plain_tooltip
from traceview.app.models.trace_stats import Histogram
from traceview.app.paint import draw_text, fill_round
from traceview.app.theme import Theme, theme, ui_font

BARS = 52
_AXIS = 18
_PITCH = 4
_BAR = 3
_GRIP = 6
_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND


def clock_text(ns: int, span_ns: int, zone: tzinfo | None) -> str:
    """A time for an axis that covers `span_ns`: with seconds below five minutes, with the date above a day."""
    moment = datetime.fromtimestamp(ns / _SECOND, UTC).astimezone(zone)
    if span_ns > _DAY:
        return moment.strftime("%d %b") if span_ns > 5 * _DAY else moment.strftime("%d %b %H:%M")
    return moment.strftime("%H:%M:%S" if span_ns < 300 * _SECOND else "%H:%M")


class TraceHistogram(QWidget):
    """Bars of 52 px over a time axis. A drag brushes a range, its ends can be moved, a double click takes it away.

    Signals:
        range_brushed(object): (from_ns, to_ns), or None for everything.
        room_changed(): more or fewer bars fit than before.
    """

    range_brushed = Signal(object)
    room_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._histogram: Histogram | None = None
        self._range: tuple[int, int] | None = None
        self._zone: tzinfo | None = None
        self._anchor: int | None = None
        self.setFixedHeight(BARS + _AXIS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Runs over time")
        self.setToolTip(plain_tooltip("Drag to show only runs of a time range, double-click for all"))

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def set_zone(self, zone: tzinfo | None) -> None:
        """Shows times in this zone; None is this computer's."""
        self._zone = zone
        self.update()

    def bins(self) -> int:
        """How many bars fit."""
        return max(8, self.width() // _PITCH)

    def set_data(self, histogram: Histogram | None, range_ns: tuple[int, int] | None) -> None:
        """Shows these bars and this range."""
        self._histogram, self._range = histogram, range_ns
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The bars are as many as fit."""
        super().resizeEvent(event)
        self.room_changed.emit()

    def sizeHint(self) -> QSize:
        """As wide as the list, as high as bars and axis."""
        return QSize(296, BARS + _AXIS)

    def x_of(self, ns: int) -> int:
        """Where a time lies, in pixels from the left."""
        if self._histogram is None:
            return 0
        length = max(1, self._histogram.end_ns - self._histogram.start_ns)
        return round((ns - self._histogram.start_ns) * self._drawn_width() / length)

    def time_at(self, x: int) -> int:
        """The time at a place, within the histogram."""
        if self._histogram is None:
            return 0
        length = self._histogram.end_ns - self._histogram.start_ns
        share = max(0.0, min(1.0, x / max(1, self._drawn_width())))
        return self._histogram.start_ns + round(share * length)

    def _drawn_width(self) -> int:
        return len(self._histogram.total) * _PITCH if self._histogram else self.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the range, the bars, the axis."""
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        data = self._histogram
        if data is not None:
            low, high = (0, self._drawn_width()) if self._range is None else map(self.x_of, self._range)
            if self._range is not None:
                ground = QColor(colors.accent)
                ground.setAlphaF(0.1)
                painter.fillRect(low, 0, high - low, BARS, ground)
            self._paint_bars(painter, data, colors, low, high)
            if self._range is not None:
                for x in (low, min(high, self.width() - 1)):
                    painter.fillRect(x, 0, 1, BARS, colors.accent)
                    grip = QRect(min(max(0, x - 2), self.width() - 5), 18, 5, 16)
                    fill_round(painter, grip, colors.accent, 2)
            self._paint_axis(painter, data, colors)
        painter.fillRect(0, BARS, self.width(), 1, colors.accent if self.hasFocus() else colors.border)

    def _paint_bars(self, painter: QPainter, data: Histogram, colors: Theme, low: int, high: int) -> None:
        tallest = max(data.total)
        dim = QColor(colors.text3)
        dim.setAlphaF(0.4)
        dim_red = QColor(colors.error)
        dim_red.setAlphaF(0.6)
        for place, (count, failed) in enumerate(zip(data.total, data.failed, strict=True)):
            if not count:
                continue
            x = place * _PITCH
            inside = low - _PITCH < x < high
            height = max(2, round(count / tallest * (BARS - 8)))
            painter.fillRect(x, BARS - height, _BAR, height, colors.text3 if inside else dim)
            if failed:
                foot = min(height, max(3, round(failed / tallest * (BARS - 8))))
                painter.fillRect(x, BARS - foot, _BAR, foot, colors.error if inside else dim_red)

    def _paint_axis(self, painter: QPainter, data: Histogram, colors: Theme) -> None:
        length = data.end_ns - data.start_ns
        font, box = ui_font(11), QRect(0, BARS + 2, self.width(), _AXIS - 2)
        first = clock_text(data.start_ns, length, self._zone)
        last = clock_text(data.end_ns, length, self._zone)
        used = draw_text(painter, box, first, font, colors.text3)
        if last != first:
            draw_text(painter, box, last, font, colors.text3, Qt.AlignmentFlag.AlignRight)
        if self._range is not None:
            x = self.x_of(self._range[0])
            if used + 32 < x < self.width() - 2 * used - 16:
                text = clock_text(self._range[0], length, self._zone)
                middle = QRect(x - 40, box.top(), 80, box.height())
                draw_text(painter, middle, text, font, colors.text3, Qt.AlignmentFlag.AlignHCenter)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Starts a brush, or takes an end of the range that is there."""
        if event.button() is not Qt.MouseButton.LeftButton or self._histogram is None:
            return
        x = round(event.position().x())
        self._anchor = x
        if self._range is not None:
            low, high = map(self.x_of, self._range)
            if abs(x - low) <= _GRIP:
                self._anchor = high
            elif abs(x - high) <= _GRIP:
                self._anchor = low

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Brushes while the button is held."""
        x = round(event.position().x())
        if self._anchor is not None and abs(x - self._anchor) >= 3:
            low, high = sorted((self._anchor, x))
            self.range_brushed.emit((self.time_at(low), self.time_at(high)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ends the brush."""
        self._anchor = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Shows everything again."""
        self._anchor = None
        self.range_brushed.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Right move the range by a bar, with Shift its end; Escape takes it away."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if self._histogram is None or (step is None and event.key() != Qt.Key.Key_Escape):
            super().keyPressEvent(event)
            return
        if step is None:
            self.range_brushed.emit(None)
            return
        data = self._histogram
        width = (data.end_ns - data.start_ns) // len(data.total)
        low, high = self._range or (data.start_ns, data.end_ns)
        high = min(data.end_ns, max(low + width, high + step * width))
        if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            low = max(data.start_ns, min(high - width, low + step * width))
        self.range_brushed.emit((low, high))
