"""One traced process (a session) as the writer sees it: what of it is committed, and what it said once of itself."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from traceview.store.columns import insert_statement
from traceview.store.encoding import clean, encode

_COLUMNS: Final = (
    "source_no",
    "session",
    "last_seq",
    "resource",
    "first_ns",
    "last_ns",
    "dropped",
    "interrupted",
    "trace_no",
)
_INSERT: Final = insert_statement("source", _COLUMNS)
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM source WHERE session = ?"  # noqa: S608


class SourceState:
    """A session's row, mutable during a transaction. `trace_no` is the trace it wrote to last."""

    def __init__(self, source_no: int, session: bytes, now_ns: int) -> None:
        self.source_no = source_no
        self.session = session
        self.last_seq: int | None = None
        self.resource: bytes | None = None
        self.first_ns = now_ns
        self.last_ns = now_ns
        self.dropped = 0
        self.interrupted = False
        self.trace_no: int | None = None

    def describe(self, resource: dict[str, Any]) -> None:
        """Takes over what the process says of itself, key by key."""
        known = msgspec.msgpack.decode(self.resource) if self.resource else {}
        self.resource = encode(clean({**known, **resource}))

    def save(self, connection: sqlite3.Connection) -> None:
        """Writes the row."""
        connection.execute(
            _INSERT,
            (
                self.source_no,
                self.session,
                self.last_seq,
                self.resource,
                self.first_ns,
                self.last_ns,
                self.dropped,
                int(self.interrupted),
                self.trace_no,
            ),
        )


def find_source(connection: sqlite3.Connection, session: bytes) -> SourceState | None:
    """The session as the store knows it."""
    row = connection.execute(_SELECT, (session,)).fetchone()
    if row is None:
        return None
    source = SourceState(row[0], row[1], row[4])
    source.last_seq, source.resource = row[2], row[3]
    source.last_ns, source.dropped, source.interrupted, source.trace_no = row[5], row[6], bool(row[7]), row[8]
    return source


def new_source(connection: sqlite3.Connection, session: bytes, now_ns: int) -> SourceState:
    """A session that the store has not seen yet."""
    (highest,) = connection.execute("SELECT coalesce(max(source_no), 0) FROM source").fetchone()
    return SourceState(highest + 1, session, now_ns)
