"""Span parts as the bytes that blocks hold: lossless msgpack, and what is done to values that msgpack can't carry."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import xxhash

from traceview.protocol.records import SpanPart

# The first byte of what lies in a slot in place of a part's record: a list of three (pieces.py) or four (joining.py).
# A record of so few fields is stored in full, with seventeen.
SHARED: Final = 0x93
SEVERAL: Final = 0x94

MAX_DEPTH: Final = 128
_MAX_REPR: Final = 10_000
_MIN_INT: Final = -(2**63)
_MAX_INT: Final = 2**64 - 1


def _represent(value: Any) -> str:
    try:
        return clean_text(repr(value)[:_MAX_REPR])
    except Exception:
        return f"<{type(value).__name__} without a repr>"


encode: Final = msgspec.msgpack.Encoder(enc_hook=_represent).encode
decode: Final = msgspec.msgpack.Decoder(SpanPart).decode
# 8 bytes by which the same part of a span is known again. XXH3 takes a fifteenth of BLAKE2's time; who makes two parts
# with one digest on purpose loses one of his own.
digest: Final = xxhash.xxh3_64_digest
to_json: Final = msgspec.json.Encoder(enc_hook=_represent).encode


def encode_part(part: SpanPart) -> tuple[SpanPart, bytes]:
    """The part's bytes, and the part itself, made storable where it was not.

    Integers beyond 64 bits become decimal text, lone surrogates become `\\udc80` and the like, what is nested deeper
    than 128 levels becomes its repr.
    """
    try:
        return part, encode(part)
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError, ValueError):
        part = clean_part(part)
        return part, encode(part)


def clean_part(part: SpanPart) -> SpanPart:
    """The part with every value made storable."""
    fields: dict[str, Any] = {}
    for name in SpanPart.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, msgspec.Struct):  # TraceInfo
            value = type(value)(**{f: clean(getattr(value, f)) for f in value.__struct_fields__})
        elif name in ("events", "links"):
            value = tuple(type(item)(*(clean(getattr(item, f)) for f in item.__struct_fields__)) for item in value)
        elif name not in ("status",):
            value = clean(value)
        fields[name] = value
    return SpanPart(**fields)


def clean_text(value: str) -> str:
    """Text that UTF-8 can carry: lone surrogates are written out."""
    return value.encode("utf-8", "backslashreplace").decode()


def clean(value: Any, depth: int = 0) -> Any:
    """A value that msgpack can carry, as near as possible to the given one."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | float | bytes):
        return value
    if isinstance(value, int):
        return value if _MIN_INT <= value <= _MAX_INT else str(value)
    if depth >= MAX_DEPTH:
        return _represent(value)
    if isinstance(value, dict):
        return {clean(key, depth + 1): clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(clean(item, depth + 1) for item in value)
    if isinstance(value, list | set | frozenset):
        return [clean(item, depth + 1) for item in value]
    return _represent(value)
