"""The file beside a store that holds its full-text index: where it lies, how it is made, how it is known.

It is derived from the store and can be deleted at any time. Being a file of its own, its transactions never keep the
store's writer waiting. The index has no copy of the text (contentless), nor where words stand in it (detail=none):
what is found is looked up in the store.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from traceview.store.driver import driver
from traceview.store.fresh import NEW_FILE
from traceview.store.part_stream import PartStream

# "trcs" (https://sqlite.org/fileformat2.html, offset 68).
APPLICATION_ID: Final = 0x74726373
VERSION: Final = 1
# Tombstones of contentless tables came with it (https://sqlite.org/fts5.html#contentless_delete_tables).
_LEAST_SQLITE: Final = (3, 43, 0)
_ENDS: Final = ("", "-wal", "-shm", "-journal")

# More documents than are in the index of traces that were forgotten since it was last looked for them.
_LOOKED_AT: Final = 5_000
_NEWEST: Final = "SELECT trace_no, spans FROM document ORDER BY document_no DESC LIMIT ?"

# A row of `document` is a few spans of one trace that were committed together: `spans` has their ids, 8 bytes each;
# `said` has digests, 8 bytes each, of what is not to be said again in this trace.
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE document (
    document_no INTEGER NOT NULL PRIMARY KEY, trace_no INTEGER NOT NULL, spans BLOB NOT NULL, said BLOB
) STRICT;
CREATE INDEX document_by_trace ON document (trace_no);
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, detail=none, tokenize='ascii');
INSERT INTO meta VALUES ('made', abs(random()));
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""  # noqa: S608


def index_path(store: Path) -> Path:
    """Where the index of a store lies: `traces.search.db` beside `traces.db`."""
    return store.with_name(f"{store.stem}.search{store.suffix or '.db'}")


def is_supported() -> bool:
    """Whether the SQLite in use can make the index."""
    return tuple(driver().sqlite_version_info) >= _LEAST_SQLITE


def index_bytes(store: Path) -> int:
    """What the index takes on disk, its write-ahead log included; 0 where there is none."""
    return sum(_size(path) for path in _files(index_path(store))[:2])


def make_index(path: Path) -> sqlite3.Connection:
    """Makes an empty index in place of whatever is there. Raises the driver's errors and OSError."""
    remove_index(path)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # for this user only, as the store
    connection = connect(path, "rw")
    try:
        for pragma in (*NEW_FILE, "PRAGMA journal_mode = WAL"):
            connection.execute(pragma)
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def remove_index(path: Path) -> None:
    """Deletes an index. Raises OSError."""
    for file in _files(path):
        file.unlink(missing_ok=True)


def is_index(connection: sqlite3.Connection) -> bool:
    """Whether this is an index of this version. Raises the driver's errors."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return (application, version) == (APPLICATION_ID, VERSION)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to an index that is there; `mode` "ro" or "rw". Raises the driver's errors."""
    connection: Any = driver().connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA busy_timeout = 1000")
    # As with a store: it may come from somebody else.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    return connection  # type: ignore[no-any-return]


def meta_of(connection: sqlite3.Connection) -> dict[str, int]:
    """What the index says of itself. Raises the driver's errors.

    `cursor` is the locator up to which the store's parts are in it, `mark` a digest of what lies there; all that the
    store had at its change number `change`, when its newest block was `block`, is in it. Document numbers rise, up to
    `next_document`; no number is given twice, as long as the index is not `made` anew.
    """
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def belongs_to(connection: sqlite3.Connection, stream: PartStream) -> bool:
    """Whether the index is one of this store, and of no later state than it is in. Raises the driver's errors.

    What lies at the cursor tells. Where that was forgotten since, the spans of the newest documents do: their ids are
    random.
    """
    meta = meta_of(connection)
    cursor = meta.get("cursor", 0)
    mark = stream.mark(cursor) if cursor else 0
    if mark or not cursor:
        return mark == meta.get("mark", 0)
    if cursor >> 8 > stream.highest_block():
        return False
    newest = dict(connection.execute(_NEWEST, (_LOOKED_AT,)).fetchall())
    there = stream.there(list(newest))
    return any(stream.has_span(trace_no, newest[trace_no][:8]) for trace_no in there)


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _ENDS]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
