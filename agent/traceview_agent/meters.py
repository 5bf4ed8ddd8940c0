"""What the daemon counts about itself: spans stored, rejected and dropped, messages refused, and its commits."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

_WINDOW_SECONDS: Final = 5
# Programs whose last count is remembered: one that is forgotten and speaks again counts twice.
_PROGRAMS: Final = 65_536
# Upper bounds, in seconds; a last bucket takes what is slower.
COMMIT_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# Why records were thrown away: they can't be read; the message around them breaks the protocol; they can't be stored.
Rejection = Literal["undecodable", "protocol", "unstorable"]
# Why a message or request was turned away. Those that may come again: "behind", "store", "gap", "stopping".
Refusal = Literal[
    "behind", "store", "gap", "stopping", "undecodable", "too-large", "unsupported", "timeout", "forbidden", "token"
]


@dataclass(frozen=True, slots=True)
class Figures:
    """All counts since the start, as of one instant. Keys begin with the receiver's name."""

    stored: dict[str, int]
    dropped: dict[str, int]
    rejected: dict[tuple[str, Rejection], int]
    refused: dict[tuple[str, Refusal], int]
    commits: tuple[int, ...]
    commit_seconds: float
    left_out: int


class Meters:
    """Counters since the start; every method may be called on any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[int, int]] = deque()
        self._stored: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._rejected: Counter[tuple[str, Rejection]] = Counter()
        self._refused: Counter[tuple[str, Refusal]] = Counter()
        self._commits = [0] * (len(COMMIT_BOUNDS) + 1)
        self._commit_seconds = 0.0
        self._left_out = 0
        self._left_out_by: OrderedDict[bytes, int] = OrderedDict()

    def add_stored(self, receiver: str, spans: int, dropped: int = 0) -> None:
        """Counts finished spans that are committed, and spans that a program says it lost."""
        second = int(self._clock())
        with self._lock:
            self._stored[receiver] += spans
            if dropped:
                self._dropped[receiver] += dropped
            if self._seconds and self._seconds[-1][0] == second:
                spans += self._seconds.pop()[1]
            self._seconds.append((second, spans))
            while self._seconds[0][0] < second - _WINDOW_SECONDS:
                self._seconds.popleft()

    def add_rejected(self, receiver: str, reason: Rejection, count: int = 1) -> None:
        """Counts records that could not be read or stored."""
        if count:
            with self._lock:
                self._rejected[receiver, reason] += count

    def add_refused(self, receiver: str, reason: Refusal) -> None:
        """Counts a message or request that was turned away as a whole."""
        with self._lock:
            self._refused[receiver, reason] += 1

    def note_left_out(self, session: bytes, traces: int) -> None:
        """Notes how many traces a program has left out so far by its own sampling; said again, it counts once."""
        with self._lock:
            known = self._left_out_by.pop(session, 0)
            self._left_out_by[session] = max(known, traces)
            self._left_out += max(0, traces - known)
            if len(self._left_out_by) > _PROGRAMS:
                self._left_out_by.popitem(last=False)

    def add_commit(self, seconds: float) -> None:
        """Counts a transaction by how long it took."""
        with self._lock:
            self._commits[bisect_left(COMMIT_BOUNDS, seconds)] += 1
            self._commit_seconds += seconds

    @property
    def spans(self) -> int:
        """Finished spans committed since the start."""
        with self._lock:
            return self._stored.total()

    @property
    def rejected(self) -> int:
        """Records that could not be read or stored."""
        with self._lock:
            return self._rejected.total()

    @property
    def dropped(self) -> int:
        """Spans that programs say they lost."""
        with self._lock:
            return self._dropped.total()

    @property
    def left_out(self) -> int:
        """Traces that programs say they did not record at all."""
        with self._lock:
            return self._left_out

    @property
    def spans_per_second(self) -> float:
        """The mean over the last five whole seconds."""
        now = int(self._clock())
        with self._lock:
            recent = sum(count for second, count in self._seconds if now - _WINDOW_SECONDS <= second < now)
        return recent / _WINDOW_SECONDS

    def figures(self) -> Figures:
        """All of it at once."""
        with self._lock:
            return Figures(
                dict(self._stored),
                dict(self._dropped),
                dict(self._rejected),
                dict(self._refused),
                tuple(self._commits),
                self._commit_seconds,
                self._left_out,
            )
