"""The normal form of a span's payload that inspectors and `traceview show --json` read, whatever dialect it came in."""

from __future__ import annotations

from typing import Any

import msgspec


class Text(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """Plain text said by someone."""

    text: str


class Thinking(msgspec.Struct, frozen=True, tag_field="type", tag="thinking"):
    """What the model thought before it answered. Providers may hide it: then `text` is empty."""

    text: str


class ToolCall(msgspec.Struct, frozen=True, tag_field="type", tag="tool_call"):
    """The model asks for a tool. `arguments` are decoded where they are JSON, else the text as it came."""

    id: str | None
    name: str | None
    arguments: Any = None


class ToolResult(msgspec.Struct, frozen=True, tag_field="type", tag="tool_result"):
    """What a tool answered to the call `id`."""

    id: str | None
    name: str | None
    content: Any = None


class Image(msgspec.Struct, frozen=True, tag_field="type", tag="image"):
    """A picture or other medium: by address (`uri`, which is never loaded) or by `data` of `size` bytes in base64."""

    uri: str | None = None
    mime: str | None = None
    size: int | None = None
    data: str | None = None


class Other(msgspec.Struct, frozen=True, tag_field="type", tag="other"):
    """A part of a kind that we don't know, as it came."""

    value: Any = None


Content = Text | Thinking | ToolCall | ToolResult | Image | Other


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a chat. `role` is lower case: system, user, assistant, tool, or whatever the program wrote.

    `left_out` messages came after this one, the last that is there: the program's size limit took them. None: some.
    """

    role: str
    content: tuple[Content, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    left_out: int | None = 0

    @property
    def text(self) -> str:
        """All its plain text, one paragraph per part."""
        return "\n".join(part.text for part in self.content if isinstance(part, Text))


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool that the model was offered. `parameters` is its JSON schema; `definition` the whole as it came."""

    name: str | None
    description: str | None = None
    parameters: Any = None
    definition: Any = None


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document that was retrieved or ranked."""

    id: str | None = None
    content: Any = None
    score: float | None = None
    metadata: dict[str, Any] = {}


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of the call; cached and reasoning tokens are contained in input and output."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class PromptTemplate(msgspec.Struct, frozen=True, omit_defaults=True):
    """The template a prompt was made from."""

    template: str | None = None
    variables: dict[str, Any] = {}
    version: str | None = None
    name: str | None = None


class ToolUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The call that a tool span is. `parameters` is the tool's schema where the span carries it."""

    name: str | None = None
    arguments: Any = None
    description: str | None = None
    id: str | None = None
    parameters: Any = None


class Presented(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A payload in normal form. What is unknown is None or empty.

    `input` and `output` are decoded: JSON becomes its value, all else is text. `documents_in` are a reranker's
    candidates, `documents` what a retriever or reranker gave back. `rest` holds the attributes that are shown nowhere
    else here.
    """

    input: Any = None
    output: Any = None
    input_mime: str | None = None
    output_mime: str | None = None
    messages_in: tuple[Message, ...] = ()
    messages_out: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    model: str | None = None
    provider: str | None = None
    settings: dict[str, Any] = {}
    finish_reason: str | None = None
    usage: Usage = Usage()
    cost_usd: float | None = None
    documents_in: tuple[Document, ...] = ()
    documents: tuple[Document, ...] = ()
    embeddings: tuple[str, ...] = ()
    prompt_template: PromptTemplate | None = None
    tool_call: ToolUse | None = None
    rest: dict[str, Any] = {}
