"""What it takes to search long text in its UTF-8 bytes instead of its characters, with the same result.

RE2 works on bytes. Given text, its binding encodes all of it at every search and counts characters up to every match,
and no other thread runs meanwhile; given bytes, it does neither. A text of 100 MB is searched some fifteen times.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from traceview.redaction.engine import compile_pattern

Range = tuple[int, int]
Text = TypeVar("Text", bytes, str)

# The second and later bytes of a character (RFC 3629).
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
_STRIDE: Final = 1024 * 1024


def find_needles(raw: bytes, needles: Iterable[str]) -> set[str]:
    """Which of these lower-case ASCII words stand in there, in any case; the empty one stands everywhere."""
    left = set(needles)
    found = left & {""}
    left -= found
    place = 0
    while left:
        match = compile_pattern(f"(?i:{'|'.join(map(re.escape, sorted(left)))})").search(raw, place)
        if match is None:
            break
        needle = match.group().decode().lower()
        place = match.start() if needle in left else match.end()  # RE2 takes `ſ` for an `s`, which lower() doesn't
        found |= left & {needle}
        left.discard(needle)
    return found


def cut_out(raw: bytes, ranges: Sequence[Range], mark: bytes) -> bytes:
    """The bytes with the mark in place of each range."""
    view = memoryview(raw)
    pieces: list[bytes | memoryview] = []
    end = 0
    for start, stop in ranges:
        pieces += (view[end:start], mark)
        end = stop
    return b"".join((*pieces, view[end:]))


def character_ranges(raw: bytes, text: str, ranges: Iterable[Range]) -> Iterable[Range]:
    """Where in a text rising ranges of its bytes are."""
    return (
        ranges if text.isascii() else _counted(raw, ranges, lambda bytes_: len(bytes_.translate(None, _CONTINUATION)))
    )


def byte_ranges(text: str, ranges: Iterable[Range]) -> Iterable[Range]:
    """Where in the bytes of a text rising ranges of it are."""
    return ranges if text.isascii() else _counted(text, ranges, lambda characters: len(characters.encode()))


def _counted(whole: Text, ranges: Iterable[Range], count: Callable[[Text], int]) -> Iterator[Range]:
    """The ranges in another unit: `count` says how many a stretch has. In strides, so that other threads run."""
    place = counted = 0
    for both in ranges:
        ends = []
        for end in both:
            while place < end:
                stride = whole[place : min(place + _STRIDE, end)]
                place += len(stride)
                counted += count(stride)
            ends.append(counted)
        yield ends[0], ends[1]
