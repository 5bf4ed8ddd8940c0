"""Keeps the full-text index of a store up with it: in slices, each a transaction of the index's own file.

It reads what was committed part by part (`part_stream.py`), so a span that runs on costs what it says anew. Of a trace
that repeats itself, as a growing conversation does, each text is taken once, at the span that said it first.
Where the index is absent, damaged, of another store or version, it is made anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from traceview.store.driver import driver_error
from traceview.store.errors import StoreBusy, StoreError, explain, is_unusable
from traceview.store.index_file import (
    belongs_to,
    connect,
    index_path,
    is_index,
    is_supported,
    make_index,
    meta_of,
    remove_index,
)
from traceview.store.part_stream import Arrival, PartStream, Stretch
from traceview.store.span_text import texts
from traceview.store.words import composed, folded, tokens

_log = logging.getLogger(__name__)

# A document is found as a whole and then read span by span: fewer make the index larger (185 bytes a span of 2.2 kB
# instead of 102), more make a search read more.
_MOST_SPANS: Final = 8
_MOST_CHARACTERS: Final = 64 * 1024
_DIGEST_BYTES: Final = 8
# What traces that repeat themselves have said, remembered between slices: at most some 20 MB.
_REMEMBERED: Final = 200_000
# More than the store keeps free (StoreWriter's floor): the index stops growing first.
FLOOR_BYTES: Final = 256 * 1024 * 1024
_TRACES_AT_ONCE: Final = 1_000
# Where the store forgets all the time, one walk takes away what ten seconds brought.
_WALK_EVERY_S: Final = 10.0
_DELETED_AT_ONCE: Final = 500
_FREE_PAGES: Final = 256
_VACUUM_PAGES: Final = 256

_INSERT_WORDS: Final = "INSERT INTO words (rowid, text) VALUES (?, ?)"
_INSERT_DOCUMENT: Final = "INSERT INTO document (document_no, trace_no, spans, said) VALUES (?, ?, ?, ?)"
_INDEXED_TRACES: Final = "SELECT DISTINCT trace_no FROM document WHERE trace_no > ? ORDER BY trace_no LIMIT ?"
_SAID: Final = "SELECT said FROM document WHERE trace_no = ? AND said IS NOT NULL"


class TextIndex:
    """Writes the index of one store. One thread uses it at a time; an index has one writer, as its store has.

    Raises StoreError where the store can't be read or the index can't be made. After any error it is to be closed and
    opened anew; the index then goes on from its last transaction.
    """

    def __init__(self, store: Path, *, floor_bytes: int | None = None) -> None:
        self.path = index_path(store)
        self._floor = FLOOR_BYTES if floor_bytes is None else floor_bytes
        self._source = PartStream(store)
        try:
            self._connection = self._open()
            self._meta = meta_of(self._connection)
            self._next_document = self._meta.get("next_document", 1)
        except driver_error() as error:
            self._source.close()
            raise explain(error, self.path) from error
        except (OSError, StoreError) as error:
            self._source.close()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{self.path} can't be made: {error.strerror or error}") from error
        self._file = _identity(self.path)
        self._documents: dict[int, _Document] = {}
        self._said = _Said(self._connection)
        # A walk over all traces of the index in search of forgotten ones: how far it is, how many were forgotten when
        # it began, when the next one may begin, whether the last slice was one of it.
        self._walked_upto = 0
        self._walk_began_at = -1
        self._walk_due = 0.0
        self._walked = False
        self._settled = -1

    def waiting(self) -> int:
        """How many spans of the store are not wholly in the index yet."""
        return self._source.waiting(self._meta)

    def advance(self, seconds: float, interrupted: Callable[[], bool]) -> bool:
        """Does a slice of what there is to do, so long at most and until `interrupted()`; whether there may be more.

        Raises StoreBusy while the disk is nearly full or the index locked, StoreError where the index was damaged,
        deleted or replaced.
        """
        if _identity(self.path) != self._file:
            raise StoreError(f"{self.path} was deleted or replaced: it is made anew")
        version = self._source.data_version()
        if version == self._settled:
            return False
        head, forgotten = self._source.head(), self._source.forgotten()
        stretch = self._source.next(self._meta.get("cursor", 0))
        is_clean = forgotten == self._meta.get("forgotten", 0)
        walks = not is_clean and (self._walked_upto > 0 or time.monotonic() >= self._walk_due)
        if stretch is None and not walks and head == self._meta.get("change", 0):
            self._settled = version if is_clean else -1
            return False
        self._check_space()
        deadline = time.perf_counter() + seconds
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._walked = walks and not (self._walked and stretch is not None)  # in turn with what comes in
            if self._walked:
                self._forget_some(forgotten)
            elif stretch is not None:
                self._take(stretch, lambda: time.perf_counter() > deadline or interrupted())
            else:
                self._note(change=head, block=self._source.last_block())
            self._connection.execute("COMMIT")
        except driver_error() as error:
            if is_unusable(error):
                _log.warning("%s is damaged: it is made anew", self.path)
                self._connection.close()
                with suppress(OSError):
                    remove_index(self.path)
            raise explain(error, self.path) from error
        return True

    def close(self) -> None:
        """Closes the files; safe twice."""
        self._connection.close()
        self._source.close()

    # --- taking in

    def _take(self, stretch: Stretch | None, late: Callable[[], bool]) -> None:
        cursor = 0
        while stretch is not None and not (cursor and late()):
            for arrival in stretch.arrivals:
                if cursor and late():
                    break
                self._add(arrival)
                cursor = arrival.locator
            else:
                cursor = stretch.upto
                stretch = self._source.next(cursor)
        for trace_no in tuple(self._documents):
            self._write(trace_no)
        self._said.trim()
        self._note(cursor=cursor, mark=self._source.mark(cursor), next_document=self._next_document)

    def _add(self, arrival: Arrival) -> None:
        document = self._documents.get(arrival.trace_no)
        if document is None:
            document = self._documents[arrival.trace_no] = _Document()
        document.spans[arrival.span_id] = None
        part = self._source.part(arrival.locator)
        if part is None:
            return
        said = self._said.of(arrival.trace_no) if arrival.repeats else None
        for _, text in texts(part):
            if said is None or said.add(text, document.said):
                document.texts.append(text)
                document.characters += len(text)
        if len(document.spans) >= _MOST_SPANS or document.characters >= _MOST_CHARACTERS:
            self._write(arrival.trace_no)

    def _write(self, trace_no: int) -> None:
        document = self._documents.pop(trace_no)
        text = tokens(folded(composed("\n".join(document.texts))))
        spans, said = bytearray().join(document.spans), document.said or None
        self._connection.execute(_INSERT_WORDS, (self._next_document, text))
        self._connection.execute(_INSERT_DOCUMENT, (self._next_document, trace_no, spans, said))
        self._next_document += 1

    # --- forgetting

    def _forget_some(self, forgotten: int) -> None:
        """Deletes documents of some traces that the store has no more; it is noted once all traces were looked at."""
        if not self._walked_upto:
            self._walk_began_at = forgotten
        rows = self._connection.execute(_INDEXED_TRACES, (self._walked_upto, _TRACES_AT_ONCE)).fetchall()
        numbers = [row[0] for row in rows]
        left = _DELETED_AT_ONCE
        for trace_no in sorted(set(numbers) - self._source.there(numbers)):
            left -= self._delete(trace_no, left)
            if left <= 0:
                return  # it may have more
        if numbers:
            self._walked_upto = numbers[-1]
        elif not self._gave_back():
            self._walked_upto = 0
            self._walk_due = time.monotonic() + _WALK_EVERY_S
            self._note(forgotten=self._walk_began_at)

    def _delete(self, trace_no: int, most: int) -> int:
        sql = "SELECT document_no FROM document WHERE trace_no = ? LIMIT ?"
        rows = self._connection.execute(sql, (trace_no, most)).fetchall()
        self._connection.executemany("DELETE FROM words WHERE rowid = ?", rows)
        self._connection.executemany("DELETE FROM document WHERE document_no = ?", rows)
        self._said.drop(trace_no)
        return len(rows)

    def _gave_back(self) -> bool:
        """Shortens the file where much of it is free; False when there is no need."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        if free <= _FREE_PAGES:
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        return True

    # --- the file

    def _open(self) -> sqlite3.Connection:
        if not is_supported():
            raise StoreError("the SQLite of this Python is older than 3.43 and can't index text: update Python")
        if not self.path.exists():
            self._check_space()
            _log.info("%s is made: the text of all spans becomes searchable", self.path)
            return make_index(self.path)
        connection = self._reopened()
        if connection is None:
            self._check_space()
            connection = make_index(self.path)
        return connection

    def _reopened(self) -> sqlite3.Connection | None:
        """The index that is there; None, said in the log, where it is no good. Raises the driver's other errors."""
        with ExitStack() as cleanup:
            try:
                connection = connect(self.path, "rw")
                cleanup.callback(connection.close)
                objection = self._objection(connection)
                if objection is None:
                    connection.execute("PRAGMA synchronous = NORMAL")
                    connection.execute("UPDATE meta SET value = value WHERE key = 'made'")  # it may be read-only
                    cleanup.pop_all()
                    return connection
                _log.info("%s %s: it is made anew", self.path, objection)
            except (driver_error(), UnicodeDecodeError) as error:
                if isinstance(error, driver_error()) and not is_unusable(error):
                    raise
                _log.warning("%s is damaged or can't be written: it is made anew", self.path)
        return None

    def _objection(self, connection: sqlite3.Connection) -> str | None:
        """Why the file is not the index of this store; None where it is."""
        if not is_index(connection):
            return "is of another version"
        return None if belongs_to(connection, self._source) else "belongs to another state of the store"

    def _note(self, **values: int) -> None:
        self._meta.update(values)
        sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
        self._connection.executemany(sql, list(values.items()))

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < self._floor:
            raise StoreBusy(
                f"{self.path} does not grow while less than {self._floor >> 20} MiB are free on its disk (they are"
                " left to the store): free some space"
            )


class _Document:
    """What is collected of one trace for a row of the index."""

    __slots__ = ("characters", "said", "spans", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.characters = 0
        self.spans: dict[bytes, None] = {}
        self.said = bytearray()


class _SaidOnce:
    """The texts that one trace has said."""

    __slots__ = ("digests", "hashes")

    def __init__(self, digests: set[bytes]) -> None:
        self.digests = digests
        # Python's own hashes, of this process only: the quick way to know what has just been said again.
        self.hashes: set[int] = set()

    def add(self, text: str, new: bytearray) -> bool:
        """Whether the text is said for the first time; then its digest is added to `new`."""
        mark = hash(text)
        if mark in self.hashes:
            return False
        self.hashes.add(mark)
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST_BYTES).digest()
        if digest in self.digests:
            return False
        self.digests.add(digest)
        new += digest
        return True


class _Said:
    """What traces that repeat themselves have said, the latest used of them in memory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._traces: OrderedDict[int, _SaidOnce] = OrderedDict()

    def of(self, trace_no: int) -> _SaidOnce:
        """What this trace has said."""
        found = self._traces.get(trace_no)
        if found is None:
            rows = self._connection.execute(_SAID, (trace_no,)).fetchall()
            found = self._traces[trace_no] = _SaidOnce({digest for row in rows for digest in _split(row[0])})
        self._traces.move_to_end(trace_no)
        return found

    def drop(self, trace_no: int) -> None:
        """The trace is forgotten."""
        self._traces.pop(trace_no, None)

    def trim(self) -> None:
        """Forgets traces that were not written to for the longest time; only when all is in the index."""
        total = sum(len(said.digests) for said in self._traces.values())
        while total > _REMEMBERED and len(self._traces) > 1:
            total -= len(self._traces.popitem(last=False)[1].digests)


def _split(digests: bytes) -> list[bytes]:
    return [digests[place : place + _DIGEST_BYTES] for place in range(0, len(digests), _DIGEST_BYTES)]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino
