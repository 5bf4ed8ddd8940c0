"""The parts of a message: text, thinking, tool calls and results, pictures; by their `type`, else by their keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from traceview.conventions.presented import Content, Image, Other, Text, Thinking, ToolCall, ToolResult
from traceview.conventions.values import decoded, text_of

_NOTHING: Final = Text("")


def contents_of(body: Any) -> tuple[Content, ...]:
    """The parts of a message's content, which is text, a list of parts, one part, or nothing."""
    if body is None or body == "":
        return ()
    if isinstance(body, str):
        inner = decoded(body)
        # Some instrumentations encode the list of parts as a string.
        if isinstance(inner, list) and inner and all(isinstance(part, dict) and "type" in part for part in inner):
            return _parts(inner)
        return (Text(body),)
    return _parts(body if isinstance(body, list | tuple) else [body])


def _parts(body: list[Any] | tuple[Any, ...]) -> tuple[Content, ...]:
    parts = [part_of(part) for part in body]
    return tuple([part for part in parts if part != _NOTHING])  # streamed tool calls come with an empty text


def part_of(part: Any) -> Content:
    """One part of a message; what is not understood stays as it is."""
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, dict):
        return Other(part)
    kind = part.get("type")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    found = read(part) if read is not None else _by_keys(part)
    return Other(part) if found is None else found


def tool_call_of(call: dict[Any, Any]) -> ToolCall:
    """A tool call in any API's spelling; arguments are decoded where they are JSON."""
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    name = inner.get("name") if inner is not call or not isinstance(function, str) else function
    for key in ("arguments", "args", "input"):
        if key in inner:
            return ToolCall(_id(call), text_of(name), decoded(inner[key]))
    return ToolCall(_id(call), text_of(name))


def result_of(part: dict[Any, Any]) -> ToolResult:
    """A tool's answer in any API's spelling; JSON in it is decoded."""
    for key in ("response", "result", "output", "content"):
        if key in part:
            return ToolResult(_id(part), text_of(part.get("name")), _plain(decoded(part[key])))
    return ToolResult(_id(part), text_of(part.get("name")))


def image_of(address: str) -> Image:
    """A picture by its address; a data: URI is taken apart."""
    if not address.startswith("data:"):
        return Image(uri=address)
    head, _, data = address[5:].partition(",")
    mime = head.partition(";")[0] or None
    return Image(mime=mime, size=_decoded_size(data) if head.endswith("base64") else len(data), data=data)


def _plain(content: Any) -> Any:
    """Anthropic wraps a tool's answer in text parts: one such part is just its text."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        only = content[0]
        if only.get("type") == "text" and isinstance(only.get("text"), str):
            return decoded(only["text"])
    return content


def _id(part: dict[Any, Any]) -> str | None:
    for key in ("call_id", "tool_call_id", "tool_use_id", "id"):
        if part.get(key):
            return text_of(part[key])
    return None


def _decoded_size(data: str) -> int:
    return max(0, len(data) * 3 // 4 - data.count("=", -2))


def _text(part: dict[Any, Any]) -> Content | None:
    text = part.get("text", part.get("content"))
    return Text(text) if isinstance(text, str) else None


def _thinking(part: dict[Any, Any]) -> Content | None:
    for key in ("thinking", "text", "content", "reasoning", "summary"):
        text = part.get(key)
        if isinstance(text, str) and text:
            return Thinking(text)
        if isinstance(text, list) and text:
            lines = [item.get("text", "") if isinstance(item, dict) else item for item in text]
            return Thinking("\n".join(line for line in lines if isinstance(line, str)))
    return Thinking("")


def _image(part: dict[Any, Any]) -> Content | None:
    for key in ("image_url", "image", "url", "uri", "file_uri", "data"):
        address = part.get(key)
        if isinstance(address, dict):
            address = address.get("url") or address.get("uri")
        if isinstance(address, str) and address:
            return image_of(address)
    source = part.get("source")
    if isinstance(source, dict):
        return _sourced(source)
    return None


def _sourced(source: dict[Any, Any]) -> Content | None:
    if isinstance(source.get("url"), str):
        return Image(uri=source["url"])
    data, mime = source.get("data"), text_of(source.get("media_type"))
    return Image(mime=mime, size=_decoded_size(data), data=data) if isinstance(data, str) else None


def _blob(part: dict[Any, Any]) -> Content | None:
    data = part.get("content", part.get("data"))
    mime = text_of(part.get("mime_type") or part.get("mimeType") or part.get("modality"))
    return Image(mime=mime, size=_decoded_size(data), data=data) if isinstance(data, str) else None


def _uri(part: dict[Any, Any]) -> Content | None:
    address = part.get("uri") or part.get("url")
    return Image(uri=address, mime=text_of(part.get("mime_type"))) if isinstance(address, str) else None


def _by_keys(part: dict[Any, Any]) -> Content | None:
    """Gemini's parts carry no `type`; their only key says what they are."""
    if isinstance(part.get("text"), str):
        return Text(part["text"])
    for key in ("functionCall", "function_call"):
        if isinstance(part.get(key), dict):
            return tool_call_of(part[key])
    for key in ("functionResponse", "function_response"):
        if isinstance(part.get(key), dict):
            return result_of(part[key])
    for key in ("inlineData", "inline_data"):
        if isinstance(part.get(key), dict):
            return _blob(part[key])
    return None


_READERS: Final[dict[str, Callable[[dict[Any, Any]], Content | None]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": lambda part: Text(part["refusal"]) if isinstance(part.get("refusal"), str) else None,
    "thinking": _thinking,
    "redacted_thinking": lambda part: Thinking(""),
    "reasoning": _thinking,
    "tool_call": tool_call_of,
    "tool_use": tool_call_of,
    "server_tool_use": tool_call_of,
    "function_call": tool_call_of,
    "function": tool_call_of,
    "tool_result": result_of,
    "tool_call_response": result_of,
    "function_call_output": result_of,
    "image_url": _image,
    "input_image": _image,
    "image": _image,
    "blob": _blob,
    "uri": _uri,
    "file": _uri,
}
