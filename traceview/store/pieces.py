"""Stores what the records of a trace have in common once: a conversation that grows costs what it grows by.

Once a trace has repeated itself, its long records are cut into pieces (`cutting.py`); each is known by its content and
lies in a payload block like a part. In its stead the stored record names the piece. Since n records of n pieces would
still name n² of them, runs of pieces become groups, groups of groups, and so on, also known by what they hold. A group
ends where the digest of a piece says so, hence the same pieces make the same groups whatever comes before or after: a
longer list, a fork, a window that slides. This is a prolly tree
(https://docs.dolthub.com/architecture/storage-engine/prolly-tree).

What is stored in the record's stead are its ids and a list: bytes stand for themselves, a locator for a piece, a
negative locator for a group, which is such a list of locators. Joining gives the record byte for byte. A piece in a
block begins with the byte 0xC1, which never begins MessagePack, and the number of its trace, with which it goes.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import msgspec

from traceview.protocol.records import SpanPart
from traceview.store.blocks import BlockDamaged, BlockPacker
from traceview.store.columns import insert_statement
from traceview.store.cutting import DIGEST_BYTES, MIN_RECORD, Cuts, Range, cut
from traceview.store.encoding import SHARED
from traceview.store.lookups import SELECT_PIECES, select_in
from traceview.store.traces import TraceState

INSERT_PIECES: Final = insert_statement("piece", ("trace_no", "digest", "locator"))
_ANY_PIECE: Final = "SELECT 1 FROM piece WHERE trace_no = ? LIMIT 1"

_MIN_SHARED_BYTES: Final = 1_024
# A group has 16 members on average. At least four, so that groups of groups come to an end.
_MIN_GROUP: Final = 4
_MAX_GROUP: Final = 64
_GROUP_MASK: Final = 0x0F
# Of a trace that has not repeated itself yet only longer records are taken apart: most never do.
_ALWAYS_BYTES: Final = 64 * 1024
# Pieces remembered between transactions, so that a trace being written needs no look-up: at most 20 MB.
_REMEMBERED: Final = 100_000

_PIECE: Final = 0xC1
_OWNER: Final = struct.Struct(">BQ")

_encode: Final = msgspec.msgpack.Encoder().encode


class Shared(msgspec.Struct, frozen=True, array_like=True):
    """What is stored in place of a record; begins like a part."""

    trace_id: bytes
    span_id: bytes
    segments: list[int | bytes]


_shared: Final = msgspec.msgpack.Decoder(Shared).decode
_segments: Final = msgspec.msgpack.Decoder(list[int | bytes]).decode

# A piece's or group's digest, and its locator (negative for a group).
Member = tuple[bytes, int]


class _Known:
    """The pieces of one trace by digest; `complete` where the store holds no others.

    `seen` has hashes of what could have been pieces until the trace `repeats` itself.
    """

    __slots__ = ("complete", "places", "repeats", "seen", "trace_no")

    def __init__(self, trace_no: int, *, complete: bool, repeats: bool) -> None:
        self.trace_no = trace_no
        self.places: dict[bytes, int] = {}
        self.complete = complete
        self.repeats = repeats
        self.seen: set[int] = set()

    @property
    def size(self) -> int:
        """How much it has to remember."""
        return len(self.places) + len(self.seen)

    def look_at(self, record: bytes, ranges: Sequence[Range]) -> None:
        """Notes whether the trace repeats itself with this record."""
        if len(record) >= _ALWAYS_BYTES:
            self.repeats = True
            self.seen.clear()
            return
        known = 0
        for start, end in ranges:
            mark = hash(record[start:end])
            if mark in self.seen:
                known += end - start
            else:
                self.seen.add(mark)
        if known >= _MIN_SHARED_BYTES:
            self.repeats = True
            self.seen.clear()


class Pieces:
    """The pieces of the traces that are being written.

    `share()` takes records apart, `take()` gives the rows to write and ends the transaction; after one that failed
    `forget()` what it knew.
    """

    def __init__(self, connection: sqlite3.Connection, packer: BlockPacker) -> None:
        self._connection = connection
        self._packer = packer
        self._traces: OrderedDict[int, _Known] = OrderedDict()
        self._remembered = 0
        self._rows: list[tuple[int, bytearray, int]] = []

    def share(self, trace: TraceState, part: SpanPart, record: bytes, cuts: Cuts | None = None) -> bytes:
        """What to store in place of an encoded part; itself where nothing of it is likely to come again.

        `cuts` may be given where they were made before.
        """
        if len(record) < MIN_RECORD:
            return record
        ranges = cut(record) if cuts is None else cuts.ranges
        if sum(end - start for start, end in ranges) < _MIN_SHARED_BYTES:
            return record
        known = self._known(trace)
        before = known.size
        if not known.repeats:
            known.look_at(record, ranges)
        stored = record
        if known.repeats:
            stored = _encode(
                Shared(part.trace_id, part.span_id, self._segments(known, record, cuts or Cuts(record, ranges)))
            )
        self._remembered += known.size - before
        return stored

    def take(self) -> list[tuple[int, bytearray, int]]:
        """The rows of the pieces that are new since the last call."""
        rows, self._rows = self._rows, []
        while self._remembered > _REMEMBERED:  # those that were not written to for the longest time
            _, known = self._traces.popitem(last=False)
            self._remembered -= known.size
        return rows

    def forget(self) -> None:
        """Forgets everything: what was added may not be in the store."""
        self._traces.clear()
        self._remembered = 0
        self._rows = []

    def _known(self, trace: TraceState) -> _Known:
        known = self._traces.get(trace.trace_no)
        if known is None:
            shares = not trace.fresh and self._connection.execute(_ANY_PIECE, (trace.trace_no,)).fetchone() is not None
            known = self._traces[trace.trace_no] = _Known(trace.trace_no, complete=trace.fresh, repeats=shares)
        else:
            self._traces.move_to_end(trace.trace_no)
        return known

    def _segments(self, known: _Known, record: bytes, cuts: Cuts) -> list[int | bytes]:
        view = memoryview(record)
        ranges, digests = cuts.ranges, cuts.digests
        locators = self._locate(known, digests, [view[start:end] for start, end in ranges])
        segments: list[int | bytes] = []
        run: list[Member] = []
        place = 0
        for (start, end), digest, locator in zip(ranges, digests, locators, strict=True):
            if start > place:
                segments += self._grouped(known, run)
                segments.append(record[place:start])
                run = []
            run.append((digest, locator))
            place = end
        segments += self._grouped(known, run)
        if place < len(record):
            segments.append(record[place:])
        return segments

    def _grouped(self, known: _Known, run: Sequence[Member]) -> list[int]:
        """The locators that stand for a run of pieces: of few groups, and of what no group holds yet."""
        tails: list[list[int]] = []
        members = run
        while True:
            groups, tail = _split(members)
            tails.append([locator for _, locator in tail])
            if not groups:
                break
            # The other half of the digest: no piece is ever taken for a group.
            digests = [
                hashlib.sha256(b"".join(digest for digest, _ in group)).digest()[-DIGEST_BYTES:] for group in groups
            ]
            contents = [_encode([locator for _, locator in group]) for group in groups]
            locators = self._locate(known, digests, contents)
            members = [(digest, -locator) for digest, locator in zip(digests, locators, strict=True)]
        return [locator for tail in reversed(tails) for locator in tail]

    def _locate(self, known: _Known, digests: Sequence[bytes], contents: Sequence[bytes | memoryview]) -> list[int]:
        """Where pieces lie; those that the trace hasn't yet are packed."""
        places = known.places
        if not known.complete:
            missing = {digest for digest in digests if digest not in places}
            if missing:
                places.update(select_in(self._connection, SELECT_PIECES, missing, (known.trace_no,)))
        owner = _OWNER.pack(_PIECE, known.trace_no)
        found = []
        for digest, content in zip(digests, contents, strict=True):
            locator = places.get(digest)
            if locator is None:
                locator = places[digest] = self._packer.add(b"".join((owner, content)), piece=True)
                self._rows.append((known.trace_no, bytearray(digest), locator))
            found.append(locator)
        return found


def owner_of(record: memoryview) -> int | None:
    """The number of the trace whose piece lies in this slot of a block; None where it is no piece but a part."""
    if len(record) < _OWNER.size or record[0] != _PIECE:
        return None
    return int(_OWNER.unpack_from(record)[1])


def is_shared(record: memoryview) -> bool:
    """Whether a record was taken apart, since its trace repeats itself."""
    return bool(record) and record[0] == SHARED


def segments_of(record: memoryview) -> list[int | bytes] | None:
    """What a record was taken apart into; None where it is stored as it is. Raises msgspec.DecodeError."""
    return _shared(record).segments if is_shared(record) else None


def content_of(record: memoryview) -> memoryview:
    """The bytes of a piece. Raises BlockDamaged where it is none."""
    if not record or record[0] != _PIECE:
        raise BlockDamaged("a part lies where a piece should")
    return record[_OWNER.size :]


def members_of(record: memoryview) -> list[int | bytes]:
    """The locators in a group. Raises BlockDamaged and msgspec.DecodeError."""
    return _segments(content_of(record))


def _split(members: Sequence[Member]) -> tuple[list[Sequence[Member]], Sequence[Member]]:
    """The whole groups of a run, and the members after the last one."""
    groups = []
    begun = 0
    for place, (digest, _) in enumerate(members, 1):
        size = place - begun
        if size >= _MIN_GROUP and (not digest[0] & _GROUP_MASK or size >= _MAX_GROUP):
            groups.append(members[begun:place])
            begun = place
    return groups, members[begun:]
