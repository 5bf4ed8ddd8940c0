"""SDKs with attributes of their own: what they call a span's kind, input and output is understood."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.conventions import ToolCall, facts, input_and_output, present
from traceview.conventions.kinds import kind_of
from traceview.conventions.tracers import INPUT_KEYS, KIND_KEYS
from traceview.protocol.records import KINDS, SpanPart, SpanPayload


@pytest.mark.parametrize(
    ("key", "said", "kind"),
    [
        ("traceloop.span.kind", "workflow", "chain"),
        ("traceloop.span.kind", "task", "chain"),
        ("traceloop.span.kind", "agent", "agent"),
        ("traceloop.span.kind", "tool", "tool"),
        ("langfuse.observation.type", "generation", "llm"),
        ("langfuse.observation.type", "retriever", "retriever"),
        ("langfuse.observation.type", "guardrail", "guardrail"),
        ("langfuse.observation.type", "span", None),
        ("mlflow.spanType", '"CHAT_MODEL"', "llm"),
        ("mlflow.spanType", '"RERANKER"', "reranker"),
        ("mlflow.spanType", '"UNKNOWN"', None),
        ("ai.operationId", "ai.generateText", "chain"),
        ("ai.operationId", "ai.generateText.doGenerate", "llm"),
        ("ai.operationId", "ai.embed.doEmbed", "embedding"),
        ("ai.operationId", "ai.toolCall", "tool"),
        ("agentops.span.kind", "session", "chain"),
        ("agentops.span.kind", "operation", "chain"),
        ("agentops.span.kind", "agent", "agent"),
    ],
)
def test_the_kind_is_known(key: str, said: str, kind: str | None) -> None:
    assert kind_of({key: said}) == kind
    assert facts(SpanPart(bytes(16), bytes(8), attributes={key: said})).kind == kind


def test_the_conventions_know_the_kind_better() -> None:
    assert kind_of({"gen_ai.operation.name": "invoke_agent", "traceloop.span.kind": "workflow"}) == "agent"
    assert kind_of({"openinference.span.kind": "TOOL", "langfuse.observation.type": "span"}) == "tool"
    assert kind_of({"traceloop.span.kind": "task", "gen_ai.request.model": "m"}) == "chain"
    assert kind_of({"langfuse.observation.type": "span", "gen_ai.request.model": "m"}) == "llm"


def both(kind: str = "chain", **attributes: Any) -> tuple[Any, Any]:
    shown = present(kind, SpanPayload(attributes=attributes))
    assert input_and_output(kind, SpanPayload(attributes=attributes)) == (shown.input, shown.output)
    return shown.input, shown.output


def test_openllmetry_and_mlflow_write_json() -> None:
    given = {"traceloop.entity.input": '{"args": ["q"], "kwargs": {}}', "traceloop.entity.output": '"18 \\u00b0C"'}
    assert both(**given) == ({"args": ["q"], "kwargs": {}}, "18 °C")
    assert both(**{"gen_ai.task.input": '{"inputs": 1}', "gen_ai.task.output": "42"}) == ({"inputs": 1}, 42)
    assert both(**{"mlflow.spanInputs": '"q"', "mlflow.spanOutputs": "[0.1]"}) == ("q", [0.1])


def test_langfuse_and_agentops_write_json_or_text() -> None:
    given = {"langfuse.observation.input": '["q"]', "langfuse.observation.output": "42 ✓"}
    assert both(**given) == (["q"], "42 ✓")
    for what in ("entity", "task", "tool", "agent"):
        given = {f"agentops.{what}.input": '{"args": []}', f"agentops.{what}.output": "true"}
        assert both("tool", **given) == ({"args": []}, "true")


def test_vercels_sdk_has_a_place_for_each_of_them() -> None:
    chat = '[{"role":"system","content":"short"},{"role":"user","content":[{"type":"text","text":"why?"}]}]'
    calls = '[{"toolCallId":"tc-1","toolName":"weather","input":"{\\"city\\":\\"Ulm\\"}"}]'
    shown = present("llm", SpanPayload(attributes={"ai.prompt.messages": chat, "ai.response.toolCalls": calls}))
    assert [(message.role, message.text) for message in shown.messages_in] == [("system", "short"), ("user", "why?")]
    ((call,),) = [message.content for message in shown.messages_out]
    assert isinstance(call, ToolCall)
    assert (call.id, call.name, call.arguments) == ("tc-1", "weather", {"city": "Ulm"})
    assert both(**{"ai.prompt": '{"prompt":"why?"}', "ai.response.text": "so"}) == ({"prompt": "why?"}, "so")
    assert both(**{"ai.value": '"embed me"', "ai.response.object": '{"a": 1}'}) == ("embed me", {"a": 1})
    given = {"ai.toolCall.name": "weather", "ai.toolCall.args": '{"city":"Ulm"}', "ai.toolCall.result": "18"}
    tool = present("tool", SpanPayload(attributes=given))
    assert tool.tool_call is not None
    assert (tool.tool_call.name, tool.input, tool.output) == ("weather", {"city": "Ulm"}, 18)


def test_what_is_understood_is_not_shown_again() -> None:
    given = {"traceloop.span.kind": "task", "traceloop.entity.input": "1", "traceloop.entity.name": "ask"}
    assert present("chain", SpanPayload(attributes=given)).rest == {"traceloop.entity.name": "ask"}


def test_a_chat_in_it_is_shown_as_one() -> None:
    given = {
        "langfuse.observation.input": '[{"role": "user", "content": "why?"}]',
        "langfuse.observation.output": '{"role": "assistant", "content": "so"}',
    }
    shown = present("llm", SpanPayload(attributes=given))
    assert [(message.role, message.text) for message in shown.messages_in] == [("user", "why?")]
    assert [(message.role, message.text) for message in shown.messages_out] == [("assistant", "so")]


def test_documents_in_it_are_shown_as_such() -> None:
    given = {"mlflow.spanOutputs": '[{"page_content": "a", "metadata": {"uri": "d0"}, "id": "0"}]'}
    assert [document.content for document in present("retriever", SpanPayload(attributes=given)).documents] == ["a"]


def test_the_conventions_and_the_program_say_it_better() -> None:
    chat = '[{"role": "user", "parts": [{"type": "text", "content": "why?"}]}]'
    given = {"traceloop.entity.input": '"raw"', "traceloop.entity.output": '"raw"'}
    shown = present("llm", SpanPayload(attributes={**given, "gen_ai.input.messages": chat}))
    assert [message.text for message in shown.messages_in] == ["why?"]
    assert (shown.input, shown.output) == ([{"role": "user", "parts": [{"type": "text", "content": "why?"}]}], "raw")
    assert both(**{**given, "input.value": "mine"}) == ("mine", "raw")


@pytest.mark.parametrize("key", INPUT_KEYS)
def test_the_line_beside_a_run_says_what_it_was_asked(key: str) -> None:
    part = SpanPart(bytes(16), bytes(8), attributes={key: '{"question": "why?"}'})
    assert facts(part).preview == "why?"


@given(st.dictionaries(st.sampled_from([*KIND_KEYS, *INPUT_KEYS]), st.text() | st.integers() | st.none()))
def test_nothing_raises_and_every_kind_is_ours(attributes: dict[str, Any]) -> None:
    assert kind_of(attributes) in (None, *KINDS)
    present("chain", SpanPayload(attributes=attributes))
    facts(SpanPart(bytes(16), bytes(8), attributes=attributes))
