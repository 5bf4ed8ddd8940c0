"""How a store is told from other files, and the sentences that say why a file can't be opened as one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from traceview.store.errors import StoreError

# "trcv", in the header of every store (https://sqlite.org/fileformat2.html, offset 68).
APPLICATION_ID: Final = 0x74726376
SCHEMA_VERSION: Final = 1


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the store behind the connection, 0 for an empty file.

    Raises StoreError for another program's database, and for a store of a newer traceview than this one.
    """
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (traps,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchone()
    except UnicodeDecodeError as error:  # the driver quotes the damaged schema in what it wants to raise
        raise StoreError(f"{path} is damaged: its schema can't be read") from error
    if not tables and not application:
        return 0
    # A store has neither views nor triggers: in somebody's file they could run anything when it is read.
    if application != APPLICATION_ID or version < 1 or traps:
        raise StoreError(
            f"{path} is a SQLite database of another program: choose another file, this one was not touched"
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer traceview (store version {version}, this one knows {SCHEMA_VERSION}):"
            " update traceview to open it"
        )
    return int(version)
