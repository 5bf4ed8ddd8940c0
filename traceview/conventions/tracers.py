"""What SDKs with attributes of their own call a span's kind, input and output.

OpenLLMetry, Langfuse, MLflow, AgentOps and Vercel's AI SDK, all of which send OTLP. Their spans of model calls follow
the GenAI conventions for the most part; those of functions do not.
"""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions.bag import Bag
from traceview.conventions.values import decoded, decoded_json, decoded_list, text_of
from traceview.protocol.records import KINDS

_STATING: Final = ("traceloop.span.kind", "langfuse.observation.type", "mlflow.spanType", "agentops.span.kind")
_KINDS: Final = {
    **{kind: kind for kind in KINDS},
    **dict.fromkeys(("workflow", "task", "session", "operation", "parser"), "chain"),
    **dict.fromkeys(("generation", "chat_model"), "llm"),
}

# The end of Vercel's `ai.operationId`; what encloses these is a chain.
_OPERATION_KEY: Final = "ai.operationId"
KIND_KEYS: Final = (*_STATING, _OPERATION_KEY)
_OPERATIONS: Final = {
    "doGenerate": "llm",
    "doStream": "llm",
    "doEmbed": "embedding",
    "doRerank": "reranker",
    "toolCall": "tool",
}

# Those of MLflow and OpenLLMetry are JSON always, the others' may be text as it is.
_JSON: Final = {
    "input": (
        *("traceloop.entity.input", "gen_ai.task.input", "mlflow.spanInputs"),
        *("ai.prompt.messages", "ai.prompt", "ai.toolCall.args", "ai.value"),
    ),
    "output": (
        *("traceloop.entity.output", "gen_ai.task.output", "mlflow.spanOutputs"),
        *("ai.response.object", "ai.toolCall.result"),
    ),
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
    for key in _STATING:
        said = text_of(attributes.get(key))
        if said is not None:
            return _KINDS.get(said.strip('"').lower())
    operation = text_of(attributes.get(_OPERATION_KEY))
    return None if operation is None else _OPERATIONS.get(operation.rpartition(".")[2], "chain")


def take_said(bag: Bag, side: str) -> Any:
    """What one of them says is a span's `input` or `output`, decoded; None where the GenAI conventions say it."""
    if bag.attributes.keys() & _BETTER[side]:
        return None
    found = bag.take(*_JSON[side])
    if found is not None:
        return decoded_json(found)
    found = bag.take(*_MIXED[side])
    return _vercel_reply(bag) if found is None and side == "output" else decoded(found)


def _vercel_reply(bag: Bag) -> Any:
    """Its text; with the tools that were called a message as OpenAI writes it."""
    text, calls = bag.take("ai.response.text"), decoded_list(bag.take("ai.response.toolCalls"))
    called = [
        {
            "id": call.get("toolCallId"),
            "type": "function",
            "function": {"name": call.get("toolName"), "arguments": call.get("input", call.get("args"))},
        }
        for call in calls
        if isinstance(call, dict)
    ]
    return {"role": "assistant", "content": text, "tool_calls": called} if called else text
