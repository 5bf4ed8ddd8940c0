"""Chat messages are understood in the shapes of all the APIs, told by their keys alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from traceview.conventions import Content, Image, Message, Other, Text, Thinking, ToolCall, ToolResult
from traceview.conventions.content import contents_of, part_of
from traceview.conventions.messages import message_of, messages_of
from traceview.sdk.cutting import Cutter

HI = Message("user", (Text("hi"),))
CALL = ToolCall("c1", "get_weather", {"city": "Zürich"})
PNG = "iVBORw0KGgo="


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "hi"}],
        [[{"role": "user", "content": "hi"}]],
        [["user", "hi"]],
        [("human", "hi")],
        {"role": "user", "content": "hi"},
        '[{"role": "user", "content": "hi"}]',
        {"messages": [{"role": "user", "content": "hi"}]},
        {"messages": [[{"role": "user", "content": "hi"}]]},
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
        [{"type": "human", "content": "hi"}],
        [{"type": "human", "data": {"content": "hi", "type": "human"}}],
        [{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi"}}],
        [{"type": "HumanMessageChunk", "content": "hi"}],
        [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        [{"role": " USER ", "content": ["hi"]}],
    ],
)
def test_one_message_in_many_shapes(value: Any) -> None:
    assert messages_of(value) == (HI,)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "hi",
        7,
        [],
        {},
        ["hi", "there"],
        [1, 2],
        [{"a": 1}],
        [{"role": "user"}],
        [{"role": "user", "content": "hi"}, "stranger"],
        [{"type": "bicycle", "content": "hi"}],
        [{"role": 3, "content": "hi"}],
        {"messages": [], "input": {}},
        {"choices": [7, {"index": 0}]},
        {"choices": "x"},
        {"generations": [["text"]]},
        [["", ""]],
    ],
)
def test_what_is_no_chat(value: Any) -> None:
    assert messages_of(value) == ()


def test_a_request_brings_its_system_prompt() -> None:
    user = {"role": "user", "content": "hi"}
    system = Message("system", (Text("be kind"),))
    assert messages_of({"system": "be kind", "messages": [user]}) == (system, HI)
    assert messages_of({"system": [{"type": "text", "text": "be kind"}], "messages": [user]}) == (system, HI)
    assert messages_of({"instructions": "be kind", "input": "hi"}) == (system, HI)
    assert messages_of({"system_instruction": {"parts": [{"text": "be kind"}]}, "contents": [user]}) == (system, HI)


@pytest.mark.parametrize(
    ("response", "finish"),
    [
        ({"choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}, "stop"),
        ({"choices": [{"text": "hi"}]}, None),
        ({"role": "assistant", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}, "end_turn"),
        (
            {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}]},
            None,
        ),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}, "STOP"),
        (
            {"generations": [[{"message": {"lc": 1, "id": ["AIMessage"], "kwargs": {"content": "hi"}}, "text": "x"}]]},
            None,
        ),
        ([{"type": "AIMessageChunk", "content": "hi"}], None),
    ],
)
def test_a_response_is_what_the_assistant_said(response: Any, finish: str | None) -> None:
    assert messages_of(response) == (Message("assistant", (Text("hi"),), finish_reason=finish),)


@pytest.mark.parametrize(
    "message",
    [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}}
            ],
        },
        {"type": "ai", "content": "", "tool_calls": [{"name": "get_weather", "args": {"city": "Zürich"}, "id": "c1"}]},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Zürich"}}],
            "tool_calls": [{"name": "get_weather", "args": {"city": "Zürich"}, "id": "c1"}],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Zürich"}}],
        },
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Zürich"}'},
    ],
)
def test_a_tool_call_in_many_shapes(message: dict[str, Any]) -> None:
    assert message_of(message) == Message("assistant", (CALL,))


def test_older_function_calls_and_calls_without_arguments() -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "not json"}}
    assert message_of(old) == Message("assistant", (ToolCall(None, "f", "not json"),))
    assert part_of({"type": "tool_use", "name": "f"}) == ToolCall(None, "f", None)
    assert part_of({"type": "function", "id": "1", "function": "f", "arguments": {}}) == ToolCall("1", "f", {})
    assert part_of({"functionCall": {"name": "f", "args": {"a": 1}}}) == ToolCall(None, "f", {"a": 1})
    odd = {"role": "assistant", "content": ["x", {"id": []}], "tool_calls": ["odd", {"id": []}], "function_call": "odd"}
    assert message_of(odd) == Message("assistant", (Text("x"), Other({"id": []})))


@pytest.mark.parametrize(
    ("message", "role"),
    [
        ({"role": "tool", "tool_call_id": "c1", "content": '{"temp": 18}'}, "tool"),
        ({"type": "ToolMessage", "tool_call_id": "c1", "content": {"temp": 18}}, "tool"),
        ({"role": "function", "id": "c1", "content": '{"temp": 18}'}, "function"),
        (
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": '{"temp": 18}'}]}
                ],
            },
            "user",
        ),
        ({"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": {"temp": 18}}]}, "tool"),
        ({"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": '{"temp": 18}'}]}, "tool"),
        ({"role": "tool", "content": [{"type": "tool_result", "id": "c1", "content": '{"temp": 18}'}]}, "tool"),
        ({"type": "function_call_output", "call_id": "c1", "output": '{"temp": 18}'}, "tool"),
        ({"role": "user", "parts": [{"functionResponse": {"id": "c1", "response": {"temp": 18}}}]}, "user"),
    ],
)
def test_a_tool_result_in_many_shapes(message: dict[str, Any], role: str) -> None:
    assert message_of(message) == Message(role, (ToolResult("c1", None, {"temp": 18}),))


def test_a_tool_result_of_several_parts_stays_a_list() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image"}]
    assert part_of({"type": "tool_result", "content": parts}) == ToolResult(None, None, parts)
    assert part_of({"type": "tool_result"}) == ToolResult(None, None, None)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
        {"role": "assistant", "content": "", "reasoning_content": "hm"},
        {"role": "assistant", "reasoning": "hm"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    ],
)
def test_thinking_in_many_shapes(message: dict[str, Any]) -> None:
    assert message_of(message) == Message("assistant", (Thinking("hm"),))


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, Image(uri="https://x/y.png")),
        ({"type": "input_image", "image_url": "https://x/y.png"}, Image(uri="https://x/y.png")),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            Image(mime="image/png", size=8, data=PNG),
        ),
        ({"type": "image", "image": "data:,plain"}, Image(size=5, data="plain")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            Image(mime="image/png", size=8, data=PNG),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, Image(uri="https://x")),
        ({"type": "image", "source": {}}, Other({"type": "image", "source": {}})),
        (
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": PNG},
            Image(mime="image/png", size=8, data=PNG),
        ),
        ({"inlineData": {"mimeType": "image/png", "data": PNG}}, Image(mime="image/png", size=8, data=PNG)),
        ({"type": "uri", "uri": "gs://x", "mime_type": "audio/wav"}, Image(uri="gs://x", mime="audio/wav")),
        ({"type": "file", "file_id": "f"}, Other({"type": "file", "file_id": "f"})),
        ({"type": "blob"}, Other({"type": "blob"})),
        ({"type": "image"}, Other({"type": "image"})),
        ({"type": "redacted_thinking", "data": "x"}, Thinking("")),
        ({"type": "thinking", "signature": "x"}, Thinking("")),
        ({"type": "refusal", "refusal": "no"}, Text("no")),
        ({"type": "refusal"}, Other({"type": "refusal"})),
        ({"type": "text", "text": 3}, Other({"type": "text", "text": 3})),
        ({"type": ["odd"]}, Other({"type": ["odd"]})),
        ({"type": "future", "x": 1}, Other({"type": "future", "x": 1})),
        ({"text": "gemini"}, Text("gemini")),
        (7, Other(7)),
        (None, Other(None)),
        ("bare", Text("bare")),
    ],
)
def test_parts_of_a_message(part: Any, content: Content) -> None:
    assert part_of(part) == content


def test_content_is_text_or_parts_or_parts_in_a_string() -> None:
    assert contents_of(None) == contents_of("") == contents_of([]) == ()
    assert contents_of('[{"type": "text", "text": "inside"}]') == (Text("inside"),)
    assert contents_of("[1, 2]") == (Text("[1, 2]"),)
    assert contents_of({"type": "text", "text": "alone"}) == (Text("alone"),)
    assert contents_of([{"type": "text", "text": ""}, "said"]) == (Text("said"),)


def test_the_text_of_a_message_joins_its_texts() -> None:
    assert Message("user", (Text("a"), CALL, Text("b"))).text == "a\nb"


def test_names_and_long_roles() -> None:
    assert message_of({"role": "x" * 99, "content": "hi", "name": "bob"}) == Message("x" * 40, (Text("hi"),), "bob")


CALLED = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}}
CHATS: dict[str, list[Any]] = {
    "openai": [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": None, "tool_calls": [CALLED, CALLED]},
        {"content": "18 °C", "role": "tool", "tool_call_id": "c1"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "And tomorrow?"}, {"type": "text", "text": "In Zürich."}],
        },
    ],
    "langchain": [
        {"lc": 1, "type": "constructor", "id": ["langchain", kind], "kwargs": {"content": "hi " * 9, "example": False}}
        for kind in ("SystemMessage", "HumanMessage", "AIMessage", "HumanMessage")
    ],
    "pairs": [["system", "Be kind."], ["user", "What is the weather like in Zürich?"], ["assistant", "18 °C"]],
    "responses": [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city": "Zürich"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "18 °C"},
    ],
}


@pytest.mark.parametrize("shape", CHATS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_of_a_chat_that_our_sdk_cut_anywhere_the_whole_messages_are_there_and_the_rest_is_counted(
    shape: str, wrapped: bool
) -> None:
    chat = CHATS[shape]
    value: Any = {"model": "m", "messages": chat, "tools": [1, 2, 3]} if wrapped else chat
    whole = messages_of(value)
    counts = set()
    for most in range(len(repr(value)) + 200):
        found = messages_of(Cutter(most).cut(value)[0])
        assert found[:-1] == whole[: max(0, len(found) - 1)]
        if found:
            assert len(found) + found[-1].left_out == len(whole)
        counts.add(len(found))
    assert counts == set(range(len(whole) + 1))


@pytest.mark.parametrize("shape", CHATS)
def test_of_a_chat_in_json_that_was_cut_the_whole_messages_are_there(shape: str) -> None:
    whole = messages_of(CHATS[shape])
    text = json.dumps(CHATS[shape])
    counts = set()
    for most in range(len(text)):
        found = messages_of(Cutter(most).cut(text)[0])
        if found:
            assert (*found[:-1], msgspec.structs.replace(found[-1], left_out=0)) == whole[: len(found)]
            assert found[-1].left_out is None
        counts.add(len(found))
    assert counts >= set(range(len(whole)))


def test_what_a_cut_took_of_a_message_is_said_in_it() -> None:
    said = message_of({"role": "assistant", "content": None, "…": "(cut: 1 more)"})
    assert said == Message("assistant", (Text("… (cut: 1 more)"),))
    said = message_of({"role": "assistant", "content": None, "tool_calls": [CALLED, "… (cut: 2 more)"]})
    assert said == Message("assistant", (CALL, Text("… (cut: 2 more)")))


@pytest.mark.parametrize(
    "value",
    [
        ["… (cut: 3 more)"],
        [{"role": "user", "content": "hi"}, "… (cut: many more)"],
        [{"role": "user", "content": "hi"}, "… (cut: 3 more)", {"role": "user", "content": "ho"}],
        [{"role": "user", "content": "hi"}, {"a": "x… (cut: 30 characters)"}, {"role": "user", "content": "ho"}],
        [[{"role": "user", "content": "hi"}], "… (cut: 3 more)"],
        [{"a": 1}, "… (cut: 3 more)"],
    ],
)
def test_a_mark_makes_no_chat_of_what_is_none(value: Any) -> None:
    assert messages_of(value) == ()
