"""The doctor's look at this machine: versions, folders, the disk, the store, Qt."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from traceview.doctor.check import Check, attention, count_text, failed, ok, size_text
from traceview.doctor.child import run_python
from traceview.protocol.places import Places
from traceview.protocol.version import VERSION

_READING_S: Final = 10.0
# Below the first the store takes no more spans (StoreWriter's floor); below the second that is near.
_FLOOR_BYTES: Final = 64 * 1024 * 1024
_NEAR_BYTES: Final = 1024 * 1024 * 1024
_QT_LIBRARIES: Final = (
    "libglib2.0-0 libgl1 libegl1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libxcb-cursor0"
)


def python() -> Check:
    """The Python that runs, and traceview's version."""
    return ok("Python", f"{sys.version.split()[0]}, traceview {VERSION}, {sys.executable}")


def pyside(found: str | None, python: tuple[int, ...]) -> Check:
    """PySide6 6.12.0 drops a reference to None in every call that returns nothing: Python before 3.12 dies of it."""
    if found is None:
        return attention("PySide6", "not installed: there is no window", 'pip install "traceview[desktop]"')
    if _numbers(found) >= (6, 12) and python < (3, 12):
        said = f"{found} crashes Python {'.'.join(map(str, python))} after some thousand calls"
        return failed("PySide6", said, 'pip install "PySide6-Essentials<6.12"')
    return ok("PySide6", found)


def sqlite() -> Check:
    """Whether SQLite is one without the WAL-reset bug."""
    from traceview.store.checkup import sqlite_version

    version, safe = sqlite_version()
    if safe:
        return ok("SQLite", version)
    said = f"{version} has a rare bug in its write-ahead log, fixed in 3.51.3"
    remedy = "pip install pysqlite3" if sys.platform == "linux" else "use a Python with a newer SQLite"
    return attention("SQLite", said, remedy)


def zeromq() -> Check:
    """The versions of ZeroMQ and its binding."""
    import zmq

    return ok("ZeroMQ", f"{zmq.zmq_version()}, pyzmq {zmq.__version__}")


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution, None where there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


def folder(name: str, folder: Path) -> Check:
    """Whether a folder of traceview is there, can be written, and is closed to other users."""
    if not folder.exists():
        return _missing_folder(name, folder)
    if not folder.is_dir():
        return failed(name, f"{folder} is not a folder", "move it away, or set TRACEVIEW_HOME to another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        return failed(name, f"{folder} can't be written", f"chmod u+rwx '{folder}', or set TRACEVIEW_HOME")
    about = folder.stat()
    if os.name == "posix" and about.st_uid != os.getuid():
        return failed(name, f"{folder} belongs to another user", "set TRACEVIEW_HOME to a folder of yours")
    if os.name == "posix" and about.st_mode & 0o077:
        said = f"{folder} is open to other users ({about.st_mode & 0o777:04o})"
        return attention(name, said, f"chmod 700 '{folder}'")
    return ok(name, f"{folder}, writable, only yours")


def _missing_folder(name: str, folder: Path) -> Check:
    parent = next(each for each in folder.parents if each.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok(name, f"{folder}, made when the daemon first starts")
    return failed(name, f"{folder} can't be made in {parent}", "set TRACEVIEW_HOME to a folder you can write")


def disk(places: Places) -> Check:
    """Whether there is room for the store to grow."""
    folder = next(each for each in (places.store.parent, *places.store.parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    said = f"{size_text(free)} free at {folder}"
    if free < _FLOOR_BYTES:
        return failed("disk", f"{said}: the store takes no more spans", "free some space")
    if free < _NEAR_BYTES:
        return attention(
            "disk", said, f"free some space: below {size_text(_FLOOR_BYTES)} the store takes no more spans"
        )
    return ok("disk", said)


def store(places: Places) -> Check:
    """Whether the store can be read and is sound."""
    from traceview.store import StoreError
    from traceview.store.checkup import check_store

    path = places.store
    if not path.exists():
        return ok("store", f"{path}, made when the daemon first starts")
    try:
        health = check_store(path, _READING_S)
    except StoreError as error:
        said, _, remedy = str(error).partition(": ")
        return failed("store", said, remedy or "restore it from a copy, or move it away")
    if health.problem is not None:
        return failed("store", health.problem, "restore it from a copy, or move it away to start afresh")
    size = sum(each.stat().st_size for each in (path, path.with_name(path.name + "-wal")) if each.exists())
    read = "sound" if health.whole else f"sound as far as read in {_READING_S:g} s"
    kept = f"{count_text(health.traces, 'trace')}, {count_text(health.spans, 'span')}"
    return ok("store", f"{path}, {size_text(size)}, {kept}, version {health.version}, {read}")


def qt(environ: dict[str, str]) -> Check:
    """In a process of its own: Qt ends the process where it can't load its platform."""
    if version_of("PySide6-Essentials") is None:
        return attention("Qt", "not installed", 'pip install "traceview[desktop]"')
    shown = sys.platform != "linux" or any(map(environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")))
    said = "" if shown else ", but there is no display: only verbs work here"
    if not shown:
        environ["QT_QPA_PLATFORM"] = "offscreen"
    script = "from PySide6.QtGui import QGuiApplication as A; print(A([]).platformName())"
    code, out, error = run_python("-c", script, environ=environ)
    if code == 0:
        return ok("Qt", f"platform {out.strip()} loads{said}")
    why = next((line for line in error.splitlines() if "Could not" in line or "Error" in line), f"exit code {code}")
    remedy = "set QT_QPA_PLATFORM to another, or start from a desktop session"
    if sys.platform == "linux":
        remedy = f"install what it misses (Debian: apt install {_QT_LIBRARIES})"
    return failed("Qt", f"its platform can't be loaded: {why.strip()}", remedy)
