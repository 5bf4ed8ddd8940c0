"""What the daemon counts about itself: stored, rejected and dropped spans, and spans per second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_WINDOW_SECONDS = 5


class Meters:
    """Counters since the start; every method may be called on any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[int, int]] = deque()
        self.spans = 0
        self.rejected = 0
        self.dropped = 0

    def add_stored(self, spans: int, dropped: int = 0) -> None:
        """Counts finished spans that are committed, and spans that a program says it lost."""
        second = int(self._clock())
        with self._lock:
            self.spans += spans
            self.dropped += dropped
            if self._seconds and self._seconds[-1][0] == second:
                spans += self._seconds.pop()[1]
            self._seconds.append((second, spans))
            while self._seconds[0][0] < second - _WINDOW_SECONDS:
                self._seconds.popleft()

    def add_rejected(self, count: int) -> None:
        """Counts records that could not be read or stored."""
        with self._lock:
            self.rejected += count

    @property
    def spans_per_second(self) -> float:
        """The mean over the last five whole seconds."""
        now = int(self._clock())
        with self._lock:
            recent = sum(count for second, count in self._seconds if now - _WINDOW_SECONDS <= second < now)
        return recent / _WINDOW_SECONDS
