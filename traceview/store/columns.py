"""The columns of the two tables that are read and written all the time, in the order in which rows travel."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

SPAN_COLUMNS: Final = (
    "trace_no",
    "span_id",
    "parent_id",
    "name",
    "kind",
    "status",
    "status_message",
    "start_ns",
    "end_ns",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "detail",
    "event_count",
    "change",
    "provider",
    "said_status",
    "flags",
    "source_no",
    "locators",
)
# Those of a SpanRow.
ROW_COLUMNS: Final = SPAN_COLUMNS[1 : SPAN_COLUMNS.index("change") + 1]

SUMMARY_COLUMNS: Final = (
    "trace_id",
    "name",
    "status",
    "start_ns",
    "last_ns",
    "spans",
    "errors",
    "running",
    "llm_calls",
    "session",
    "user",
    "project",
    "tags",
    "metadata",
    "models",
    "input_tokens",
    "output_tokens",
    "cost_pico_usd",
    "preview",
    "dropped",
    "change",
)
TRACE_COLUMNS: Final = (
    "trace_no",
    *SUMMARY_COLUMNS,
    "said_name",
    "interrupted",
    "input_known",
    "output_known",
    "cost_known",
    "root_id",
    "root_orphan",
    "root_start_ns",
    "root_status",
    "pinned",
)

# Bits of span.flags.
START_GUESSED: Final = 1  # no part has said when it started: the earliest time known stands in
START_ARRIVAL: Final = 2  # nor any other time: the time of arrival stands in
KIND_SAID: Final = 4  # a part named the kind; what attributes suggest no longer counts
INTERRUPTED: Final = 8  # its process is gone and it had not ended
CONFLICT: Final = 16  # two parts that differ both reported the end
CALL: Final = 32  # an llm span without an llm child: one of the trace's model calls
USAGE: Final = 64  # its tokens and cost are in the trace's sums
SPILLED: Final = 128  # older parts are listed in span_part
JUDGED: Final = 256  # it reported evaluations or candidates, which mean something only all together

# The driver looks for an adapter for every None and every bytes object it binds, which takes 0.8 µs each: most of the
# cost of a row. SQLite stores NaN as NULL, and bytearray needs no adapter; both bind in 0.05 µs.
NULL: Final = math.nan

_ROWS_AT_ONCE: Final = 100

PICO: Final = 10**12  # cost sums are kept in 1e-12 USD, since sums of floats depend on their order


def column_list(names: tuple[str, ...]) -> str:
    """The names as SQL text; quoted, since `user` is a keyword elsewhere."""
    return ", ".join(f'"{name}"' for name in names)


def insert_statement(table: str, names: tuple[str, ...]) -> str:
    """SQL that writes whole rows, new ones or in place of the old."""
    return f"INSERT OR REPLACE INTO {table} ({column_list(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608


def write_rows(
    connection: sqlite3.Connection, table: str, names: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> None:
    """Writes whole rows as `insert_statement` does, a hundred in a statement.

    The driver lets other threads run at each statement, and may then wait for them: at every row it did so for longer
    than the row took.
    """
    statement = insert_statement(table, names)
    whole = len(rows) - len(rows) % _ROWS_AT_ONCE
    if whole:
        several = statement + f", ({', '.join('?' * len(names))})" * (_ROWS_AT_ONCE - 1)
        for place in range(0, whole, _ROWS_AT_ONCE):
            connection.execute(several, list(chain.from_iterable(rows[place : place + _ROWS_AT_ONCE])))
    connection.executemany(statement, rows[whole:])


def bindable(row: Sequence[Any]) -> list[Any]:
    """The row with None and bytes as values that the driver binds without looking for an adapter (see NULL)."""
    return [NULL if value is None else bytearray(value) if type(value) is bytes else value for value in row]
