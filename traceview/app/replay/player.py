"""The replay itself: which axis, where one stands, playing, following a live run. Moves the shared selection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from traceview.analysis import stepping
from traceview.analysis.moments import find_again
from traceview.analysis.stepping import Stop
from traceview.analysis.steps import Axis, AxisKind, Walk, default_axis, walk
from traceview.app.replay.pacing import next_frame
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.protocol.records import Status


class Player(QObject):
    """Walks the run that is open.

    Whatever moves the replay from elsewhere (a click on a span, a link to a step) ends playing and following. A span
    selected by hand while replaying takes the replay to its step.

    Signals:
        walk_changed(object): the stops changed: another run, more of it, another axis; a Walk, or None without a run.
        moved(): the replay stands elsewhere, or is over.
        playing_changed(bool): it began or stopped playing.
        following_changed(bool): it began or stopped following the newest moment.
    """

    walk_changed = Signal(object)
    moved = Signal()
    playing_changed = Signal(bool)
    following_changed = Signal(bool)

    def __init__(self, selection: Selection, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._selection = selection
        self._walk: Walk | None = None
        self._axis: Axis | None = None
        self._speed = 1.0
        self._playing = False
        self._following = False
        self._moving = False
        self._target = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        selection.run_opened.connect(self._open)
        selection.run_updated.connect(self._update)
        selection.run_closed.connect(self._close)
        selection.span_selected.connect(self._take_span)
        selection.moment_changed.connect(self._take_moment)
        if selection.run is not None:
            self._open(selection.run)

    @property
    def walk(self) -> Walk | None:
        """The stops of the axis through the open run."""
        return self._walk

    @property
    def axis(self) -> Axis | None:
        """The axis that is walked; None without a run."""
        return None if self._walk is None else self._walk.axis

    @property
    def replaying(self) -> bool:
        """Whether the replay stands at a moment."""
        return self._selection.moment >= 0

    @property
    def step(self) -> int:
        """The number of the stop one stands at; 0 before the first and when not replaying."""
        moment = self._selection.moment
        return 0 if self._walk is None or moment < 0 else self._walk.step_at(moment)

    @property
    def running(self) -> bool:
        """Whether the open run goes on."""
        run = self._selection.run
        return run is not None and run.summary.status is Status.RUNNING

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._playing

    @property
    def following(self) -> bool:
        """Whether it stays at the newest moment of a live run."""
        return self._following

    @property
    def speed(self) -> float:
        """Times as fast as it happened; infinity is as fast as it can be painted."""
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Plays slower or faster from now on."""
        self._speed = speed
        if self._playing:
            self._schedule()

    def set_axis(self, axis: Axis | None) -> None:
        """Walks along another axis; None: agent steps, or every span where a run has none."""
        self._axis = axis
        self.pause()
        if self._selection.run is not None:
            self._make_walk(self._selection.run)

    def first(self) -> None:
        """Goes to the first stop."""
        self._jump(lambda stops, _: stepping.first(stops))

    def last(self) -> None:
        """Goes to the last stop."""
        self._jump(lambda stops, _: stepping.last(stops))

    def forward(self) -> None:
        """Goes to the next step, over what the current one calls."""
        self._jump(stepping.over)

    def back(self) -> None:
        """Goes to the previous step, over what that one calls."""
        self._jump(stepping.back_over)

    def into(self) -> None:
        """Goes to the first step inside the current one."""
        self._jump(stepping.into)

    def back_into(self) -> None:
        """Goes to the step before, wherever it is."""
        self._jump(stepping.back)

    def out(self) -> None:
        """Goes to where the step that called the current one has ended."""
        self._jump(stepping.out)

    def back_out(self) -> None:
        """Goes to where the step that called the current one opened."""
        self._jump(stepping.back_out)

    def go_to_step(self, step: int) -> None:
        """Goes to a stop by its number on the axis, from 1; numbers beyond the ends mean the ends."""

        def there(stops: Walk, _: int) -> Stop | None:
            number = max(1, min(len(stops), step))
            return Stop(stops.stop(number), stops.span(number)) if len(stops) else None

        self._jump(there)

    def leave(self) -> None:
        """Stops replaying: the run is shown as of now."""
        self.pause()
        self.follow(False)
        with self._own_move():
            self._selection.go_to_moment(-1)

    def toggle_play(self) -> None:
        """Plays, or pauses."""
        if self._playing:
            self.pause()
        else:
            self._play()

    def pause(self) -> None:
        """Stops playing."""
        self._timer.stop()
        if self._playing:
            self._playing = False
            self.playing_changed.emit(False)

    def follow(self, following: bool) -> None:
        """Stays at the newest moment of a live run, or no longer does."""
        following = following and self.running
        if following:
            self.pause()
        if following != self._following:
            self._following = following
            self.following_changed.emit(following)
        if following:
            self._go(stepping.last(self._walk) if self._walk is not None else None)

    def _play(self) -> None:
        stops = self._walk
        if stops is None or not len(stops):
            return
        self.follow(False)
        moment = self._selection.moment
        if moment < 0 or stepping.onward(stops, moment) is None:
            self._go(stepping.first(stops))
        self._playing = True
        self.playing_changed.emit(True)
        self._schedule()

    def _schedule(self) -> None:
        stops, step = self._walk, self.step
        if stops is None or stepping.onward(stops, self._selection.moment) is None:
            self.pause()
            self.follow(True)
            return
        self._target, seconds = next_frame(stops, step, self._speed) if 0 < step < len(stops) else (step + 1, 0.0)
        self._timer.start(round(seconds * 1000))

    def _tick(self) -> None:
        stops = self._walk
        if stops is not None:
            step = min(self._target, len(stops))
            self._go(Stop(stops.stop(step), stops.span(step)))
            self._schedule()

    def _jump(self, move: Callable[[Walk, int], Stop | None]) -> None:
        self.pause()
        if self._walk is not None:
            stop = move(self._walk, self._selection.moment)
            if stop is not None:
                self.follow(False)
                self._go(stop)

    def _go(self, stop: Stop | None) -> None:
        if stop is None or self._walk is None:
            return
        with self._own_move():
            self._selection.go_to_moment(stop.moment)
            self._selection.select_span(self._walk.tree.rows[stop.span].span_id)

    @contextmanager
    def _own_move(self) -> Iterator[None]:
        self._moving = True
        try:
            yield
        finally:
            self._moving = False

    def _open(self, run: OpenRun) -> None:
        self.pause()
        self.follow(False)
        if self._axis is not None and self._axis.kind in (AxisKind.SAME_NAME, AxisKind.SAME_PARENT):
            self._axis = None  # it was about a span of another run
        self._make_walk(run)

    def _update(self, run: OpenRun) -> None:
        before, moment = self._walk, self._selection.moment
        if before is not None and moment >= 0:
            same = find_again(before.moments, moment, run.moments)
            with self._own_move():
                self._selection.go_to_moment(same)
        self._make_walk(run)
        if self._following:
            self._go(stepping.last(self._walk) if self._walk else None)
            self.follow(True)
        elif self._playing:
            self._schedule()

    def _make_walk(self, run: OpenRun) -> None:
        self._walk = walk(run.tree, run.moments, self._axis or default_axis(run.moments))
        self.walk_changed.emit(self._walk)

    def _close(self) -> None:
        self.pause()
        self.follow(False)
        self._walk = None
        self.walk_changed.emit(None)

    def _take_moment(self, moment: int) -> None:
        if not self._moving:
            self.pause()
            self.follow(False)
            if moment >= 0 and self._selection.span_id is None and self._walk is not None and self.step:
                self._go(Stop(moment, self._walk.span(self.step)))
        self.moved.emit()

    def _take_span(self, span_id: bytes | None) -> None:
        stops = self._walk
        if self._moving or stops is None or span_id is None or not self.replaying:
            return
        self.pause()
        self.follow(False)
        place = stops.tree.index.get(span_id)
        if place is None or stops.moments.opened[place] < 0:
            return
        # A span that is no step is shown at the step during which it opened.
        step = max(1, stops.step_of(place) or stops.step_at(stops.moments.opened[place]))
        if len(stops) and step != self.step:
            with self._own_move():
                self._selection.go_to_moment(stops.stop(step))
