"""Which stretch of the run the timeline shows: one object that timeline, ruler and minimap share."""

from __future__ import annotations

from PySide6.QtCore import QAbstractAnimation, QEasingCurve, QObject, QVariantAnimation, Signal

from traceview.app.controls import reduced_motion
from traceview.app.timeline.geometry import MIN_RANGE, TimeRange

ZOOM_STEP = 1.4
PAN_SHARE = 0.15
_GLIDE_MS = 120
# What is fitted gets some air on both sides.
_FIT_MARGIN = 0.06


class TimeWindow(QObject):
    """The whole run and the part of it that is shown, both as ns since the run's start.

    While the whole run is shown it stays shown as the run grows; a part that was zoomed to stays where it is.

    Signals:
        changed(): another part is shown, or the run has become longer.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._whole = TimeRange(0, MIN_RANGE)
        self._shown = self._whole
        self._from = self._to = self._whole
        self._glide = QVariantAnimation(self)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.setDuration(_GLIDE_MS)
        self._glide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._glide.valueChanged.connect(self._step)

    @property
    def whole(self) -> TimeRange:
        """The whole run."""
        return self._whole

    @property
    def shown(self) -> TimeRange:
        """What is shown of it."""
        return self._shown

    @property
    def target(self) -> TimeRange:
        """What is shown once a glide has ended."""
        return self._to if self._gliding else self._shown

    @property
    def shows_whole(self) -> bool:
        """Whether the whole run is shown."""
        return self.target == self._whole

    def set_glide_ms(self, ms: int) -> None:
        """How long glides take; 0 switches them off."""
        self._glide.setDuration(ms)

    @property
    def _gliding(self) -> bool:
        return self._glide.state() is QAbstractAnimation.State.Running

    def reset(self, end: float) -> None:
        """Shows the whole of another run that lasts so many ns."""
        self._glide.stop()
        self._whole = self._shown = TimeRange(0, max(end, MIN_RANGE))
        self.changed.emit()

    def set_whole(self, end: float, shift: float = 0) -> None:
        """The run has become longer; `shift` is by how many ns its start has moved to an earlier time."""
        whole = TimeRange(0, max(end, MIN_RANGE))
        if whole == self._whole and not shift:
            return
        follows = self.shows_whole
        target = whole if follows else self.target.moved(shift).within(whole)
        self._glide.stop()
        self._whole, self._shown = whole, target
        self.changed.emit()

    def show(self, part: TimeRange, *, glide: bool = False) -> None:
        """Shows a part of the run, made to lie within it; with `glide` in 120 ms, where motion is wanted."""
        part = part.within(self._whole)
        self._glide.stop()
        if part == self._shown:
            return
        if glide and self._glide.duration() and not reduced_motion():
            self._from, self._to = self._shown, part
            self._glide.start()
        else:
            self._shown = part
            self.changed.emit()

    def show_whole(self) -> None:
        """Shows the whole run."""
        self.show(self._whole, glide=True)

    def fit(self, start: float, end: float) -> None:
        """Zooms so that a span fills the view, with some air around it."""
        self.show(self._around(start, end), glide=True)

    def fits(self, start: float, end: float) -> bool:
        """Whether the view already shows what `fit` would show; a running span may have grown a little."""
        wanted, shown = self._around(start, end), self.target
        slack = 0.05 * wanted.length
        return abs(wanted.start - shown.start) <= slack and abs(wanted.end - shown.end) <= slack

    def _around(self, start: float, end: float) -> TimeRange:
        length = max(end - start, 10 * MIN_RANGE)
        middle = (start + end) / 2
        return TimeRange(middle - length / 2, middle + length / 2).padded(_FIT_MARGIN).within(self._whole)

    def zoom(self, factor: float, at: float | None = None) -> None:
        """Shows `factor` times as much time; what lies at the time `at` (the middle, if None) keeps its place."""
        at = self.target.middle if at is None else at
        self.show(self.target.zoomed(at, factor))

    def pan(self, share: float) -> None:
        """Moves later by a share of what is shown."""
        self.show(self.target.moved(self.target.length * share))

    def bring_into_view(self, start: float, end: float) -> None:
        """Moves, without zooming, if nothing of a span is shown."""
        shown = self.target
        if not shown.overlaps(start, end):
            self.show(shown.moved(min(start, (start + end) / 2) - shown.start - shown.length * 0.3), glide=True)

    def _step(self, share: float) -> None:
        self._shown = self._to if share >= 1 else self._from.between(self._to, share)
        self.changed.emit()
