"""The crash-proof spool: what a program recorded and the daemon has not acknowledged, in memory-mapped segment files.

One folder per process start, named by its session id:

    lock          held (flock) while the process lives: one that can be had belongs to a dead process
    hello         the session's Hello message, as it travels
    00000001.seg  segments, written in order, each freed once all of it is acknowledged

A segment is a header of 64 bytes and then records exactly as they travel: 4-byte big-endian length, msgpack. Writing a
record copies it behind the last one and then stores the header's `tail`, one aligned 8-byte store: what lies before
`tail` is whole, whatever kills the process. The kernel keeps the pages of a killed process's mapping, so nothing is
lost that `append` had returned from. What the folder is on decides what survives a reboot.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SPOOL_BYTES: Final = 256 * 1024 * 1024
# Most programs never fill more than this between two acknowledgements.
_FIRST_SEGMENT_BYTES: Final = 1024 * 1024

# magic, version, header size; tail, acked, dropped, base. Native order: a spool never leaves its
# machine, and a native 8-byte store is one instruction.
_HEADER: Final = struct.Struct("=4sHHQQQQ")
_HEADER_BYTES: Final = 64
_MAKING_SECONDS: Final = 60.0
_MAGIC: Final = b"TVSP"
_VERSION: Final = 1
_WORD: Final = struct.Struct("@Q")
_TAIL: Final = 8
_ACKED: Final = 16
_DROPPED: Final = 24
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of the spool to ship: `body` holds `count` whole records; `upto` frees it when acknowledged."""

    upto: int
    count: int
    body: bytes


class _Segment:
    """One mapped file. `base` is the spool position of its first byte after the header."""

    __slots__ = ("acked", "base", "capacity", "map", "path", "tail")

    def __init__(self, path: Path, base: int, capacity: int) -> None:
        self.path = path
        self.base = base
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
        self.tail = 0
        self.acked = 0
        self.map[: _HEADER.size] = _HEADER.pack(_MAGIC, _VERSION, _HEADER_BYTES, 0, 0, 0, base)

    @property
    def end(self) -> int:
        return self.base + self.tail

    def close(self, *, unlink: bool) -> None:
        self.map.close()
        if unlink:
            with contextlib.suppress(OSError):
                self.path.unlink()


class Spool:
    """The spool of this process: `append` and `note_dropped` on any thread, `cut` and `free` on the sender's.

    Positions count record bytes since the session began, length prefixes included, and never wrap. Bounded by `limit`
    bytes of segments. Raises OSError only on opening.
    """

    def __init__(self, folder: Path, *, limit: int = SPOOL_BYTES, segment: int = SEGMENT_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        # Locked before it has its name: whoever finds it finds it locked.
        self._lock_file: int | None = hold_lock(folder / "lock.new")
        os.rename(folder / "lock.new", folder / "lock")
        self._limit = limit
        self._segment_bytes = segment
        # Reentrant, with what is recorded inside an append kept aside: a finaliser or a signal handler may end a span
        # while its own thread is copying a record.
        self._mutex = threading.RLock()
        self._writing = False
        self._aside: deque[bytes] = deque()
        self._number = 0
        self._size = 0
        self._cut_at = 0
        self._dropped = 0
        self._segments: deque[_Segment] = deque()
        self._last = self._grow(0, min(segment, _FIRST_SEGMENT_BYTES) - _HEADER_BYTES)

    @property
    def written(self) -> int:
        """The position behind the last record."""
        return self._last.base + self._last.tail

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
            _WORD.pack_into(self._last.map, _DROPPED, self._dropped)

    def append(self, record: bytes) -> bool:
        """Copies a record in; False if there is no room for it. Any thread, about 1 µs; safe once it has returned."""
        with self._mutex:
            if self._writing:
                self._aside.append(record)
                return True
            self._writing = True
            try:
                kept = self._write(record)
                while self._aside:
                    if not self._write(self._aside.popleft()):
                        self.note_dropped(1)
            finally:
                self._writing = False
        return kept

    def _write(self, record: bytes) -> bool:
        size = len(record)
        segment = self._last
        start = segment.tail
        end = start + 4 + size
        if end > segment.capacity:
            fresh = self._room_for(size + 4)
            if fresh is None:
                return False
            segment, start, end = fresh, 0, 4 + size
        view = segment.map
        place = _HEADER_BYTES + start
        view[place : place + 4] = _LENGTH.pack(size)
        view[place + 4 : place + 4 + size] = record
        _WORD.pack_into(view, _TAIL, end)
        segment.tail = end
        return True

    def _room_for(self, needed: int) -> _Segment | None:
        capacity = max(self._segment_bytes - _HEADER_BYTES, needed)
        if self._closed or self._size + capacity > self._limit:
            return None
        try:
            return self._grow(self.written, capacity)
        except OSError:
            return None

    def _grow(self, base: int, capacity: int) -> _Segment:
        self._number += 1
        segment = _Segment(self.folder / f"{self._number:08}.seg", base, capacity)
        _WORD.pack_into(segment.map, _DROPPED, self._dropped)
        self._segments.append(segment)
        self._size += capacity
        self._last = segment
        return segment

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
            while self._segments[0] is not self._last and upto >= self._segments[0].end:
                segment = self._segments.popleft()
                self._size -= segment.capacity
                segment.close(unlink=True)
            segment = self._segments[0]
            acked = max(0, min(segment.tail, upto - segment.base))
            if acked > segment.acked:
                segment.acked = acked
                _WORD.pack_into(segment.map, _ACKED, acked)

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


@dataclass(frozen=True, slots=True)
class DeadSpool:
    """The spool of a process that is gone, its lock held: who it was, and what was not acknowledged."""

    folder: Path
    lock: int

    @property
    def session(self) -> bytes:
        """The session's id, from the folder's name; empty if that is none."""
        try:
            return bytes.fromhex(self.folder.name)
        except ValueError:
            return b""

    def hello(self) -> bytes:
        """The session's Hello frame; empty where the process died before it wrote it."""
        try:
            return (self.folder / "hello").read_bytes()
        except OSError:
            return b""

    def dropped(self) -> int:
        """How many spans the program knew to be lost."""
        return max((header[5] for header in map(_read_header, self._segments()) if header), default=0)

    def bodies(self) -> Iterator[bytes]:
        """Records that were not acknowledged, oldest first, a segment at a time. A damaged segment gives nothing."""
        for path in self._segments():
            header = _read_header(path)
            if header is None:
                continue
            _, _, size, tail, acked, _, _ = header
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(size + acked)
                body = file.read(tail - acked)
                if body:
                    yield body

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.seg"))

    def remove(self) -> None:
        """Deletes the spool: everything in it is in the store. The lock goes last: what is left of a kill is found."""
        for path in (*self._segments(), self.folder / "hello", self.folder / "lock"):
            with contextlib.suppress(OSError):
                path.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Leaves the spool where it is, for the next who looks."""
        with contextlib.suppress(OSError):
            os.close(self.lock)


def find_dead(root: Path) -> Iterator[DeadSpool]:
    """The spools under `root` whose processes are gone. The caller removes or releases each."""
    try:
        folders = sorted(root.iterdir())
    except OSError:
        return
    for folder in folders:
        try:
            # A spool without a lock is being made just now, or its process died while making it.
            lock = hold_lock(folder / "lock", create=_is_old(folder))
        except OSError:
            continue  # alive, or being made or removed just now
        yield DeadSpool(folder, lock)


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _MAKING_SECONDS
    except OSError:
        return False


def _read_header(path: Path) -> tuple[bytes, int, int, int, int, int, int] | None:
    """A segment's header: magic, version, size, tail, acked, dropped, base; None where it is none of ours."""
    try:
        with path.open("rb") as file:
            magic, version, size, tail, acked, dropped, base = _HEADER.unpack(file.read(_HEADER.size))
    except (OSError, struct.error):
        return None
    if magic != _MAGIC or version != _VERSION or acked > tail:
        return None
    return magic, version, size, tail, acked, dropped, base


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
