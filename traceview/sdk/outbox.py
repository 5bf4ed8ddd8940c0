"""Where records wait until the daemon has stored them: the seam between the program's threads and the sender.

They wait in the crash-proof spool (`spool_outbox.py`), or in memory where no spool can be made.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, Protocol

import msgspec

from traceview.protocol.wire import join_records

DEFAULT_CAPACITY: Final = 64 * 1024 * 1024
# What a record costs beyond its content: the header of a bytes object, its slot in the queue, the allocator's rounding.
_OVERHEAD: Final = 64


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Some records in order, in the wire's form. `size` is what they cost of the outbox's capacity, in bytes."""

    body: bytes
    records: int
    size: int


class Outbox(Protocol):
    """Records in, from any thread; chunks out, in order, to the one sender, which frees each when it is done with."""

    @property
    def outlives(self) -> bool:
        """Whether the daemon finds what is left once the process is gone."""
        ...

    def append(self, record: bytes) -> bool:
        """Keeps a record. False, at once, if there is no room: the newest is dropped, what waits stays."""
        ...

    def note_dropped(self, spans: int = 1) -> None:
        """Counts spans of which something was lost, to be reported to the daemon."""
        ...

    def take_dropped(self) -> int:
        """The spans counted since the last call."""
        ...

    @property
    def appended(self) -> int:
        """How much was kept so far, in bytes; it only rises."""
        ...

    @property
    def freed(self) -> int:
        """How much of it is done with, in the same count."""
        ...

    def waiting(self) -> int:
        """How much of it was not taken yet, in bytes."""
        ...

    def take(self, max_records: int, max_bytes: int) -> Chunk | None:
        """The next records: at least one (a big one alone), or None where none waits. They count until freed."""
        ...

    def free(self, chunk: Chunk) -> None:
        """A chunk taken before is done with: the daemon has it, or refused it."""
        ...

    def note_left_out(self, traces: int) -> None:
        """Keeps with the records how many traces head sampling has left out so far."""
        ...

    def introduce(self, hello: bytes) -> None:
        """Keeps the session's Hello with the records, for whoever takes them over."""
        ...

    def close(self) -> None:
        """The process ends, or is a fork that has an outbox of its own: what is left is nobody's here."""
        ...


class MemoryOutbox:
    """An outbox in memory, bounded by `capacity` bytes. Lost when the process is killed."""

    outlives = False

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._records: deque[bytes] = deque()
        # Reentrant: a finaliser or a signal handler may end a span while its own thread is inside append(). The sender
        # never takes it, so that no program's thread ever waits for a sender that lost the GIL.
        self._lock = threading.RLock()
        self._appended = self._taken = self._freed = 0
        self._dropped = 0
        self._dropped_taken = 0

    def append(self, record: bytes) -> bool:
        """Keeps a record; False if the outbox is full."""
        with self._lock:
            appended = self._appended + len(record) + _OVERHEAD
            if appended - self._freed > self._capacity:
                return False
            self._appended = appended
            self._records.append(record)
        return True

    def note_dropped(self, spans: int = 1) -> None:
        """Counts lost spans."""
        with self._lock:
            self._dropped += spans

    def take_dropped(self) -> int:
        """The spans lost since the last call; the sender's only."""
        total = self._dropped
        new, self._dropped_taken = total - self._dropped_taken, total
        return new

    @property
    def appended(self) -> int:
        """How much was kept so far, in bytes with what Python adds."""
        return self._appended

    @property
    def freed(self) -> int:
        """How much of it is done with."""
        return self._freed

    def waiting(self) -> int:
        """How much of it was not taken yet."""
        return self._appended - self._taken

    def take(self, max_records: int, max_bytes: int) -> Chunk | None:
        """The next records as a chunk; the sender's only."""
        taken: list[bytes] = []
        size = 0
        while self._records and len(taken) < max_records:
            cost = len(self._records[0]) + _OVERHEAD
            if taken and size + cost > max_bytes:
                break
            taken.append(self._records.popleft())
            size += cost
        self._taken += size
        return Chunk(join_records(taken), len(taken), size) if taken else None

    def free(self, chunk: Chunk) -> None:
        """A chunk is done with; the sender's only."""
        self._freed += chunk.size

    def note_left_out(self, traces: int) -> None:
        """Nobody takes memory over."""

    def introduce(self, hello: bytes) -> None:
        """Nobody takes memory over."""

    def close(self) -> None:
        """What is left is lost."""
