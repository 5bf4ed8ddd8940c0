"""A span's payload in one normal form, whatever dialect its attributes speak. Pure; never raises."""

from __future__ import annotations

from typing import Any, Final

from traceview.conventions import genai, openinference, tracers
from traceview.conventions.bag import Bag
from traceview.conventions.content import contents_of
from traceview.conventions.messages import messages_of
from traceview.conventions.openinference import documents_of, tool_of
from traceview.conventions.presented import Document, Message, Presented, Tool, ToolUse, Usage
from traceview.conventions.stated import COST_KEYS, MODEL_KEYS, PROVIDER_KEYS, TOKEN_KEYS, Stated, stated_by
from traceview.conventions.values import compact, count_of, decoded, decoded_json, money_of, text_of
from traceview.protocol.records import SpanPayload

_CHATTY: Final = frozenset({"llm", "agent", "chain", "prompt", "other"})
_NOT_SETTINGS: Final = frozenset({"model", "messages", "tools", "input", "functions", "instructions", "prompt"})
_TOTALS: Final = ("llm.token_count.total", "gen_ai.usage.total_tokens", "llm.usage.total_tokens")


def present(kind: str, payload: SpanPayload) -> Presented:
    """The payload of a span of this kind (`llm`, `tool` …) in normal form.

    What the program recorded with our SDK comes first, then the GenAI conventions, then OpenInference. Attributes that
    are not understood are kept in `rest`.
    """
    attributes = payload.attributes
    bag = Bag(attributes)
    said_in, mime_in = _said(payload.input, bag, "input")
    said_out, mime_out = _said(payload.output, bag, "output")
    before, after = _messages(kind, payload, bag, said_in, said_out)
    embeddings = openinference.take_embeddings(bag) or _embedded(kind, said_in)
    if kind == "embedding" and not embeddings:  # OpenLLMetry writes the texts as if they were a chat
        embeddings, before = tuple([message.text for message in before]), ()
    tool_call = _tool_call(kind, bag, said_in)
    documents_in, documents = _documents(kind, bag, said_out)
    _mark_facts(bag)
    stated = stated_by(attributes)
    return Presented(
        input=_input(bag, said_in, tool_call, before),
        output=_output(bag, said_out, after),
        input_mime=mime_in,
        output_mime=mime_out,
        messages_in=before,
        messages_out=after,
        tools=_tools(bag, said_in),
        model=stated.get("model"),
        provider=stated.get("provider"),
        settings=_settings(bag),
        finish_reason=_finish_reason(bag, after),
        usage=_usage(stated),
        cost_usd=stated.get("cost_usd"),
        documents_in=documents_in,
        documents=documents,
        embeddings=embeddings,
        prompt_template=openinference.take_template(bag) or genai.take_template(bag),
        tool_call=tool_call,
        rest=bag.rest,
    )


def input_and_output(kind: str, payload: SpanPayload) -> tuple[Any, Any]:
    """The input and output that `present` would give, at a tenth of the cost where both are stated."""
    bag = Bag(payload.attributes)
    said_in, said_out = _said(payload.input, bag, "input")[0], _said(payload.output, bag, "output")[0]
    if (said_in is None or said_out is None) and (payload.attributes or payload.events):
        shown = present(kind, payload)
        return shown.input, shown.output
    return said_in, said_out


def _said(explicit: Any, bag: Bag, side: str) -> tuple[Any, str | None]:
    """What the program, else OpenInference or a tracer, calls the input or output: decoded; its MIME type if stated."""
    if explicit is not None:
        return decoded(explicit), None
    value, mime = bag.take(f"{side}.value"), text_of(bag.take(f"{side}.mime_type"))
    if value is None:
        return tracers.take_said(bag, side), None
    if mime is not None and mime.startswith("text/"):
        return value, mime
    return decoded_json(value) if mime == "application/json" else decoded(value), mime


def _messages(
    kind: str, payload: SpanPayload, bag: Bag, said_in: Any, said_out: Any
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    old_in, old_out = genai.messages_of_events(payload.events)
    before = (messages_of(said_in) if payload.input is not None else ()) or genai.take_messages_in(bag)
    before = before or openinference.take_messages(bag, "llm.input_messages") or old_in or _chat(kind, said_in, "user")
    after = (_chat(kind, said_out, "assistant") if payload.output is not None else ()) or genai.take_messages_out(bag)
    after = after or openinference.take_messages(bag, "llm.output_messages") or old_out
    after = after or _chat(kind, said_out, "assistant")
    if not after and all(message.role == "system" for message in before):
        before += bag.read("pydantic_ai.all_messages", messages_of) or ()
    return before, after


def _chat(kind: str, said: Any, role: str) -> tuple[Message, ...]:
    """The chat in an input or output; the bare text of a model call is said by `role`."""
    if kind not in _CHATTY:
        return ()
    found = messages_of(said)
    if not found and kind == "llm" and isinstance(said, str) and said:
        return (Message(role, contents_of(said)),)
    return found


def _tool_call(kind: str, bag: Bag, said_in: Any) -> ToolUse | None:
    if kind != "tool" and not bag.attributes.keys() & {"gen_ai.tool.name", "tool.name"}:
        return None
    arguments = decoded(bag.take("gen_ai.tool.call.arguments", "tool_arguments"))
    description = bag.take("gen_ai.tool.description", "tool.description")
    return ToolUse(
        name=text_of(bag.take("gen_ai.tool.name", "tool.name", "ai.toolCall.name")),
        arguments=said_in if arguments is None else arguments,
        description=None if description is None else compact(description),
        id=text_of(bag.take("gen_ai.tool.call.id", "tool.id", "ai.toolCall.id")),
        parameters=decoded(bag.take("tool.parameters")),
    )


def _documents(kind: str, bag: Bag, said_out: Any) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    before = openinference.take_documents(bag, "reranker.input_documents")
    after = openinference.take_documents(bag, "retrieval.documents") or genai.take_documents(bag)
    after = after or openinference.take_documents(bag, "reranker.output_documents")
    if not after and kind in ("retriever", "reranker"):
        after = documents_of(said_out)
    return before, after


def _input(bag: Bag, said: Any, tool_call: ToolUse | None, messages: tuple[Message, ...]) -> Any:
    if said is not None:
        return said
    if tool_call is not None and tool_call.arguments is not None:
        return tool_call.arguments
    query = bag.take("gen_ai.retrieval.query.text", "gen_ai.memory.query.text", "reranker.query")
    if query is not None:
        return query
    return _raw(bag, messages, "gen_ai.input.messages", "gen_ai.prompt")


def _output(bag: Bag, said: Any, messages: tuple[Message, ...]) -> Any:
    if said is not None:
        return said
    result = bag.take("gen_ai.tool.call.result", "tool_response", "final_result")
    if result is not None:
        return decoded(result)
    return _raw(bag, messages, "gen_ai.output.messages", "gen_ai.completion")


def _raw(bag: Bag, messages: tuple[Message, ...], *keys: str) -> Any:
    """Messages as plain values: as they came where they came whole, else by role and text."""
    for key in keys:
        if bag.attributes.get(key):
            return decoded(bag.attributes[key])
    return [{"role": message.role, "content": message.text} for message in messages] or None


def _tools(bag: Bag, said_in: Any) -> tuple[Tool, ...]:
    found = genai.take_tools(bag) or openinference.take_tools(bag)
    offered = said_in.get("tools") if not found and isinstance(said_in, dict) else None
    if isinstance(offered, list | tuple):
        return tuple([tool_of(tool) for tool in offered if isinstance(tool, dict)])
    return found


def _usage(stated: Stated) -> Usage:
    return Usage(
        input_tokens=stated.get("input_tokens"),
        output_tokens=stated.get("output_tokens"),
        cache_read_tokens=stated.get("cache_read_tokens"),
        cache_write_tokens=stated.get("cache_write_tokens"),
        reasoning_tokens=stated.get("reasoning_tokens"),
    )


def _settings(bag: Bag) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("llm.invocation_parameters", "embedding.invocation_parameters"):
        stated = decoded(bag.take(key))
        if isinstance(stated, dict):
            found |= {name: value for name, value in stated.items() if name not in _NOT_SETTINGS}
        elif stated is not None:
            found["invocation_parameters"] = stated
    found |= genai.take_settings(bag)
    top = bag.take("gen_ai.retrieval.top_k", "reranker.top_k")
    return found if top is None else {"top_k": top, **found}


def _finish_reason(bag: Bag, messages: tuple[Message, ...]) -> str | None:
    stated = bag.take("llm.finish_reason", "gen_ai.response.finish_reasons")
    reasons = stated if isinstance(stated, list | tuple) else [stated]
    reasons = [text_of(reason) for reason in reasons] + [message.finish_reason for message in messages]
    return next((reason for reason in reasons if reason), None)


def _embedded(kind: str, said: Any) -> tuple[str, ...]:
    """The texts of an embedding call whose dialect doesn't list them."""
    if kind != "embedding":
        return ()
    if isinstance(said, dict):
        said = said.get("input", said.get("texts"))
    texts = [said] if isinstance(said, str) else said
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return ()
    return tuple(texts)


def _mark_facts(bag: Bag) -> None:
    """Counts the attributes as understood that model, provider, usage, cost and kind are read from."""
    attributes = bag.attributes
    bag.mark(key for key in (*MODEL_KEYS, *PROVIDER_KEYS) if text_of(attributes.get(key)))
    bag.mark(key for key in COST_KEYS if money_of(attributes.get(key)) is not None)
    counts = [*_TOTALS, *(key for keys in TOKEN_KEYS.values() for key in keys)]
    bag.mark(key for key in counts if count_of(attributes.get(key)) is not None)
    bag.mark(["openinference.span.kind", "gen_ai.operation.name", *tracers.KIND_KEYS])
