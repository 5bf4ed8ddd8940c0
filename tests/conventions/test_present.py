"""A payload has one normal form, whether our SDK, OpenInference or the GenAI conventions wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.conventions import (
    Document,
    Image,
    Message,
    Presented,
    PromptTemplate,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    facts,
    input_and_output,
    present,
)
from traceview.formats import open_parts
from traceview.protocol.records import KINDS, Event, SpanPart, SpanPayload

OWN = Path(__file__).parents[1] / "data" / "traces"


def shown(kind: str = "llm", **attributes: Any) -> Presented:
    return present(kind, SpanPayload(attributes=attributes))


def attributes(kind: str, attributes: dict[str, Any]) -> Presented:
    return present(kind, SpanPayload(attributes=attributes))


def said(role: str, text: str, **more: Any) -> Message:
    return Message(role, (Text(text),), **more)


def of(part: SpanPart) -> Presented:
    payload = SpanPayload(attributes=part.attributes, input=part.input, output=part.output, events=part.events)
    found = present(facts(part).kind or "other", payload)
    assert input_and_output(facts(part).kind or "other", payload) == (found.input, found.output)
    return found


def test_a_payload_that_says_nothing_is_empty() -> None:
    assert shown() == Presented()
    assert shown(**{"http.method": "GET"}).rest == {"http.method": "GET"}


def test_what_the_sdk_recorded_comes_first() -> None:
    chat = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    payload = SpanPayload(
        input=chat,
        output="hello",
        attributes={"input.value": "other", "llm.input_messages.0.message.content": "other"},
    )
    found = present("llm", payload)
    assert (found.input, found.output) == (chat, "hello")
    assert found.messages_in == (said("system", "be kind"), said("user", "hi"))
    assert found.messages_out == (said("assistant", "hello"),)
    assert found.rest == payload.attributes


def test_the_bare_text_of_a_model_call_is_a_message_and_that_of_others_is_not() -> None:
    payload = SpanPayload(input="hi", output="hello")
    assert present("llm", payload).messages_in == (said("user", "hi"),)
    assert present("llm", payload).messages_out == (said("assistant", "hello"),)
    assert present("chain", payload).messages_in == ()
    assert present("tool", SpanPayload(input=[{"role": "user", "content": "x"}])).messages_out == ()


def test_json_in_strings_is_decoded_at_most_twice_and_text_stays_text() -> None:
    assert present("chain", SpanPayload(input='{"a": 1}')).input == {"a": 1}
    assert shown("chain", **{"input.value": '"{\\"a\\": 1}"'}).input == {"a": 1}
    assert shown("chain", **{"input.value": '{"a": 1}', "input.mime_type": "text/plain"}).input == '{"a": 1}'
    assert shown("chain", **{"output.value": '"a"', "output.mime_type": "application/json"}).output == "a"
    assert shown("chain", **{"output.value": "null", "output.mime_type": "application/json"}).output is None
    assert shown("chain", **{"output.value": "{no", "output.mime_type": "application/json"}).output == "{no"
    assert shown("chain", **{"output.value": "12"}).output == "12"
    deep = "[" * 300 + "]" * 300
    assert shown("chain", **{"output.value": deep, "output.mime_type": "application/json"}).output == deep
    bomb = "[" * 100_000 + "]" * 100_000
    assert shown("chain", **{"output.value": bomb}).output == bomb


def openinference_call() -> dict[str, Any]:
    prefix = "llm.input_messages"
    return {
        "openinference.span.kind": "LLM",
        f"{prefix}.10.message.role": "user",
        f"{prefix}.10.message.content": "ten",
        f"{prefix}.2.message.role": "assistant",
        f"{prefix}.2.message.tool_calls.1.tool_call.function.name": "b",
        f"{prefix}.2.message.tool_calls.0.tool_call.id": "c1",
        f"{prefix}.2.message.tool_calls.0.tool_call.function.name": "a",
        f"{prefix}.2.message.tool_calls.0.tool_call.function.arguments": '{"x": 1}',
        f"{prefix}.3.message.role": "tool",
        f"{prefix}.3.message.tool_call_id": "c1",
        f"{prefix}.3.message.name": "a",
        f"{prefix}.3.message.content": '{"y": 2}',
        f"{prefix}.0.message.role": "User",
        f"{prefix}.0.message.content": "both",
        f"{prefix}.0.message.contents.0.message_content.type": "text",
        f"{prefix}.0.message.contents.0.message_content.text": "both",
        f"{prefix}.0.message.contents.1.message_content.type": "image",
        f"{prefix}.0.message.contents.1.message_content.image.image.url": "https://x/y.png",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.contents.0.message_content.type": "reasoning",
        "llm.output_messages.0.message.contents.0.message_content.text": "hm",
        "llm.output_messages.0.message.function_call_name": "f",
        "llm.output_messages.0.message.function_call_arguments_json": "{}",
        "llm.tools.0.tool.json_schema": '{"function":{"name":"a","description":"does a","parameters":{}}}',
        "llm.tools.1.tool.json_schema": '{"name":"b","input_schema":{"type":"object"}}',
        "llm.tools.2.tool.json_schema": "broken",
        "llm.model_name": "m",
        "llm.invocation_parameters": '{"model": "m", "temperature": 0.5}',
        "llm.finish_reason": "stop",
        "llm.token_count.prompt": 5,
        "llm.token_count.total": 5,
        "llm.cost.total": 0.01,
        "llm.prompt_template.template": "{q}",
        "llm.prompt_template.variables": '{"q": "x"}',
        "llm.prompt_template.version": "v1",
        "user.id": "u",
    }


def test_openinference_lists_are_read_in_numeric_order_with_gaps() -> None:
    found = attributes("llm", openinference_call())
    assert found.messages_in == (
        Message("user", (Text("both"), Image(uri="https://x/y.png"))),
        Message("assistant", (ToolCall("c1", "a", {"x": 1}), ToolCall(None, "b", None))),
        Message("tool", (ToolResult("c1", "a", {"y": 2}),), "a"),
        said("user", "ten"),
    )
    assert found.messages_out == (Message("assistant", (Thinking("hm"), ToolCall(None, "f", {}))),)
    assert [(tool.name, tool.description, tool.parameters) for tool in found.tools] == [
        ("a", "does a", {}),
        ("b", None, {"type": "object"}),
        ("broken", None, None),
    ]
    assert found.settings == {"temperature": 0.5}
    assert (found.model, found.finish_reason, found.cost_usd) == ("m", "stop", 0.01)
    assert found.usage == Usage(input_tokens=5)
    assert found.prompt_template == PromptTemplate("{q}", {"q": "x"}, "v1")
    assert found.input == [
        {"role": "user", "content": "both"},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": ""},
        {"role": "user", "content": "ten"},
    ]
    assert found.rest == {"user.id": "u"}


def test_lists_that_an_export_unflattened_read_the_same() -> None:
    whole = [
        {
            "message.role": "assistant",
            "message.tool_calls": [{"tool_call.id": "c1", "tool_call.function.name": "a"}],
        },
        {"message": {"role": "user", "content": "hi"}},
        {"role": "user", "content": "bare"},
    ]
    found = attributes("llm", {"llm.input_messages": whole})
    assert found.messages_in == (
        Message("assistant", (ToolCall("c1", "a", None),)),
        said("user", "hi"),
        said("user", "bare"),
    )
    assert found.rest == {}
    assert attributes("llm", {"llm.input_messages": "odd"}).rest == {"llm.input_messages": "odd"}


def test_completions_that_are_no_chat_are_messages_too() -> None:
    found = attributes("llm", {"llm.prompts": ["one", 2], "llm.choices.0.completion.text": "two"})
    assert (found.messages_in, found.messages_out) == ((said("user", "one"),), (said("assistant", "two"),))
    flat = attributes("llm", {"llm.prompts.0.prompt.text": "one"})
    assert flat.messages_in == (said("user", "one"),)


def test_both_content_and_contents_of_a_message_are_kept_when_they_differ() -> None:
    found = attributes(
        "llm",
        {
            "llm.input_messages.0.message.content": "first",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "second",
        },
    )
    assert found.messages_in == (Message("user", (Text("first"), Text("second"))),)


GENAI_IN = '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
GENAI_OUT = (
    '[{"role":"assistant","parts":[{"type":"thinking","content":"hm"},{"type":"tool_call","id":"1","name":"f",'
    '"arguments":"{}"}],"finish_reason":"tool_call"}]'
)


def test_genai_messages_settings_and_tools() -> None:
    found = attributes(
        "llm",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.output.type": "json",
            "gen_ai.system_instructions": '[{"type":"text","content":"be kind"}]',
            "gen_ai.input.messages": GENAI_IN,
            "gen_ai.output.messages": GENAI_OUT,
            "gen_ai.tool.definitions": '[{"type":"function","name":"f","parameters":{"a":1}}]',
            "gen_ai.usage.input_tokens": "broken",
            "gen_ai.response.id": "r",
        },
    )
    assert found.messages_in == (said("system", "be kind"), said("user", "hi"))
    assert found.messages_out == (
        Message("assistant", (Thinking("hm"), ToolCall("1", "f", {})), finish_reason="tool_call"),
    )
    assert found.tools == (Tool("f", None, {"a": 1}, {"type": "function", "name": "f", "parameters": {"a": 1}}),)
    assert found.settings == {"temperature": 0.2, "output.type": "json"}
    assert (found.model, found.provider, found.finish_reason) == ("gpt", "openai", "tool_call")
    assert found.input == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    assert found.rest == {"gen_ai.usage.input_tokens": "broken", "gen_ai.response.id": "r"}


@pytest.mark.parametrize(
    "written",
    [
        {
            "gen_ai.prompt": '[{"role":"user","content":"hi"}]',
            "gen_ai.completion": '[{"role":"assistant","content":"yo"}]',
        },
        {"gen_ai.prompt": "hi", "gen_ai.completion": "yo"},
        {
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi",
            "gen_ai.completion.0.content": "yo",
        },
    ],
)
def test_older_attributes_are_read(written: dict[str, Any]) -> None:
    found = attributes("llm", written)
    assert (found.messages_in, found.messages_out) == ((said("user", "hi"),), (said("assistant", "yo"),))
    assert found.rest == {}


def test_flattened_tool_calls_of_openllmetry() -> None:
    found = attributes(
        "llm",
        {
            "gen_ai.prompt.0.role": "assistant",
            "gen_ai.prompt.0.tool_calls.0.id": "c1",
            "gen_ai.prompt.0.tool_calls.0.name": "f",
            "gen_ai.prompt.0.tool_calls.0.arguments": '{"a": 1}',
            "gen_ai.prompt.1.role": "tool",
            "gen_ai.prompt.1.tool_call_id": "c1",
            "gen_ai.prompt.1.content": "[1]",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.completion.0.role": "assistant",
            "llm.request.functions.0.name": "f",
            "llm.request.functions.0.parameters": '{"type": "object"}',
        },
    )
    assert found.messages_in == (
        Message("assistant", (ToolCall("c1", "f", {"a": 1}),)),
        Message("tool", (ToolResult("c1", None, [1]),)),
    )
    assert found.messages_out == (Message("assistant", finish_reason="stop"),)
    assert (found.tools[0].name, found.tools[0].parameters) == ("f", {"type": "object"})
    assert found.finish_reason == "stop"


def test_older_events_are_read() -> None:
    events = (
        Event(1, "gen_ai.system.message", {"content": "be kind"}),
        Event(2, "gen_ai.user.message", {"event.body": '{"content": "hi"}'}),
        Event(3, "gen_ai.assistant.message", {"tool_calls": '[{"id":"c1","function":{"name":"f","arguments":"{}"}}]'}),
        Event(4, "gen_ai.tool.message", {"id": "c1", "content": "42"}),
        Event(5, "gen_ai.user.message", {}),
        Event(6, "gen_ai.choice", {"finish_reason": "stop", "message": '{"role":"assistant","content":"yo"}'}),
        Event(7, "gen_ai.choice", {"content": "bare", "tool_calls": '[{"id":"c2","function":{"name":"g"}}]'}),
        Event(8, "exception", {}),
    )
    found = present("llm", SpanPayload(events=events))
    assert found.messages_in == (
        said("system", "be kind"),
        said("user", "hi"),
        Message("assistant", (ToolCall("c1", "f", {}),)),
        Message("tool", (ToolResult("c1", None, "42"),)),
    )
    assert found.messages_out == (
        said("assistant", "yo", finish_reason="stop"),
        Message("assistant", (Text("bare"), ToolCall("c2", "g", None))),
    )
    assert found.finish_reason == "stop"


def test_content_events_and_operation_details_are_read() -> None:
    content = (
        Event(1, "gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"user","content":"hi"}]'}),
        Event(2, "gen_ai.content.completion", {"gen_ai.completion": "yo"}),
    )
    details = Event(1, "gen_ai.client.inference.operation.details", {"gen_ai.input.messages": GENAI_IN})
    found = present("llm", SpanPayload(events=content))
    assert (found.messages_in, found.messages_out) == ((said("user", "hi"),), (said("assistant", "yo"),))
    assert present("llm", SpanPayload(events=(details,))).messages_in == (said("user", "hi"),)


def test_a_tool_span_is_a_call() -> None:
    found = attributes(
        "tool",
        {
            "gen_ai.tool.name": "f",
            "gen_ai.tool.description": "does f",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"a": 1}',
            "gen_ai.tool.call.result": '{"b": 2}',
            "tool.parameters": '{"type": "object"}',
        },
    )
    assert found.tool_call == ToolUse("f", {"a": 1}, "does f", "c1", {"type": "object"})
    assert (found.input, found.output, found.rest) == ({"a": 1}, {"b": 2}, {})
    plain = present("tool", SpanPayload(input={"a": 1}, output=3))
    assert (plain.tool_call, plain.input, plain.output) == (ToolUse(arguments={"a": 1}), {"a": 1}, 3)
    odd = attributes("other", {"tool.name": "f", "tool.description": {"text": 1}})
    assert odd.tool_call == ToolUse("f", None, '{"text":1}')
    assert attributes("other", {}).tool_call is None


def test_documents_of_retrievers_and_rerankers() -> None:
    written = {
        "retrieval.documents.10.document.content": "last",
        "retrieval.documents.0.document.id": 7,
        "retrieval.documents.0.document.content": "first",
        "retrieval.documents.0.document.score": "0.5",
        "retrieval.documents.0.document.metadata": '{"file": "a.md"}',
        "retrieval.documents.1.document.metadata.page": 3,
        "gen_ai.retrieval.query.text": "what?",
        "gen_ai.retrieval.top_k": 4,
    }
    found = attributes("retriever", written)
    assert found.documents == (
        Document("7", "first", 0.5, {"file": "a.md"}),
        Document(metadata={"page": 3}),
        Document(content="last"),
    )
    assert (found.input, found.settings, found.rest) == ("what?", {"top_k": 4}, {})
    ranked = attributes(
        "reranker",
        {
            "reranker.input_documents.0.document.content": "a",
            "reranker.output_documents.0.document.content": "b",
            "reranker.query": "q",
        },
    )
    assert (ranked.documents_in, ranked.documents) == ((Document(content="a"),), (Document(content="b"),))
    genai = attributes("retriever", {"gen_ai.retrieval.documents": '[{"id": "x", "score": 1}]'})
    assert genai.documents == (Document("x", None, 1.0),)


@pytest.mark.parametrize(
    ("output", "documents"),
    [
        ([{"page_content": "a", "metadata": {"k": 1}}], (Document(content="a", metadata={"k": 1}),)),
        ({"documents": [{"text": "a", "relevance_score": 0.5}]}, (Document(content="a", score=0.5),)),
        (["a", "b"], ()),
        ([{"x": 1}], ()),
        ("text", ()),
        ({}, ()),
    ],
)
def test_documents_in_the_output_of_a_retriever(output: Any, documents: tuple[Document, ...]) -> None:
    assert present("retriever", SpanPayload(output=output)).documents == documents
    assert present("chain", SpanPayload(output=output)).documents == ()


def test_embedded_texts_are_listed_and_vectors_stay_in_the_rest() -> None:
    found = attributes(
        "embedding",
        {
            "embedding.embeddings.0.embedding.text": "a",
            "embedding.embeddings.0.embedding.vector": [0.5],
            "embedding.embeddings.1.embedding.text": 3,
            "embedding.invocation_parameters": "odd",
        },
    )
    assert found.embeddings == ("a",)
    assert found.settings == {"invocation_parameters": "odd"}
    assert list(found.rest) == ["embedding.embeddings.0.embedding.vector", "embedding.embeddings.1.embedding.text"]
    assert present("embedding", SpanPayload(input="a")).embeddings == ("a",)
    assert present("embedding", SpanPayload(input={"input": ["a", "b"]})).embeddings == ("a", "b")
    assert present("embedding", SpanPayload(input=[1])).embeddings == ()
    assert attributes("embedding", {"gen_ai.prompt.0.content": "a"}).embeddings == ("a",)


def test_named_prompts_and_their_variables() -> None:
    found = attributes("llm", {"gen_ai.prompt.name": "p", "gen_ai.prompt.version": "2", "gen_ai.prompt.variable.x": 1})
    assert found.prompt_template == PromptTemplate(variables={"x": 1}, version="2", name="p")
    assert found.rest == {}


def test_tools_in_the_request_itself() -> None:
    request = {"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "input_schema": {}}, "odd"]}
    assert [tool.name for tool in present("llm", SpanPayload(input=request)).tools] == ["f"]


def test_what_is_not_understood_stays_in_the_rest() -> None:
    odd = {
        "gen_ai.input.messages": "free text",
        "gen_ai.tool.definitions": "free text",
        "gen_ai.system_instructions": "",
        "llm.input_messages.x.message.role": "user",
        "llm.input_messages.12345678901.message.role": "user",
        "gen_ai.retrieval.documents": 3,
    }
    assert attributes("llm", odd).rest == odd


def test_the_files_kept_here_are_understood() -> None:
    parts = list(open_parts(OWN / "pydantic-ai-v2.pb"))
    call, tool, agent = of(parts[3]), of(parts[1]), of(parts[8])
    assert [message.role for message in call.messages_in] == ["system", "user", "assistant", "user"]
    assert call.messages_in[2].content == (
        Thinking("The user wants weather; I should call the tool."),
        ToolCall("t1", "weather", {"city": "München"}),
        ToolCall("t2", "weather", {"city": ""}),
    )
    assert call.messages_in[3].content == (
        ToolResult("t1", "weather", {"city": "München", "temp": 18.0, "note": "naïve café"}),
        ToolResult("t2", "weather", "city must not be empty"),
    )
    assert call.messages_out == (Message("assistant", (ToolCall("t3", "delegate", {"question": "Is it nice?"}),)),)
    assert [tool.name for tool in call.tools] == ["weather", "delegate"]
    assert tool.tool_call == ToolUse("weather", {"city": "München"}, id="t1")
    assert tool.output == {"city": "München", "temp": 18.0, "note": "naïve café"}
    assert agent.messages_in[-1].text == agent.output == "In München it is 18 °C ☀️"


SENTENCE = "It is 18 °C and cloudy in Zürich — 東京は晴れ ☀️. The sum is 42."


@pytest.mark.parametrize("name", ["openai-openinference.pb", "openai-otel-genai.pb", "openai-traceloop-old.pb"])
def test_one_program_reads_the_same_in_three_dialects(shared: Path, name: str) -> None:
    plain, asked, answered, *_ = [of(part) for part in open_parts(shared / "data" / "live" / name)]
    question = (
        said("system", "Answer briefly. Réponds en une phrase."),
        said("user", "What is the weather in Zürich?"),
    )
    call = ToolCall("call_2", "get_weather", {"city": "Zürich", "unit": "C"})
    assert plain.messages_in == question
    assert [message.text for message in plain.messages_out] == [SENTENCE]
    assert plain.model == "gpt-4o-mini-2026-01-01"
    assert plain.settings == {"max_tokens": 64, "temperature": 0.2, "top_p": 0.9}
    assert plain.finish_reason == "stop"
    assert (plain.usage.input_tokens, plain.usage.output_tokens, plain.usage.cache_read_tokens) == (63, 17, 32)
    assert [message.content for message in asked.messages_out] == [(call,)]
    assert [(tool.name, tool.description) for tool in asked.tools] == [("get_weather", "Weather for a city")]
    assert answered.messages_in == (
        said("user", "Use the tool for Zürich"),
        Message("assistant", (call,)),
        Message("tool", (ToolResult("call_2", None, {"temp": 18, "unit": "C"}),)),
    )


def test_pictures_and_embeddings_of_real_runs(shared: Path) -> None:
    live = shared / "data" / "live"
    for name in ("openai-openinference.pb", "openai-otel-genai.pb"):
        (message,) = of(list(open_parts(live / name))[5]).messages_in
        assert message.text == "What is in this picture?"
        assert isinstance(message.content[1], Image)
        assert (message.content[1].mime, message.content[1].size) == ("image/png", 70)
    for name in ("openai-openinference.pb", "openai-traceloop-old.pb"):
        found = of(list(open_parts(live / name))[6])
        assert (found.embeddings, found.messages_in) == (("hello", "wörld"), ())


def test_agents_retrievers_and_prompts_of_real_runs(shared: Path) -> None:
    live = shared / "data" / "live"
    langchain = {part.name: of(part) for part in open_parts(live / "langchain-agent.pb")}
    assert langchain["LangGraph"].messages_in[-1].role == "user"
    assert langchain["ChatPromptTemplate"].prompt_template == PromptTemplate(
        "Use the context:\n{context}", {"context": ""}
    )
    retrievers = [of(part) for part in open_parts(live / "llama-index-rag.pb") if facts(part).kind == "retriever"]
    four = next(found for found in retrievers if len(found.documents) == 4)
    assert four.documents[1].metadata == {"file": "doc1.md"}
    assert four.documents[1].score == 1.0
    assert str(four.documents[1].content).startswith("Ünïcödé document 1.")
    smol = [of(part) for part in open_parts(live / "smolagents.pb")]
    assert smol[0].messages_in[1] == said("user", "New task:\nHow many people live in Zürich?")
    assert smol[1].tool_call == ToolUse(
        "lookup",
        {"args": ["Zürich"], "sanitize_inputs_outputs": False, "kwargs": {}},
        "Look up a city.",
        None,
        {"city": {"type": "string", "description": "the city"}},
    )
    assert smol[1].output == "Zürich has 421 878 inhabitants"
    phoenix = [of(part) for part in open_parts(live / "phoenix-rag.otlp.json")]
    assert [found.documents for found in phoenix if found.documents]


def test_every_real_payload_is_presented_and_written_as_json(shared: Path) -> None:
    for path in sorted((shared / "data" / "live").glob("*.json")):
        if "resourceSpans" not in path.read_text(encoding="utf-8")[:100]:
            continue
        for part in open_parts(path):
            assert msgspec.json.encode(of(part))


KEYS = [
    "input.value",
    "input.mime_type",
    "output.value",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.prompt.0.content",
    "gen_ai.prompt.0.tool_calls.0.name",
    "gen_ai.prompt.0.tool_call_id",
    "gen_ai.tool.definitions",
    "gen_ai.tool.name",
    "gen_ai.tool.call.arguments",
    "gen_ai.response.finish_reasons",
    "gen_ai.retrieval.documents",
    "gen_ai.prompt.name",
    "llm.input_messages",
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages.0.message.contents.0.message_content.type",
    "llm.input_messages.0.message.contents.0.message_content.text",
    "llm.input_messages.0.message.contents.0.message_content.image.image.url",
    "llm.input_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.prompts",
    "llm.tools.0.tool.json_schema",
    "llm.invocation_parameters",
    "llm.prompt_template.variables",
    "retrieval.documents.0.document.metadata",
    "embedding.embeddings.0.embedding.text",
    "event.body",
    "message",
    "content",
    "tool_calls",
]
WORDS = [
    *[
        "role",
        "content",
        "parts",
        "type",
        "messages",
        "system",
        "input",
        "choices",
        "message",
        "tool_calls",
        "function",
    ],
    *["name", "arguments", "id", "data", "kwargs", "lc", "source", "url", "documents", "text", "generations", "output"],
    *[
        "image_url",
        "image",
        "thinking",
        "reasoning",
        "summary",
        "functionCall",
        "inlineData",
        "text",
        "tool_use",
        "blob",
    ],
]
wild = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary()
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
        | inner.filter(lambda value: not isinstance(value, bytes)).map(
            lambda value: msgspec.json.encode(value).decode()
        )
    ),
    max_leaves=10,
)
wild_attributes = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), wild, max_size=8)
EVENTS = [
    *["gen_ai.user.message", "gen_ai.tool.message", "gen_ai.choice", "gen_ai.content.prompt"],
    *["gen_ai.content.completion", "gen_ai.client.inference.operation.details"],
]


@given(
    kind=st.sampled_from(KINDS),
    attributes=wild_attributes,
    said_in=wild,
    said_out=wild,
    events=st.lists(st.builds(Event, st.just(1), st.sampled_from(EVENTS), wild_attributes), max_size=3),
)
def test_no_payload_however_wild_breaks_it(
    kind: str, attributes: Any, said_in: Any, said_out: Any, events: list[Event]
) -> None:
    payload = SpanPayload(attributes=attributes, input=said_in, output=said_out, events=tuple(events))
    found = present(kind, payload)
    assert repr(input_and_output(kind, payload)) == repr((found.input, found.output))
    assert found.rest.items() <= attributes.items() or any(value != value for value in attributes.values())
    for message in (*found.messages_in, *found.messages_out):
        assert isinstance(message.role, str)
        assert isinstance(message.text, str)
