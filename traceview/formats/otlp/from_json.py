"""OTLP JSON → our records, in every spelling met in the wild.

Read: requests, arrays of requests, Tempo's `batches`, Jaeger's and Tempo's wrappers (`result`, `trace`), the old
`instrumentationLibrarySpans`, Phoenix's bare spans under `data`; camelCase and snake_case; hex and base64 ids; numbers
and strings as times; enum numbers and names; explicit nulls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from traceview.formats.mending import mended
from traceview.formats.otlp import names
from traceview.formats.otlp.ids import span_id_of, trace_id_of
from traceview.formats.otlp.json_values import attributes_of
from traceview.formats.otlp.restore import restore
from traceview.formats.shallow import (
    MAX_ARRAYS,
    NOT_JSON,
    Buffer,
    Members,
    first_of,
    items_of,
    members_of,
    opening_of,
    read_array,
    read_object,
    text_of,
)
from traceview.formats.tally import Tally
from traceview.protocol.records import Event, Link, SpanPart, Status

_whole = msgspec.json.Decoder().decode

_UNREADABLE = (msgspec.DecodeError, TypeError, ValueError, AttributeError, LookupError, RecursionError)
_REQUEST_KEYS = ("resourceSpans", "resource_spans", "batches")
_WRAPPERS = ("result", "trace")
_SIGNALS = {
    "resourceLogs": "logs",
    "resource_logs": "logs",
    "resourceMetrics": "metrics",
    "resource_metrics": "metrics",
    "resourceProfiles": "profiles",
    "resource_profiles": "profiles",
}
_OTLP_KEYS = frozenset({*_REQUEST_KEYS, *_SIGNALS})
_SPAN_KEYS = ({"spanId", "startTimeUnixNano"}, {"span_id", "start_time_unix_nano"})
_SCOPE_KEYS = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans")
_SNAKE_KEYS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_state",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "time_unix_nano",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
)
_CAMEL = {key: (words := key.title().replace("_", ""))[:1].lower() + words[1:] for key in _SNAKE_KEYS}
_KINDS = {f"SPAN_KIND_{kind.upper()}": number for number, kind in enumerate(names.SPAN_KINDS)}
_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def is_otlp(document: Buffer) -> bool:
    """Whether a JSON document is OTLP, of whatever signal and in whatever wrapper."""
    found = first_of(document) if opening_of(document) == b"[" else members_of(document)
    if found.keys() & _OTLP_KEYS or any(found.keys() >= pair for pair in _SPAN_KEYS):
        return True
    if any(members_of(found.get(key)).keys() & _OTLP_KEYS for key in _WRAPPERS):
        return True
    span = first_of(found.get("data"))
    return any(span.keys() >= pair for pair in _SPAN_KEYS)


def parts_of_document(document: bytes | bytearray, tally: Tally) -> Iterator[SpanPart]:
    """The spans of one JSON document, mended where it has to be and can be.

    Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError, before the first span, where it is not JSON.
    """
    try:
        requests = _requests(document)
    except NOT_JSON:
        better = mended(bytes(document))
        if better is None:
            raise
        requests = _requests(better)
    for request in requests:
        yield from _parts_of_object(request, tally)


def _requests(document: Buffer) -> list[Members]:
    """The objects of a document: itself, or those in arrays (of arrays)."""
    if opening_of(document) != b"[":
        return [read_object(document)]
    items = read_array(document)
    for _ in range(MAX_ARRAYS):
        items = [inner for item in items for inner in (items_of(item) if opening_of(item) == b"[" else [item])]
    return [members_of(item) for item in items if opening_of(item) == b"{"]


def _parts_of_object(document: Members, tally: Tally) -> Iterator[SpanPart]:
    known = False
    for key, value in document.items():
        if key in _REQUEST_KEYS:
            for resource_spans in items_of(value):
                yield from _parts_of_resource(members_of(resource_spans), tally)
        elif key in _WRAPPERS and members_of(value).keys() & _OTLP_KEYS:
            yield from _parts_of_object(members_of(value), tally)
        elif key in _SIGNALS:
            tally.skip(_SIGNALS[key], len(items_of(value)))
        elif key == "data":
            yield from _parts(items_of(value), {}, tally)
        else:
            continue
        known = True
    if any(document.keys() >= pair for pair in _SPAN_KEYS):
        yield from _parts([Raw(msgspec.json.encode(document))], {}, tally)
    elif not known:
        tally.skip("records that are not OTLP")


def _parts_of_resource(document: Members, tally: Tally) -> Iterator[SpanPart]:
    about = _record(document, "resource")
    resource = _safe_attributes(about, tally)
    if schema := text_of(document.get("schemaUrl", document.get("schema_url"))):
        resource[names.RESOURCE_SCHEMA] = schema
    _keep_count(about, "droppedAttributesCount", resource, names.DROPPED_ATTRIBUTES)
    for key in _SCOPE_KEYS:
        for item in items_of(document.get(key)):
            scope_spans = members_of(item)
            shared = _with_scope(resource, scope_spans, tally)
            yield from _parts(items_of(scope_spans.get("spans")), shared, tally)


def _with_scope(resource: dict[str, Any], scope_spans: Members, tally: Tally) -> dict[str, Any]:
    scope = _record(scope_spans, "scope", "instrumentationLibrary", "instrumentation_library")
    shared = dict(resource)
    if scope.get("name"):
        shared[names.SCOPE_NAME] = str(scope["name"])
    if scope.get("version"):
        shared[names.SCOPE_VERSION] = str(scope["version"])
    if scope.get("attributes"):
        shared[names.SCOPE_ATTRIBUTES] = _safe_attributes(scope, tally)
    if schema := text_of(scope_spans.get("schemaUrl", scope_spans.get("schema_url"))):
        shared[names.SCOPE_SCHEMA] = schema
    return shared


def _safe_attributes(record: dict[str, Any], tally: Tally) -> dict[str, Any]:
    """The attributes of a resource or scope; spans are worth keeping without them."""
    try:
        return attributes_of(record.get("attributes"))
    except _UNREADABLE as error:
        tally.reject(f"the attributes of a resource or scope can't be read: {error}", 0)
        return {}


def _record(document: Members, *keys: str) -> dict[str, Any]:
    """The first of these members that is an object, decoded; {} where none is."""
    for key in keys:
        if key in document:
            value = _decoded(document[key])
            return _camel(value) if isinstance(value, dict) else {}
    return {}


def _decoded(raw: Raw) -> Any:
    try:
        return _whole(raw)
    except NOT_JSON:  # msgspec skips over bad text without looking; only decoding finds it
        return _whole(mended(bytes(raw)) or raw)


def _parts(spans: list[Raw], resource: dict[str, Any], tally: Tally) -> Iterator[SpanPart]:
    for raw in spans:
        tally.read_bytes += len(memoryview(raw))
        try:
            part = _part(_decoded(raw), resource, tally)
        except _UNREADABLE as error:
            tally.reject(f"a span can't be read: {error}")
            continue
        if part is not None:
            yield part


def _part(span: dict[str, Any], resource: dict[str, Any], tally: Tally) -> SpanPart | None:
    if "traceId" not in span:
        span = _camel(span)
    get = span.get
    trace_id, span_id = trace_id_of(get("traceId")), span_id_of(get("spanId"))
    if trace_id is None or span_id is None:
        tally.reject(f"span {get('name')!r} has no {'span' if trace_id else 'trace'} id")
        return None
    attributes = attributes_of(get("attributes"))
    kind, trace_state, flags = get("kind"), get("traceState"), get("flags")
    if (kind and kind != 1) or trace_state or flags not in names.PLAIN_FLAGS:
        names.keep_extras(attributes, _kind(kind), str(trace_state or ""), _integer(flags))
    if "droppedAttributesCount" in span or "droppedEventsCount" in span or "droppedLinksCount" in span:
        _keep_dropped(span, attributes)
    end_ns = _time(get("endTimeUnixNano")) or None
    status, message = _status(get("status"))
    if status is None and end_ns is not None:
        status = Status.OK
    events, links = get("events"), get("links")
    part = SpanPart(
        trace_id,
        span_id,
        span_id_of(get("parentSpanId")),
        _text(get("name")),
        None,
        _time(get("startTimeUnixNano")) or None,
        end_ns,
        status,
        message,
        attributes,
        events=tuple([_event(event) for event in events]) if events else (),
        links=tuple([_link(link) for link in links]) if links else (),
        resource=resource,
    )
    return restore(part) if names.FIELDS in attributes else part


def _camel(record: dict[str, Any]) -> dict[str, Any]:
    return {_CAMEL.get(key, key): value for key, value in record.items()}


def _kind(kind: Any) -> int:
    return _KINDS.get(kind, 0) if isinstance(kind, str) else _integer(kind)


def _keep_dropped(span: dict[str, Any], attributes: dict[str, Any]) -> None:
    _keep_count(span, "droppedAttributesCount", attributes, names.DROPPED_ATTRIBUTES)
    _keep_count(span, "droppedEventsCount", attributes, names.DROPPED_EVENTS)
    _keep_count(span, "droppedLinksCount", attributes, names.DROPPED_LINKS)


def _keep_count(record: dict[str, Any], key: str, attributes: dict[str, Any], name: str) -> None:
    if record.get(key):
        attributes[name] = _integer(record[key])


def _integer(value: Any) -> int:
    return max(-names.MAX_NS, min(int(value or 0), names.MAX_NS))


def _time(value: Any) -> int | None:
    if value is None:
        return None
    return max(0, min(int(value), names.MAX_NS))


def _status(status: Any) -> tuple[Status | None, str | None]:
    if not status:
        return None, None
    code = status.get("code")
    code = _CODES.get(code, 0) if isinstance(code, str) else code
    return Status.ERROR if code == 2 else None, _text(status.get("message"))


def _text(value: Any) -> str | None:
    return value or None if type(value) is str or value is None else str(value)


def _event(event: dict[str, Any]) -> Event:
    if "timeUnixNano" not in event:
        event = _camel(event)
    attributes = attributes_of(event.get("attributes"))
    _keep_count(event, "droppedAttributesCount", attributes, names.DROPPED_ATTRIBUTES)
    return Event(_time(event.get("timeUnixNano")) or 0, str(event.get("name") or ""), attributes)


def _link(link: dict[str, Any]) -> Link:
    if "traceId" not in link:
        link = _camel(link)
    attributes = attributes_of(link.get("attributes"))
    _keep_count(link, "droppedAttributesCount", attributes, names.DROPPED_ATTRIBUTES)
    names.keep_extras(attributes, 0, str(link.get("traceState") or ""), _integer(link.get("flags")))
    return Link(trace_id_of(link.get("traceId")) or bytes(16), span_id_of(link.get("spanId")) or bytes(8), attributes)
