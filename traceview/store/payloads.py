"""Finds the parts of spans in payload blocks, joins and merges them, with the blocks last used at hand."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from traceview.protocol.records import SpanPart
from traceview.store.blocks import MAX_RAW_BYTES, NOWHERE, BlockDamaged, split_entries, unpack
from traceview.store.columns import SPILLED
from traceview.store.joining import split
from traceview.store.merging import merge
from traceview.store.pieces import content_of, members_of, segments_of

# Enough for the neighbours of a step, which lie in the same few blocks; a 100 MB payload is not kept.
_CACHE_BYTES: Final = 32 * 1024 * 1024

# Far more than any record needs: a crafted file can name its pieces over and over.
_MAX_NESTING: Final = 32
_MAX_PIECES: Final = 8_000_000

_SPILLED_LOCATORS: Final = "SELECT locator FROM span_part WHERE trace_no = ? AND span_id = ?"
_BLOCK: Final = "SELECT data FROM payload_block WHERE block_no = ?"


class BlockCache:
    """Unpacked blocks, the latest used 32 MiB of them."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, list[memoryview]] = OrderedDict()
        self._bytes = 0

    def part(self, connection: sqlite3.Connection, locator: int) -> memoryview | bytes:
        """The encoded part at a locator, whole. Raises BlockDamaged where it isn't, and the driver's errors."""
        record = self.slot(connection, locator)
        segments = segments_of(record)
        if segments is None:
            return record
        joined: list[bytes | memoryview] = []
        total = 0
        for piece in self._pieces(connection, segments):
            joined.append(piece)
            total += len(piece)
            if total > MAX_RAW_BYTES or len(joined) > _MAX_PIECES:
                raise BlockDamaged("its pieces make more than 1 GiB")
        return b"".join(joined)

    def _pieces(self, connection: sqlite3.Connection, segments: Iterable[int | bytes]) -> Iterator[bytes | memoryview]:
        """The bytes that segments of a record stand for (see pieces.py)."""
        stack = [iter(segments)]
        while stack:
            segment = next(stack[-1], None)
            if segment is None:
                stack.pop()
            elif isinstance(segment, bytes):
                yield segment
            elif segment >= 0:
                yield content_of(self.slot(connection, segment))
            elif len(stack) > _MAX_NESTING:
                raise BlockDamaged("its pieces are nested without end")
            else:
                stack.append(iter(members_of(self.slot(connection, -segment))))

    def slot(self, connection: sqlite3.Connection, locator: int) -> memoryview:
        """What lies at a locator, as it is stored. Raises BlockDamaged where nothing does, and the driver's errors."""
        number, slot = locator >> 8, locator & 0xFF
        slots = self._blocks.get(number)
        if slots is None or slot >= len(slots):  # the newest block grows with later transactions
            slots = self._load(connection, number)
        else:
            self._blocks.move_to_end(number)
        if slot >= len(slots):
            raise BlockDamaged(f"payload block {number} has no part {slot}")
        return slots[slot]

    def keep(self, number: int, data: bytes) -> list[memoryview]:
        """The slots of a block that was read already, kept for what comes next. Raises BlockDamaged."""
        self._forget(number)
        slots = unpack(data)
        self._blocks[number] = slots
        self._bytes += _size(slots)
        while self._bytes > _CACHE_BYTES:
            self._forget(next(iter(self._blocks)))
        return slots

    def _load(self, connection: sqlite3.Connection, number: int) -> list[memoryview]:
        row = connection.execute(_BLOCK, (number,)).fetchone()
        if row is None:
            raise BlockDamaged(f"payload block {number} is missing")
        return self.keep(number, row[0])

    def _forget(self, number: int) -> None:
        slots = self._blocks.pop(number, None)
        if slots is not None:
            self._bytes -= _size(slots)


def find_locators(
    connection: sqlite3.Connection, trace_no: int | None, span_id: bytes, flags: int, entries: bytes
) -> list[int]:
    """Where the parts of a span lie, in order of arrival; `flags` and `entries` are from its row."""
    locators = [locator for locator, _ in split_entries(entries)]
    if flags & SPILLED:
        locators += [row[0] for row in connection.execute(_SPILLED_LOCATORS, (trace_no, span_id)).fetchall()]
    return sorted(locator for locator in locators if locator != NOWHERE)


def merge_at(connection: sqlite3.Connection, cache: BlockCache, locators: Sequence[int]) -> SpanPart:
    """The whole span whose parts lie at these locators."""
    parts = []
    for locator in locators:
        parts += split(cache.part(connection, locator))
    return merge(parts)


def _size(slots: Sequence[memoryview]) -> int:
    return sum(map(len, slots))
