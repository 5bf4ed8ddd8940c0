"""What makes a system hard to live on, from outside of the processes: slow and failing disks, clocks that jump."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ATTACHED_IN: Final = 20.0


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
    command = [strace(), "-f", "-qq", "-o", os.devnull, *paths, "-e", f"inject={','.join(calls)}:{fault}"]
    tracer = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    try:
        _wait_attached(tracer, pid)
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


def _wait_attached(tracer: subprocess.Popen[str], pid: int) -> None:
    from rig import until

    def attached() -> bool:
        if tracer.poll() is not None:
            raise Absent(f"strace can't attach to the daemon: {tracer.communicate()[1].strip()}")
        statuses = Path(f"/proc/{pid}/task").glob("*/status")
        return all(f"TracerPid:\t{tracer.pid}\n" in status.read_text() for status in statuses)

    until(attached, "strace is attached to every thread", _ATTACHED_IN)


class Clock:
    """A wall clock that can be set while processes run by it; their monotonic clocks go on, as the system's do.

    Raises Absent without libfaketime.
    """

    def __init__(self, setting: Path) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            raise Absent("libfaketime is not installed (Debian: apt-get install faketime)")
        self._setting = setting
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(setting),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def set(self, seconds: int) -> None:
        """Makes the clock differ from the true one by so much."""
        beside = self._setting.with_name(self._setting.name + ".new")
        beside.write_text(f"{seconds:+d}\n")
        os.replace(beside, self._setting)
