"""Reads the parts of a store in the order in which they were committed, each once, on a connection of its own.

A part lies in a payload block and never changes; what comes later has a higher locator. So one number says how far one
has read, whatever spans run on, change, or come again.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from traceview.protocol.records import SpanPart
from traceview.store.blocks import BlockDamaged
from traceview.store.driver import driver_error
from traceview.store.errors import explain
from traceview.store.joining import split
from traceview.store.lookups import select_in
from traceview.store.merging import merge
from traceview.store.opening import open_readable
from traceview.store.payloads import BlockCache
from traceview.store.pieces import is_shared, owner_of

_log = logging.getLogger(__name__)

_LAST_SLOT: Final = 0xFF
# Blocks hold 256 KiB unless one part is larger; decoding more than this at once would hold up every other thread.
MAX_PART_BYTES: Final = 16 * 1024 * 1024

_BLOCKS: Final = "SELECT block_no, data FROM payload_block WHERE block_no >= ? ORDER BY block_no LIMIT 2"
_LAST_BLOCK: Final = "SELECT coalesce(max(block_no), 0) FROM payload_block"
_TRACES: Final = "SELECT trace_id, trace_no FROM trace WHERE trace_id IN "
_TRACES_BY_NO: Final = "SELECT trace_no FROM trace WHERE trace_no IN "
_IS_THERE: Final = "SELECT 1 FROM payload_block WHERE block_no = ?"
_SPAN: Final = "SELECT 1 FROM span WHERE trace_no = ? AND span_id = ?"
_META: Final = "SELECT value FROM meta WHERE key = ?"
_CHANGED: Final = (
    "SELECT count(*) FROM trace INDEXED BY trace_by_change CROSS JOIN span INDEXED BY span_by_change USING (trace_no)"
    " WHERE trace.change > ? AND span.change > ?"
)


class _Ids(msgspec.Struct, frozen=True, array_like=True):
    """The head of what lies in a slot: whose it is, without reading the rest."""

    trace_id: bytes
    span_id: bytes


_ids: Final = msgspec.msgpack.Decoder(_Ids).decode


@dataclass(frozen=True, slots=True)
class Arrival:
    """A part that was committed: where it lies, whose it is, and whether its trace repeats itself (see pieces.py)."""

    locator: int
    trace_no: int
    span_id: bytes
    repeats: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """The parts that one block holds beyond a locator, those of forgotten traces left out; `upto` is its last slot."""

    arrivals: tuple[Arrival, ...]
    upto: int


class PartStream:
    """One reader; one thread uses it at a time. Every method raises StoreError when it can't read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_readable(path)
        self._cache = BlockCache()

    def data_version(self) -> int:
        """A number that changes whenever another connection has written to the store."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def head(self) -> int:
        """The highest change number: every part up to it is in what is read from now on."""
        return self._meta("change")

    def forgotten(self) -> int:
        """How many traces retention has taken away so far."""
        return self._meta("forgotten")

    def highest_block(self) -> int:
        """The highest number that a block was ever given, also one that retention has freed since."""
        return max(self.last_block(), self._meta("last_block"))

    def has_span(self, trace_no: int, span_id: bytes) -> bool:
        """Whether this span is there, in this trace."""
        return bool(self._rows(_SPAN, (trace_no, span_id)))

    def last_block(self) -> int:
        """The number of the newest block, 0 where there is none."""
        return int(self._rows(_LAST_BLOCK)[0][0])

    def changed_spans(self, after: int) -> int:
        """How many spans have a change number above this one."""
        return int(self._rows(_CHANGED, (after, after))[0][0])

    def there(self, trace_nos: Sequence[int]) -> set[int]:
        """Those of these traces that the store has."""
        try:
            return {row[0] for row in select_in(self._connection, _TRACES_BY_NO, trace_nos)}
        except driver_error() as error:
            raise explain(error, self._path) from error

    def next(self, after: int) -> Stretch | None:
        """What was committed after this locator, a block at a time; None where that is nothing."""
        number, slot = after >> 8, after & _LAST_SLOT
        for block, data in self._rows(_BLOCKS, (number,)):
            if block == number and slot == _LAST_SLOT:
                continue
            first = slot + 1 if block == number else 0
            try:
                slots = self._cache.keep(block, data)
            except BlockDamaged as error:
                _log.warning("%s: payload block %d is damaged (%s): its text can't be found", self._path, block, error)
                return Stretch((), block << 8 | _LAST_SLOT)
            if first < len(slots):
                return Stretch(tuple(self._arrivals(block, slots, first)), block << 8 | len(slots) - 1)
        return None

    def part(self, locator: int) -> SpanPart | None:
        """The part there, several that share a slot as one; None where it can't be read, or is larger than 16 MiB."""
        try:
            record = self._cache.part(self._connection, locator)
            return merge(split(record)) if len(record) <= MAX_PART_BYTES else None
        except driver_error() as error:
            raise explain(error, self._path) from error
        except (BlockDamaged, msgspec.DecodeError):
            return None

    def mark(self, locator: int) -> int:
        """A digest of what lies there, by which the store is known again; 0 where the block is gone, else -1."""
        try:
            record = self._cache.slot(self._connection, locator)
        except driver_error() as error:
            raise explain(error, self._path) from error
        except BlockDamaged:
            return -1 if self._rows(_IS_THERE, (locator >> 8,)) else 0
        return int.from_bytes(hashlib.blake2b(record, digest_size=7).digest(), "big") | 1

    def waiting(self, index: dict[str, int]) -> int:
        """How many spans have parts that an index, which says this of itself (`meta_of`), does not have yet.

        Exact at the begin and the end of catching up, in between by the share of blocks that are left: the last one
        counts as left, since it may have grown.
        """
        spans = self.changed_spans(index.get("change", 0))
        begun, end = index.get("block", 0), self.last_block()
        left = max(1, end - (index.get("cursor", 0) >> 8))
        return spans if end <= begun else math.ceil(spans * min(1.0, left / (end - begun)))

    def close(self) -> None:
        """Closes the file; safe twice."""
        self._connection.close()

    def _arrivals(self, block: int, slots: Sequence[memoryview], first: int) -> Iterator[Arrival]:
        heads: list[tuple[int, _Ids, bool]] = []
        for slot in range(first, len(slots)):
            record = slots[slot]
            try:
                if owner_of(record) is None:
                    heads.append((block << 8 | slot, _ids(record), is_shared(record)))
            except msgspec.DecodeError:
                continue
        numbers = self._numbers({ids.trace_id for _, ids, _ in heads})
        for locator, ids, repeats in heads:
            number = numbers.get(ids.trace_id)
            if number is not None:
                yield Arrival(locator, number, ids.span_id, repeats)

    def _numbers(self, trace_ids: Iterable[bytes]) -> dict[bytes, int]:
        try:
            return dict(select_in(self._connection, _TRACES, trace_ids))
        except driver_error() as error:
            raise explain(error, self._path) from error

    def _meta(self, key: str) -> int:
        rows = self._rows(_META, (key,))
        return int(rows[0][0]) if rows else 0

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except driver_error() as error:
            raise explain(error, self._path) from error
