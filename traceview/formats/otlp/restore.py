"""Puts the fields that our export wrote as attributes (`traceview.fields` lists them) back where they belong."""

from __future__ import annotations

from typing import Any

import msgspec

from traceview.formats.otlp import names
from traceview.protocol.records import KINDS, SpanPart, Status, TraceInfo

_TRACE_FIELDS = {
    "traceview.trace.name": "name",
    "traceview.trace.session": "session",
    "traceview.trace.user": "user",
    "traceview.trace.project": "project",
    "session.id": "session",
    "user.id": "user",
}


def restore(part: SpanPart) -> SpanPart:
    """The span as it was before it was exported; a listed attribute that makes no sense stays an attribute."""
    attributes = dict(part.attributes)
    listed = attributes.pop(names.FIELDS)
    if not isinstance(listed, list):
        return part
    fields: dict[str, Any] = {}
    trace: dict[str, Any] = {}
    for key in listed:
        if isinstance(key, str) and key in attributes:
            _take(key, attributes, fields, trace)
    if trace:
        fields["trace"] = TraceInfo(**trace)
    return msgspec.structs.replace(part, attributes=attributes, **fields)


def _take(key: str, attributes: dict[str, Any], fields: dict[str, Any], trace: dict[str, Any]) -> None:
    value = attributes[key]
    text = isinstance(value, str)
    if key in ("input.value", "output.value") and text:
        mime = attributes.pop(key.replace("value", "mime_type"), None)
        fields.setdefault(key.partition(".")[0], _decoded(value, mime))
    elif key in ("traceview.field.input", "traceview.field.output"):
        fields[key.rpartition(".")[2]] = value
    elif key == "traceview.reasoning" and text:
        fields["reasoning"] = value
    elif key in ("openinference.span.kind", "traceview.field.kind") and text and value.lower() in KINDS:
        fields["kind"] = value.lower()
    elif key == "traceview.status" and value == Status.INTERRUPTED.word:
        fields["status"] = Status.INTERRUPTED
    elif key in _TRACE_FIELDS and text:
        trace[_TRACE_FIELDS[key]] = value
    elif key in ("tag.tags", "traceview.trace.tags") and isinstance(value, list):
        trace["tags"] = tuple(str(tag) for tag in value)
    elif key == "traceview.trace.metadata" and isinstance(value, dict):
        trace["metadata"] = value
    elif key == "metadata" and text:
        trace.setdefault("metadata", _decoded(value, "application/json"))
    else:
        return
    del attributes[key]


def _decoded(text: str, mime: object) -> Any:
    if mime != "application/json":
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
