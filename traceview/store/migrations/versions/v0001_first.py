"""The first schema: traces with their sums, narrow spans, events, payload blocks, sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, Long, nullable=nullable, autoincrement=False)


def upgrade() -> None:
    """Makes every table of version 1."""
    _make_traces()
    _make_spans()
    _make_payloads()
    _make_bookkeeping()


def _make_traces() -> None:
    op.create_table(
        "trace",
        _number("trace_no"),
        sa.Column("trace_id", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _number("status"),
        _number("start_ns"),
        _number("last_ns"),
        _number("spans"),
        _number("errors"),
        _number("running"),
        _number("llm_calls"),
        sa.Column("session", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("models", sa.Text(), nullable=True),
        _number("input_tokens", nullable=True),
        _number("output_tokens", nullable=True),
        _number("cost_pico_usd", nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        _number("dropped"),
        _number("change"),
        sa.Column("said_name", sa.Text(), nullable=True),
        _number("interrupted"),
        _number("input_known"),
        _number("output_known"),
        _number("cost_known"),
        sa.Column("root_id", sa.LargeBinary(), nullable=True),
        _number("root_orphan"),
        _number("root_start_ns"),
        _number("root_status"),
        _number("pinned"),
        sa.PrimaryKeyConstraint("trace_no"),
        sa.UniqueConstraint("trace_id", name="trace_by_id"),
        sqlite_strict=True,
    )
    op.create_index("trace_by_change", "trace", ["change"])
    op.create_index("trace_by_start", "trace", ["start_ns"])


def _make_spans() -> None:
    op.create_table(
        "span",
        _number("trace_no"),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        sa.Column("parent_id", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        _number("kind"),
        _number("status"),
        sa.Column("status_message", sa.Text(), nullable=True),
        _number("start_ns"),
        _number("end_ns", nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        _number("input_tokens", nullable=True),
        _number("output_tokens", nullable=True),
        _number("cache_read_tokens", nullable=True),
        _number("cache_write_tokens", nullable=True),
        _number("reasoning_tokens", nullable=True),
        sa.Column("cost_usd", sa.REAL(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        _number("event_count"),
        _number("change"),
        sa.Column("provider", sa.Text(), nullable=True),
        _number("said_status", nullable=True),
        _number("flags"),
        _number("source_no", nullable=True),
        sa.Column("locators", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("trace_no", "span_id", name="span_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("span_by_change", "span", ["trace_no", "change"])
    op.create_index("span_llm", "span", ["trace_no", "parent_id"], sqlite_where=sa.text("kind = 2"))
    op.create_index("span_interrupted", "span", ["source_no"], sqlite_where=sa.text("status = 3"))
    op.create_index("span_open", "span", ["source_no"], sqlite_where=sa.text("end_ns IS NULL"))


def _make_payloads() -> None:
    op.create_table(
        "span_part",
        _number("trace_no"),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _number("locator"),
        sa.PrimaryKeyConstraint("trace_no", "span_id", "digest", name="span_part_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event",
        _number("trace_no"),
        _number("change"),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        _number("ordinal"),
        _number("time_ns"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_no", "change", "span_id", "ordinal", name="event_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payload_block",
        _number("block_no"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("block_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "piece",
        _number("trace_no"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _number("locator"),
        sa.PrimaryKeyConstraint("trace_no", "digest", name="piece_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _make_bookkeeping() -> None:
    op.create_table(
        "source",
        _number("source_no"),
        sa.Column("session", sa.LargeBinary(), nullable=False),
        _number("last_seq", nullable=True),
        sa.Column("resource", sa.LargeBinary(), nullable=True),
        _number("first_ns"),
        _number("last_ns"),
        _number("dropped"),
        _number("interrupted"),
        _number("trace_no", nullable=True),
        sa.PrimaryKeyConstraint("source_no"),
        sa.UniqueConstraint("session", name="source_by_session"),
        sqlite_strict=True,
    )
    op.create_table(
        "dead_letter",
        _number("letter_no"),
        sa.Column("part", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _number("time_ns"),
        sa.PrimaryKeyConstraint("letter_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "decision",
        _number("number"),
        sa.Column("trace_id", sa.LargeBinary(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("trace_id", name="decision_by_trace"),
        sqlite_strict=True,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        _number("value"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        sa.text(
            "INSERT INTO meta VALUES ('change', 0), ('traces', 0), ('spans', 0), ('dropped', 0), ('dead_letters', 0)"
        )
    )
