"""One daemon per home and per store: lock files which the system releases when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from traceview.protocol.control import AgentFile
from traceview.protocol.places import Places


class AlreadyRunningError(Exception):
    """Another daemon holds the lock; the message says which, `pid` is None where it can't be read."""

    def __init__(self, subject: Path, pid: int | None) -> None:
        who = f" (pid {pid})" if pid else ""
        super().__init__(f"already running for {subject}{who}")
        self.pid = pid


class FileLock:
    """A lock on a file that holds its owner's pid. The file stays when released: unlinking it would race."""

    def __init__(self, path: Path, subject: Path) -> None:
        self._path, self._subject = path, subject
        self._file: int | None = None

    def acquire(self) -> None:
        """Takes the lock; raises AlreadyRunningError, or OSError where the file can't be made."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(file)
        except OSError:
            pid = _pid_in(file)
            os.close(file)
            raise AlreadyRunningError(self._subject, pid) from None
        os.ftruncate(file, 0)
        os.pwrite(file, b"%d\n" % os.getpid(), 0) if hasattr(os, "pwrite") else os.write(file, b"%d\n" % os.getpid())
        self._file = file

    def release(self) -> None:
        """Gives the lock back; safe twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def locks_for(places: Places) -> tuple[FileLock, FileLock]:
    """The locks a daemon needs. Two runtime folders may share a store (with and without XDG_RUNTIME_DIR): hence two."""
    store = places.store
    return (
        FileLock(places.runtime / "agent.lock", places.home),
        FileLock(store.with_name(store.name + ".lock"), store),
    )


def write_agent_file(path: Path, about: AgentFile) -> None:
    """Says who runs, for those who look without asking; replaces what a killed daemon left."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(msgspec.json.encode(about))
    draft.replace(path)


def _pid_in(file: int) -> int | None:
    try:
        return int(os.read(file, 32))
    except (OSError, ValueError):
        return None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        # Bytes locked on Windows can't be read by others: lock one far behind the pid.
        os.lseek(file, 1024, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
