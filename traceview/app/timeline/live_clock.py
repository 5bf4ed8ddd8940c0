"""The clock of a live run: running bars grow by it, ten times a second, between the news from the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from traceview.app.state.open_run import OpenRun
from traceview.protocol.records import Status

_TICK_MS: Final = 100
# A run without news for longer than this is taken for dead, or for one recorded on a machine with another clock.
_FRESH_NS: Final = 3_600 * 1_000_000_000


class LiveClock(QObject):
    """Ticks while the run it follows is live: its source is, spans run, and its newest time is near the clock's.

    Signals:
        ticked(): time has passed.
        live_changed(bool): the run has become live, or is so no longer.
    """

    ticked = Signal()
    live_changed = Signal(bool)

    def __init__(self, clock: Callable[[], int] = time.time_ns, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._run: OpenRun | None = None
        self._live = False
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.ticked)

    @property
    def live(self) -> bool:
        """Whether the run grows by the clock."""
        return self._live

    def now(self) -> int:
        """The present of the run in ns since its start: the clock's if it is live, else its newest time."""
        if self._run is None:
            return 0
        newest = max(self._clock(), self._run.now_ns) if self._live else self._run.now_ns
        return newest - self._run.start_ns

    def follow(self, run: OpenRun | None) -> None:
        """Follows this picture of a run, or none."""
        same = run is not None and self._run is not None and run.summary.trace_id == self._run.summary.trace_id
        was_live = self._live and same
        self._run = run
        self._set_live(run is not None and self._runs(run) and (was_live or self._is_fresh(run)))

    @staticmethod
    def _runs(run: OpenRun) -> bool:
        return run.source.live and run.summary.status is Status.RUNNING

    def _is_fresh(self, run: OpenRun) -> bool:
        return -_FRESH_NS < self._clock() - run.now_ns < _FRESH_NS

    def _set_live(self, live: bool) -> None:
        if live:
            self._timer.start()
        else:
            self._timer.stop()
        if live != self._live:
            self._live = live
            self.live_changed.emit(live)
