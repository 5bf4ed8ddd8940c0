"""What storing a part costs most, done before the transaction and on any thread: its bytes, digest, and pieces if long.

Encoding, cutting and hashing 100 MB takes half a second, in which the writer would acknowledge nothing. Of short parts
it is a fifth of the writer's time, which is what limits a flood.
"""

from __future__ import annotations

import msgspec

from traceview.protocol.records import SpanPart
from traceview.store.cutting import cut
from traceview.store.encoding import digest, encode_part
from traceview.store.pieces import Cuts


class ReadyPart(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A part that can be stored, its record, the record's digest, and for a long one where that would be cut."""

    part: SpanPart
    record: bytes
    mark: bytes
    cuts: Cuts | None = None


def make_ready(part: SpanPart, *, long: bool = False) -> ReadyPart:
    """Does what needs no store; `StoreWriter.apply` takes the result beside its `part`, which may be another."""
    part, record = encode_part(part)
    return ReadyPart(part, record, digest(record), Cuts(record, cut(record)) if long else None)
