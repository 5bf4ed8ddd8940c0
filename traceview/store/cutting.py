"""Where a long record is cut into pieces that later records of its trace are likely to repeat: messages, lines.

It works on the record's bytes, so that joining what was cut gives the same bytes, whatever the dialect: lists are cut
between their items, maps (OpenInference's flattened messages) between their entries, JSON in text between its objects,
other text between lines. The same beginning is cut at the same places, however much follows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Final

import msgspec

# Shorter records are stored as they are: a 2.2 kB span must not pay for conversations.
MIN_RECORD: Final = 4_096
# A field, or a value in it, that is shorter is not cut …
_LONG: Final = 2_048
# … nor is a message below this, or text without structure below the other.
_LONG_MESSAGE: Final = 32_768
_LONG_TEXT: Final = 8_192
_PIECE: Final = 256
_TEXT_PIECE: Final = 512
_PROSE_PIECE: Final = 1_024
# Text beyond 4 MiB is cut into larger pieces: each costs some microseconds and 40 bytes.
_VAST_TEXT: Final = 4 * 1024 * 1024
_VAST_PIECE: Final = 8_192
_MAX_DEPTH: Final = 8
# No number is longer: a list of nothing longer on average is a vector, kept as one piece.
_NUMBER: Final = 9

_raws: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_ARRAY32: Final = struct.Struct(">BI")
_JSON_STARTS: Final = (b"{", b"[", b'"')

Range = tuple[int, int]

DIGEST_BYTES: Final = 16


class Cuts:
    """Where a record is cut into pieces, and the digests of these."""

    __slots__ = ("digests", "ranges")

    def __init__(self, record: bytes, ranges: Sequence[Range]) -> None:
        view = memoryview(record)
        self.ranges = ranges
        self.digests = [hashlib.sha256(view[start:end]).digest()[:DIGEST_BYTES] for start, end in ranges]


def cut(record: bytes) -> list[Range]:
    """The pieces of an encoded part as ranges of its bytes, in order; [] where it is better kept as it is."""
    if len(record) < MIN_RECORD:
        return []
    found: list[Range] = []
    try:
        place = _header(record, 0)[0]
        for size in _sizes(record, 0, len(record)):
            if size >= _LONG:
                _cut_value(record, place, place + size, 1, found)
            place += size
    except (msgspec.DecodeError, RecursionError):
        return []
    return found


def _cut_value(record: bytes, start: int, end: int, depth: int, found: list[Range]) -> None:
    """Cuts a long value: by items, by text, or not at all."""
    kind = _kind(record[start])
    if kind == "text":
        _cut_text(record, start + _text_header(record[start]), end, found)
    elif kind == "scalar" or depth > _MAX_DEPTH:
        found.append((start, end))
    else:
        _cut_items(record, start, end, depth, found)


def _cut_items(record: bytes, start: int, end: int, depth: int, found: list[Range]) -> None:
    header, count = _header(record, start)
    if end - start - header <= count * _NUMBER:
        found.append((start, end))
        return
    place = begun = start + header
    in_list = _kind(record[start]) == "list"
    for size in _sizes(record, start, end):
        if size >= _LONG and _is_cut(record, place, size, in_list):
            _add(begun, place, found)
            _cut_value(record, place, place + size, depth + 1, found)
            begun = place + size
        elif place + size - begun >= _PIECE:
            found.append((begun, place + size))
            begun = place + size
        place += size
    _add(begun, end, found)


def _is_cut(record: bytes, place: int, size: int, in_list: bool) -> bool:
    """Whether a long item is cut itself: lists always, but a message is best kept as one piece."""
    kind = _kind(record[place])
    if kind == "list" or size >= _LONG_MESSAGE:
        return kind != "scalar"
    if in_list:
        return False
    return kind == "map" or (kind == "text" and _is_json(record, place + _text_header(record[place])))


def _cut_text(record: bytes, start: int, end: int, found: list[Range]) -> None:
    """Cuts text after a line or after `},`, in pieces of at least a certain size."""
    size = end - start
    json = _is_json(record, start)
    if size < _LONG or (not json and size < _LONG_TEXT):
        _add(start, end, found)
        return
    least = _VAST_PIECE if size >= _VAST_TEXT else _TEXT_PIECE if json else _PROSE_PIECE
    line = brace = start - 1
    place = start
    while end - place > least:
        least_end = place + least
        if line < least_end:
            line = _after(record, b"\n", least_end, end)
        if brace < least_end:
            brace = _after(record, b"},", least_end, end)
        nearest = min(line, brace)
        found.append((place, nearest))
        place = nearest
    _add(place, end, found)


def _after(record: bytes, mark: bytes, start: int, end: int) -> int:
    """The place after the next mark; the end where there is none."""
    place = record.find(mark, start, end)
    return end if place < 0 else place + len(mark)


def _is_json(record: bytes, start: int) -> bool:
    return record.startswith(_JSON_STARTS, start)


def _add(start: int, end: int, found: list[Range]) -> None:
    if end - start >= _PIECE:
        found.append((start, end))


# MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md#formats)


def _kind(first: int) -> str:
    if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
        return "list"
    if 0x80 <= first <= 0x8F or first in (0xDE, 0xDF):
        return "map"
    if 0xA0 <= first <= 0xBF or first in (0xD9, 0xDA, 0xDB, 0xC4, 0xC5, 0xC6):
        return "text"
    return "scalar"


def _text_header(first: int) -> int:
    if 0xA0 <= first <= 0xBF:
        return 1
    return {0xD9: 2, 0xC4: 2, 0xDA: 3, 0xC5: 3}.get(first, 5)


def _header(record: bytes, start: int) -> tuple[int, int]:
    """The length of a list's or map's header, and how many items or entries it says."""
    first = record[start]
    if 0x80 <= first <= 0x9F:
        return 1, first & 0x0F
    if first in (0xDC, 0xDE):
        return 3, int.from_bytes(record[start + 1 : start + 3], "big")
    return 5, int.from_bytes(record[start + 1 : start + 5], "big")


def _sizes(record: bytes, start: int, end: int) -> Sequence[int]:
    """How many bytes each item takes; of a map, each key and each value."""
    header, count = _header(record, start)
    view = memoryview(record)
    if _kind(record[start]) == "map":  # as a list of keys and values: any key will do, and none is decoded
        items = _raws(b"".join((_ARRAY32.pack(0xDD, 2 * count), view[start + header : end])))
    else:
        items = _raws(view[start:end])
    return [memoryview(item).nbytes for item in items]
