"""What attributes state outright, whichever dialect they speak: model, provider, tokens, cost, session and user.

Sources: as in `traceview.conventions.facts`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypedDict

from traceview.conventions.values import count_of, money_of, text_of

# Best first. A response's model is what answered, a request's only what was asked for.
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


class Stated(TypedDict, total=False):
    """By the names of `Facts` and `TraceInfo`; what no attribute states is missing."""

    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float
    prompt_usd: float
    completion_usd: float
    session: str
    user: str


def stated_by(attributes: dict[str, Any]) -> Stated:
    """What these attributes state, each from the best one whose value can be read. The cost is the stated total in USD,
    else the sum of prompt and completion."""
    found: Stated = {}
    known = _KEYS.intersection(attributes)
    if not known:
        return found
    for field, reading, key in _readings(known):
        if field not in found:
            value = reading(attributes[key])
            if value is not None:
                found[field] = value  # type: ignore[literal-required]
    if found.get("model") == "unknown":  # what LlamaIndex and Traceloop write for models without a name
        del found["model"]
    if "cost_usd" not in found and ("prompt_usd" in found or "completion_usd" in found):
        found["cost_usd"] = (found.get("prompt_usd") or 0.0) + (found.get("completion_usd") or 0.0)
    return found


def _provider_of(value: Any) -> str | None:
    """In lower case, as the conventions write it ("OpenAI" occurs)."""
    name = text_of(value)
    return None if name is None else name.lower()


_Reading = tuple[str, Callable[[Any], Any], str]
_READINGS: Final[tuple[_Reading, ...]] = tuple(
    (field, reading, key)
    for field, reading, keys in (
        ("model", text_of, MODEL_KEYS),
        ("provider", _provider_of, PROVIDER_KEYS),
        *((field, count_of, keys) for field, keys in TOKEN_KEYS.items()),
        ("cost_usd", money_of, COST_KEYS),
        ("prompt_usd", money_of, ("llm.cost.prompt",)),
        ("completion_usd", money_of, ("llm.cost.completion",)),
        ("session", text_of, ("session.id", "gen_ai.conversation.id")),
        ("user", text_of, ("user.id", "enduser.id")),
    )
    for key in keys
)
_KEYS: Final = frozenset(key for _, _, key in _READINGS)


# Spans of one call site carry the same keys. It is remembered by the keys above alone, so that those which a program
# makes up, however many or long, are neither kept nor push out what others need.
@functools.lru_cache(maxsize=256)
def _readings(known: frozenset[str]) -> tuple[_Reading, ...]:
    """What is to be read from these keys, in order."""
    return tuple([reading for reading in _READINGS if reading[2] in known])
