"""Looks into JSON without decoding it: the members of an object, the first object of an array."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

Buffer = bytes | bytearray | Raw
Members = dict[str, Raw]

# Arrays of arrays are looked into this deep: Zipkin has lists of traces, concatenating tools add a level or two.
MAX_ARRAYS = 4

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Each level is cut into undecoded slices of the buffer: a big document is never held twice, and a bad span costs only
# itself.
read_object = msgspec.json.Decoder(dict[str, Raw]).decode
read_array = msgspec.json.Decoder(list[Raw]).decode


def opening_of(value: Buffer) -> bytes:
    """The first character that is not blank."""
    return bytes(memoryview(value)[:4096]).lstrip()[:1]


def members_of(value: Buffer | None) -> Members:
    """The members of a JSON object; {} for anything else."""
    try:
        return read_object(value) if value is not None and opening_of(value) == b"{" else {}
    except NOT_JSON:
        return {}


def items_of(value: Buffer | None) -> list[Raw]:
    """The items of a JSON array; [] for anything else."""
    try:
        return read_array(value) if value is not None and opening_of(value) == b"[" else []
    except NOT_JSON:
        return []


def first_of(value: Buffer | None) -> Members:
    """The members of the first object in a JSON array (of arrays); {} for anything else."""
    items = items_of(value)
    for _ in range(MAX_ARRAYS):
        if items and opening_of(items[0]) == b"[":
            items = items_of(items[0])
    return members_of(items[0]) if items else {}


def text_of(value: Raw | None) -> str:
    """A JSON string, decoded; "" for anything else."""
    try:
        found: Any = msgspec.json.decode(value) if value is not None else ""
    except NOT_JSON:
        return ""
    return found if isinstance(found, str) else ""
