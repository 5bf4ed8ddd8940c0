"""Keeps the news of huge live runs from taking all of the GUI thread's time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer

from traceview.app.state.open_run import OpenRun

# What is taken in faster than this is never held back.
_CHEAP_S: Final = 0.02
_REST_PER_WORK: Final = 4.0


class UpdatePacer(QObject):
    """Hands the newest picture of a run to `take`: at once, or when taking the last one has been rested from.

    Rests four times as long as the last one took, so that at most a fifth of the time goes into updates.
    """

    def __init__(self, take: Callable[[OpenRun], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._take = take
        self._waiting: OpenRun | None = None
        self._rest_until = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._take_waiting)

    def offer(self, run: OpenRun) -> None:
        """There is a newer picture; it replaces one that waits."""
        self._waiting = run
        rest = self._rest_until - time.monotonic()
        if rest <= 0:
            self._take_waiting()
        elif not self._timer.isActive():
            self._timer.start(round(rest * 1000) + 1)

    def forget(self) -> None:
        """Another run is shown: what waits is not taken any more."""
        self._waiting = None
        self._rest_until = 0.0
        self._timer.stop()

    def _take_waiting(self) -> None:
        run, self._waiting = self._waiting, None
        if run is None:
            return
        begun = time.monotonic()
        self._take(run)
        ended = time.monotonic()
        took = ended - begun
        self._rest_until = ended + _REST_PER_WORK * took if took > _CHEAP_S else 0.0
