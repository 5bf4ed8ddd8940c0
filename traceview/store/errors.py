"""What can go wrong with a store, as one sentence for the user, and how SQLite's errors become that."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# Primary result codes (https://sqlite.org/rescode.html); the extended ones carry them in their low byte.
_BUSY: Final = 5
_LOCKED: Final = 6
_NOMEM: Final = 7
_READONLY: Final = 8
_INTERRUPT: Final = 9
_IOERR: Final = 10
_CORRUPT: Final = 11
_FULL: Final = 13
_CANTOPEN: Final = 14
_PROTOCOL: Final = 15
_AUTH: Final = 23
_NOTADB: Final = 26
# Shared memory could not grow: the disk is full.
_IOERR_SHMSIZE: Final = 10 | 19 << 8

_RETRY: Final = {
    _BUSY: "is locked by another process; it is tried again",
    _LOCKED: "is locked by another connection; it is tried again",
    _PROTOCOL: "is locked by another process; it is tried again",
    _FULL: "can't grow because the disk is full: free some space, nothing stored is lost",
}
_FATAL: Final = {
    _NOMEM: "can't be used because memory ran out",
    _READONLY: "can't be written: make the file and its folder writable for you",
    _INTERRUPT: "was interrupted while reading",
    _IOERR: "can't be read or written because the disk reported an error: check the disk",
    _CORRUPT: "is damaged: restore it from a copy, or move it away to start afresh",
    _CANTOPEN: "can't be opened: check that the folder exists and is yours to write",
    _AUTH: "may not be used that way",
    _NOTADB: "is not a traceview store (no SQLite database): choose another file, this one was not touched",
}


class StoreError(Exception):
    """A store can't be opened, read or written; the message is one sentence for the user."""


class StoreBusy(StoreError):
    """The store can't be written now (locked, or the disk is full); nothing was written, the call may be repeated."""


def result_code(error: BaseException) -> int:
    """SQLite's primary result code of a driver's exception, 0 where it has none."""
    code = int(getattr(error, "sqlite_errorcode", 0) or 0)
    return _FULL if code == _IOERR_SHMSIZE else code & 0xFF


def is_environment(error: BaseException) -> bool:
    """Whether the file, the disk or a lock is to blame, rather than the values that were to be stored."""
    code = result_code(error)
    return code in _RETRY or code in _FATAL or isinstance(error, MemoryError)


def is_full(error: BaseException) -> bool:
    """Whether the disk, or the quota, is full."""
    return result_code(error) == _FULL


def is_uncertain(error: BaseException) -> bool:
    """Whether it is unknown after this what the disk holds (SQLite would carry on after a failed fsync)."""
    return result_code(error) in (_IOERR, _CORRUPT, _NOTADB)


def is_unusable(error: BaseException) -> bool:
    """Whether the file is no whole database, or one that can't be written: what is derived is made anew then."""
    return result_code(error) in (_CORRUPT, _NOTADB, _READONLY)


def explain(error: BaseException, path: Path) -> StoreError:
    """The StoreError (or StoreBusy) that says what a driver's exception means for the file."""
    code = result_code(error)
    if code in _RETRY:
        return StoreBusy(f"{path} {_RETRY[code]}")
    return StoreError(f"{path} {_FATAL.get(code) or f'could not be used: {error}'}")
