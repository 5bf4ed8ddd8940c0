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

_MAKING_SECONDS: Final = 60.0


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
            magic, version, size, tail, acked, dropped, base = HEADER.unpack(file.read(HEADER.size))
    except (OSError, struct.error):
        return None
    if magic != MAGIC or version != VERSION or acked > tail:
        return None
    return magic, version, size, tail, acked, dropped, base
