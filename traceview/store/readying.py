"""What storing a long part costs most, done before the transaction and on any thread: its bytes, pieces and digests.

Encoding, cutting and hashing 100 MB takes half a second, in which the writer would acknowledge nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from traceview.protocol.records import SpanPart
from traceview.store.cutting import cut
from traceview.store.encoding import digest, encode_part
from traceview.store.pieces import Cuts


@dataclass(frozen=True, slots=True, eq=False)
class ReadyPart:
    """A part that can be stored, its record, the record's digest, and where that would be cut."""

    part: SpanPart
    record: bytes
    mark: bytes
    cuts: Cuts


def make_ready(part: SpanPart) -> ReadyPart:
    """Does what needs no store; `StoreWriter.apply` takes the result beside its `part`, which may be another."""
    part, record = encode_part(part)
    return ReadyPart(part, record, digest(record), Cuts(record, cut(record)))
