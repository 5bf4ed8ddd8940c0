"""Attribute values of OTLP JSON → plain Python values that our records can carry: text keys, 64-bit integers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import msgspec

from traceview.formats.otlp import names


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Attributes as a plain dict: a list of {key, value} by the specification, a plain map in the wild."""
    if not pairs:
        return {}
    if isinstance(pairs, dict):
        return {str(key): plain(value) for key, value in pairs.items()}
    found = {}
    for pair in pairs:
        key, value = pair["key"], pair.get("value")
        found[key if type(key) is str else str(key)] = any_value(value) if isinstance(value, dict) else plain(value)
    return found


def any_value(value: dict[str, Any], depth: int = 0) -> Any:
    """The Python value of one AnyValue object; what lies deeper than 128 levels stays JSON text."""
    for kind, raw in value.items():
        if raw is None:
            continue
        if kind == "stringValue" and type(raw) is str:  # by far the most frequent
            return raw
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(raw, depth) if depth < names.MAX_DEPTH else msgspec.json.encode(value).decode()
    return None


def plain(value: Any, depth: int = 0) -> Any:
    """A value that stands where an AnyValue should, within the same limits."""
    if isinstance(value, int) and not -(2**63) <= value <= names.MAX_NS:
        return str(value)
    if isinstance(value, dict | list):
        if depth >= names.MAX_DEPTH:
            return msgspec.json.encode(value).decode()
        if isinstance(value, list):
            return [plain(item, depth + 1) for item in value]
        return {key: plain(item, depth + 1) for key, item in value.items()}
    return value


def _integer(raw: Any, depth: int) -> Any:
    try:
        number = int(raw)
    except (TypeError, ValueError, OverflowError):
        return plain(raw, depth)
    return number if -(2**63) <= number <= names.MAX_NS else str(number)


def _double(raw: Any, depth: int) -> Any:
    try:
        return float(raw)
    except (TypeError, ValueError, OverflowError):
        return plain(raw, depth)


def _bytes(raw: Any, depth: int) -> Any:
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return plain(raw, depth)


def _list(raw: Any, depth: int) -> list[Any]:
    items = raw.get("values") if isinstance(raw, dict) else raw
    return [_item(item, depth + 1) for item in items or ()]


def _map(raw: Any, depth: int) -> dict[str, Any]:
    items = raw.get("values") if isinstance(raw, dict) else raw
    return {str(pair["key"]): _item(pair.get("value"), depth + 1) for pair in items or ()}


def _item(item: Any, depth: int) -> Any:
    return any_value(item, depth) if isinstance(item, dict) else plain(item, depth)


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "stringValue": plain,
    "string_value": plain,
    "boolValue": plain,
    "bool_value": plain,
    "intValue": _integer,
    "int_value": _integer,
    "doubleValue": _double,
    "double_value": _double,
    "bytesValue": _bytes,
    "bytes_value": _bytes,
    "arrayValue": _list,
    "array_value": _list,
    "kvlistValue": _map,
    "kvlist_value": _map,
}
