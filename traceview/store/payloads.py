"""Finds the parts of spans in payload blocks and merges them, with the blocks last used at hand."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from traceview.protocol.records import SpanPart
from traceview.store.blocks import NOWHERE, BlockDamaged, split_entries, unpack
from traceview.store.columns import SPILLED
from traceview.store.encoding import decode
from traceview.store.merging import merge

# Enough for the neighbours of a step, which lie in the same few blocks; a 100 MB payload is not kept.
_CACHE_BYTES: Final = 32 * 1024 * 1024

_SPILLED_LOCATORS: Final = "SELECT locator FROM span_part WHERE trace_no = ? AND span_id = ?"
_BLOCK: Final = "SELECT data FROM payload_block WHERE block_no = ?"

UNREADABLE_ATTRIBUTE: Final = "traceview.unreadable"


class BlockCache:
    """Unpacked blocks, the latest used 32 MiB of them."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, list[memoryview]] = OrderedDict()
        self._bytes = 0

    def part(self, connection: sqlite3.Connection, locator: int) -> memoryview:
        """The encoded part at a locator. Raises BlockDamaged where it isn't, and the driver's errors."""
        number, slot = locator >> 8, locator & 0xFF
        slots = self._blocks.get(number)
        if slots is None or slot >= len(slots):  # the newest block grows with later transactions
            slots = self._load(connection, number)
        else:
            self._blocks.move_to_end(number)
        if slot >= len(slots):
            raise BlockDamaged(f"payload block {number} has no part {slot}")
        return slots[slot]

    def _load(self, connection: sqlite3.Connection, number: int) -> list[memoryview]:
        self._forget(number)
        row = connection.execute(_BLOCK, (number,)).fetchone()
        if row is None:
            raise BlockDamaged(f"payload block {number} is missing")
        slots = unpack(row[0])
        self._blocks[number] = slots
        self._bytes += _size(slots)
        while self._bytes > _CACHE_BYTES:
            self._forget(next(iter(self._blocks)))
        return slots

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


def merge_at(
    connection: sqlite3.Connection, cache: BlockCache, trace_id: bytes, span_id: bytes, locators: Sequence[int]
) -> SpanPart:
    """The whole span whose parts lie at these locators."""
    parts = []
    for locator in locators:
        record = cache.part(connection, locator)
        try:
            parts.append(decode(record))
        except RecursionError:  # stored from a shallower call stack than this
            note: dict[str, Any] = {UNREADABLE_ATTRIBUTE: f"nested too deeply ({len(record)} bytes)"}
            parts.append(SpanPart(trace_id, span_id, attributes=note))
    return merge(parts)


def _size(slots: Sequence[memoryview]) -> int:
    return sum(map(len, slots))
