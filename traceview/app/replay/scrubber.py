"""The density scrubber: where in the run things happened, where it failed, and where the replay stands."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSignalBlocker, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QToolTip, QWidget

from traceview.analysis.figures import duration_text
from traceview.analysis.steps import Walk
from traceview.app.controls import plain_tooltip, wash
from traceview.app.paint import fill_round, outline_round
from traceview.app.replay.density import SLICE, Slice, TimeScale, make_scale, make_slices
from traceview.app.theme import Theme, theme

_TOP: Final = 5
_TROUGH: Final = 36
_BELOW: Final = 3
_BAR: Final = 3
_LOW: Final = 10
_HIGH: Final = 24
_LEAST_RED: Final = 4
_RADIUS: Final = 4
_NOTCH: Final = 120

HEIGHT: Final = _TOP + _TROUGH + _BELOW


class Scrubber(QAbstractSlider):
    """A slider over the stops of an axis; its value is the stop's number, 0 where the replay stands at none.

    Signals:
        step_chosen(int): the user asks for this stop, by mouse, wheel or keyboard.
    """

    step_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._walk: Walk | None = None
        self._moment = -1
        self._start_ns = 0
        self._scale: TimeScale | None = None
        self._slices: list[Slice] = []
        self._hovered = -1
        self._wheel = 0
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName("Place in the replay")
        self.setRange(0, 0)
        self.valueChanged.connect(self._tell)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def set_walk(self, walk: Walk | None, start_ns: int = 0) -> None:
        """Shows the moments and stops of a run that began at `start_ns`; None shows none."""
        self._walk, self._start_ns = walk, start_ns
        with QSignalBlocker(self):
            self.setRange(0, len(walk) if walk is not None else 0)
        self.setPageStep(max(1, self.maximum() // 20))
        self._measure()

    def set_moment(self, moment: int) -> None:
        """Puts the playhead at a moment; -1 takes it away."""
        self._moment = moment
        step = self._walk.step_at(moment) if self._walk is not None and moment >= 0 else 0
        with QSignalBlocker(self):
            self.setValue(step)
        self.setAccessibleDescription(self._describe(step))
        self.update()

    @property
    def slices(self) -> list[Slice]:
        """The slices in which moments lie."""
        return self._slices

    def playhead(self) -> float | None:
        """Where the playhead stands, in pixels; None where there is none."""
        walk = self._walk
        if walk is None or self._scale is None or not 0 <= self._moment < len(walk.moments):
            return None
        return self._scale.x(walk.moments.times[self._moment])

    def _tell(self, step: int) -> None:
        if step > 0:
            self.step_chosen.emit(step)
        else:
            self.set_moment(self._moment)  # there is nothing before the first stop

    def _measure(self) -> None:
        moments = self._walk.moments if self._walk is not None else None
        if moments is None or not len(moments) or self.width() < SLICE:
            self._scale, self._slices = None, []
        else:
            self._scale = make_scale(moments, self.width())
            self._slices = make_slices(moments, self._scale, self.width())
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._measure()

    def _step_near(self, x: float) -> int:
        if self._walk is None or self._scale is None:
            return 0
        return self._walk.nearest(self._scale.time(x))

    def _describe(self, step: int) -> str:
        """A stop in words: "step 18 of 23: draft decision, 9.10 s"."""
        walk = self._walk
        if walk is None or not 1 <= step <= len(walk):
            return ""
        name = walk.tree.rows[walk.span(step)].name
        passed = duration_text(walk.moments.times[walk.stop(step)] - self._start_ns)
        return f"{walk.axis.unit} {step:,} of {len(walk):,}: {name}, {passed}"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._choose(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(x)
        self._hover(x, event.globalPosition().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = -1
        self.update()
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Down or right is onward, as in a page; a touchpad's small turns add up to one stop.
        delta = event.angleDelta()
        self._wheel -= delta.y() or delta.x()
        notches = int(self._wheel / _NOTCH)
        self._wheel -= notches * _NOTCH
        if notches:
            self.setValue(self.value() + notches)
        event.accept()

    def _choose(self, x: float) -> None:
        step = self._step_near(x)
        if step:
            self.step_chosen.emit(step)

    def _hover(self, x: float, place: QPoint) -> None:
        self._hovered = round(x) if self._scale is not None else -1
        text = self._describe(self._step_near(x))
        QToolTip.showText(place, plain_tooltip(text[:1].upper() + text[1:]), self)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        trough = QRect(0, _TOP, self.width(), _TROUGH)
        playhead = self.playhead()
        fill_round(painter, trough, colors.bg0, _RADIUS)
        if playhead is not None:
            fill_round(painter, QRect(0, _TOP, round(playhead), _TROUGH), wash(colors.accent, 0.12), _RADIUS)
        self._paint_folds(painter, colors)
        self._paint_slices(painter, colors, self.width() if playhead is None else playhead)
        outline_round(painter, trough, colors.accent if self.hasFocus() else colors.border, _RADIUS)
        if self._hovered >= 0 and self.underMouse():
            painter.fillRect(self._hovered, _TOP + 1, 1, _TROUGH - 2, wash(colors.text3, 0.6))
        if playhead is not None:
            self._paint_playhead(painter, colors.accent, min(max(round(playhead), 1), self.width() - 1))

    def _paint_folds(self, painter: QPainter, colors: Theme) -> None:
        for fold in self._scale.folds if self._scale is not None else ():
            box = QRect(round(fold.left), _TOP + 1, round(fold.right - fold.left), _TROUGH - 2)
            painter.fillRect(box, QBrush(colors.disabled, Qt.BrushStyle.BDiagPattern))

    def _paint_slices(self, painter: QPainter, colors: Theme, now: float) -> None:
        """Bars: each slice's height tells how many moments lie in it, by square root, so that single ones are seen."""
        past, future = (colors.text3, colors.error), (colors.disabled, wash(colors.error, 0.45))
        if not self.isEnabled():
            past = future = (colors.disabled, colors.disabled)
        most = max((piece.moments for piece in self._slices), default=1)
        bottom = _TOP + _TROUGH - 3
        for piece in self._slices:
            share = (piece.moments**0.5 - 1) / (most**0.5 - 1) if most > 1 else 0.0
            height = round(_LOW + (_HIGH - _LOW) * share)
            grey, red = past if piece.left <= now else future
            painter.fillRect(piece.left, bottom - height, _BAR, height, grey)
            if piece.failed:
                # Among many moments a few errors are a red foot, not a red bar.
                foot = max(_LEAST_RED, round(height * (piece.failed / piece.moments) ** 0.5))
                painter.fillRect(piece.left, bottom - foot, _BAR, foot, self._theme.bg0)
                painter.fillRect(piece.left, bottom - foot, _BAR, foot, red)

    def _paint_playhead(self, painter: QPainter, ink: QColor, x: int) -> None:
        painter.fillRect(x - 1, 1, 2, HEIGHT - 1, ink)
        flag = QPolygonF([QPointF(x + dx, dy) for dx, dy in ((-5, 0), (5, 0), (5, 6), (0, 10), (-5, 6))])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawPolygon(flag)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
