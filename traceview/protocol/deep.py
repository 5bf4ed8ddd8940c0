"""Reads MessagePack that is nested deeper than msgspec can follow, without recursion: what lies too deep becomes text.

How deep msgspec follows is the interpreter's: 1,000 levels in Python 3.11, 10,000 in 3.12 and 3.13. So a
program may write what the daemon could not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

MAX_DEPTH: Final = 128

# First byte → bytes of the whole, where these are fixed.
_FIXED: Final = {
    **dict.fromkeys([*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)], 1),
    0xCA: 5,
    0xCB: 9,
    0xCC: 2,
    0xCD: 3,
    0xCE: 5,
    0xCF: 9,
    0xD0: 2,
    0xD1: 3,
    0xD2: 5,
    0xD3: 9,
    **{0xD4 + power: 2 + 2**power for power in range(5)},
    **{0xA0 + length: 1 + length for length in range(32)},
}
# First byte → bytes of the length that follows, and of what stands between it and the content.
_SIZED: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)} | {
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
# First byte → bytes of the count that follows.
_COUNTED: Final = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_MAPS: Final = (*range(0x80, 0x90), 0xDE, 0xDF)


class _Item(NamedTuple):
    """One scalar (`encoded`), or the opening of an array or a map with so many members."""

    encoded: memoryview | None
    members: int
    is_map: bool


def read_deep(record: bytes | memoryview) -> Any:
    """The value of a record. Raises ValueError where it is no MessagePack, or ends too early.

    Arrays and maps that lie deeper than 128 levels become one text each: their JSON.
    """
    items = _items(memoryview(record))
    # What is open: its members so far, how many are to come, whether it is a map.
    open_: list[tuple[list[Any], int, bool]] = []
    while True:
        encoded, members, is_map = next(items)
        if encoded is None and len(open_) < MAX_DEPTH:
            open_.append(([], members, is_map))
        elif encoded is None:
            open_[-1][0].append(_as_json(items, members, is_map))
        elif open_:
            open_[-1][0].append(msgspec.msgpack.decode(encoded))
        else:
            return msgspec.msgpack.decode(encoded)
        while len(open_[-1][0]) == open_[-1][1]:
            found, _, is_map = open_.pop()
            closed = _map_of(found) if is_map else found
            if not open_:
                return closed
            open_[-1][0].append(closed)


def _map_of(found: list[Any]) -> dict[Any, Any]:
    try:
        return dict(zip(found[::2], found[1::2], strict=True))
    except TypeError as error:
        raise ValueError(f"a map's key is no key: {error}") from error


def _as_json(items: Iterator[_Item], members: int, is_map: bool) -> str:
    """The text of an array or a map that was just opened."""
    pieces = ["{" if is_map else "["]
    open_ = [(0, members, is_map)]
    while open_:
        done, members, is_map = open_.pop()
        if done == members:
            pieces.append("}" if is_map else "]")
            continue
        if done:
            pieces.append(":" if is_map and done % 2 else ",")
        open_.append((done + 1, members, is_map))
        encoded, members, is_map = next(items)
        if encoded is None:
            pieces.append("{" if is_map else "[")
            open_.append((0, members, is_map))
        else:
            pieces.append(_scalar_as_json(msgspec.msgpack.decode(encoded)))
    return "".join(pieces)


def _scalar_as_json(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()


def _items(record: memoryview) -> Iterator[_Item]:
    place = 0
    while place < len(record):
        first = record[place]
        if first in _MAPS or 0x90 <= first < 0xA0 or first in _COUNTED:
            width = _COUNTED.get(first, 0)
            members = _number(record, place + 1, width) if width else first & 0x0F
            place += 1 + width
            yield _Item(None, members * 2 if first in _MAPS else members, first in _MAPS)
        else:
            end = place + _length(record, place)
            if end > len(record):
                break
            yield _Item(record[place:end], 0, False)
            place = end
    raise ValueError("it ends too early")


def _length(record: memoryview, place: int) -> int:
    first = record[place]
    if first in _FIXED:
        return _FIXED[first]
    if first not in _SIZED:
        raise ValueError(f"byte {first} begins nothing")
    width, between = _SIZED[first]
    return 1 + width + between + _number(record, place + 1, width)


def _number(record: memoryview, place: int, width: int) -> int:
    return int.from_bytes(record[place : place + width], "big")
