"""The spools that dead processes left: found by their locks, which nobody holds, and read for their daemon."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from traceview.protocol.spool import ACKED, HEADER, MAGIC, VERSION, WORD, hold_lock, let_go
from traceview.protocol.wire import MAX_DROPPED, Hello, WireError, decode_upstream

_MAKING_SECONDS: Final = 60.0
_SHOWN_BYTES: Final = 4096
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class DeadCut:
    """A piece of a dead spool: `body` holds `count` whole records, of `segment` up to the byte `acked` of its records.

    What is damaged comes as it is, cut, for the daemon to set aside.
    """

    segment: Path
    acked: int
    count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class DeadSpool:
    """The spool of a process that is gone, its lock held: who it was, and what was not acknowledged.

    What can't be read now raises OSError: taken for nothing, it would be deleted.
    """

    folder: Path
    lock: int

    @property
    def session(self) -> bytes:
        """The session's id, from the folder's name; empty if that is none."""
        try:
            return bytes.fromhex(self.folder.name)
        except ValueError:
            return b""

    @property
    def endpoint(self) -> str:
        """Where its program sent to; empty: to the daemon that finds it."""
        return _endpoint(self.folder)

    def hello(self) -> bytes:
        """The session's Hello frame; empty where the process died before it wrote it."""
        try:
            return (self.folder / "hello").read_bytes()
        except FileNotFoundError:
            return b""

    def resource(self) -> dict[str, Any]:
        """What its program said of itself in Hello; empty where it did not come to that."""
        with contextlib.suppress(WireError):
            hello = decode_upstream(self.hello())
            if isinstance(hello, Hello):
                return hello.resource
        return {}

    def dropped(self) -> int:
        """How many spans the program knew to be lost."""
        return max((segment.dropped for segment in map(_read_header, self._segments())), default=0)

    def is_mere_note(self) -> bool:
        """Whether nothing was ever recorded: the session is unknown to every daemon."""
        return not any(segment.written or segment.dropped for segment in map(_read_header, self._segments()))

    def left_out(self) -> int:
        """How many traces the program's own sampling left out, as far as it noted."""
        return max((segment.left_out for segment in map(_read_header, self._segments())), default=0)

    def damage(self) -> Iterator[tuple[str, bytes]]:
        """What is wrong with its segments: in words, and how the segment begins."""
        for path in self._segments():
            problem = _read_header(path).problem
            if problem:
                with path.open("rb") as file:
                    yield f"{path.name} {problem}", file.read(_SHOWN_BYTES)

    def waiting(self) -> int:
        """How many bytes were not acknowledged."""
        return sum(segment.end - segment.start for segment in map(_read_header, self._segments()))

    def touched_ns(self) -> int:
        """The last time anything in the folder was written, as far as the file system knows; ns since 1970."""
        newest = 0
        with contextlib.suppress(OSError):
            for path in (self.folder, *self.folder.iterdir()):
                newest = max(newest, path.stat().st_mtime_ns)
        return newest

    def cuts(self, most_bytes: int) -> Iterator[DeadCut]:
        """What was not acknowledged, oldest first, in pieces of so many bytes; a longer record comes alone."""
        for path in self._segments():
            segment = _read_header(path)
            with path.open("rb") as file:
                if segment.problem:
                    yield DeadCut(path, 0, 1, file.read(_SHOWN_BYTES))
                start = segment.start
                while start < segment.end:
                    file.seek(start)
                    body, count = _whole_records(file, min(most_bytes, segment.end - start), segment.end - start)
                    if count == 0:  # no program writes that: nothing behind it can be read
                        yield DeadCut(path, segment.end - segment.records, 1, body[:_SHOWN_BYTES])
                        break
                    start += len(body)
                    yield DeadCut(path, start - segment.records, count, body)

    def acknowledge(self, cut: DeadCut) -> None:
        """Remembers that the daemon has all up to the end of the cut: whoever finds the spool goes on there."""
        if not cut.acked:
            return
        with contextlib.suppress(OSError):  # then it is sent again, and known by its content
            before = cut.segment.stat()
            with cut.segment.open("r+b") as file:
                file.seek(ACKED)
                file.write(WORD.pack(cut.acked))
            # The time of its program's death is told by when the files were written last.
            os.utime(cut.segment, ns=(before.st_atime_ns, before.st_mtime_ns))

    def bodies(self) -> Iterator[bytes]:
        """Records that were not acknowledged, oldest first, a segment at a time; of a damaged one what is left."""
        for path in self._segments():
            segment = _read_header(path)
            with path.open("rb") as file:
                file.seek(segment.start)
                body = file.read(segment.end - segment.start)
                if body:
                    yield body

    def _segments(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix == ".seg")

    def remove(self) -> None:
        """Deletes the spool: everything in it is in the store. The lock goes last: what is left of a kill is found."""
        for path in (*self._segments(), *(self.folder / name for name in ("hello", "endpoint", "lock"))):
            with contextlib.suppress(OSError):
                path.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Leaves the spool where it is, for the next who looks."""
        let_go(self.lock)


def find_dead(root: Path, meant: Callable[[str], bool] = lambda endpoint: True) -> Iterator[DeadSpool]:
    """The spools under `root` whose processes are gone. The caller removes or releases each.

    Those whose endpoint is not `meant` are passed over, and not locked even for a moment: they are another's to find.
    """
    for folder in _folders(root):
        try:
            if not meant(_endpoint(folder)):
                continue
            # A spool without a lock is being made just now, or its process died while making it.
            lock = hold_lock(folder / "lock", create=_is_old(folder))
        except OSError:
            continue  # alive, or being made or removed just now
        yield DeadSpool(folder, lock)


def find_all(root: Path) -> Iterator[tuple[DeadSpool, bool]]:
    """All spools under `root`, to look at, each with whether its program still runs; a dead one is locked meanwhile."""
    for folder in _folders(root):
        try:
            lock = hold_lock(folder / "lock", create=False)
        except (FileNotFoundError, NotADirectoryError):
            continue  # being made or removed just now, or no spool
        except OSError:
            yield DeadSpool(folder, -1), True
            continue
        dead = DeadSpool(folder, lock)
        try:
            yield dead, False
        finally:
            dead.release()


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError:
        return []


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > _MAKING_SECONDS
    except OSError:
        return False


def _endpoint(folder: Path) -> str:
    try:
        return (folder / "endpoint").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _whole_records(file: BinaryIO, wanted: int, there: int) -> tuple[bytes, int]:
    """The next whole records, at least one, in `wanted` bytes if they fit; no record (0) where none is whole."""
    body = file.read(max(_LENGTH.size, wanted))
    end = count = 0
    while end + _LENGTH.size <= len(body):
        (size,) = _LENGTH.unpack_from(body, end)
        following = end + _LENGTH.size + size
        if size == 0 or following > len(body):
            if count == 0 and size and len(body) < following <= there:
                return body + file.read(following - len(body)), 1
            break
        end, count = following, count + 1
    return (body[:end], count) if count else (body, 0)


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a segment's header says: where in the file the records lie, and spans lost; `problem` if that can't be.

    All of them begin at `records`, those that were not acknowledged at `start`.
    """

    start: int = 0
    end: int = 0
    dropped: int = 0
    problem: str = ""
    records: int = 0
    left_out: int = 0
    written: bool = True


def _read_header(path: Path) -> _Segment:
    try:
        with path.open("rb") as file:
            magic, version, size, tail, acked, dropped, base, left_out = HEADER.unpack(file.read(HEADER.size))
            there = os.fstat(file.fileno()).st_size
    except struct.error:
        return _Segment(problem="has no whole header")
    if (
        magic != MAGIC
        or version != VERSION
        or size < HEADER.size
        or acked > tail
        or max(dropped, left_out) > MAX_DROPPED
    ):
        return _Segment(problem="has a damaged header: its records are lost")
    if size + tail > there:
        return _Segment(
            min(size + acked, there), there, dropped, "is cut short: its last records are lost", size, left_out
        )
    return _Segment(size + acked, size + tail, dropped, "", size, left_out, tail + base > 0)
