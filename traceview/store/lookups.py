"""Reading many rows by key: few prepared statements, whatever the number of keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from traceview.store.columns import SPAN_COLUMNS, TRACE_COLUMNS, bindable, column_list

SELECT_SPANS: Final = f"SELECT {column_list(SPAN_COLUMNS)} FROM span WHERE trace_no = ? AND span_id IN "  # noqa: S608
SELECT_TRACES: Final = f"SELECT {column_list(TRACE_COLUMNS)} FROM trace WHERE trace_id IN "  # noqa: S608
SELECT_TRACES_BY_NO: Final = f"SELECT {column_list(TRACE_COLUMNS)} FROM trace WHERE trace_no IN "  # noqa: S608
# Without the hint SQLite searches the whole trace: it takes the primary key for the better index.
SELECT_LLM_CHILDREN: Final = (
    "SELECT parent_id, span_id, coalesce(input_tokens, output_tokens, cost_usd) IS NOT NULL"
    " FROM span INDEXED BY span_llm WHERE trace_no = ? AND kind = 2 AND parent_id IN "
)
SELECT_DECISIONS: Final = "SELECT trace_id, rule FROM decision WHERE trace_id IN "
SELECT_PIECES: Final = "SELECT digest, locator FROM piece WHERE trace_no = ? AND digest IN "

# Lists are filled up to one of these lengths, so that SQLite prepares each statement once.
_LENGTHS: Final = (1, 8, 64, 500)
_LISTS: Final = {length: f"({', '.join('?' * length)})" for length in _LENGTHS}


def select_in(
    connection: sqlite3.Connection, statement: str, keys: Iterable[Any], before: Sequence[Any] = ()
) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement that ends in `IN `, for any number of keys; `before` fills the parameters ahead of it."""
    left = bindable(list(keys))
    place = 0
    while place < len(left):
        chunk = left[place : place + _LENGTHS[-1]]
        place += len(chunk)
        length = next(length for length in _LENGTHS if length >= len(chunk))
        chunk += chunk[-1:] * (length - len(chunk))
        yield from connection.execute(statement + _LISTS[length], (*before, *chunk)).fetchall()
