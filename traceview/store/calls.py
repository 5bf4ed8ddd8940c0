"""Which llm spans of a trace are its model calls, and whose tokens and cost are in its sums (see traces.py)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from traceview.store.columns import CALL, USAGE
from traceview.store.lookups import SELECT_LLM_CHILDREN, select_in
from traceview.store.spans import LLM, SpanState
from traceview.store.traces import TraceState


def mark_calls(
    connection: sqlite3.Connection, trace: TraceState, load_spans: Callable[[TraceState, Iterable[bytes]], None]
) -> None:
    """Sets CALL and USAGE on the llm spans for which the members of the trace can have changed them."""
    concerned = _concerned(trace)
    if not concerned:
        return
    if not trace.fresh:
        parents = {span.parent_id for span in concerned} | {span.old_parent for span in concerned}
        load_spans(trace, {span_id for span_id in parents if span_id is not None})
        concerned = _concerned(trace)
    with_call, with_usage = _llm_parents(connection, trace, concerned)
    for span in concerned:
        flags = span.flags & ~(CALL | USAGE)
        if span.kind == LLM:
            if span.span_id not in with_call:
                flags |= CALL
            if span.has_usage() and span.span_id not in with_usage:
                flags |= USAGE
        if flags != span.flags:
            span.flags = flags
            span.rewrite = True


def _concerned(trace: TraceState) -> list[SpanState]:
    return [span for span in trace.members.values() if LLM in (span.kind, span.old_kind)]


def _llm_parents(
    connection: sqlite3.Connection, trace: TraceState, spans: Sequence[SpanState]
) -> tuple[set[Any], set[Any]]:
    """The spans that have an llm child, and those that have one which reports tokens or cost."""
    children = [
        (span.parent_id, span.has_usage()) for span in spans if span.kind == LLM and span.parent_id != span.span_id
    ]
    if not trace.fresh:
        ids = [span.span_id for span in spans]
        rows = select_in(connection, SELECT_LLM_CHILDREN, ids, (trace.trace_no,))
        children += [
            (parent, bool(usage)) for parent, child, usage in rows if child not in trace.members and child != parent
        ]
    return {parent for parent, _ in children}, {parent for parent, usage in children if usage}
