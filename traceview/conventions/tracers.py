"""What SDKs with attributes of their own call a span's kind, input and output: OpenLLMetry, Langfuse, MLflow, AgentOps.

All of them send OTLP. Their spans of model calls mostly follow the GenAI conventions; those of functions do not.
"""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions.bag import Bag
from traceview.conventions.values import decoded, decoded_json, text_of
from traceview.protocol.records import KINDS

KIND_KEYS: Final = ("traceloop.span.kind", "langfuse.observation.type", "mlflow.spanType", "agentops.span.kind")
_KINDS: Final = {
    **{kind: kind for kind in KINDS},
    **dict.fromkeys(("workflow", "task", "session", "operation", "parser"), "chain"),
    **dict.fromkeys(("generation", "chat_model"), "llm"),
}

# Those of MLflow and OpenLLMetry are JSON always, the others' may be text as it is.
_JSON: Final = {
    "input": ("traceloop.entity.input", "gen_ai.task.input", "mlflow.spanInputs"),
    "output": ("traceloop.entity.output", "gen_ai.task.output", "mlflow.spanOutputs"),
}
_MIXED: Final = {
    side: (f"langfuse.observation.{side}", *(f"agentops.{what}.{side}" for what in ("entity", "task", "tool", "agent")))
    for side in ("input", "output")
}
INPUT_KEYS: Final = (*_JSON["input"], *_MIXED["input"])
# Where the GenAI conventions say it, they say it better.
_BETTER: Final = {
    "input": {"gen_ai.input.messages", "gen_ai.prompt.0.role", "gen_ai.tool.call.arguments"},
    "output": {"gen_ai.output.messages", "gen_ai.completion.0.role", "gen_ai.tool.call.result"},
}


def kind_said(attributes: dict[str, Any]) -> str | None:
    """The kind that one of them states; None where none does, or it is no kind of ours."""
    for key in KIND_KEYS:
        said = text_of(attributes.get(key))
        if said is not None:
            return _KINDS.get(said.strip('"').lower())
    return None


def take_said(bag: Bag, side: str) -> Any:
    """What one of them says is a span's `input` or `output`, decoded; None where the GenAI conventions say it."""
    if bag.attributes.keys() & _BETTER[side]:
        return None
    found = bag.take(*_JSON[side])
    return decoded(bag.take(*_MIXED[side])) if found is None else decoded_json(found)
