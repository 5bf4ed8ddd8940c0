"""OTLP protobuf → our records. Imports protobuf's classes, so it is itself imported only when protobuf arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from traceview.formats.otlp import names
from traceview.formats.otlp.fields import LENGTH, read_fields
from traceview.formats.otlp.ids import span_id_of, trace_id_of
from traceview.formats.otlp.restore import restore
from traceview.formats.tally import Tally
from traceview.protocol.records import Event, Link, SpanPart, Status


def parts_of_resource(payload: bytes, tally: Tally) -> Iterator[SpanPart]:
    """The spans of one encoded ResourceSpans. A span that can't be read is counted, the others are kept."""
    try:
        message = ResourceSpans.FromString(payload)
    except DecodeError:
        message = _salvage(payload, tally)
    resource = _attributes(message.resource.attributes)
    if message.schema_url:
        resource[names.RESOURCE_SCHEMA] = message.schema_url
    if message.resource.dropped_attributes_count:
        resource[names.DROPPED_ATTRIBUTES] = message.resource.dropped_attributes_count
    for scope_spans in message.scope_spans:
        shared = _with_scope(resource, scope_spans)
        for span in scope_spans.spans:
            part = _part(span, shared, tally)
            if part is not None:
                yield part


def _with_scope(resource: dict[str, Any], scope_spans: ScopeSpans) -> dict[str, Any]:
    scope, shared = scope_spans.scope, dict(resource)
    if scope.name:
        shared[names.SCOPE_NAME] = scope.name
    if scope.version:
        shared[names.SCOPE_VERSION] = scope.version
    if scope.attributes:
        shared[names.SCOPE_ATTRIBUTES] = _attributes(scope.attributes)
    if scope_spans.schema_url:
        shared[names.SCOPE_SCHEMA] = scope_spans.schema_url
    return shared


def _part(span: Span, resource: dict[str, Any], tally: Tally) -> SpanPart | None:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or len(span_id) != 8 or not any(trace_id) or not any(span_id):
        trace_id, span_id = trace_id_of(trace_id) or b"", span_id_of(span_id) or b""
        if not trace_id or not span_id:
            tally.reject(f"span {span.name!r} has no {'span' if trace_id else 'trace'} id")
            return None
    attributes = _attributes(span.attributes)
    kind, flags = span.kind, span.flags
    if kind > 1 or span.trace_state or flags not in names.PLAIN_FLAGS:
        names.keep_extras(attributes, kind, span.trace_state, flags)
    _keep_dropped(span, attributes)
    end_ns = min(span.end_time_unix_nano, names.MAX_NS) or None
    status, message = None, None
    if span.HasField("status"):
        status = Status.ERROR if span.status.code == 2 else None
        message = span.status.message or None
    if status is None and end_ns is not None:
        status = Status.OK
    events, links = span.events, span.links
    part = SpanPart(
        trace_id,
        span_id,
        span_id_of(span.parent_span_id),
        span.name or None,
        None,
        min(span.start_time_unix_nano, names.MAX_NS) or None,
        end_ns,
        status,
        message,
        attributes,
        events=tuple([_event(event) for event in events]) if events else (),
        links=tuple([_link(link) for link in links if link.trace_id and link.span_id]) if links else (),
        resource=resource,
    )
    return restore(part) if names.FIELDS in attributes else part


def _keep_dropped(span: Span, attributes: dict[str, Any]) -> None:
    if span.dropped_attributes_count:
        attributes[names.DROPPED_ATTRIBUTES] = span.dropped_attributes_count
    if span.dropped_events_count:
        attributes[names.DROPPED_EVENTS] = span.dropped_events_count
    if span.dropped_links_count:
        attributes[names.DROPPED_LINKS] = span.dropped_links_count


def _event(event: Span.Event) -> Event:
    attributes = _attributes(event.attributes)
    if event.dropped_attributes_count:
        attributes[names.DROPPED_ATTRIBUTES] = event.dropped_attributes_count
    return Event(min(event.time_unix_nano, names.MAX_NS), event.name, attributes)


def _link(link: Span.Link) -> Link:
    attributes = _attributes(link.attributes)
    if link.dropped_attributes_count:
        attributes[names.DROPPED_ATTRIBUTES] = link.dropped_attributes_count
    names.keep_extras(attributes, 0, link.trace_state, link.flags)
    return Link(trace_id_of(link.trace_id) or bytes(16), span_id_of(link.span_id) or bytes(8), attributes)


def _attributes(pairs: Any) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        value = pair.value
        which = value.WhichOneof("value")
        if which == "string_value":  # by far the most frequent
            found[pair.key] = value.string_value
        else:
            found[pair.key] = _plain(value, which)
    return found


def _plain(value: AnyValue, which: str | None) -> Any:
    if which is None:
        return None
    if which == "array_value":
        return [_plain(item, item.WhichOneof("value")) for item in value.array_value.values]
    if which == "kvlist_value":
        pairs: Any = value.kvlist_value.values
        return {pair.key: _plain(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
    return getattr(value, which)


def _salvage(payload: bytes, tally: Tally) -> ResourceSpans:
    """A ResourceSpans without the spans that protobuf refuses (bad UTF-8, values nested too deep)."""
    message = ResourceSpans()
    for number, wire, piece in read_fields(payload):
        if wire != LENGTH or not isinstance(piece, bytes):
            continue
        if number == 2:
            message.scope_spans.append(_salvage_scope(piece, tally))
        else:
            _merge(message, number, piece)
    return message


def _salvage_scope(payload: bytes, tally: Tally) -> ScopeSpans:
    message = ScopeSpans()
    for number, wire, piece in read_fields(payload):
        if wire != LENGTH or not isinstance(piece, bytes):
            continue
        if number == 2:
            try:
                message.spans.append(Span.FromString(piece))
            except DecodeError:
                tally.reject("a span is damaged, holds text that is not UTF-8, or is nested too deeply")
        else:
            _merge(message, number, piece)
    return message


def _merge(message: ResourceSpans | ScopeSpans, number: int, piece: bytes) -> None:
    """Adds a resource, scope or schema URL if it can be read; spans are worth keeping without it."""
    about: Any = message.resource if isinstance(message, ResourceSpans) else message.scope
    try:
        if number == 1:
            about.MergeFrom(type(about).FromString(piece))  # a failing merge from bytes would leave half of it behind
        elif number == 3:
            message.schema_url = piece.decode()
    except (DecodeError, UnicodeDecodeError):
        pass
