"""The spools that dead processes left: found by their locks, which nobody holds, and read for the daemon."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceview.protocol.spool import HEADER, MAGIC, VERSION, hold_lock
from traceview.protocol.wire import MAX_DROPPED

_MAKING_SECONDS: Final = 60.0
_SHOWN_BYTES: Final = 4096


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

    def hello(self) -> bytes:
        """The session's Hello frame; empty where the process died before it wrote it."""
        try:
            return (self.folder / "hello").read_bytes()
        except FileNotFoundError:
            return b""

    def dropped(self) -> int:
        """How many spans the program knew to be lost."""
        return max((segment.dropped for segment in map(_read_header, self._segments())), default=0)

    def damage(self) -> Iterator[tuple[str, bytes]]:
        """What is wrong with its segments: in words, and how the segment begins."""
        for path in self._segments():
            problem = _read_header(path).problem
            if problem:
                with path.open("rb") as file:
                    yield f"{path.name} {problem}", file.read(_SHOWN_BYTES)

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


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a segment's header says: where in the file the records lie, and spans lost; `problem` if that can't be."""

    start: int = 0
    end: int = 0
    dropped: int = 0
    problem: str = ""


def _read_header(path: Path) -> _Segment:
    try:
        with path.open("rb") as file:
            magic, version, size, tail, acked, dropped, _ = HEADER.unpack(file.read(HEADER.size))
            there = os.fstat(file.fileno()).st_size
    except struct.error:
        return _Segment(problem="has no whole header")
    if magic != MAGIC or version != VERSION or size < HEADER.size or acked > tail or dropped > MAX_DROPPED:
        return _Segment(problem="has a damaged header: its records are lost")
    if size + tail > there:
        return _Segment(min(size + acked, there), there, dropped, "is cut short: its last records are lost")
    return _Segment(size + acked, size + tail, dropped)
