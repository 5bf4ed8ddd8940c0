"""OpenInference's flattened attributes: messages, tools, documents, embeddings, prompt templates.

Source: Arize-ai/openinference, spec/semantic_conventions.md.
"""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions.bag import Bag, grouped
from traceview.conventions.content import contents_of, image_of, part_of
from traceview.conventions.presented import (
    Content,
    Document,
    Message,
    PromptTemplate,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from traceview.conventions.values import decoded, decoded_dict, decoded_list, number_of, text_of

_DOCUMENT_KEYS: Final = frozenset({"content", "page_content", "text", "document", "score", "relevance_score"})


def take_messages(bag: Bag, name: str) -> tuple[Message, ...]:
    """The messages under `llm.input_messages` or `llm.output_messages`; for plain completions, their texts."""
    found = tuple([_message(item) for item in bag.take_list(name, "message")])
    if found:
        return found
    if name == "llm.input_messages":
        return _texts(bag, "llm.prompts", "prompt.text", "user")
    return _texts(bag, "llm.choices", "completion.text", "assistant")


def _texts(bag: Bag, name: str, key: str, role: str) -> tuple[Message, ...]:
    """The texts of a completion that is no chat: a list of strings, or flattened as `<name>.<i>.<key>`."""
    flat = [item.get(key) for item in bag.take_list(name)]
    texts = flat or bag.read(name, decoded_list) or []
    return tuple([Message(role, contents_of(text)) for text in texts if isinstance(text, str)])


def _message(item: dict[str, Any]) -> Message:
    role = (text_of(item.get("message.role")) or "").lower()
    name = text_of(item.get("message.name"))
    call_id = text_of(item.get("message.tool_call_id"))
    content = item.get("message.content")
    parts: list[Content] = []
    if call_id is not None or role == "tool":
        if content not in (None, ""):
            parts.append(ToolResult(call_id, name, decoded(content)))
        content = None
    told = [_part(piece) for _, piece in grouped(item, "message.contents.")]
    if content not in (None, "") and Text(str(content)) not in told:  # both may be there, saying the same
        parts.extend(contents_of(content))
    parts.extend(told)
    parts.extend(_calls(item))
    return Message(role or "user", tuple(parts), name, text_of(item.get("message.finish_reason")))


def _part(piece: dict[str, Any]) -> Content:
    short = {key.removeprefix("message_content."): value for key, value in piece.items()}
    address = short.get("image.image.url") or short.get("image.url")
    if isinstance(address, str):
        return image_of(address)
    if short.get("type") in ("reasoning", "thinking", "redacted_thinking", "redacted_reasoning"):
        text = short.get("text")
        return Thinking(text if isinstance(text, str) else "")
    return part_of(short)


def _calls(item: dict[str, Any]) -> list[Content]:
    found: list[Content] = []
    for _, call in grouped(item, "message.tool_calls."):
        arguments = decoded(call.get("tool_call.function.arguments"))
        found.append(
            ToolCall(text_of(call.get("tool_call.id")), text_of(call.get("tool_call.function.name")), arguments)
        )
    name = text_of(item.get("message.function_call_name"))
    if name is not None:
        found.append(ToolCall(None, name, decoded(item.get("message.function_call_arguments_json"))))
    return found


def take_tools(bag: Bag) -> tuple[Tool, ...]:
    """The tools that the model was offered, from their JSON schemas."""
    return tuple(tool_of(item.get("tool.json_schema")) for item in bag.take_list("llm.tools", "tool"))


def tool_of(definition: Any) -> Tool:
    """A tool's definition in OpenAI's, Anthropic's or the GenAI conventions' shape."""
    whole = decoded(definition)
    if not isinstance(whole, dict):
        return Tool(text_of(whole), definition=whole)
    function = whole.get("function")
    inner = function if isinstance(function, dict) else whole
    description = inner.get("description")
    return Tool(
        name=text_of(inner.get("name")) or text_of(whole.get("type")),
        description=description if isinstance(description, str) else None,
        parameters=decoded(inner.get("parameters", inner.get("input_schema", inner.get("inputSchema")))),
        definition=whole,
    )


def take_documents(bag: Bag, name: str) -> tuple[Document, ...]:
    """The documents under `retrieval.documents` or `reranker.{input,output}_documents`."""
    found = []
    for item in bag.take_list(name, "document"):
        short = {key.removeprefix("document."): value for key, value in item.items()}
        nested = {key.removeprefix("metadata."): value for key, value in short.items() if key.startswith("metadata.")}
        found.append(document_of({**short, "metadata": short.get("metadata", nested)}))
    return tuple(found)


def documents_of(value: Any) -> tuple[Document, ...]:
    """The documents in a decoded value: a list of dicts, also inside `documents`; () where there are none."""
    value = decoded(value)
    if isinstance(value, dict):
        value = value.get("documents")
    items = value if isinstance(value, list | tuple) else ()
    if not items or not all(isinstance(item, dict) and item.keys() & _DOCUMENT_KEYS for item in items):
        return ()
    return tuple([document_of(item) for item in items])


def document_of(value: dict[Any, Any]) -> Document:
    """A document from a dict with `content` (or `page_content`, `text`), `id`, `score`, `metadata`."""
    content = next((value[key] for key in ("content", "page_content", "text", "document") if key in value), None)
    return Document(
        id=text_of(value.get("id")),
        content=content,
        score=number_of(value.get("score", value.get("relevance_score"))),
        metadata=decoded_dict(value.get("metadata")),
    )


def take_embeddings(bag: Bag) -> tuple[str, ...]:
    """The texts that were embedded; their vectors stay among the rest."""
    texts = []
    for index, item in grouped(bag.attributes, "embedding.embeddings."):
        text = item.get("embedding.text")
        if isinstance(text, str):
            bag.mark([f"embedding.embeddings.{index}.embedding.text"])
            texts.append(text)
    return tuple(texts)


def take_template(bag: Bag) -> PromptTemplate | None:
    """The prompt's template with its variables."""
    template = bag.take("llm.prompt_template.template")
    variables = bag.take("llm.prompt_template.variables")
    version = bag.take("llm.prompt_template.version")
    if template is None and variables is None:
        return None
    return PromptTemplate(
        template=template if isinstance(template, str) else None,
        variables=decoded_dict(variables),
        version=text_of(version),
    )
