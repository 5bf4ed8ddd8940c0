"""The batches under way: sent or to be sent, and not yet acknowledged. Pure bookkeeping, no socket, no clock."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from traceview.protocol.wire import Batch, encode_header
from traceview.sdk.outbox import Chunk

MAX_BATCHES: Final = 32
MAX_BYTES: Final = 8 * 1024 * 1024
_EMPTY: Final = Chunk(b"", 0, 0)


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """A numbered batch, ready to be sent any number of times."""

    seq: int
    header: bytes
    chunk: Chunk


class Window:
    """Batches of one session, numbered from 1 without gaps, of which a bounded number is under way."""

    def __init__(self, session: bytes) -> None:
        self._session = session
        self._parcels: deque[Parcel] = deque()
        self._unsent = 0
        self._last_seq = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def has_room(self) -> bool:
        """Whether one more batch may be under way."""
        return len(self._parcels) < MAX_BATCHES and self._bytes < MAX_BYTES

    @property
    def in_flight(self) -> bool:
        """Whether a batch was sent that is not acknowledged."""
        return self._unsent > 0

    def add(self, chunk: Chunk | None, dropped: int, left_out: int = 0) -> None:
        """Makes the next batch, to be sent; an empty one if only the number of dropped spans is to be told."""
        self._last_seq += 1
        chunk = chunk or _EMPTY
        header = encode_header(Batch(self._session, self._last_seq, chunk.records, dropped, left_out))
        self._parcels.append(Parcel(self._last_seq, header, chunk))
        self._bytes += chunk.size

    def next_unsent(self) -> Parcel | None:
        """The first batch to be sent, or None; it stays the first until `mark_sent`."""
        return self._parcels[self._unsent] if self._unsent < len(self._parcels) else None

    def mark_sent(self) -> None:
        """The batch that `next_unsent` gave is on its way."""
        self._unsent += 1

    def rewind(self) -> None:
        """All that is not acknowledged is to be sent again."""
        self._unsent = 0

    def acknowledge(self, upto: int) -> list[Parcel]:
        """Takes out the batches up to and including this number, oldest first."""
        done: list[Parcel] = []
        while self._parcels and self._parcels[0].seq <= upto:
            done.append(self._take_out(0))
        return done

    def reject(self, seq: int) -> Parcel | None:
        """Takes out the batch of this number; None if it is not under way."""
        for place, parcel in enumerate(self._parcels):
            if parcel.seq == seq:
                return self._take_out(place)
        return None

    def _take_out(self, place: int) -> Parcel:
        parcel = self._parcels[place]
        del self._parcels[place]
        self._bytes -= parcel.chunk.size
        if place < self._unsent:
            self._unsent -= 1
        return parcel
