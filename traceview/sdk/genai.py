"""What `Span.set_llm` says, in the names of OpenTelemetry's GenAI semantic conventions (gen_ai.* attributes)."""

from __future__ import annotations

from typing import Any, Final

# Argument of set_llm -> attribute. `gen_ai.usage.cost` (USD) is not in the conventions; OpenLIT and others write it.
_NAMES: Final = {
    "model": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "temperature": "gen_ai.request.temperature",
    "cost_usd": "gen_ai.usage.cost",
    "finish_reason": "gen_ai.response.finish_reasons",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
}


def llm_attributes(said: dict[str, Any]) -> dict[str, Any]:
    """Attributes for what was said of a model call; None says nothing. Other names are settings of the request."""
    if isinstance(said.get("finish_reason"), str):
        said = {**said, "finish_reason": [said["finish_reason"]]}
    return {_NAMES.get(key) or f"gen_ai.request.{key}": value for key, value in said.items() if value is not None}
