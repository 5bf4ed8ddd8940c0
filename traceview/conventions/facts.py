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
from traceview.conventions.values import count_of, decoded_dict, money_of, text_of
from traceview.protocol.records import NO_FACTS, Facts, SpanPart, TraceInfo

_PREFIXES: Final = ("gen_ai.", "llm.", "openinference.", "retrieval.", "embedding.", "reranker.", "tool", "traceview.")

# First match wins. A response's model is what answered, a request's only what was asked for.
MODEL_KEYS: Final = (
    "gen_ai.response.model",
    "llm.response.model_name",
    "gen_ai.request.model",
    "llm.model_name",
    "llm.request.model_name",
    "embedding.model_name",
    "reranker.model_name",
)
PROVIDER_KEYS: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
TOKEN_KEYS: Final = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "llm.token_count.prompt",
        "gen_ai.usage.prompt_tokens",
        "gen_ai.aggregated_usage.input_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "llm.token_count.completion",
        "gen_ai.usage.completion_tokens",
        "gen_ai.aggregated_usage.output_tokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_input",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "llm.token_count.completion_details.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
    ),
}
COST_KEYS: Final = ("llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "traceview.cost_usd")
_SESSION: Final = ("session.id", "gen_ai.conversation.id")
_USER: Final = ("user.id", "enduser.id")


def facts(part: SpanPart) -> Facts:
    """What a part's attributes, events and input mean, in one normal form. Pure; never raises, whatever the values.

    The kind that our SDK stated wins over the dialects. `trace` joins what the part states of its trace with what its
    attributes do. There is no `preview` of a part that names a parent: it costs as much as all else.
    """
    if _says_nothing(part):
        return NO_FACTS
    attributes = part.attributes
    kind = explicit_kind(part.kind)
    dialect = bool(attributes) and has_dialect(attributes)
    preview = preview_of(part, dialect) if part.parent_id is None else None
    if not dialect:
        return Facts(kind=kind, detail=detail_of(part, kind, None), preview=preview, trace=trace_info(part))
    kind = kind or kind_of(attributes)
    model = model_of(attributes)
    return Facts(
        kind=kind,
        model=model,
        provider=provider_of(attributes),
        cost_usd=cost_of(attributes),
        detail=detail_of(part, kind, model),
        preview=preview,
        trace=trace_info(part),
        **tokens_of(attributes),
    )


def _says_nothing(part: SpanPart) -> bool:
    """Whether it is one of the many parts that only bring an output, or the end: 3 µs saved."""
    return not (
        part.attributes
        or part.kind is not None
        or part.input is not None
        or part.status_message
        or part.events
        or part.trace is not None
        or part.resource
    )


def has_dialect(attributes: dict[str, Any]) -> bool:
    """Whether any attribute belongs to a dialect we read."""
    return any(key.startswith(_PREFIXES) for key in attributes)


def model_of(attributes: dict[str, Any]) -> str | None:
    """The model that answered, else the one that was asked for."""
    found = first_text(attributes, MODEL_KEYS)
    return None if found == "unknown" else found  # what LlamaIndex and Traceloop write for models without a name


def provider_of(attributes: dict[str, Any]) -> str | None:
    """Who serves the model, in lower case as the conventions write it ("OpenAI" occurs)."""
    found = first_text(attributes, PROVIDER_KEYS)
    return found.lower() if found else None


def tokens_of(attributes: dict[str, Any]) -> dict[str, int]:
    """The token counts that are stated, by the names of `Facts`."""
    found = {}
    for field, keys in TOKEN_KEYS.items():
        for key in keys:
            if key in attributes:
                count = count_of(attributes[key])
                if count is not None:
                    found[field] = count
                    break
    return found


def cost_of(attributes: dict[str, Any]) -> float | None:
    """The stated cost in USD: the total, else the sum of prompt and completion; None where nobody states one."""
    for key in COST_KEYS:
        if key in attributes:
            cost = money_of(attributes[key])
            if cost is not None:
                return cost
    prompt, completion = money_of(attributes.get("llm.cost.prompt")), money_of(attributes.get("llm.cost.completion"))
    return None if prompt is None and completion is None else (prompt or 0.0) + (completion or 0.0)


def trace_info(part: SpanPart) -> TraceInfo | None:
    """What a span says of its trace. Tags, metadata and the service's name count on spans without parent only: on the
    others they describe the span (LangChain's step numbers) or another service."""
    attributes, resource, said = part.attributes, part.resource, part.trace
    session = first_text(attributes, _SESSION) if attributes else None
    user = first_text(attributes, _USER) if attributes else None
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


def first_text(attributes: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of these attributes that holds a short text."""
    for key in keys:
        if key in attributes:
            found = text_of(attributes[key])
            if found:
                return found
    return None
