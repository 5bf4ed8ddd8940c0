"""Spans in plain JSON, for scripts: the fields of `traceview show --json`, every item checked before any is taken."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from traceview.conventions import facts
from traceview.formats.otlp.json_values import plain
from traceview.protocol.records import STATE_EVENT, Event, Link, SpanPart, Status, TraceInfo

MAX_SPANS: Final = 10_000
_MOST_FAULTS: Final = 100

_Hex32 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{32}$")]
_Hex16 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{16}$")]
_Time = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Kind = Literal[
    "agent", "chain", "llm", "tool", "retriever", "reranker", "embedding", "guardrail", "evaluator", "prompt", "other"
]
# Where the figures of a model call are kept: GenAI semantic conventions, as our SDK writes them.
_FIGURES: Final = {
    "model": "gen_ai.request.model",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_usd": "gen_ai.usage.cost",
}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with the item at this index (from 0)."""

    index: int
    reason: str


class BadItems(Exception):
    """Items that can't be taken; none of the batch is. At most a hundred are listed, `count` has all."""

    def __init__(self, count: int, total: int, faults: list[Fault]) -> None:
        super().__init__(f"{count} of {total} spans can't be taken, so none was")
        self.faults = faults


class NotSpans(Exception):
    """The document as a whole is not what is wanted; the message is one sentence."""


class TooMany(Exception):
    """More items than a batch may have."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An unknown field is a mistake worth telling."""


class _Event(_Strict, frozen=True):
    time_ns: _Time
    name: str
    attributes: dict[str, Any] = {}


class _Link(_Strict, frozen=True):
    trace_id: _Hex32
    span_id: _Hex16
    attributes: dict[str, Any] = {}


class _Trace(_Strict, frozen=True):
    name: str | None = None
    session: str | None = None
    user: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class _Span(_Strict, frozen=True, kw_only=True):
    """One item. Only ids are needed: several items, in several batches, may each say something of one span."""

    span_id: _Hex16
    trace_id: _Hex32 | None = None
    parent_span_id: _Hex16 | None = None
    name: str | None = None
    kind: _Kind | None = None
    status: Literal["running", "ok", "error", "interrupted"] | None = None
    status_message: str | None = None
    start_ns: _Time | None = None
    end_ns: _Time | None = None
    input: Any = None
    output: Any = None
    reasoning: str | None = None
    attributes: dict[str, Any] = {}
    events: tuple[_Event, ...] = ()
    links: tuple[_Link, ...] = ()
    state: dict[str, Any] | None = None
    trace: _Trace | None = None
    resource: dict[str, Any] = {}
    model: str | None = None
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_read_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    reasoning_tokens: _Count | None = None
    cost_usd: Annotated[float, Meta(ge=0)] | None = None
    # What `show --json` works out; taken and not kept.
    depth: int | None = None
    step: int | None = None
    clock_skew_ns: int | None = None


class _Batch(msgspec.Struct, frozen=True):
    """The items; `trace_id` is that of items without one. What else `show --json` says of a trace is not asked."""

    spans: list[msgspec.Raw]
    trace_id: _Hex32 | None = None
    name: str | None = None
    session: str | None = None
    user: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_span = msgspec.json.Decoder(_Span).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_batch(body: bytes) -> list[SpanPart]:
    """The spans of `[…]` or `{"spans": […]}`, all of them; raises NotSpans, TooMany or BadItems."""
    batch = _envelope(body)
    if len(batch.spans) > MAX_SPANS:
        raise TooMany(f"{len(batch.spans)} spans in one batch: send at most {MAX_SPANS}")
    parts: list[SpanPart] = []
    faults: list[Fault] = []
    count = 0
    for index, raw in enumerate(batch.spans):
        try:
            parts.append(_part(_decode_span(raw), batch, first=not parts))
        except (*_UNREADABLE, ValueError) as error:
            count += 1
            if len(faults) < _MOST_FAULTS:
                faults.append(Fault(index, str(error) or type(error).__name__))
    if count:
        raise BadItems(count, len(batch.spans), faults)
    return parts


def _envelope(body: bytes) -> _Batch:
    try:
        return _Batch(_decode_list(body)) if body.lstrip()[:1] == b"[" else _decode_batch(body)
    except _UNREADABLE as error:
        raise NotSpans(f'the body is neither a JSON array of spans nor {{"spans": [...]}}: {error}') from error


def _part(span: _Span, batch: _Batch, *, first: bool) -> SpanPart:
    trace_id = span.trace_id or batch.trace_id
    if trace_id is None:
        raise ValueError("trace_id is missing, here and in the batch")
    part = SpanPart(
        _id(trace_id, "trace_id"),
        _id(span.span_id, "span_id"),
        None if span.parent_span_id is None else _id(span.parent_span_id, "parent_span_id"),
        span.name,
        span.kind,
        span.start_ns,
        span.end_ns,
        _status(span),
        span.status_message,
        plain(span.attributes),
        plain(span.input),
        plain(span.output),
        span.reasoning,
        _events(span),
        tuple(_link(link) for link in span.links),
        _info(span.trace) if span.trace is not None else _said_of_all(batch) if first else None,
        plain(span.resource),
    )
    return _with_figures(part, span)


def _id(text: str, field: str) -> bytes:
    raw = bytes.fromhex(text)
    if not any(raw):
        raise ValueError(f"{field} is all zeros")
    return raw


def _link(link: _Link) -> Link:
    return Link(_id(link.trace_id, "trace_id"), _id(link.span_id, "span_id"), plain(link.attributes))


def _status(span: _Span) -> Status | None:
    if span.status is not None:
        return Status[span.status.upper()]
    return None if span.end_ns is None else Status.OK


def _events(span: _Span) -> tuple[Event, ...]:
    events = tuple(Event(event.time_ns, event.name, plain(event.attributes)) for event in span.events)
    if not span.state or any(event.name == STATE_EVENT for event in events):
        return events
    time_ns = span.end_ns if span.end_ns is not None else span.start_ns
    if time_ns is None:
        raise ValueError("state needs a time: say start_ns or end_ns too")
    return (*events, Event(time_ns, STATE_EVENT, plain(span.state)))


def _info(trace: _Trace | _Batch) -> TraceInfo:
    return TraceInfo(trace.name, trace.session, trace.user, trace.project, trace.tags, plain(trace.metadata))


def _said_of_all(batch: _Batch) -> TraceInfo | None:
    """What a document of one trace says of it: kept with the first span."""
    info = _info(batch) if batch.trace_id is not None else TraceInfo()
    return None if info == TraceInfo() else info


def _with_figures(part: SpanPart, span: _Span) -> SpanPart:
    """Model, tokens and cost become attributes, where the attributes don't say them already."""
    said = {name: getattr(span, name) for name in _FIGURES if getattr(span, name) is not None}
    if not said:
        return part
    known = facts(part)
    extra = {_FIGURES[name]: value for name, value in said.items() if getattr(known, name) is None}
    return msgspec.structs.replace(part, attributes={**part.attributes, **extra})
