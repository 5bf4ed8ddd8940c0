"""Payload blocks: up to 64 slots with encoded span parts, and pieces of them, in one zstd frame, found by locators.

A slot holds a part's record, those of several parts of a span (joining.py), or a piece (pieces.py). One frame of many
spans is faster to write and about three times smaller than one frame a span (833 bytes instead of 2,111 for a span of
2.2 KB). A locator is `block_no << 8 | slot`; an *entry* of a span row is 16 bytes: the locator, big-endian, and the
part's digest, by which a part that arrives twice is known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

import zstandard

from traceview.protocol.wire import WireError, join_records, split_records

MAX_SLOTS: Final = 256
_MAX_PARTS: Final = 64
ENTRY: Final = struct.Struct(">Q8s")
# The locator of a part that said nothing new, or shares the slot of another: only its digest is kept. No block has
# number 0.
NOWHERE: Final = 0
_NOWHERE_BYTES: Final = bytes(8)
MAX_RAW_BYTES: Final = 1 << 30
_FULL_BYTES: Final = 256 * 1024
# A block smaller than this is written again with what the next transaction brings, or a trickle of spans would make
# a block, and a page, of each.
_OPEN_BYTES: Final = 64 * 1024
_COMPRESSORS: Final = 2
_CHUNK_BYTES: Final = 16 * 1024 * 1024


class BlockDamaged(ValueError):
    """A block that can't be unpacked."""


class BlockPacker:
    """Collects encoded parts and says where each will lie; `take()` gives the blocks to write.

    `mark()` and `restore()` take it back to an earlier state when a transaction fails.
    """

    def __init__(self, next_block: int) -> None:
        self._block = next_block
        self._records: list[bytes | memoryview] = []
        self._bytes = 0
        self._parts = 0
        self._new = 0
        self._full: list[tuple[int, Future[bytes]]] = []
        self._helper: ThreadPoolExecutor | None = None

    def add(self, record: bytes | memoryview, *, piece: bool = False) -> int:
        """Takes a part, or a piece of one (pieces.py); returns its locator."""
        size = len(record)
        if self._bytes + size > _FULL_BYTES or self._parts >= _MAX_PARTS or len(self._records) >= MAX_SLOTS:
            self._hand_over()
        slot = len(self._records)
        self._records.append(record)
        self._bytes += size
        self._parts += not piece
        self._new += 1
        return self._block << 8 | slot

    def _hand_over(self) -> None:
        """Has the block packed, if there is anything in it, and begins the next one."""
        if self._records:
            # On threads that need no interpreter: a flood's spans are a tenth faster in. The second one is only begun
            # while the first is busy; 100 MB are stored in 0.23 s instead of 0.4.
            self._helper = self._helper or ThreadPoolExecutor(_COMPRESSORS, "compressor")
            self._full.append((self._block, self._helper.submit(_pack, self._records)))
            self._next_block()

    @property
    def next_locator(self) -> int:
        """No locator given so far is as high."""
        return self._block << 8 | len(self._records)

    def take(self) -> list[tuple[int, bytes]]:
        """The blocks to write, packed: number and data. The last one may be written again by the next transaction."""
        last = [(self._block, _pack(self._records))] if self._new else []
        taken = [(number, packed.result()) for number, packed in self._full] + last
        self._full = []
        self._new = 0
        if self._bytes >= _OPEN_BYTES or self._is_crowded():
            self._next_block()
        else:  # as they are, they could keep whole messages in memory
            self._records = [bytes(record) for record in self._records]
        return taken

    def mark(self) -> int:
        """Where it stands between two `take()`s."""
        return self._block

    def restore(self, mark: int) -> None:
        """Forgets what came since the mark; a fresh block is begun."""
        self._block = mark
        self._next_block()
        self._new, self._full = 0, []

    def close(self) -> None:
        """Ends the helper; safe twice."""
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.shutdown(cancel_futures=True)

    def _is_crowded(self) -> bool:
        return self._parts >= _MAX_PARTS or len(self._records) >= MAX_SLOTS

    def _next_block(self) -> None:
        self._block += 1
        self._records, self._bytes, self._parts = [], 0, 0


def _pack(records: list[bytes | memoryview]) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(join_records(records))


def unpack(data: bytes) -> list[memoryview]:
    """The parts of a block, by slot. Raises BlockDamaged; never expands beyond 1 GiB, whatever the frame says."""
    try:
        slots = list(islice(split_records(b"".join(_expand(data))), MAX_SLOTS + 1))
        if len(slots) > MAX_SLOTS:
            raise BlockDamaged(f"it holds more than {MAX_SLOTS} slots")
        return slots
    except (zstandard.ZstdError, WireError) as error:
        raise BlockDamaged(str(error)) from error


def _expand(data: bytes) -> Iterator[bytes]:
    # Not ZstdDecompressor.decompress(): it trusts the size that the frame states.
    total = 0
    with zstandard.ZstdDecompressor().stream_reader(data) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            total += len(chunk)
            if total > MAX_RAW_BYTES:
                raise BlockDamaged("it expands beyond 1 GiB")
            yield chunk


def join_entries(locator: int, digests: Iterable[bytes]) -> bytes:
    """The entries of parts that share the slot at `locator`: the first names it, the others nowhere."""
    return locator.to_bytes(8, "big") + _NOWHERE_BYTES.join(digests)


def split_entries(entries: bytes) -> list[tuple[int, bytes]]:
    """The locators and digests in a span row."""
    if len(entries) % ENTRY.size:
        raise BlockDamaged("its span row is cut")
    return list(ENTRY.iter_unpack(entries))
