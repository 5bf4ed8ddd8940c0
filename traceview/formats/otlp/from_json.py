"""OTLP JSON → our records, in every spelling met in the wild.

Read: requests, arrays of requests, Tempo's `batches`, Jaeger's and Tempo's wrappers (`result`, `trace`), the old
`instrumentationLibrarySpans`, Phoenix's bare spans under `data`; camelCase and snake_case; hex and base64 ids; numbers
and strings as times; enum numbers and names; explicit nulls.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Raw

from traceview.formats.mending import mended
from traceview.formats.otlp import names
from traceview.formats.otlp.ids import span_id_of, trace_id_of
from traceview.formats.otlp.restore import restore
from traceview.formats.shallow import (
    NOT_JSON,
    Buffer,
    Members,
    first_of,
    items_of,
    members_of,
    opening_of,
    read_array,
    read_object,
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
    if opening_of(document) == b"[":
        return any(is_otlp(item) for item in items_of(document)[:1])
    found = members_of(document)
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
    found = []
    for item in read_array(document):
        if opening_of(item) in (b"{", b"["):
            found.extend(_requests(item))
    return found


def _parts_of_object(document: Members, tally: Tally) -> Iterator[SpanPart]:
    known = False
    for key, value in document.items():
        if key in _REQUEST_KEYS:
            for resource_spans in items_of(value):
                yield from _parts_of_resource(members_of(resource_spans), tally)
        elif key in _WRAPPERS and opening_of(value) == b"{":
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
    about = _decoded(document, "resource")
    resource = attributes_of(about.get("attributes"))
    schema = _decoded(document, "schemaUrl", "schema_url")
    if schema and isinstance(schema, str):
        resource[names.RESOURCE_SCHEMA] = schema
    _keep_count(about, "droppedAttributesCount", resource, names.DROPPED_ATTRIBUTES)
    for key in _SCOPE_KEYS:
        for item in items_of(document.get(key)):
            scope_spans = members_of(item)
            yield from _parts(items_of(scope_spans.get("spans")), _with_scope(resource, scope_spans), tally)


def _with_scope(resource: dict[str, Any], scope_spans: Members) -> dict[str, Any]:
    scope = _decoded(scope_spans, "scope", "instrumentationLibrary", "instrumentation_library")
    shared = dict(resource)
    if scope.get("name"):
        shared[names.SCOPE_NAME] = str(scope["name"])
    if scope.get("version"):
        shared[names.SCOPE_VERSION] = str(scope["version"])
    if scope.get("attributes"):
        shared[names.SCOPE_ATTRIBUTES] = attributes_of(scope["attributes"])
    schema = _decoded(scope_spans, "schemaUrl", "schema_url")
    if schema and isinstance(schema, str):
        shared[names.SCOPE_SCHEMA] = schema
    return shared


def _decoded(document: Members, *keys: str) -> Any:
    for key in keys:
        if key in document:
            value = _whole(document[key])
            return _camel(value) if isinstance(value, dict) else value or {}
    return {}


def _parts(spans: list[Raw], resource: dict[str, Any], tally: Tally) -> Iterator[SpanPart]:
    for raw in spans:
        tally.read_bytes += len(memoryview(raw))
        try:
            try:
                span = _whole(raw)
            except NOT_JSON:  # msgspec skips over bad text without looking; only decoding finds it
                span = _whole(mended(bytes(raw)) or raw)
            part = _part(span, resource, tally)
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
        names.keep_extras(attributes, _kind(kind), str(trace_state or ""), int(flags or 0))
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
        get("name") or None,
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
    return _KINDS.get(kind, 0) if isinstance(kind, str) else int(kind or 0)


def _keep_dropped(span: dict[str, Any], attributes: dict[str, Any]) -> None:
    _keep_count(span, "droppedAttributesCount", attributes, names.DROPPED_ATTRIBUTES)
    _keep_count(span, "droppedEventsCount", attributes, names.DROPPED_EVENTS)
    _keep_count(span, "droppedLinksCount", attributes, names.DROPPED_LINKS)


def _keep_count(record: dict[str, Any], key: str, attributes: dict[str, Any], name: str) -> None:
    if record.get(key):
        attributes[name] = int(record[key])


def _time(value: Any) -> int | None:
    if value is None:
        return None
    return max(0, min(int(value), names.MAX_NS))


def _status(status: Any) -> tuple[Status | None, str | None]:
    if not status:
        return None, None
    code = status.get("code")
    code = _CODES.get(code, 0) if isinstance(code, str) else code
    return Status.ERROR if code == 2 else None, status.get("message") or None


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
    names.keep_extras(attributes, 0, str(link.get("traceState") or ""), int(link.get("flags") or 0))
    return Link(trace_id_of(link.get("traceId")) or bytes(16), span_id_of(link.get("spanId")) or bytes(8), attributes)


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Attributes as a plain dict; a list of {key, value} by the specification, a plain map in the wild."""
    if not pairs:
        return {}
    if isinstance(pairs, dict):
        return cast("dict[str, Any]", pairs)
    found = {}
    for pair in pairs:
        value = pair.get("value")
        found[pair["key"]] = None if not value else any_value(value) if isinstance(value, dict) else value
    return found


def any_value(value: dict[str, Any], depth: int = 0) -> Any:
    """The Python value of one AnyValue object; what lies deeper than 128 levels stays JSON text."""
    for kind, raw in value.items():
        if raw is None:
            continue
        if kind == "stringValue" or kind == "boolValue":
            return raw
        reader = _READERS.get(kind)
        if reader is not None:
            if depth >= names.MAX_DEPTH:
                return msgspec.json.encode(value).decode()
            return reader(raw, depth)
    return None


def _integer(raw: Any, depth: int) -> int | str:
    number = int(raw)
    return number if -(2**63) <= number <= names.MAX_NS else str(number)


def _bytes(raw: Any, depth: int) -> bytes | str:
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return str(raw)


def _list(raw: Any, depth: int) -> list[Any]:
    items = raw.get("values") if isinstance(raw, dict) else raw
    return [any_value(item, depth + 1) if isinstance(item, dict) else item for item in items or ()]


def _map(raw: Any, depth: int) -> dict[str, Any]:
    items = raw.get("values") if isinstance(raw, dict) else raw
    found = {}
    for pair in items or ():
        value = pair.get("value")
        found[pair["key"]] = any_value(value, depth + 1) if isinstance(value, dict) else value
    return found


_READERS = {
    "string_value": lambda raw, depth: raw,
    "bool_value": lambda raw, depth: raw,
    "intValue": _integer,
    "int_value": _integer,
    "doubleValue": lambda raw, depth: float(raw),
    "double_value": lambda raw, depth: float(raw),
    "bytesValue": _bytes,
    "bytes_value": _bytes,
    "arrayValue": _list,
    "array_value": _list,
    "kvlistValue": _map,
    "kvlist_value": _map,
}
