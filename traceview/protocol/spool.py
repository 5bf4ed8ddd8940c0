"""The crash-proof spool: what a program recorded and the daemon has not acknowledged, in memory-mapped segment files.

One folder per process start, named by its session id:

    lock          held (flock) while the process lives: one that can be had belongs to a dead process
    endpoint      where the program sends to, if that is not this home's daemon: no other is to have what is left
    hello         the session's Hello message, as it travels
    00000001.seg  segments, written in order, each freed once all of it is acknowledged
    spare         the next segment, ready: one that was freed, or one that the sender made. It holds nothing

A segment is a header of 64 bytes and then records exactly as they travel: 4-byte big-endian length, msgpack. Writing a
record copies it behind the last one and then stores the header's `tail`, one aligned 8-byte store: what lies before
`tail` is whole, whatever kills the process. The kernel keeps the pages of a killed process's mapping, so nothing is
lost that `append` had returned from. What the folder is on decides what survives a reboot.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import shutil
import struct
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SPOOL_BYTES: Final = 256 * 1024 * 1024
# Most programs never fill more than this between two acknowledgements.
_FIRST_SEGMENT_BYTES: Final = 1024 * 1024

# magic, version, header size; tail, acked, dropped, base, left out. Native order: a spool never leaves its
# machine, and a native 8-byte store is one instruction.
HEADER: Final = struct.Struct("=4sHHQQQQQ")
_HEADER_BYTES: Final = 64
MAGIC: Final = b"TVSP"
VERSION: Final = 1
WORD: Final = struct.Struct("@Q")
_TAIL: Final = 8
ACKED: Final = 16
_DROPPED: Final = 24
_LEFT_OUT: Final = 40
_LENGTH: Final = struct.Struct(">I")
_SPARE: Final = "spare"


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of the spool to ship: `body` holds `count` whole records; `upto` frees it when acknowledged."""

    upto: int
    count: int
    body: bytes


class _Segment:
    """One mapped file. `base` is the spool position of its first byte after the header."""

    __slots__ = ("acked", "base", "capacity", "map", "path", "tail")

    def __init__(self, path: Path, capacity: int) -> None:
        self.path = path
        self.capacity = capacity
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        file = os.open(path, flags, 0o600)
        try:
            # Blocks are reserved now: a mapped hole on a full disk would kill the program with SIGBUS later.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, _HEADER_BYTES + capacity)
            else:
                os.truncate(file, _HEADER_BYTES + capacity)
            self.map = mmap.mmap(file, _HEADER_BYTES + capacity)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        finally:
            os.close(file)
        self.begin(0, 0, 0)

    def begin(self, base: int, dropped: int, left_out: int) -> None:
        """Empties it, to go on at this position of the spool."""
        self.base = base
        self.tail = 0
        self.acked = 0
        self.map[: HEADER.size] = HEADER.pack(MAGIC, VERSION, _HEADER_BYTES, 0, 0, dropped, base, left_out)

    def touch(self) -> None:
        """Has the kernel provide all pages now, or the first record on each would wait for it, 1 µs and more.

        Reading zeros into them does that without holding the interpreter; writing from Python would hold it.
        """
        if not hasattr(os, "readv"):
            return
        with (
            contextlib.suppress(OSError),
            open("/dev/zero", "rb", buffering=0) as zeros,
            memoryview(self.map) as view,
            view[_HEADER_BYTES:] as pages,
        ):
            os.readv(zeros.fileno(), [pages])

    def rename(self, path: Path) -> None:
        """Gives the file another name. Raises OSError, on Windows always."""
        os.rename(self.path, path)
        self.path = path

    @property
    def end(self) -> int:
        return self.base + self.tail

    def close(self, *, unlink: bool) -> None:
        self.map.close()
        if unlink:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Spool:
    """The spool of this process: `append` and `note_dropped` on any thread, all else on the sender's.

    Positions count record bytes since the session began, length prefixes included, and never wrap. Bounded by `limit`
    bytes of segments. `endpoint` is noted for whoever finds what is left. Raises OSError only on opening.
    """

    def __init__(
        self, folder: Path, *, limit: int = SPOOL_BYTES, segment: int = SEGMENT_BYTES, endpoint: str = ""
    ) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        if endpoint:  # before the lock: no spool is found without its note
            (folder / "endpoint").write_text(endpoint, encoding="utf-8")
        # Locked before it has its name: whoever finds it finds it locked.
        self._lock_file: int | None = hold_lock(folder / "lock.new")
        os.rename(folder / "lock.new", folder / "lock")
        self._limit = limit
        self._capacity = segment - _HEADER_BYTES
        # Reentrant, with what is recorded inside an append kept aside: a finaliser or a signal handler may end a span
        # while its own thread is copying a record.
        self._mutex = threading.RLock()
        self._writing = False
        self._aside: deque[bytes] = deque()
        self._number = 0
        self._size = 0
        self._cut_at = 0
        self._freed = 0
        self._dropped = self._left_out = 0
        self._segments: deque[_Segment] = deque()
        self._spare: _Segment | None = None
        try:
            self._last = self._grow(min(self._capacity, _FIRST_SEGMENT_BYTES - _HEADER_BYTES))
        except OSError:
            self.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def written(self) -> int:
        """The position behind the last record."""
        return self._last.end

    @property
    def freed(self) -> int:
        """The position up to which everything is in the store."""
        return self._freed

    @property
    def dropped(self) -> int:
        """How many spans lost something, as far as noted."""
        return self._dropped

    def introduce(self, hello: bytes) -> None:
        """Keeps the session's Hello for whoever takes the spool over. Raises OSError."""
        (self.folder / "hello").write_bytes(hello)

    def note_dropped(self, spans: int) -> None:
        """Counts lost spans where the daemon finds the number even after a kill."""
        with self._mutex:
            self._dropped += spans
            WORD.pack_into(self._last.map, _DROPPED, self._dropped)

    def note_left_out(self, traces: int) -> None:
        """Notes how many traces head sampling has left out so far, where the daemon finds it as well."""
        with self._mutex:
            self._left_out = traces
            WORD.pack_into(self._last.map, _LEFT_OUT, traces)

    def append(self, record: bytes) -> bool:
        """Copies a record in; False if there is no room for it. Any thread, below 1 µs; safe once it has returned."""
        with self._mutex:
            if self._writing:
                self._aside.append(record)
                return True
            self._writing = True
            try:
                # As few steps as can be: this is most of what a span costs its program.
                size = len(record)
                segment: _Segment | None = self._last
                end = self._last.tail + 4 + size
                if end > self._last.capacity:
                    segment, end = self._room_for(size + 4), size + 4
                if segment is None:
                    kept = False
                else:
                    view = segment.map
                    until = _HEADER_BYTES + end
                    view[until - size - 4 : until] = _LENGTH.pack(size) + record
                    WORD.pack_into(view, _TAIL, end)
                    segment.tail = end
                    kept = True
            finally:
                self._writing = False
            while self._aside:
                if not self.append(self._aside.popleft()):
                    self.note_dropped(1)
        return kept

    def _room_for(self, needed: int) -> _Segment | None:
        if self._closed:
            return None
        try:
            return self._grow(max(self._capacity, needed))
        except OSError:
            return None

    def _grow(self, capacity: int) -> _Segment:
        """Goes on in the next segment. Raises OSError where none can be had."""
        path = self.folder / f"{self._number + 1:08}.seg"
        segment = self._take_spare(path, capacity) or self._make(path, capacity)
        segment.begin(self.written if self._segments else 0, self._dropped, self._left_out)
        self._number += 1
        self._segments.append(segment)
        self._last = segment
        return segment

    def _make(self, path: Path, capacity: int) -> _Segment:
        if self._segments and self._size + capacity > self._limit:
            raise OSError(errno.ENOSPC, "the spool is full")
        segment = _Segment(path, capacity)
        self._size += capacity
        return segment

    def _take_spare(self, path: Path, capacity: int) -> _Segment | None:
        """The spare under its new name, where there is one that suits; one that doesn't makes room."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        try:
            if spare.capacity == capacity:
                spare.rename(path)
                return spare
        except OSError:
            pass
        self._drop(spare)
        return None

    def _drop(self, segment: _Segment) -> None:
        self._size -= segment.capacity
        segment.close(unlink=True)

    def prepare(self) -> None:
        """Has the next segment ready before one is needed, so that no `append` has to wait for it."""
        last, capacity = self._last, self._capacity
        full = self._size + capacity > self._limit
        if self._spare is not None or self._closed or full or 2 * last.tail < last.capacity:
            return
        try:
            segment = _Segment(self.folder / _SPARE, capacity)
        except OSError:
            return
        segment.touch()
        with self._mutex:
            self._size += capacity
            if self._size > self._limit:  # a large record came meanwhile
                self._drop(segment)
            else:
                self._spare = segment

    def cut(self, most_records: int, most_bytes: int) -> Cut | None:
        """The next whole records that were not cut yet (one at least), or None. One thread only."""
        for segment in tuple(self._segments):
            tail = segment.tail
            start = self._cut_at - segment.base
            if 0 <= start < tail:
                end, count = _whole_records(segment.map, start, tail, most_records, most_bytes)
                body = segment.map[_HEADER_BYTES + start : _HEADER_BYTES + end]
                self._cut_at = segment.base + end
                return Cut(self._cut_at, count, body)
        return None

    def free(self, upto: int) -> None:
        """Everything before `upto` is in the store: whole segments go, part of one is remembered as acknowledged."""
        with self._mutex:
            self._freed = upto
            while self._segments[0] is not self._last and upto >= self._segments[0].end:
                self._recycle(self._segments.popleft())
            segment = self._segments[0]
            acked = max(0, min(segment.tail, upto - segment.base))
            if acked > segment.acked:
                segment.acked = acked
                WORD.pack_into(segment.map, ACKED, acked)

    def _recycle(self, segment: _Segment) -> None:
        """Keeps one free segment: its pages are there already."""
        if self._spare is None and segment.capacity == self._capacity and not self._closed:
            try:
                segment.rename(self.folder / _SPARE)
            except OSError:
                pass
            else:
                segment.begin(0, 0, 0)
                self._spare = segment
                return
        self._drop(segment)

    @property
    def _closed(self) -> bool:
        return self._lock_file is None

    def close(self) -> None:
        """Lets go of the lock, so that the daemon takes over what is left; appending goes on in the last segment."""
        with self._mutex:
            lock, self._lock_file = self._lock_file, None
        if lock is not None:
            os.close(lock)

    def __len__(self) -> int:
        return self.written - self._cut_at


def _whole_records(view: mmap.mmap, start: int, tail: int, most_records: int, most_bytes: int) -> tuple[int, int]:
    end, count = start, 0
    while end < tail and count < most_records:
        (size,) = _LENGTH.unpack_from(view, _HEADER_BYTES + end)
        following = end + 4 + size
        if count and following - start > most_bytes:
            break
        end, count = following, count + 1
    return end, count


def hold_lock(path: Path, *, create: bool = True) -> int:
    """Opens and locks a file without waiting; raises BlockingIOError while a living process holds it."""
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | (os.O_CREAT if create else 0)
    file = os.open(path, flags, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def let_go(lock: int) -> None:
    """Unlocks and closes what `hold_lock` opened, also for children that were forked meanwhile and share it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)
