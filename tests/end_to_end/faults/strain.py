"""What makes a system hard to live on, from outside of the processes: slow and failing disks, clocks that jump."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from waiting import until

_ATTACHED_IN: Final = 20.0
_WAITS: Final = "futex,clock_nanosleep,nanosleep,timerfd_settime,timer_settime"
_OFFSET: Final = struct.Struct("@q")


class Absent(Exception):
    """Something is not there that a scenario needs; the message says what."""


@functools.cache
def strace() -> str:
    """The path of a strace that may trace here. Raises Absent."""
    found = shutil.which("strace")
    if found is None:
        raise Absent("strace is not installed (Debian: apt-get install strace)")
    tried = subprocess.run([found, "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise Absent(f"strace may not trace here: {tried.stderr.strip().splitlines()[-1]}")
    return found


@contextlib.contextmanager
def injected(pid: int, store: Path, fault: str, *calls: str) -> Iterator[None]:
    """While inside, these system calls of the process on the store's files meet a fault (strace's `-e inject`)."""
    paths = [option for end in ("", "-wal") for option in ("-P", f"{store}{end}")]
    with _tracing(pid, ["-o", os.devnull, *paths, "-e", f"inject={','.join(calls)}:{fault}"]):
        yield


@contextlib.contextmanager
def _tracing(pid: int, options: list[str]) -> Iterator[None]:
    command = [strace(), "-f", "-qq", *options, "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_attached(tracer, pid)
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def _wait_attached(tracer: subprocess.Popen[str], pid: int) -> None:
    def attached() -> bool:
        if tracer.poll() is not None:
            raise Absent(f"strace can't attach to the daemon: {tracer.communicate()[1].strip()}")
        statuses = Path(f"/proc/{pid}/task").glob("*/status")
        return all(f"TracerPid:\t{tracer.pid}\n" in status.read_text() for status in statuses)

    until(attached, "strace is attached to every thread", _ATTACHED_IN)


class Clock:
    """A wall clock that can be set while processes run by it, once they are started with this `environment`."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(_OFFSET.size))
        with file.open("r+b") as opened:
            self._offset = mmap.mmap(opened.fileno(), _OFFSET.size)
        self.environment = {"FAULTS_CLOCK": str(file), "PYTHONPATH": str(Path(__file__).with_name("clock"))}

    def set(self, seconds: int) -> None:
        """Makes it differ from the true one by so much."""
        _OFFSET.pack_into(self._offset, 0, seconds * 10**9)


def waits_by_wall_clock(pid: int, seconds: float) -> list[str]:
    """The waits of a process that end by the wall clock, among all that it begins in this time. Raises Absent."""
    with tempfile.NamedTemporaryFile("r", prefix="tv-", suffix=".strace") as log:
        with _tracing(pid, ["-o", log.name, "-e", f"trace={_WAITS}"]):
            time.sleep(seconds)
        # Without a time limit (NULL), the clock that a wait names means nothing.
        return [line for line in log if "CLOCK_REALTIME" in line and "NULL, FUTEX_BITSET" not in line]
