"""Which kind a span is: what OpenInference or the GenAI conventions say, else what its attributes betray."""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions.tracers import KIND_KEYS, kind_said
from traceview.protocol.records import KINDS

_KINDS: Final = frozenset(KINDS)
_OPENINFERENCE: Final = {
    **{kind: kind for kind in KINDS},
    "decision": "evaluator",
    "unknown": "other",
}

# gen_ai.operation.name (registry of the GenAI semantic conventions; the last lines are met in the wild).
_OPERATIONS: Final = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "completion": "llm",
    "responses": "llm",
    "embeddings": "embedding",
    "embedding": "embedding",
    "execute_tool": "tool",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "invoke_workflow": "chain",
    "plan": "chain",
    "retrieval": "retriever",
    "search_memory": "retriever",
    "create_memory": "tool",
    "update_memory": "tool",
    "upsert_memory": "tool",
    "delete_memory": "tool",
    "create_memory_store": "tool",
    "delete_memory_store": "tool",
    "execute_task": "chain",
    "vector_db_retrieve": "retriever",
    "rerank": "reranker",
}
_REQUEST_TYPES: Final = {"chat": "llm", "completion": "llm", "embedding": "embedding", "rerank": "reranker"}

# Attributes that only one kind of span carries, for spans whose instrumentation names no kind.
_BETRAYING: Final = (
    ("gen_ai.tool.name", "tool"),
    ("gen_ai.tool.call.id", "tool"),
    ("gen_ai.evaluation.name", "evaluator"),
    ("gen_ai.embeddings.dimension.count", "embedding"),
    ("embedding.model_name", "embedding"),
    ("reranker.model_name", "reranker"),
    ("retrieval.documents.0.document.content", "retriever"),
    ("gen_ai.retrieval.documents", "retriever"),
    ("gen_ai.response.model", "llm"),
    ("gen_ai.request.model", "llm"),
    ("llm.response.model_name", "llm"),
    ("llm.model_name", "llm"),
    ("llm.request.model_name", "llm"),
    ("tool.name", "tool"),
)
_TELLING: Final = frozenset(
    ("openinference.span.kind", "gen_ai.operation.name", "llm.request.type", *KIND_KEYS, *dict(_BETRAYING))
)


def explicit_kind(kind: str | None) -> str | None:
    """The kind that our SDK stated, `other` for a word that is none; None where it stated nothing."""
    if kind is None or kind in _KINDS:
        return kind
    return _OPENINFERENCE.get(kind.strip().lower(), "other")


def kind_of(attributes: dict[str, Any]) -> str | None:
    """The kind that a span's attributes state or betray; None where they say nothing."""
    if _TELLING.isdisjoint(attributes):
        return None
    stated = attributes.get("openinference.span.kind")
    if isinstance(stated, str):
        return _OPENINFERENCE.get(stated.strip().lower(), "other")
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str):
        known = _OPERATIONS.get(operation.strip().lower())
        if known is not None:
            return known
    said = kind_said(attributes)
    if said is not None:
        return said
    request = attributes.get("llm.request.type")
    if isinstance(request, str) and request.lower() in _REQUEST_TYPES:
        return _REQUEST_TYPES[request.lower()]
    for key, kind in _BETRAYING:
        if attributes.get(key):
            return kind
    return None
