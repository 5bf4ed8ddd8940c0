"""The OpenTelemetry GenAI conventions, newest and older: messages as JSON, as flattened attributes, as span events.

Sources: open-telemetry/semantic-conventions-genai (docs/gen-ai), and before it semconv 1.26 to 1.41, whose events
gen_ai.<role>.message and gen_ai.choice carried the content; OpenLLMetry's gen_ai.prompt.<i>.*.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from traceview.conventions.bag import Bag, grouped
from traceview.conventions.content import contents_of, tool_call_of
from traceview.conventions.messages import message_of, messages_of
from traceview.conventions.openinference import documents_of, tool_of
from traceview.conventions.presented import Document, Message, PromptTemplate, Tool, ToolResult
from traceview.conventions.values import decoded, decoded_dict, decoded_list, text_of
from traceview.protocol.records import Event

_OLD_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def take_messages_in(bag: Bag) -> tuple[Message, ...]:
    """The input messages with the system instructions before them."""
    system = bag.read("gen_ai.system_instructions", _instructions) or ()
    found = bag.read("gen_ai.input.messages", messages_of) or _flattened(bag, "gen_ai.prompt.")
    return (*system, *(found or bag.read("gen_ai.prompt", partial(_old_text, role="user")) or ()))


def take_messages_out(bag: Bag) -> tuple[Message, ...]:
    """The output messages."""
    found = bag.read("gen_ai.output.messages", messages_of) or _flattened(bag, "gen_ai.completion.")
    return found or bag.read("gen_ai.completion", partial(_old_text, role="assistant")) or ()


def _instructions(value: Any) -> tuple[Message, ...]:
    content = contents_of(decoded(value))
    return (Message("system", content),) if content else ()


def _old_text(value: Any, role: str) -> tuple[Message, ...]:
    """Messages encoded as JSON, or the bare text of one."""
    found = messages_of(value)
    content = () if found else contents_of(value)
    return (Message(role, content),) if content else found


def _flattened(bag: Bag, prefix: str) -> tuple[Message, ...]:
    """OpenLLMetry's `gen_ai.prompt.<i>.{role,content,tool_calls.<k>.*,tool_call_id}`."""
    found = []
    for index, item in grouped(bag.attributes, prefix):
        bag.mark(f"{prefix}{index}.{key}" for key in item)
        role = (text_of(item.get("role")) or ("assistant" if "completion" in prefix else "user")).lower()
        call_id = text_of(item.get("tool_call_id"))
        content = item.get("content")
        if call_id is not None:
            parts: list[Any] = [ToolResult(call_id, text_of(item.get("name")), decoded(content))]
        else:
            parts = list(contents_of(content))
        parts.extend(tool_call_of(call) for _, call in grouped(item, "tool_calls."))
        found.append(Message(role, tuple(parts), text_of(item.get("name")), text_of(item.get("finish_reason"))))
    return tuple(found)


def messages_of_events(events: Iterable[Event]) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages in and out that older instrumentations wrote as span events."""
    before: list[Message] = []
    after: list[Message] = []
    for event in events:
        attributes = event.attributes
        if event.name in _OLD_ROLES:
            before.extend(_of_event(attributes, _OLD_ROLES[event.name]))
        elif event.name == "gen_ai.choice":
            after.extend(_of_choice(attributes))
        elif event.name == "gen_ai.content.prompt":
            before.extend(_old_text(attributes.get("gen_ai.prompt"), role="user"))
        elif event.name == "gen_ai.content.completion":
            after.extend(_old_text(attributes.get("gen_ai.completion"), role="assistant"))
        elif event.name == "gen_ai.client.inference.operation.details":
            bag = Bag(attributes)
            before.extend(take_messages_in(bag))
            after.extend(take_messages_out(bag))
    return tuple(before), tuple(after)


def _of_event(attributes: dict[str, Any], role: str) -> list[Message]:
    body = {**attributes, **decoded_dict(attributes.get("event.body"))}
    calls = decoded(body.get("tool_calls"))
    message = message_of(
        {**body, "role": body.get("role") or role, "content": body.get("content"), "tool_calls": calls}
    )
    return [] if message is None or not message.content else [message]


def _of_choice(attributes: dict[str, Any]) -> list[Message]:
    body = {**attributes, **decoded_dict(attributes.get("event.body"))}
    message = decoded(body.get("message", body.get("content")))
    inner = message if isinstance(message, dict) else {"content": message}
    if "tool_calls" in body and "tool_calls" not in inner:
        inner = {**inner, "tool_calls": decoded(body["tool_calls"])}
    found = message_of({"role": "assistant", "content": None, **inner})
    reason = text_of(body.get("finish_reason"))
    return [] if found is None else [msgspec.structs.replace(found, finish_reason=reason or found.finish_reason)]


def take_tools(bag: Bag) -> tuple[Tool, ...]:
    """The tools that the model was offered; OpenLLMetry flattened them as `llm.request.functions.<i>.*`."""
    found = bag.read("gen_ai.tool.definitions", decoded_list) or bag.take_list("llm.request.functions")
    return tuple([tool_of(item) for item in found])


def take_documents(bag: Bag) -> tuple[Document, ...]:
    """The documents of a retrieval."""
    return bag.read("gen_ai.retrieval.documents", documents_of) or ()


def take_template(bag: Bag) -> PromptTemplate | None:
    """The named prompt and its variables."""
    name, version = bag.take("gen_ai.prompt.name"), bag.take("gen_ai.prompt.version")
    variables = bag.take_prefixed("gen_ai.prompt.variable.")
    if name is None and not variables:
        return None
    return PromptTemplate(variables=variables, version=text_of(version), name=text_of(name))


def take_settings(bag: Bag) -> dict[str, Any]:
    """What was asked of the model: temperature, limits, seed …, by their short names."""
    found = bag.take_prefixed("gen_ai.request.")
    found.pop("model", None)
    kind = bag.take("gen_ai.output.type")
    return found if kind is None else {**found, "output.type": kind}
