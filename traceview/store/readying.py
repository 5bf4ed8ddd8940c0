"""What storing a part costs that needs no store, done before the transaction and on any thread.

Encoding, cutting and hashing 100 MB takes half a second, in which the writer would acknowledge nothing. And of short
parts the writer's time is what limits a flood.
"""

from __future__ import annotations

import msgspec

from traceview.protocol.records import SpanPart
from traceview.store.cutting import MIN_RECORD, Cuts, cut
from traceview.store.encoding import SEVERAL, SHARED, digest, encode_part


class ReadyPart(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A part that can be stored, its record, the record's digest, and for a long one where that would be cut."""

    part: SpanPart
    record: bytes | memoryview
    mark: bytes
    cuts: Cuts | None = None


def make_ready(
    part: SpanPart, record: memoryview | None = None, *, mark: bytes | None = None, long: bool = False
) -> ReadyPart:
    """Does what needs no store; the result can be given to `StoreWriter.apply` instead of the part.

    `record` is what the part was decoded from: it is stored as it is, which saves encoding, so the memory it lies in
    must not change any more. `mark` is the digest of a record that is not to be stored, but by which the part is known.
    The result's `part` may be another.
    """
    if record is None:
        part, stored = encode_part(part)
    elif record[0] in (SHARED, SEVERAL):
        (part, stored), mark = encode_part(part), digest(record)
    elif len(record) < MIN_RECORD:
        return ReadyPart(part, record, digest(record))
    else:
        stored = bytes(record)
    return ReadyPart(part, stored, mark or digest(stored), Cuts(stored, cut(stored)) if long else None)
