"""One line of what a person would call a span's input: the last thing the user said, the query, the arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from traceview.conventions.tracers import INPUT_KEYS
from traceview.conventions.values import compact, decoded, looks_like_json, one_line
from traceview.protocol.records import SpanPart

# Decoding JSON costs about 2 µs per KiB; beyond this the head of the text must do.
_MAX_DECODED: Final = 256 * 1024

_USER_ROLES: Final = ("user", "human")  # no set: a role may be anything, unhashable too
_QUESTION_KEYS: Final = ("input", "query", "question", "prompt", "message", "text", "content", "task", "query_str")
_CHAT_KEYS: Final = ("messages", "contents", "chat_history")
_TEXT_KEYS: Final = (
    "gen_ai.retrieval.query.text",
    "gen_ai.tool.call.arguments",
    "gen_ai.prompt",
    "gen_ai.memory.query.text",
    "reranker.query",
    "tool.parameters",
    "tool_arguments",
    "pydantic_ai.all_messages",
)
_MESSAGE_PREFIX: Final = "llm.input_messages."
_OLD_PREFIX: Final = "gen_ai.prompt."


def preview_of(part: SpanPart, has_dialect: bool) -> str | None:
    """One line of at most 200 characters, or None where the span has no input."""
    if part.input is not None:
        return _line(part.input)
    attributes = part.attributes
    if has_dialect:
        chat = attributes.get("gen_ai.input.messages")
        if chat:
            return _line(chat)
        flattened = _last_user(attributes, _MESSAGE_PREFIX, "message.") or _last_user(attributes, _OLD_PREFIX, "")
        if flattened:
            return one_line(flattened)
    for key in ("input.value", *INPUT_KEYS):
        if key in attributes and attributes[key] not in (None, ""):
            return _line(attributes[key])
    if has_dialect:
        for key in _TEXT_KEYS:
            if attributes.get(key):
                return _line(attributes[key])
    return None


def _line(value: Any) -> str | None:
    if isinstance(value, str) and (len(value) > _MAX_DECODED or not looks_like_json(value)):
        return one_line(value) or None
    value = decoded(value)
    return one_line(_question(value) or compact(value)) or None


def _question(value: Any) -> str | None:
    """The human-meaningful text inside a decoded input; None where only its JSON says it all."""
    if isinstance(value, list | tuple):
        return _last_said(value)
    if not isinstance(value, dict):
        return None
    for key in _CHAT_KEYS:
        chat = value.get(key)
        if isinstance(chat, list | tuple):
            said = _last_said(chat[0] if len(chat) == 1 and isinstance(chat[0], list) else chat)
            if said:
                return said
    for key in _QUESTION_KEYS:
        found = value.get(key)
        if isinstance(found, str) and found.strip():
            return found
        if key == "input" and isinstance(found, list | tuple):
            texts = [item for item in found if isinstance(item, str)]
            return ", ".join(texts) if texts else _last_said(found)
    wrapped = next(iter(value.values()), None) if len(value) == 1 else None
    return _question(wrapped) if isinstance(wrapped, dict) else None


def _last_said(chat: Iterable[Any]) -> str | None:
    """The last user message of a chat; where no user speaks, the last message with text."""
    fallback = None
    for message in reversed(list(chat)):
        if not isinstance(message, dict):
            continue
        body = message.get("kwargs") or message.get("data") or message  # LangChain's two ways to serialise
        if not isinstance(body, dict):
            continue
        role = message.get("role") or body.get("role") or body.get("type") or message.get("type")
        if role is None:
            continue
        said = _plain(body.get("content", body.get("parts")))
        if said and role in _USER_ROLES:
            return said
        fallback = fallback or said
    return fallback


def _plain(content: Any) -> str | None:
    """The text of a message's content: a string, or the last text among its parts."""
    if isinstance(content, str):
        return content if content.strip() else None
    if not isinstance(content, list | tuple):
        return None
    for piece in reversed(content):
        found = piece
        if isinstance(piece, dict):  # a blob has `content` too: its bytes in base64
            found = piece.get("content") if piece.get("type") == "text" and "content" in piece else piece.get("text")
        if isinstance(found, str) and found.strip():
            return found
    return None


def _last_user(attributes: dict[str, Any], prefix: str, middle: str) -> str | None:
    """The text of the last user message among attributes flattened as `<prefix><i>.<middle>role`."""
    ending = "." + middle + "role"
    if not any(f"{prefix}{index}{ending}" in attributes for index in (0, 1, 2)):  # most spans have none: 1 µs saved
        return None
    best = -1
    for key, value in attributes.items():
        if key.startswith(prefix) and key.endswith(ending) and value in _USER_ROLES:
            index = key[len(prefix) : -len(ending)]
            if index.isdecimal() and int(index[:9]) > best:
                best = int(index[:9])
    if best < 0:
        return None
    stem = f"{prefix}{best}.{middle}"
    content = attributes.get(stem + "content")
    if content:
        return _plain(decoded(content)) or compact(content)
    texts = [
        value
        for key, value in attributes.items()
        if key.startswith(stem + "contents.") and key.endswith("message_content.text") and isinstance(value, str)
    ]
    return texts[-1] if texts else None
