"""What one part of a span means: kind, model, tokens, cost, the short text beside its bar, one line of its input.

Called for every part that reaches the store, so it asks for known keys and never walks values. Sources: the GenAI
semantic conventions (open-telemetry/semantic-conventions-genai) with their older names, and OpenInference
(Arize-ai/openinference, spec/semantic_conventions.md).
"""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions.details import detail_of
from traceview.conventions.kinds import explicit_kind, kind_of
from traceview.conventions.preview import preview_of
from traceview.conventions.stated import stated_by
from traceview.conventions.values import decoded_dict, text_of
from traceview.protocol.records import NO_FACTS, Facts, SpanPart, TraceInfo

_PREFIXES: Final = ("gen_ai.", "llm.", "openinference.", "retrieval.", "embedding.", "reranker.", "tool", "traceview.")


def facts(part: SpanPart) -> Facts:
    """What a part's attributes, events and input mean, in one normal form. Pure; never raises, whatever the values.

    The kind that our SDK stated wins over the dialects. `trace` joins what the part states of its trace with what its
    attributes do. There is no `preview` of a part that names a parent: it costs as much as all else.
    """
    attributes = part.attributes
    if not attributes and _says_nothing_else(part):
        return NO_FACTS
    stated = stated_by(attributes)
    kind = explicit_kind(part.kind) or kind_of(attributes)
    model = stated.get("model")
    return Facts(
        kind=kind,
        model=model,
        provider=stated.get("provider"),
        input_tokens=stated.get("input_tokens"),
        output_tokens=stated.get("output_tokens"),
        cache_read_tokens=stated.get("cache_read_tokens"),
        cache_write_tokens=stated.get("cache_write_tokens"),
        reasoning_tokens=stated.get("reasoning_tokens"),
        cost_usd=stated.get("cost_usd"),
        detail=detail_of(part, kind, model),
        preview=preview_of(part, has_dialect(attributes)) if part.parent_id is None else None,
        trace=_trace_info(part, stated.get("session"), stated.get("user")),
    )


def _says_nothing_else(part: SpanPart) -> bool:
    """Whether it is one of the many parts that only bring an output, or the end."""
    return not (
        part.kind is not None
        or part.input is not None
        or part.status_message
        or part.events
        or part.trace is not None
        or part.resource
    )


def has_dialect(attributes: dict[str, Any]) -> bool:
    """Whether any attribute belongs to a dialect we read."""
    return any(key.startswith(_PREFIXES) for key in attributes)


def _trace_info(part: SpanPart, session: str | None, user: str | None) -> TraceInfo | None:
    """What a span says of its trace. Tags, metadata and the service's name count on spans without parent only: on the
    others they describe the span (LangChain's step numbers) or another service."""
    attributes, resource, said = part.attributes, part.resource, part.trace
    project = text_of(resource.get("openinference.project.name")) if resource else None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    if part.parent_id is None:
        project = project or (_service(resource) if resource else None)
        tags = _tags(attributes.get("tag.tags"))
        metadata = decoded_dict(attributes.get("metadata")) if "metadata" in attributes else {}
    if not (session or user or project or tags or metadata):
        return said
    if said is None:
        return TraceInfo(None, session, user, project, tags, metadata)
    return TraceInfo(
        name=said.name,
        session=said.session or session,
        user=said.user or user,
        project=said.project or project,
        tags=said.tags or tags,
        metadata={**metadata, **said.metadata},
    )


def _service(resource: dict[str, Any]) -> str | None:
    name = text_of(resource.get("service.name"))
    return None if name is None or name.startswith("unknown_service") else name


def _tags(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        return ()
    return tuple([tag for tag in map(text_of, value[:100]) if tag])
