"""The tables of a store, as they are now; the migrations lead here from every older version (a test compares).

Only migrations import this. Reading and writing speak SQL through the driver, with the columns named in `columns.py`.
Integers are 64 bits, times are ns, ids are raw bytes. `change` numbers the transaction that last changed a row.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA: Final = MetaData()
# SQLite calls its 64-bit integer INTEGER, other databases BIGINT.
Long: Final = BigInteger().with_variant(Integer(), "sqlite")
_STRICT: Final[dict[str, Any]] = {"sqlite_strict": True}
_CLUSTERED: Final[dict[str, Any]] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _required(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


trace = Table(
    "trace",
    METADATA,
    Column("trace_no", Long, primary_key=True, autoincrement=False),
    _required("trace_id", LargeBinary),
    _required("name", Text),
    _required("status", Long),
    _required("start_ns", Long),
    _required("last_ns", Long),
    _required("spans", Long),
    _required("errors", Long),
    _required("running", Long),
    _required("llm_calls", Long),
    Column("session", Text),
    Column("user", Text),
    Column("project", Text),
    Column("tags", Text),
    Column("metadata", Text),
    Column("models", Text),
    Column("input_tokens", Long),
    Column("output_tokens", Long),
    Column("cost_pico_usd", Long),
    Column("preview", Text),
    _required("dropped", Long),
    _required("change", Long),
    # What follows serves the writer: how the sums above were made, so that they can be carried on exactly.
    Column("said_name", Text),
    _required("interrupted", Long),
    _required("input_known", Long),
    _required("output_known", Long),
    _required("cost_known", Long),
    Column("root_id", LargeBinary),
    _required("root_orphan", Long),
    _required("root_start_ns", Long),
    _required("root_status", Long),
    # Sampling leaves it alone: it was imported, someone wants it kept, or it was let through for good.
    _required("pinned", Long),
    UniqueConstraint("trace_id", name="trace_by_id"),
    **_STRICT,
)
Index("trace_by_change", trace.c.change)
Index("trace_by_start", trace.c.start_ns)

span = Table(
    "span",
    METADATA,
    _required("trace_no", Long),
    _required("span_id", LargeBinary),
    Column("parent_id", LargeBinary),
    _required("name", Text),
    _required("kind", Long),
    _required("status", Long),
    Column("status_message", Text),
    _required("start_ns", Long),
    Column("end_ns", Long),
    Column("model", Text),
    Column("input_tokens", Long),
    Column("output_tokens", Long),
    Column("cache_read_tokens", Long),
    Column("cache_write_tokens", Long),
    Column("reasoning_tokens", Long),
    Column("cost_usd", REAL),
    Column("detail", Text),
    _required("event_count", Long),
    _required("change", Long),
    Column("provider", Text),
    Column("said_status", Long),
    _required("flags", Long),
    Column("source_no", Long),
    _required("locators", LargeBinary),
    PrimaryKeyConstraint("trace_no", "span_id", name="span_key"),
    **_CLUSTERED,
)
Index("span_by_change", span.c.trace_no, span.c.change)
# Small: only spans without an end, only interrupted ones, and only llm spans (kind 2 of records.KINDS).
Index("span_open", span.c.source_no, sqlite_where=text("end_ns IS NULL"))
Index("span_interrupted", span.c.source_no, sqlite_where=text("status = 3"))
Index("span_llm", span.c.trace_no, span.c.parent_id, sqlite_where=text("kind = 2"))

# Parts of a span beyond the first few, which its own row points to (`locators`).
span_part = Table(
    "span_part",
    METADATA,
    _required("trace_no", Long),
    _required("span_id", LargeBinary),
    _required("digest", LargeBinary),
    _required("locator", Long),
    PrimaryKeyConstraint("trace_no", "span_id", "digest", name="span_part_key"),
    **_CLUSTERED,
)

# Keyed by change, so that both writing and tailing only ever touch the end of a trace's events.
event = Table(
    "event",
    METADATA,
    _required("trace_no", Long),
    _required("change", Long),
    _required("span_id", LargeBinary),
    _required("ordinal", Long),
    _required("time_ns", Long),
    _required("name", Text),
    PrimaryKeyConstraint("trace_no", "change", "span_id", "ordinal", name="event_key"),
    **_CLUSTERED,
)

# Up to 64 encoded span parts, and pieces of them, in one zstd frame (see blocks.py).
payload_block = Table(
    "payload_block",
    METADATA,
    Column("block_no", Long, primary_key=True, autoincrement=False),
    _required("data", LargeBinary),
    **_STRICT,
)

# What records of a trace have in common, by its digest (see pieces.py).
piece = Table(
    "piece",
    METADATA,
    _required("trace_no", Long),
    _required("digest", LargeBinary),
    _required("locator", Long),
    PrimaryKeyConstraint("trace_no", "digest", name="piece_key"),
    **_CLUSTERED,
)

# One traced process: what of it is committed.
source = Table(
    "source",
    METADATA,
    Column("source_no", Long, primary_key=True, autoincrement=False),
    _required("session", LargeBinary),
    Column("last_seq", Long),
    Column("resource", LargeBinary),
    _required("first_ns", Long),
    _required("last_ns", Long),
    _required("dropped", Long),
    _required("interrupted", Long),
    Column("trace_no", Long),
    UniqueConstraint("session", name="source_by_session"),
    **_STRICT,
)

# What is to become of spans that come late, by the id of their trace: the sampling rule that left it out, or NULL where
# it is to be kept. The newest are remembered.
decision = Table(
    "decision",
    METADATA,
    Column("number", Long, primary_key=True, autoincrement=False),
    _required("trace_id", LargeBinary),
    Column("rule", Text),
    UniqueConstraint("trace_id", name="decision_by_trace"),
    **_STRICT,
)

meta = Table("meta", METADATA, Column("key", Text, primary_key=True), _required("value", Long), **_CLUSTERED)

# Parts that could not be stored, kept for repair: nothing that was recorded is thrown away.
dead_letter = Table(
    "dead_letter",
    METADATA,
    Column("letter_no", Long, primary_key=True, autoincrement=False),
    _required("part", LargeBinary),
    _required("reason", Text),
    _required("time_ns", Long),
    **_STRICT,
)
