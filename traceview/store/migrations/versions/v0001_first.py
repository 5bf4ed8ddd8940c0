"""The first schema: traces with their sums, narrow spans, events, payload blocks, sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes every table of version 1."""
    op.create_table(
        "dead_letter",
        sa.Column("letter_no", Long, autoincrement=False, nullable=False),
        sa.Column("part", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("time_ns", Long, nullable=False),
        sa.PrimaryKeyConstraint("letter_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "event",
        sa.Column("trace_no", Long, nullable=False),
        sa.Column("change", Long, nullable=False),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        sa.Column("ordinal", Long, nullable=False),
        sa.Column("time_ns", Long, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_no", "change", "span_id", "ordinal", name="event_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", Long, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "payload_block",
        sa.Column("block_no", Long, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("block_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "source",
        sa.Column("source_no", Long, autoincrement=False, nullable=False),
        sa.Column("session", sa.LargeBinary(), nullable=False),
        sa.Column("last_seq", Long, nullable=True),
        sa.Column("resource", sa.LargeBinary(), nullable=True),
        sa.Column("first_ns", Long, nullable=False),
        sa.Column("last_ns", Long, nullable=False),
        sa.Column("dropped", Long, nullable=False),
        sa.Column("interrupted", Long, nullable=False),
        sa.Column("trace_no", Long, nullable=True),
        sa.PrimaryKeyConstraint("source_no"),
        sa.UniqueConstraint("session", name="source_by_session"),
        sqlite_strict=True,
    )
    op.create_table(
        "span",
        sa.Column("trace_no", Long, nullable=False),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        sa.Column("parent_id", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", Long, nullable=False),
        sa.Column("status", Long, nullable=False),
        sa.Column("status_message", sa.Text(), nullable=True),
        sa.Column("start_ns", Long, nullable=False),
        sa.Column("end_ns", Long, nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("input_tokens", Long, nullable=True),
        sa.Column("output_tokens", Long, nullable=True),
        sa.Column("cache_read_tokens", Long, nullable=True),
        sa.Column("cache_write_tokens", Long, nullable=True),
        sa.Column("reasoning_tokens", Long, nullable=True),
        sa.Column("cost_usd", sa.REAL(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("event_count", Long, nullable=False),
        sa.Column("change", Long, nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("said_status", Long, nullable=True),
        sa.Column("flags", Long, nullable=False),
        sa.Column("source_no", Long, nullable=True),
        sa.Column("locators", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("trace_no", "span_id", name="span_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("span_by_change", "span", ["trace_no", "change"])
    op.create_index("span_llm", "span", ["trace_no", "parent_id"], sqlite_where=sa.text("kind = 2"))
    op.create_index("span_open", "span", ["source_no"], sqlite_where=sa.text("end_ns IS NULL"))
    op.create_table(
        "span_part",
        sa.Column("trace_no", Long, nullable=False),
        sa.Column("span_id", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("locator", Long, nullable=False),
        sa.PrimaryKeyConstraint("trace_no", "span_id", "digest", name="span_part_key"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trace",
        sa.Column("trace_no", Long, autoincrement=False, nullable=False),
        sa.Column("trace_id", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", Long, nullable=False),
        sa.Column("start_ns", Long, nullable=False),
        sa.Column("last_ns", Long, nullable=False),
        sa.Column("spans", Long, nullable=False),
        sa.Column("errors", Long, nullable=False),
        sa.Column("running", Long, nullable=False),
        sa.Column("llm_calls", Long, nullable=False),
        sa.Column("session", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("models", sa.Text(), nullable=True),
        sa.Column("input_tokens", Long, nullable=True),
        sa.Column("output_tokens", Long, nullable=True),
        sa.Column("cost_pico_usd", Long, nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.Column("dropped", Long, nullable=False),
        sa.Column("change", Long, nullable=False),
        sa.Column("said_name", sa.Text(), nullable=True),
        sa.Column("interrupted", Long, nullable=False),
        sa.Column("input_known", Long, nullable=False),
        sa.Column("output_known", Long, nullable=False),
        sa.Column("cost_known", Long, nullable=False),
        sa.Column("root_id", sa.LargeBinary(), nullable=True),
        sa.Column("root_orphan", Long, nullable=False),
        sa.Column("root_start_ns", Long, nullable=False),
        sa.Column("root_status", Long, nullable=False),
        sa.PrimaryKeyConstraint("trace_no"),
        sa.UniqueConstraint("trace_id", name="trace_by_id"),
        sqlite_strict=True,
    )
    op.create_index("trace_by_change", "trace", ["change"])
    op.create_index("trace_by_start", "trace", ["start_ns"])
    op.execute(
        sa.text(
            "INSERT INTO meta VALUES ('change', 0), ('traces', 0), ('spans', 0), ('dropped', 0), ('dead_letters', 0)"
        )
    )
