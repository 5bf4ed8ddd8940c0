"""Opens connections to a store: the one that writes, and read-only ones that can't disturb it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final, Literal

from traceview.store.driver import driver
from traceview.store.errors import StoreError, explain
from traceview.store.fresh import make_store
from traceview.store.identity import SCHEMA_VERSION, schema_version

Durability = Literal["process", "power"]
Journal = Literal["wal", "delete"]

# A checkpoint every 32 MiB of log instead of 8: pages of a long trace, written by every batch, are copied less often
# (+15 % spans/s at 100,000 spans in one trace).
_CHECKPOINT_PAGES: Final = 4_000
_WRITER_CACHE_KIB: Final = 64 * 1024
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


def open_writable(path: Path, durability: Durability, journal: Journal) -> sqlite3.Connection:
    """The connection that writes; creates the store, or upgrades an older one, first. Raises StoreError."""
    connection: Any = None
    try:
        if not path.exists() or not path.stat().st_size:
            _create(path, journal)
        connection = _connect(path, "rw")
        found = schema_version(connection, path)
        if found < SCHEMA_VERSION:
            from traceview.store.migrate import migrate

            connection.close()
            migrate(path, found, journal=journal)
            connection = _connect(path, "rw")
        _prepare_writing(connection, durability, journal)
        _make_safe(connection, path)
    except (driver().Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise _cannot_open(path, error) from error
    except StoreError:
        connection.close()
        raise
    return connection  # type: ignore[no-any-return]


def open_readable(path: Path) -> sqlite3.Connection:
    """A connection that can't write. Raises StoreError, also where there is no store yet or it is empty."""
    if not path.exists():
        raise StoreError(f"{path} does not exist")
    connection: Any = None
    try:
        connection = _connect(path, "ro")
        try:
            found = schema_version(connection, path)
        except driver().OperationalError:
            if not _is_finished_copy(path):
                raise
            # A store that was in use when it was copied, in a folder where SQLite can't make its -shm file.
            connection.close()
            connection = _connect(path, "ro&immutable=1")
            found = schema_version(connection, path)
    except driver().Error as error:
        if connection is not None:
            connection.close()
        raise _cannot_open(path, error) from error
    except StoreError:
        connection.close()
        raise
    if found != SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"{path} is empty: it holds no traces yet"
            if not found
            else f"{path} is of an older version ({found}): import it into the live store, which brings it up to date"
        )
    connection.execute("PRAGMA query_only = ON")
    return connection  # type: ignore[no-any-return]


def set_quota(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Lets the file grow to this size only; then SQLite reports it full, early enough to delete and go on."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count = {max_bytes // page_bytes}")


def _connect(path: Path, mode: str) -> Any:
    connection = driver().connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA busy_timeout = 5000")
    # The file may come from somebody else: its schema must not run functions, its cells are checked.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def _prepare_writing(connection: Any, durability: Durability, journal: Journal) -> None:
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")


def _make_safe(connection: Any, path: Path) -> None:
    """Puts on the disk what is there already, before anything that builds on it is acknowledged.

    A writer that was killed leaves commits which no fsync covered, a failed fsync leaves pages which the kernel takes
    for written since. Both are read back as if nothing were; only copying them into the file writes them again. (A
    reader that holds an older state for 5 s keeps that from the newest commits; the log is synced all the same.)
    """
    connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    # SQLite does not tell when this fails: then the file, or its log, could be gone by name.
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _create(path: Path, journal: Journal) -> None:
    """Makes the store beside its place and moves it there when it is whole: nobody ever sees half a store."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.new")
    partial.unlink(missing_ok=True)
    try:
        # For this user only; SQLite gives its -wal and -shm the same rights.
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        make_store(partial, journal=journal)
        _publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _publish(partial: Path, path: Path) -> None:
    """Gives the new store its name, unless another process made one meanwhile: then that one counts."""
    try:
        os.link(partial, path)  # unlike a move, this fails where there is a file
    except FileExistsError:
        if not path.stat().st_size:
            os.replace(partial, path)
    except OSError:  # a file system without hard links
        os.replace(partial, path)


def _is_finished_copy(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return not os.access(path.parent, os.W_OK) and not (wal.exists() and wal.stat().st_size)


def _cannot_open(path: Path, error: Exception) -> StoreError:
    if isinstance(error, OSError):
        return StoreError(f"{path} can't be created: {error.strerror or error} (choose a folder you can write to)")
    return explain(error, path)
