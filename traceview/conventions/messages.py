"""Chat messages in every shape that programs hold them: OpenAI, Anthropic, LangChain, Gemini, GenAI conventions.

Each shape is told by its keys, so one reader serves all: `role` or `type` says who speaks, `content` or `parts` what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from traceview.conventions.content import contents_of, result_of, tool_call_of
from traceview.conventions.losses import CUT_KEY, ends_cut, items_left_out, whole_items
from traceview.conventions.presented import Content, Message, Text, Thinking, ToolResult
from traceview.conventions.values import decoded, text_of

# LangChain calls speakers by the class of the message, Gemini calls the assistant "model".
_ROLES: Final = {
    "human": "user",
    "humanmessage": "user",
    "humanmessagechunk": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "systemmessage": "system",
    "systemmessagechunk": "system",
    "toolmessage": "tool",
    "toolmessagechunk": "tool",
    "functionmessage": "tool",
    "chatmessage": "user",
}
_SPEAKERS: Final = frozenset({"system", "user", "assistant", "tool", "developer", "function"})
_BODY_KEYS: Final = ("content", "parts", "tool_calls", "function_call", "contents")
_REASONING_KEYS: Final = ("reasoning_content", "reasoning", "thinking")
_MAX_MESSAGES: Final = 100_000


def messages_of(value: Any, role: str = "user") -> tuple[Message, ...]:
    """The chat that a decoded value is or contains, () where it is none. A bare string is said by `role` if given.

    Understood: a list of messages (or of one such list), one message, a request (`messages`, `contents`, `input` with
    `system` or `instructions`), a response (`choices`, `output`, `generations`, `candidates`), a graph's state. Of a
    list that our SDK has cut, the messages that are there.
    """
    value = decoded(value)
    if isinstance(value, list | tuple):
        return _of_list(value)
    if isinstance(value, str):
        return _with_more(_of_list(whole_items(value)), None)
    if not isinstance(value, dict):
        return ()
    message = message_of(value)
    if message is not None:
        return (message,)
    for key in ("messages", "contents", "input", "output"):
        inner = value.get(key)
        if isinstance(inner, list | tuple):
            found = _of_list(inner)
            if found:
                return _instructions(value) + found
        elif isinstance(inner, str) and inner and "instructions" in value:
            return (*_instructions(value), Message("user", contents_of(inner)))
    return _of_response(value)


def _of_list(items: Sequence[Any]) -> tuple[Message, ...]:
    if len(items) == 1 and isinstance(items[0], list | tuple) and not _is_pair(items[0]):
        items = items[0]
    missing = items_left_out(items[-1]) if items else 0
    items = items[:-1] if missing else items
    found: list[Message] = []
    for item in items[:_MAX_MESSAGES]:
        if _is_pair(item):  # LangChain's shorthand: ["user", "What is …?"]
            item = {"role": item[0], "content": item[1]}
        message = message_of(item) if isinstance(item, dict) else None
        if message is None and found and item is items[-1] and ends_cut(item):  # cut before it said anything
            missing += 1
        elif message is None:
            return ()
        else:
            found.append(message)
    return _with_more(tuple(found), missing)


def _with_more(found: tuple[Message, ...], left_out: int | None) -> tuple[Message, ...]:
    """The messages, the last of which knows how many were cut after it."""
    if not found or left_out == 0:
        return found
    return (*found[:-1], msgspec.structs.replace(found[-1], left_out=left_out))


def _is_pair(item: Any) -> bool:
    if not isinstance(item, list | tuple) or len(item) != 2 or not isinstance(item[0], str):
        return False
    return isinstance(item[1], str) and item[0].lower() in _SPEAKERS | _ROLES.keys()


def _instructions(request: dict[Any, Any]) -> tuple[Message, ...]:
    """The system prompt that some APIs take beside the messages."""
    for key in ("system", "instructions", "system_instruction"):
        text = request.get(key)
        if text:
            body = text.get("parts", text) if isinstance(text, dict) else text
            return (Message("system", contents_of(body)),)
    return ()


def _of_response(value: dict[Any, Any]) -> tuple[Message, ...]:
    choices = value.get("choices") or value.get("candidates")
    generations = value.get("generations")
    if isinstance(generations, list) and generations and isinstance(generations[0], list):
        choices = generations[0]
    if not isinstance(choices, list):
        return ()
    found = []
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        body = choice.get("message") or choice.get("content") or choice.get("text")
        message = message_of(body) if isinstance(body, dict) else None
        if message is None and isinstance(body, str):
            message = Message("assistant", contents_of(body))
        if message is not None:
            reason = text_of(choice.get("finish_reason") or choice.get("finishReason"))
            found.append(Message(message.role, message.content, message.name, reason or message.finish_reason))
    return tuple(found)


def message_of(value: dict[Any, Any]) -> Message | None:
    """One message, or None where a dict is none."""
    value = _unwrapped(value)
    single = _responses_item(value)
    if single is not None:
        return single
    said = value.get("role", value.get("type"))
    if not isinstance(said, str):
        return None
    role = said.strip().lower()
    role = _ROLES.get(role, role)
    if "role" not in value and role not in _SPEAKERS:
        return None
    if not any(key in value for key in _BODY_KEYS) and not any(value.get(key) for key in _REASONING_KEYS):
        return None
    return Message(
        role=role[:40],
        content=tuple(_content_of(value, role)),
        name=text_of(value.get("name")),
        finish_reason=text_of(value.get("finish_reason") or value.get("stop_reason")),
    )


def _unwrapped(value: dict[Any, Any]) -> dict[Any, Any]:
    """LangChain's two ways to serialise a message put it inside `kwargs` or `data`."""
    kwargs, data = value.get("kwargs"), value.get("data")
    if isinstance(kwargs, dict) and "lc" in value:
        path = value.get("id")
        kind = path[-1] if isinstance(path, list) and path else None
        return {"type": kind, **kwargs}
    if isinstance(data, dict) and "content" in data and "type" in value:
        return {"type": value["type"], **data}
    return value


def _responses_item(value: dict[Any, Any]) -> Message | None:
    """An item of OpenAI's Responses API that is no message but stands among them."""
    kind = value.get("type")
    if kind == "function_call":
        return Message("assistant", (tool_call_of(value),))
    if kind == "function_call_output":
        return Message("tool", (result_of(value),))
    if kind == "reasoning" and "role" not in value:
        return Message("assistant", contents_of([value]))
    return None


def _content_of(value: dict[Any, Any], role: str) -> Iterable[Content]:
    for key in _REASONING_KEYS:
        if isinstance(value.get(key), str) and value[key]:
            yield Thinking(value[key])
            break
    body = value.get("parts", value.get("content", value.get("contents")))
    is_result = role in ("tool", "function") and "parts" not in value
    if is_result and not _holds_results(body):
        call_id = text_of(value.get("tool_call_id") or value.get("id"))
        yield ToolResult(call_id, text_of(value.get("name")), decoded(body))
    else:
        yield from contents_of(body)
    calls = value.get("tool_calls")
    if isinstance(calls, list | tuple):
        shown = [part.get("id") for part in body if isinstance(part, dict)] if isinstance(body, list) else []
        for call in calls:
            # LangChain repeats Anthropic's tool_use parts as tool_calls.
            if isinstance(call, dict) and (call.get("id") is None or call.get("id") not in shown):
                yield tool_call_of(call)
            elif items_left_out(call):
                yield Text(call)
    if isinstance(value.get("function_call"), dict):
        yield tool_call_of(value["function_call"])
    if CUT_KEY in value and ends_cut(value):
        yield Text(f"… {value[CUT_KEY]}")


def _holds_results(body: Any) -> bool:
    kinds = ("tool_result", "tool_call_response")
    return isinstance(body, list | tuple) and any(isinstance(part, dict) and part.get("type") in kinds for part in body)
