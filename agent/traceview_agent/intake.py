"""The one bounded queue between receivers and the writer: loads go in on any thread, the writer takes them out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from traceview.store import ReadyPart

# Both bounds hold together. 50,000 parts are less than a second of writing at full rate; 20 MiB as they came on the
# wire are some 100 MiB as objects and records, which keeps the daemon below 300 MB under overload.
MAX_SPANS = 50_000
MAX_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """The load is committed. `upto` is the session's last committed batch; `rejected` parts could not be stored."""

    upto: int | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Missing:
    """The load was not taken, since batches between `upto` and it have not arrived: all after `upto` is wanted."""

    upto: int


@dataclass(frozen=True, slots=True)
class Unstored:
    """The daemon stops and could not write the load; `reason` is one sentence."""

    reason: str


Outcome = Stored | Missing | Unstored


@dataclass(slots=True, eq=False)
class Load:
    """What one message or request brought. `size` is its bytes as they came; `done` is called on the event loop.

    `source` names it for people, `receiver` for the metrics. `session`, `seq`, `dropped` and `resource` are those of
    our SDK's batches and of its Hello. A session's load without `seq` was taken from the spool its process left;
    `ended_ns` is when that process died, once all of it is in, and `dropped` then what it lost in all; `is_gone` where
    that is sure: what comes late of it does not mean that it lives. `left_out` traces the program's own sampling has
    left out since its start. The traces in `keep` are not to be sampled out. Instead of `parts` there may be a way to
    `decode` them, which never raises; so many as their program says they `count`.
    """

    parts: Sequence[ReadyPart]
    size: int
    done: Callable[[Outcome], None]
    source: str
    session: bytes | None = None
    seq: int | None = None
    dropped: int = 0
    resource: dict[str, Any] = field(default_factory=dict)
    receiver: str = "other"
    ended_ns: int | None = None
    is_gone: bool = False
    left_out: int = 0
    keep: frozenset[bytes] = frozenset()
    decode: Callable[[], Sequence[ReadyPart]] | None = None
    count: int = 0

    @property
    def weight(self) -> int:
        """What the load counts against the bound of spans: an empty one counts too."""
        return max(1, self.count or len(self.parts))

    def read(self) -> Sequence[ReadyPart]:
        """Its parts, decoded if they are not yet. Not for two threads at once."""
        if self.decode is not None:
            self.parts, self.decode = self.decode(), None
        return self.parts


@dataclass(frozen=True, slots=True)
class Depth:
    """What is in the queue, and how much may be."""

    spans: int
    bytes: int
    max_spans: int
    max_bytes: int


class Intake:
    """A queue bounded by spans and bytes. What the writer has taken counts until it is settled.

    A load counts half a bound at most: one that is longer than the bounds gets in beside others, and they beside it.
    """

    def __init__(self, max_spans: int = MAX_SPANS, max_bytes: int = MAX_BYTES) -> None:
        self._max_spans, self._max_bytes = max_spans, max_bytes
        self._waiting: deque[Load] = deque()
        self._spans = self._bytes = 0
        self._closed = False
        self._offered = 0
        self._changed = threading.Condition()

    @property
    def queued(self) -> int:
        """Spans that came in and are not committed yet."""
        return self._spans

    @property
    def offered(self) -> int:
        """How many loads came in so far."""
        return self._offered

    @property
    def depth(self) -> Depth:
        """How full the queue is."""
        return Depth(self._spans, self._bytes, self._max_spans, self._max_bytes)

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    def has_room(self, weight: int, size: int) -> bool:
        """Whether a load like this would be taken now."""
        spans, size = self._counted(weight, size)
        fits = self._spans + spans <= self._max_spans and self._bytes + size <= self._max_bytes
        return fits and not self._closed

    def offer(self, load: Load) -> bool:
        """Takes the load, or answers False at once: the queue is full or closed."""
        with self._changed:
            if not self.has_room(load.weight, load.size):
                return False
            self._waiting.append(load)
            self._offered += 1
            spans, size = self._counted(load.weight, load.size)
            self._spans += spans
            self._bytes += size
            self._changed.notify_all()
            return True

    def put(self, load: Load, given_up: Callable[[], bool]) -> bool:
        """Waits for room, then takes the load; False once closed or `given_up()`, which is asked ten times a second."""
        while not self.offer(load):
            with self._changed:
                if self._closed or given_up():
                    return False
                self._changed.wait(0.1)
        return True

    def wait(self, seconds: float | None) -> bool:
        """Waits until something can be taken (or it is closed), so long at most; says whether."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._waiting) or self._closed, seconds)

    def take(self, max_spans: int) -> list[Load]:
        """Waits for loads and returns all there are up to `max_spans` (one at least); empty once closed and drained."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            taken: list[Load] = []
            spans = 0
            while self._waiting and (not taken or spans + self._waiting[0].weight <= max_spans):
                taken.append(self._waiting.popleft())
                spans += taken[-1].weight
            return taken

    def settle(self, loads: Sequence[Load]) -> None:
        """Gives back the room of loads whose fate is decided."""
        with self._changed:
            for load in loads:
                spans, size = self._counted(load.weight, load.size)
                self._spans -= spans
                self._bytes -= size
            self._changed.notify_all()

    def _counted(self, weight: int, size: int) -> tuple[int, int]:
        return min(weight, (self._max_spans + 1) // 2), min(size, (self._max_bytes + 1) // 2)

    def close(self) -> None:
        """Takes nothing more; what is queued can still be taken out. Safe twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
