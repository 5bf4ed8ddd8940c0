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
    part: SpanPart, record: memoryview | None = None, *, verbatim: bool = True, long: bool = False
) -> ReadyPart:
    """Does what needs no store; the result can be given to `StoreWriter.apply` instead of the part.

    `record` is what the part was decoded from, if it was not changed since; by this it is known again. `verbatim`
    stores these bytes, which saves encoding: the memory they lie in must not change any more. The result's `part` may
    be another.
    """
    if record is None or not verbatim or record[0] in (SHARED, SEVERAL):
        part, stored = encode_part(part)
    elif len(record) < MIN_RECORD:
        return ReadyPart(part, record, digest(record))
    else:
        stored = bytes(record)
    mark = digest(stored if record is None else record)
    return ReadyPart(part, stored, mark, Cuts(stored, cut(stored)) if long else None)
