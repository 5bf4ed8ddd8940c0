"""Looks whether a store is sound, without disturbing who writes it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceview.store.driver import SAFE_VERSION, driver, driver_error
from traceview.store.errors import explain
from traceview.store.identity import schema_version
from traceview.store.opening import open_readable

# SQLite asks every so many steps of its machine whether to go on: some milliseconds.
_STEPS: Final = 100_000


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What a look at a store found. `problem` is one sentence, None where it is sound; `whole` whether all was read."""

    version: int
    traces: int
    spans: int
    problem: str | None
    whole: bool


def check_store(path: Path, seconds: float) -> StoreHealth:
    """Runs SQLite's quick_check for at most so long. Raises StoreError where the file can't be opened as a store."""
    connection = open_readable(path)
    deadline = time.monotonic() + seconds
    try:
        version = schema_version(connection, path)
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        problem, whole = None, True
        try:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            problem = None if said == "ok" else f"{path} is damaged: {said}"
        except driver_error() as error:
            whole = time.monotonic() <= deadline
            problem = str(explain(error, path)) if whole else None
        return StoreHealth(version, meta.get("traces", 0), meta.get("spans", 0), problem, whole)
    except driver_error() as error:
        raise explain(error, path) from error
    finally:
        connection.close()


def sqlite_version() -> tuple[str, bool]:
    """The SQLite in use, and whether it is free of the bug in its write-ahead log that 3.51.3 fixed."""
    return str(driver().sqlite_version), tuple(driver().sqlite_version_info) >= SAFE_VERSION
