"""Traces as documents with stable names: what `list --json` and `show --json` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from traceview.analysis.steps import AGENT_STEPS, find_moments, moment_of_step, number_steps
from traceview.analysis.tree import SpanTree, build_tree
from traceview.conventions import present
from traceview.protocol.records import STATE_EVENT, Event, SpanPayload, SpanRow, TraceSummary, hex_id
from traceview.store import StoreReader


def trace_document(trace: TraceSummary) -> dict[str, Any]:
    """One trace as `list --json` gives it: ids lower-case hex, times integer ns, what is unknown null."""
    return {
        "trace_id": trace.trace_id.hex(),
        "name": trace.name,
        "status": trace.status.word,
        "start_ns": trace.start_ns,
        "end_ns": trace.end_ns,
        "duration_ns": trace.duration_ns,
        "spans": trace.spans,
        "errors": trace.errors,
        "session": trace.session,
        "user": trace.user,
        "project": trace.project,
        "tags": list(trace.tags),
        "models": list(trace.models),
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
        "cost_usd": trace.cost_usd,
    }


def run_document(reader: StoreReader, trace: TraceSummary) -> dict[str, Any]:
    """One trace with its spans in tree order, as `show --json` gives it."""
    tree = build_tree(reader.spans(trace.trace_id))
    steps = number_steps(tree, AGENT_STEPS)
    payloads = dict(reader.payloads(trace.trace_id))
    spans = [
        _span_document(row, payloads.get(row.span_id, SpanPayload()), tree.depth[i], steps[i])
        for i, row in enumerate(tree.rows)
    ]
    return {**trace_document(trace), "metadata": trace.metadata, "spans": spans}


def step_document(reader: StoreReader, trace: TraceSummary, step: int) -> dict[str, Any]:
    """The state as of one agent step, as `show --at-step N --json` gives it; raises IndexError beyond the last step.

    As of step n is just before step n + 1 opens; for the last step, the end of the run.
    """
    tree = build_tree(reader.spans(trace.trace_id))
    steps = number_steps(tree, AGENT_STEPS)
    count = max((number for number in steps if number is not None), default=0)
    if not 1 <= step <= count:
        raise IndexError(f"{trace.name} has {count} agent steps, so there is no step {step}")
    moments = find_moments(tree, reader.events(trace.trace_id))
    moment = moments[moment_of_step(moments, tree, step)]
    row = tree.rows[steps.index(step)]
    return {
        "trace_id": trace.trace_id.hex(),
        "step": step,
        "steps": count,
        "span_id": row.span_id.hex(),
        "name": row.name,
        "kind": row.kind,
        "time_ns": moment.time_ns,
        "state": state_before(reader.state_events(trace.trace_id), moment.time_ns),
    }


def state_before(events: Sequence[tuple[bytes, Event]], time_ns: int) -> dict[str, Any]:
    """The state as of a time (inclusive): every tv.state() so far; a later value replaces an earlier one of its key."""
    state: dict[str, Any] = {}
    for _, event in events:
        if event.time_ns > time_ns:
            break
        state |= event.attributes
    return state


def outline(tree: SpanTree) -> list[tuple[int, SpanRow]]:
    """Depth and span, in tree order: what `show` prints without --json."""
    return list(zip(tree.depth, tree.rows, strict=True))


def _span_document(row: SpanRow, payload: SpanPayload, depth: int, step: int | None) -> dict[str, Any]:
    shown = present(row.kind, payload)
    state = state_before([(row.span_id, e) for e in payload.events if e.name == STATE_EVENT], 1 << 63)
    return {
        "span_id": row.span_id.hex(),
        "parent_span_id": hex_id(row.parent_id),
        "depth": depth,
        "step": step,
        "name": row.name,
        "kind": row.kind,
        "status": row.status.word,
        "status_message": row.status_message,
        "start_ns": row.start_ns,
        "end_ns": row.end_ns,
        "input": shown.input,
        "output": shown.output,
        "reasoning": payload.reasoning,
        "attributes": payload.attributes,
        "events": [{"time_ns": e.time_ns, "name": e.name, "attributes": e.attributes} for e in payload.events],
        "links": [
            {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": link.attributes}
            for link in payload.links
        ],
        "state": state or None,
        "model": row.model,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": row.cost_usd,
    }
