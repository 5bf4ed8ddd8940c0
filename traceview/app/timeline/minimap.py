"""The whole run in a strip above the timeline, with the window that the timeline shows of it."""

from __future__ import annotations

import enum
from typing import Final

import numpy as np
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from traceview.app.models.span_rows import SpanRows
from traceview.app.paint import fill_round, outline_round
from traceview.app.theme import MINIMAP, Theme, theme
from traceview.app.timeline.geometry import Scale, TimeRange
from traceview.app.timeline.minimap_image import draw_minimap, error_marks
from traceview.app.timeline.time_window import ZOOM_STEP, TimeWindow
from traceview.app.timeline.timeline_painter import LEFT_PAD, RIGHT_PAD
from traceview.protocol.records import KINDS

_MARGIN: Final = 2
_PADDING: Final = 3
_GRIP: Final = 7
_OUTSIDE: Final = 0.6
_DRAG_FROM: Final = 4
_LANE: Final = 2
_TINY: Final = 14
_FOOT: Final = 5
_FEET_FROM: Final = 16
# The picture is made again when the run has grown by more than this; until then the old one is squeezed.
_STALE: Final = 0.02


class _Grab(enum.Enum):
    """What the mouse holds: nothing, the window, one of its edges, or a window being drawn."""

    NONE = enum.auto()
    WINDOW = enum.auto()
    START = enum.auto()
    END = enum.auto()
    NEW = enum.auto()


class Minimap(QWidget):
    """Shows where in the run one is; drags and stretches the window, or draws a new one while all is shown."""

    def __init__(self, rows: SpanRows, window: TimeWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._window = window
        self._theme = theme(True)
        self._playhead: float | None = None
        self._image: QImage | None = None
        self._image_end = 1.0
        self._grab = _Grab.NONE
        self._pressed_x = 0.0
        self._held = window.shown
        self.setFixedHeight(MINIMAP)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Minimap of the run")
        window.changed.connect(self.update)
        rows.modelReset.connect(self.forget)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.forget()

    def set_playhead(self, time: float | None) -> None:
        """Where the replay stands, in ns since the run's start, or None."""
        self._playhead = time
        self.update()

    def forget(self) -> None:
        """The spans have changed: the picture is made again."""
        self._image = None
        self.update()

    @property
    def scale(self) -> Scale:
        """How the whole run maps to the strip."""
        return Scale(self._window.whole, LEFT_PAD, max(1, self.width() - LEFT_PAD - RIGHT_PAD))

    def window_rect(self) -> QRect:
        """Where the window stands in the strip."""
        scale, shown = self.scale, self._window.shown
        left, right = round(scale.x(shown.start)), round(scale.x(shown.end))
        return QRect(left, _MARGIN, max(2, right - left), self.height() - 2 * _MARGIN - 1)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
        trough = self._trough()
        fill_round(painter, trough, colors.bg0, 4)
        if not self._rows.span_count:
            return
        self._paint_run(painter, trough)
        box = self.window_rect()
        self._dim(painter, QRect(trough.left(), trough.top(), box.left() - trough.left(), trough.height()))
        self._dim(painter, QRect(box.right() + 1, trough.top(), trough.right() - box.right(), trough.height()))
        if self._playhead is not None:
            painter.fillRect(round(self.scale.x(self._playhead)), trough.top(), 1, trough.height(), colors.accent)
        outline_round(painter, box.adjusted(0, 0, 1, 0), colors.accent, 4)
        # The handles of a tiny window stand outside, so that the window is seen between them.
        out = 3 if box.width() < _TINY else 0
        for x in (box.left() - out, box.left() + box.width() + out):
            fill_round(painter, QRect(x - 2, box.center().y() - 7, 5, 16), colors.accent, 2)

    def _trough(self) -> QRect:
        return QRect(LEFT_PAD, _MARGIN, round(self.scale.width), self.height() - 2 * _MARGIN - 1)

    def _dim(self, painter: QPainter, rect: QRect) -> None:
        if rect.width() > 0:
            veil = QColor(self._theme.bg1)
            veil.setAlphaF(_OUTSIDE)
            painter.fillRect(rect, veil)

    def _paint_run(self, painter: QPainter, trough: QRect) -> None:
        whole = self._window.whole.end
        ratio = self.devicePixelRatioF()
        wanted = QSize(round(trough.width() * ratio), round(trough.height() * ratio))
        fresh = self._image is not None and self._image.size() == wanted
        if not fresh or abs(whole - self._image_end) > _STALE * whole:
            self._draw_image(wanted, whole, ratio)
        assert self._image is not None, "just made"
        width = round(trough.width() * self._image_end / whole)
        painter.drawImage(QRect(trough.left(), trough.top(), width, trough.height()), self._image)

    def _draw_image(self, size: QSize, end: float, ratio: float) -> None:
        columns = self._rows.columns
        assert columns is not None, "there are spans"
        palette = np.array([self._theme.kind(kind).fill.rgba() for kind in KINDS], np.uint32)
        width, height = size.width(), size.height()
        padding, lane = round(_PADDING * ratio), max(1, round(_LANE * ratio))
        picture = np.zeros((height, width), np.uint32)
        inner = draw_minimap(columns, self._rows.now, end, (width, height - 2 * padding), palette, lane)
        picture[padding : padding + len(inner)] = inner
        marks = error_marks(columns, self._rows.now, end, width)
        # Marks that would cover the run shrink to feet.
        top = 0 if len(marks) * _FEET_FROM < width else height - round(_FOOT * ratio)
        for mark in marks:
            left = max(0, min(mark, width - lane))
            picture[top:, left : left + lane] = self._theme.error.rgba()
        # A copy, since QImage does not keep the array alive.
        self._image = QImage(picture.tobytes(), width, height, 4 * width, QImage.Format.Format_ARGB32).copy()
        self._image_end = end

    # Mouse

    def _grab_at(self, x: float) -> _Grab:
        box = self.window_rect()
        left, right = box.left(), box.left() + box.width()
        grip = min(_GRIP, max(2, box.width() // 4))
        if abs(x - left) <= grip or left - _GRIP <= x < left:
            return _Grab.START
        if abs(x - right) <= grip or right < x <= right + _GRIP:
            return _Grab.END
        return _Grab.WINDOW if left < x < right and not self._window.shows_whole else _Grab.NEW

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._rows.span_count:
            self._pressed_x = event.position().x()
            self._grab = self._grab_at(self._pressed_x)
            self._held = self._window.target

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._grab is _Grab.NONE:
            edge = self._rows.span_count and self._grab_at(x) in (_Grab.START, _Grab.END)
            self.setCursor(Qt.CursorShape.SizeHorCursor if edge else Qt.CursorShape.ArrowCursor)
            return
        scale, held = self.scale, self._held
        time, by = scale.time(x), (x - self._pressed_x) / scale.pixels_per_ns
        if self._grab is _Grab.WINDOW:
            self._window.show(held.moved(by))
        elif self._grab is _Grab.START:
            self._show_between(time, held.end)
        elif self._grab is _Grab.END:
            self._show_between(held.start, time)
        elif abs(x - self._pressed_x) >= _DRAG_FROM:
            self._show_between(scale.time(self._pressed_x), time)

    def _show_between(self, one: float, other: float) -> None:
        """Shows what lies between two times, whichever is the earlier; neither leaves the run."""
        whole = self._window.whole
        start, end = sorted(max(whole.start, min(whole.end, time)) for time in (one, other))
        self._window.show(TimeRange(start, end))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._grab is _Grab.NEW and abs(x - self._pressed_x) < _DRAG_FROM and not self._window.shows_whole:
            self._window.show(self._held.moved(self.scale.time(x) - self._held.middle), glide=True)
        self._grab = _Grab.NONE

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._grab = _Grab.NONE
        self._window.show_whole()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = (event.angleDelta().y() or event.angleDelta().x()) / 120
        self._window.zoom(ZOOM_STEP**-steps, self.scale.time(event.position().x()))
        event.accept()
