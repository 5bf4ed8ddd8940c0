"""Which SQLite library this process uses: one for all stores, since two on one file break each other's locks."""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from typing import Any, Final

_log = logging.getLogger(__name__)

# 3.51.3 fixed a bug by which a WAL that is reset during a checkpoint can corrupt the file (https://sqlite.org/changes.html).
SAFE_VERSION: Final = (3, 51, 3)


@functools.cache
def driver() -> Any:
    """The DBAPI module: pysqlite3 on Linux where installed, else the standard sqlite3, with a notice if old."""
    if sys.platform == "linux":
        try:
            return importlib.import_module("pysqlite3.dbapi2")
        except ImportError:
            pass
    import sqlite3

    if sqlite3.sqlite_version_info < SAFE_VERSION:
        _log.info(
            "SQLite %s has a rare bug in its write-ahead log, fixed in 3.51.3: install pysqlite3 to be safe",
            sqlite3.sqlite_version,
        )
    return sqlite3


def driver_error() -> type[Exception]:
    """The base class of the DBAPI module's exceptions."""
    error: type[Exception] = driver().Error
    return error
