"""The records of a span in their shortest forms: what opens it, what it gave back, what closes it, and anything else.

A record is a span part (protocol/records.py), whose fields at the end may be left out. Most spans are these three, so
that they have forms of their own which take a third of the time that a whole part takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from traceview.protocol.records import SpanPart, Status, TraceInfo
from traceview.sdk.snapshot import as_plain, encode_part

# Encoded as they are. An integer beyond 64 bits or a lone surrogate is refused, and goes the long way.
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_TEXT: Final = frozenset({str})
_encode: Final = msgspec.msgpack.Encoder().encode

Shape = Callable[[SpanPart], SpanPart]
_shape: Shape | None = None


class _Opening(msgspec.Struct, array_like=True, gc=False):
    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None
    name: str
    kind: str | None
    start_ns: int
    end_ns: None
    status: Status
    status_message: None
    attributes: dict[str, Any]
    input: Any


class _Result(msgspec.Struct, array_like=True, gc=False):
    trace_id: bytes
    span_id: bytes
    parent_id: None
    name: None
    kind: None
    start_ns: None
    end_ns: None
    status: None
    status_message: None
    attributes: dict[str, Any]
    input: None
    output: Any


class _Closing(msgspec.Struct, array_like=True, gc=False):
    trace_id: bytes
    span_id: bytes
    parent_id: None
    name: None
    kind: None
    start_ns: None
    end_ns: int
    status: Status


def shape_by(shape: Shape | None) -> None:
    """From now on every part that holds something of the program's passes through `shape` first; None: it does not."""
    global _shape
    _shape = shape


def opening(
    trace_id: bytes,
    span_id: bytes,
    parent_id: bytes | None,
    name: str,
    kind: str | None,
    start_ns: int,
    attributes: dict[str, Any],
    value: Any,
    trace: TraceInfo | None = None,
) -> bytes:
    """The record of a span that begins, with its input and what it says of its trace."""
    if _shape is None and trace is None:
        try:
            given = value if type(value) in _PLAIN else as_plain(value)
            said = attributes if not attributes or _is_flat(attributes) else as_plain(attributes)
            return _encode(
                _Opening(trace_id, span_id, parent_id, name, kind, start_ns, None, Status.RUNNING, None, said, given)
            )
        except Exception:  # noqa: S110 - the long way mends what the short one refuses
            pass
    return whole(
        SpanPart(
            trace_id,
            span_id,
            parent_id,
            name,
            kind,
            start_ns,
            status=Status.RUNNING,
            attributes=attributes,
            input=value,
            trace=trace,
        )
    )


def result(trace_id: bytes, span_id: bytes, value: Any) -> bytes:
    """The record of what a span gave back."""
    if _shape is None:
        try:
            given = value if type(value) in _PLAIN else as_plain(value)
            return _encode(_Result(trace_id, span_id, None, None, None, None, None, None, None, {}, None, given))
        except Exception:  # noqa: S110 - see above
            pass
    return whole(SpanPart(trace_id, span_id, output=value))


def closing(trace_id: bytes, span_id: bytes, end_ns: int, status: Status) -> bytes:
    """The record of a span's end."""
    return _encode(_Closing(trace_id, span_id, None, None, None, None, end_ns, status))


def whole(part: SpanPart) -> bytes:
    """The record of any other part."""
    return encode_part(part if _shape is None else _shape(part))


def _is_flat(attributes: dict[str, Any]) -> bool:
    return _PLAIN.issuperset(map(type, attributes.values())) and _TEXT.issuperset(map(type, attributes))
