"""Long work on the GUI thread in slices between events, so that the window never waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer

# A frame has 16 ms; the rest is for painting.
SLICE_S: Final = 0.006


class Sliced(QObject):
    """Draws an iterator empty, a few milliseconds at a time. A second `start` drops the first work."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.slices = 0
        self._work: Iterator[Any] | None = None
        self._take: Callable[[Any], None] = _ignore
        self._sliced: Callable[[bool], None] = _ignore
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._slice)

    @property
    def running(self) -> bool:
        """Whether there is work left."""
        return self._work is not None

    def start(
        self, work: Iterator[Any], take: Callable[[Any], None], sliced: Callable[[bool], None], *, at_once: int = 0
    ) -> None:
        """Calls `take(item)` for each item of `work`, and `sliced(ended)` after each slice.

        The first slice is made now if it is to do so many items `at_once`, however long they take: little work is
        done when this returns.
        """
        self._work, self._take, self._sliced = work, take, sliced
        self._timer.start()
        if at_once:
            self._slice(at_once)

    def stop(self) -> None:
        """Drops the work."""
        self._timer.stop()
        self._work, self._take, self._sliced = None, _ignore, _ignore

    def _slice(self, least: int = 0) -> None:
        work, sliced = self._work, self._sliced
        if work is None:
            return
        self.slices += 1
        deadline = time.perf_counter() + SLICE_S
        for done, item in enumerate(work, 1):
            self._take(item)
            if (done >= least and time.perf_counter() > deadline) or self._work is not work:
                break
        else:
            self.stop()
        if self._work is work or self._work is None:
            sliced(self._work is None)


def _ignore(_: Any) -> None:
    pass
