"""Turns a span part, with whatever the program put into it, into one wire record: a snapshot that never fails.

The fast way is two passes in C (msgspec): values to plain ones, plain values to MessagePack. What it refuses (circular
or very deep structures, integers beyond 64 bit, lone surrogates, odd keys) goes through `plain`, which mends it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, MappingView, Sequence, Set
from math import prod
from typing import Any, Final

import msgspec

from traceview.protocol.records import Event, Link, SpanPart, TraceInfo
from traceview.sdk.stack import Stack

REPR_LIMIT: Final = 10_000
MAX_DEPTH: Final = 64
_SHOWN_ELEMENTS: Final = 1000
_BINARY: Final = (bytes, bytearray, memoryview)
_MIN_INT: Final = -(1 << 63)
_MAX_INT: Final = (1 << 64) - 1

_stack: Final = Stack()
_encode: Final = msgspec.msgpack.Encoder().encode
_to_builtins: Final = msgspec.to_builtins


def encode_part(part: SpanPart) -> bytes:
    """The wire record of a part. What can't be encoded is in it as its `repr`, cut at 10,000 characters."""
    try:
        return _encode(as_plain(part))
    except Exception:
        return _encode(_mended(part))


def as_plain(value: Any) -> Any:
    """A plain copy of a value, made in C, free of references to the program's objects. Raises what it can't copy."""
    if not _stack.is_ample:
        raise RecursionError("on a stack as small as this thread's, a structure without end would be the program's")
    return _to_builtins(value, str_keys=True, builtin_types=_BINARY, enc_hook=_known)


def snapshot(value: Any) -> Any:
    """A plain copy of a value, free of references to the program's objects, that can always be encoded."""
    try:
        copy = as_plain(value)
        _encode(copy)
    except Exception:
        return plain(value)
    return copy


def text(value: object) -> str:
    """A value as text that can be encoded: a string is itself, anything else its `repr`."""
    if isinstance(value, str):
        return _clean(value)
    return _described(value)


def plain(value: Any) -> Any:
    """The same as JSON-like values: string keys, 64-bit integers, valid Unicode, no cycles, at most 64 levels."""
    return _plain(value, ())


def _known(value: Any) -> Any:
    """One object that msgspec doesn't know, as something that it does."""
    try:
        return _converted(value)
    except Exception:
        return _described(value)


def _converted(value: Any) -> Any:
    kind = type(value)
    # Looked up on the type: a mock answers to every name.
    if hasattr(kind, "model_dump"):
        return value.model_dump()
    if hasattr(kind, "dtype") and hasattr(kind, "shape"):
        return _of_array(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | Set | MappingView) and isinstance(value, Iterable) and kind is not range:
        return list(value)
    return _described(value)


def _of_array(value: Any) -> Any:
    """A scalar of an array library as a number; an array as its `repr`, or as its shape where that would be long."""
    if value.shape == () and hasattr(value, "item"):
        found = value.item()
        return found if isinstance(found, bool | int | float | str | bytes) else _described(found)
    if prod(value.shape) > _SHOWN_ELEMENTS:
        return f"<{type(value).__name__} shape={tuple(value.shape)} dtype={value.dtype}>"
    return _described(value)


def _described(value: object) -> str:
    try:
        said = repr(value)
    except Exception as error:
        said = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    said = _clean(said)
    if len(said) <= REPR_LIMIT:
        return said
    return f"{said[:REPR_LIMIT]}… (cut: {len(said):,} characters)"


def _clean(value: str) -> str:
    """Valid Unicode: lone surrogates become their escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, above)
    if isinstance(value, int):
        return int(value) if _MIN_INT <= value <= _MAX_INT else _big(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, _BINARY):
        return bytes(value)
    if id(value) in above:
        return f"<circular: the {type(value).__name__} {len(above) - above.index(id(value))} levels up>"
    if len(above) >= MAX_DEPTH:
        return _described(value)
    return _plain_structure(value, (*above, id(value)))


def _plain_structure(value: Any, above: tuple[int, ...]) -> Any:
    try:
        fields = _fields(value)
        if fields is not None:
            return {_key(key): _plain(item, above) for key, item in fields.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(item, above) for item in value]
        found = _leaf(value)
        return found if isinstance(found, str) else _plain(found, above)
    except Exception:
        return _described(value)


def _fields(value: Any) -> dict[Any, Any] | None:
    if isinstance(value, dict):
        return value
    for names in ("__struct_fields__", "__dataclass_fields__", "__attrs_attrs__"):
        found = getattr(type(value), names, None)
        if found is not None:
            keys = [getattr(field, "name", field) for field in found]
            return {key: getattr(value, key) for key in keys if hasattr(value, key)}
    return None


def _leaf(value: Any) -> Any:
    """Dates, UUIDs, decimals and the like as msgspec writes them; objects it doesn't know as `_converted` does."""
    try:
        return _clean(_to_builtins(value))
    except Exception:
        return _converted(value)


def _key(key: object) -> str:
    return text(key.value if isinstance(key, enum.Enum) else key)


def _big(value: int) -> str:
    # str() of a huge integer takes quadratic time, and Python refuses it beyond 4,300 digits.
    return str(int(value)) if value.bit_length() <= 4096 else f"<integer of {value.bit_length():,} bits>"


def _mended(part: SpanPart) -> SpanPart:
    """The part with everything in it mended, its own fields too."""
    info = part.trace
    return SpanPart(
        trace_id=part.trace_id,
        span_id=part.span_id,
        parent_id=part.parent_id,
        name=_text_or_none(part.name),
        kind=_text_or_none(part.kind),
        start_ns=part.start_ns,
        end_ns=part.end_ns,
        status=part.status,
        status_message=_text_or_none(part.status_message),
        attributes=_dict(part.attributes),
        input=plain(part.input),
        output=plain(part.output),
        reasoning=_text_or_none(part.reasoning),
        events=tuple(Event(event.time_ns, text(event.name), _dict(event.attributes)) for event in part.events),
        links=tuple(Link(link.trace_id, link.span_id, _dict(link.attributes)) for link in part.links),
        trace=None if info is None else _mended_info(info),
    )


def _mended_info(info: TraceInfo) -> TraceInfo:
    return TraceInfo(
        name=_text_or_none(info.name),
        session=_text_or_none(info.session),
        user=_text_or_none(info.user),
        project=_text_or_none(info.project),
        tags=tuple(text(tag) for tag in info.tags),
        metadata=_dict(info.metadata),
    )


def _dict(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plain(value)
    return found


def _text_or_none(value: str | None) -> str | None:
    return None if value is None else text(value)
