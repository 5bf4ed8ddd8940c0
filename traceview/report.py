"""Traces as documents with stable names: what `list`, `show` and `search` print with `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from traceview.analysis.anomalies import Anomalies, find_anomalies
from traceview.analysis.steps import default_axis, find_moments, walk
from traceview.analysis.tree import build_tree
from traceview.conventions import input_and_output
from traceview.protocol.records import STATE_EVENT, Event, SpanPayload, SpanRow, TraceSummary, hex_id
from traceview.store import Answer, Hit, StoreReader


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
        "dropped": trace.dropped,
    }


def run_pieces(reader: StoreReader, trace: TraceSummary, *, pretty: bool = False) -> Iterator[bytes]:
    """One trace with its spans in tree order, as `show --json` gives it: JSON in pieces, a few payloads at a time.

    Beyond the payloads, a span takes some 1.2 KB until the last piece.
    """
    tree = build_tree(reader.spans(trace.trace_id))
    moments = find_moments(tree, reader.events(trace.trace_id))
    steps = walk(tree, moments, default_axis(moments))
    anomalies = find_anomalies(tree)
    write = _indented if pretty else _compact
    about = _head_document(trace, anomalies)
    del about["spans"]  # how many: here they are themselves, and last
    head, _, tail = write({**about, "spans": []}).rpartition(b"]")
    yield head
    payloads = reader.payloads(trace.trace_id, [row.span_id for row in tree.rows])
    for i, (row, (_, payload)) in enumerate(zip(tree.rows, payloads, strict=True)):
        document = write(_span_document(row, payload, tree.depth[i], steps.step_of(i), anomalies.early.get(i)))
        if pretty:
            document = b"\n    " + document.replace(b"\n", b"\n    ")
        yield b"," + document if i else document
    yield (b"\n  ]" if pretty and tree.rows else b"]") + tail


def step_document(reader: StoreReader, trace: TraceSummary, step: int) -> dict[str, Any]:
    """The state as of one step, as `show --at-step N --json` gives it; raises IndexError beyond the last step.

    Steps are the AI agent's (every span where a run has none). As of step n is just before step n + 1 opens; for the
    last step, the end of the run.
    """
    tree = build_tree(reader.spans(trace.trace_id))
    moments = find_moments(tree, reader.events(trace.trace_id))
    steps = walk(tree, moments, default_axis(moments))
    if not 1 <= step <= len(steps):
        raise IndexError(f"{trace.name} has {len(steps)} steps, so there is no step {step}")
    time_ns = moments[steps.stop(step)].time_ns
    row = tree.rows[steps.span(step)]
    return {
        "trace_id": trace.trace_id.hex(),
        "step": step,
        "steps": len(steps),
        "span_id": row.span_id.hex(),
        "name": row.name,
        "kind": row.kind,
        "time_ns": time_ns,
        "state": state_before(reader.state_events(trace.trace_id), time_ns),
    }


def state_before(events: Sequence[tuple[bytes, Event]], time_ns: int) -> dict[str, Any]:
    """The state as of a time (inclusive): every tv.state() so far; a later value replaces an earlier one of its key."""
    state: dict[str, Any] = {}
    for _, event in events:
        if event.time_ns > time_ns:
            break
        state |= event.attributes
    return state


def hit_document(hit: Hit) -> dict[str, Any]:
    """A span that was found, as `search --json` gives it; `marks` are where the words stand in `snippet`."""
    return {
        "trace_id": hit.trace.trace_id.hex(),
        "trace_name": hit.trace.name,
        "span_id": hit.span_id.hex(),
        "name": hit.name,
        "kind": hit.kind,
        "status": hit.status.word,
        "start_ns": hit.start_ns,
        "field": hit.field,
        "snippet": hit.snippet,
        "marks": [list(mark) for mark in hit.marks],
    }


def search_document(answer: Answer) -> dict[str, Any]:
    """What was found, newest first; `waiting` spans are not in the index yet and were not searched."""
    return {
        "hits": [hit_document(hit) for hit in answer.hits],
        "waiting": answer.waiting,
        "indexed": answer.indexed,
        "complete": answer.complete,
    }


def to_json(document: object) -> bytes:
    """A document as UTF-8 JSON: bytes in base64, NaN as null, what JSON can't say as text."""
    return _indented(document)


def _indented(document: object) -> bytes:
    try:
        return msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2)
    except (TypeError, ValueError, RecursionError):
        # Lone surrogates and odd keys, which msgspec refuses.
        return json.dumps(document, indent=2, default=str, skipkeys=True).encode("ascii")


def _compact(document: object) -> bytes:
    try:
        return msgspec.json.encode(document, enc_hook=str)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(document, default=str, skipkeys=True).encode("ascii")


def _head_document(trace: TraceSummary, anomalies: Anomalies) -> dict[str, Any]:
    return {
        **trace_document(trace),
        "metadata": trace.metadata,
        "clock_skew_spans": len(anomalies.early),
        "clock_skew_ns": anomalies.clock_skew_ns,
        "backwards": len(anomalies.backwards),
        "orphans": len(anomalies.orphans),
    }


def _span_document(
    row: SpanRow, payload: SpanPayload, depth: int, step: int | None, clock_skew_ns: int | None
) -> dict[str, Any]:
    given, returned = input_and_output(row.kind, payload)
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
        "input": given,
        "output": returned,
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
        "clock_skew_ns": clock_skew_ns,
    }
