"""Traces as lines for a terminal: what `list` and `show` print without --json."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceview.analysis.anomalies import find_anomalies, run_notices, span_notes
from traceview.analysis.figures import duration_text, tokens
from traceview.analysis.tree import build_tree
from traceview.protocol.records import SpanRow, Status, TraceSummary
from traceview.terminal import plain

_MARKS: Final = {Status.ERROR: "✗", Status.INTERRUPTED: "⊘", Status.RUNNING: "…"}


def trace_line(trace: TraceSummary) -> str:
    """A trace in one line: id, status, duration, name, figures."""
    took = duration_text(trace.duration_ns) if trace.duration_ns is not None else "running"
    spent = (trace.input_tokens or 0) + (trace.output_tokens or 0)
    figures = [_count(trace.spans, "span"), _count(trace.errors, "error")]
    if spent:
        figures.append(f"{tokens(spent)} tok")
    if trace.dropped:
        figures.append(f"{trace.dropped:,} dropped")
    return plain(
        f"{trace.trace_id.hex()[:12]}  {trace.status.word:<11} {took:>9}  {trace.name}  ({', '.join(figures)})"
    )


def run_lines(trace: TraceSummary, spans: Iterable[SpanRow]) -> Iterator[str]:
    """A trace with what must be said of it, and its tree: one line a span, with what must be said of that."""
    yield trace_line(trace)
    tree = build_tree(spans)
    anomalies = find_anomalies(tree)
    for notice in run_notices(anomalies, trace.dropped):
        yield f"! {notice.text}: {notice.explanation}"
    for i, row in enumerate(tree.rows):
        notes = "".join(f"  ! {note}" for note in span_notes(anomalies, i))
        yield _span_line(tree.depth[i], row) + notes


def _span_line(depth: int, row: SpanRow) -> str:
    took = duration_text(row.end_ns - row.start_ns) if row.end_ns is not None else row.status.word
    beside = row.status_message if row.status is Status.ERROR else row.detail
    mark = _MARKS.get(row.status, " ")
    return plain(f"{mark} {'  ' * depth}{row.name}  [{row.kind}]  {took}" + (f"  {beside}" if beside else ""))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
