"""Our records → OTLP JSON: one request, hex ids, our own fields as OpenInference attributes where it has them.

`traceview.fields` lists the attributes that are fields of ours, so that importing the file gives the same spans again.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from itertools import groupby
from typing import IO, Any, Final

import msgspec

from traceview.formats.otlp import names
from traceview.protocol.records import Event, Link, SpanPart, Status, TraceInfo

_encode = msgspec.json.Encoder().encode
_CODES: Final = {Status.OK: 1, Status.ERROR: 2}
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(names.SPAN_KINDS)}
_SCOPE_KEYS: Final = frozenset(
    {names.SCOPE_NAME, names.SCOPE_VERSION, names.SCOPE_ATTRIBUTES, names.SCOPE_SCHEMA, names.RESOURCE_SCHEMA}
)


def encode_json(parts: Iterable[SpanPart]) -> bytes:
    """Whole spans as one OTLP JSON request."""
    file = io.BytesIO()
    write_json(parts, file)
    return file.getvalue()


def write_json(parts: Iterable[SpanPart], file: IO[bytes]) -> int:
    """Writes whole spans to a binary file as one OTLP JSON request, span by span; returns how many they were.

    Neighbours of equal resource share a ResourceSpans, so it pays to give the spans of one process together.
    """
    count = 0
    file.write(b'{"resourceSpans":[')
    for group, (_, members) in enumerate(groupby(parts, key=_ResourceKey)):
        for place, part in enumerate(members):
            if place == 0:
                file.write(b"," * (group > 0) + _opening(part.resource))
            file.write(b"," * (place > 0) + _encode(_span(part)))
            count += 1
        file.write(b"]}]}")
    file.write(b"]}\n")
    return count


class _ResourceKey:
    """Compares parts by their resource; dicts can't be hashed but groupby only asks for equality."""

    __slots__ = ("_resource",)

    def __init__(self, part: SpanPart) -> None:
        self._resource = part.resource

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ResourceKey) and (
            self._resource is other._resource or self._resource == other._resource
        )


def _opening(resource: dict[str, Any]) -> bytes:
    """The beginning of a ResourceSpans up to its first span; `]}]}` closes it."""
    own = {key: value for key, value in resource.items() if key not in _SCOPE_KEYS and key != names.DROPPED_ATTRIBUTES}
    about: dict[str, Any] = {"attributes": _attributes(own)}
    if names.DROPPED_ATTRIBUTES in resource:
        about["droppedAttributesCount"] = resource[names.DROPPED_ATTRIBUTES]
    scope: dict[str, Any] = {"name": resource.get(names.SCOPE_NAME, "")}
    if names.SCOPE_VERSION in resource:
        scope["version"] = resource[names.SCOPE_VERSION]
    if names.SCOPE_ATTRIBUTES in resource:
        scope["attributes"] = _attributes(resource[names.SCOPE_ATTRIBUTES])
    schema = _schema(resource, names.RESOURCE_SCHEMA)
    scope_schema = _schema(resource, names.SCOPE_SCHEMA)
    return b'{"resource":%b,%b"scopeSpans":[{"scope":%b,%b"spans":[' % (
        _encode(about),
        schema,
        _encode(scope),
        scope_schema,
    )


def _schema(resource: dict[str, Any], key: str) -> bytes:
    return b'"schemaUrl":%b,' % _encode(resource[key]) if key in resource else b""


def _span(part: SpanPart) -> dict[str, Any]:
    attributes = dict(part.attributes)
    span: dict[str, Any] = {"traceId": part.trace_id.hex(), "spanId": part.span_id.hex()}
    if part.parent_id is not None:
        span["parentSpanId"] = part.parent_id.hex()
    kind = attributes.pop(names.SPAN_KIND, "internal")
    _give_back(attributes, span)
    span |= {"name": part.name or "", "kind": _KIND_NUMBERS.get(kind) or _odd_kind(kind)}
    if part.start_ns is not None:
        span["startTimeUnixNano"] = str(part.start_ns)
    if part.end_ns is not None:
        span["endTimeUnixNano"] = str(part.end_ns)
    listed = _add_fields(part, attributes)
    if listed:
        attributes[names.FIELDS] = listed
    span["attributes"] = _attributes(attributes)
    if part.events:
        span["events"] = [_event(event) for event in part.events]
    if part.links:
        span["links"] = [_link(link) for link in part.links]
    status: dict[str, Any] = {}
    if part.status in _CODES:
        status["code"] = _CODES[part.status]
    if part.status_message is not None:
        status["message"] = part.status_message
    if status:
        span["status"] = status
    return span


def _odd_kind(kind: Any) -> int:
    return int(kind) if isinstance(kind, str) and kind.isdecimal() else 1


def _give_back(attributes: dict[str, Any], record: dict[str, Any]) -> None:
    """Moves what the import kept among the attributes back to OTLP's own fields."""
    for key, field, wanted in (
        (names.TRACE_STATE, "traceState", str),
        (names.FLAGS, "flags", int),
        (names.DROPPED_ATTRIBUTES, "droppedAttributesCount", int),
        (names.DROPPED_EVENTS, "droppedEventsCount", int),
        (names.DROPPED_LINKS, "droppedLinksCount", int),
    ):
        if isinstance(attributes.get(key), wanted):
            record[field] = attributes.pop(key)


def _add_fields(part: SpanPart, attributes: dict[str, Any]) -> list[str]:
    """Adds our fields as attributes and returns their names. A name that the user took gives way to `traceview.*`."""
    listed: list[str] = []

    def add(key: str, value: Any, fallback: str, exact: Any = None) -> None:
        key, value = (fallback, value if exact is None else exact) if key in attributes else (key, value)
        attributes[key] = value
        listed.append(key)

    for side, content in (("input", part.input), ("output", part.output)):
        if content is not None:
            _add_content(side, content, attributes, listed)
    if part.kind is not None:
        add("openinference.span.kind", part.kind.upper(), "traceview.field.kind")
    if part.reasoning is not None:
        add("traceview.reasoning", part.reasoning, "traceview.reasoning")
    if part.status is Status.INTERRUPTED:
        add("traceview.status", part.status.word, "traceview.status")
    trace = part.trace or TraceInfo()
    if trace.name is not None:
        add("traceview.trace.name", trace.name, "traceview.trace.name")
    if trace.session is not None:
        add("session.id", trace.session, "traceview.trace.session")
    if trace.user is not None:
        add("user.id", trace.user, "traceview.trace.user")
    if trace.project is not None:
        add("traceview.trace.project", trace.project, "traceview.trace.project")
    if trace.tags:
        add("tag.tags", list(trace.tags), "traceview.trace.tags")
    if trace.metadata:
        text = _json_text(trace.metadata)
        if text is None:
            add("traceview.trace.metadata", trace.metadata, "traceview.trace.metadata")
        else:
            add("metadata", text, "traceview.trace.metadata", trace.metadata)
    return listed


def _add_content(side: str, content: Any, attributes: dict[str, Any], listed: list[str]) -> None:
    key, mime = f"{side}.value", f"{side}.mime_type"
    text = content if isinstance(content, str) else _json_text(content)
    if text is None or key in attributes or mime in attributes:  # JSON would change it, or the user took the name
        attributes[f"traceview.field.{side}"] = content
        listed.append(f"traceview.field.{side}")
    else:
        attributes[key] = text
        attributes[mime] = "text/plain" if isinstance(content, str) else "application/json"
        listed.append(key)


def _json_text(value: Any) -> str | None:
    """The value as JSON; None where reading that would not give the same value (bytes, NaN, keys that are no text)."""
    try:
        encoded = _encode(value)
        return encoded.decode() if msgspec.json.decode(encoded) == value else None
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return None


def _event(event: Event) -> dict[str, Any]:
    attributes = dict(event.attributes)
    record: dict[str, Any] = {"timeUnixNano": str(event.time_ns), "name": event.name}
    _give_back(attributes, record)
    record["attributes"] = _attributes(attributes)
    return record


def _link(link: Link) -> dict[str, Any]:
    attributes = dict(link.attributes)
    record: dict[str, Any] = {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()}
    _give_back(attributes, record)
    record["attributes"] = _attributes(attributes)
    return record


def _attributes(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": str(key), "value": _any_value(value)} for key, value in attributes.items()]


def _any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        fits = -(2**63) <= value <= names.MAX_NS
        return {"intValue": str(value)} if fits else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else _SPECIAL.get(value, "NaN")}
    if isinstance(value, bytes | bytearray):
        return {"bytesValue": base64.b64encode(value).decode()}
    if depth < names.MAX_DEPTH and isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_any_value(item, depth + 1) for item in value]}}
    if depth < names.MAX_DEPTH and isinstance(value, dict):
        pairs = [{"key": str(key), "value": _any_value(item, depth + 1)} for key, item in value.items()]
        return {"kvlistValue": {"values": pairs}}
    return {"stringValue": repr(value)}


_SPECIAL: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}
