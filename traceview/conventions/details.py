"""The short text beside a span's bar: a model, `40 → 4`, `5 documents`, `504`, what went wrong."""

from __future__ import annotations

import re
from typing import Any, Final

from traceview.conventions.values import count_of, decoded, number_of, one_line, text_of
from traceview.protocol.records import CANDIDATE_EVENT, EVALUATION_EVENT, Event, SpanPart, Status

_MAX_DETAIL: Final = 60
_TOP_K: Final = ("gen_ai.retrieval.top_k", "retrieval.top_k", "reranker.top_k")
_HTTP_STATUS: Final = ("http.response.status_code", "http.status_code")
_TOOL: Final = ("gen_ai.tool.name", "tool.name")
_DOCUMENT: Final = re.compile(r"(retrieval\.documents|reranker\.(?:in|out)put_documents)\.(\d+)\.")


def detail_of(part: SpanPart, kind: str | None, model: str | None) -> str | None:
    """The most telling short text of a part; None where nothing stands out."""
    if part.status_message and part.status is Status.ERROR:  # in this order: an enum's member takes 50 ns
        return one_line(part.status_message.strip().partition("\n")[0], _MAX_DETAIL) or None
    # Our SDK reports each evaluation in a part of its own: "1 → 1" would be told of every one of them.
    if part.events and (part.start_ns is not None or part.end_ns is not None):
        found = _of_events(part.events)
        if found:
            return found
    attributes = part.attributes
    if not attributes:
        return None
    if kind == "retriever" or kind == "reranker":
        found = _of_documents(attributes)
    elif kind == "tool":
        found = _of_tool(attributes)
        found = None if found == part.name else found
    else:
        found = model
    return (found and found[:_MAX_DETAIL]) or _of_http(attributes)


def _of_events(events: tuple[Event, ...]) -> str | None:
    evaluated = qualified = 0
    best: tuple[float, float, str] | None = None
    for event in events:
        if event.name == EVALUATION_EVENT:
            evaluated += 1
            qualified += event.attributes.get("qualified") is True
        elif event.name == CANDIDATE_EVENT:
            found = _candidate(event.attributes)
            best = found if best is None or found < best else best
    if evaluated:
        return f"{evaluated:,} → {qualified:,}"
    return best[2][:_MAX_DETAIL] if best else None


def _candidate(attributes: dict[str, Any]) -> tuple[float, float, str]:
    """A candidate's place (rank, then falling score) and its label."""
    rank, score = number_of(attributes.get("rank")), number_of(attributes.get("score"))
    label = text_of(attributes.get("item_id")) or "?"
    if score is not None:
        label = f"{label} {score:.4g}"
    return (float("inf") if rank is None else rank, float("inf") if score is None else -score, label)


def _of_documents(attributes: dict[str, Any]) -> str | None:
    seen: dict[str, set[str]] = {}
    for key in attributes:
        match = _DOCUMENT.match(key)
        if match:
            seen.setdefault(match[1], set()).add(match[2])
    before, after = seen.get("reranker.input_documents"), seen.get("reranker.output_documents")
    if before and after:
        return f"{len(before):,} → {len(after):,}"
    documents = seen.get("retrieval.documents") or after or decoded(attributes.get("gen_ai.retrieval.documents"))
    if isinstance(documents, list | set) and documents:
        return f"{len(documents):,} documents" if len(documents) > 1 else "1 document"
    for key in _TOP_K:
        top = count_of(attributes.get(key))
        if top is not None:
            return f"k={top}"
    return None


def _of_tool(attributes: dict[str, Any]) -> str | None:
    for key in _TOOL:
        if key in attributes:
            return text_of(attributes[key])
    return None


def _of_http(attributes: dict[str, Any]) -> str | None:
    for key in _HTTP_STATUS:
        if key in attributes:
            status = count_of(attributes[key])
            return None if status is None else str(status)
    return None
