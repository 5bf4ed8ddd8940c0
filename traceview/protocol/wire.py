"""How spans travel from the SDK to the daemon over ZeroMQ: frames, batches, acknowledgements (version 1).

A DEALER (the program) talks to a ROUTER (the daemon). Each message is one frame of header and at most one of body:

    program → daemon   Hello                      once per connection, again after a reconnect
    program → daemon   Batch + body               spans; body = records, each a 4-byte big-endian length and msgpack
    program → daemon   Left + body                the same, left by another program that is gone
    daemon  → program  Ack(upto)                  everything up to and including `upto` is committed to the store
    daemon  → program  Busy(upto, retry_after_ms) nothing after `upto` was taken: send it again later
    daemon  → program  Reject(seq, reason)        this batch can never be taken: drop it, say so once

Sequence numbers rise per session without gaps. A batch that was committed before is acknowledged again and not stored
again, so sending twice is safe.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

import msgspec

from traceview.protocol.deep import read_deep
from traceview.protocol.records import SpanPart

VERSION: Final = 1
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
MAX_FRAMES: Final = 3  # identity (added by ROUTER), header, body
# No program loses more between two batches; sums of it, and numbers of batches, fit into the store's 64 bits.
MAX_DROPPED: Final = 2**32 - 1
_MAX_SEQ: Final = 2**62
_MAX_NS: Final = 2**63 - 1

_LENGTH: Final = struct.Struct(">I")


class Hello(msgspec.Struct, frozen=True, tag="hello", omit_defaults=True):
    """Who speaks: `session` is 16 random bytes per process start; `resource` describes the process (pid, host …).

    `left` asks whether the daemon understands Left.
    """

    session: bytes
    version: int = VERSION
    resource: dict[str, Any] = {}
    left: bool = False


class Batch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """The body frame holds `count` records. `dropped` counts spans lost in the program since the last batch.

    `left_out` counts the traces that the program's own sampling has left out since its start.
    """

    session: bytes
    seq: Annotated[int, msgspec.Meta(le=_MAX_SEQ)]
    count: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)]
    dropped: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)] = 0
    left_out: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)] = 0


class Left(msgspec.Struct, frozen=True, tag="left", omit_defaults=True):
    """What a program that is gone left in its spool, sent by another: the body frame holds `count` records.

    `session` is that of the dead one, whose own batches have other numbers: `seq` counts the messages about it on this
    connection, from 1. Records that were committed before are known by their content. `resource` describes the process.
    With `ended_ns` it is the last: when the process died (ns since 1970), `dropped` how many spans it lost in all, and
    `left_out` how many traces its sampling left out.
    """

    session: bytes
    seq: Annotated[int, msgspec.Meta(le=_MAX_SEQ)]
    count: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)]
    dropped: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)] = 0
    resource: dict[str, Any] = {}
    ended_ns: Annotated[int, msgspec.Meta(ge=0, le=_MAX_NS)] | None = None
    left_out: Annotated[int, msgspec.Meta(ge=0, le=MAX_DROPPED)] = 0


class Ack(msgspec.Struct, frozen=True, tag="ack", omit_defaults=True):
    """All batches up to `upto` are committed. `left` answers a Hello that asked for it."""

    upto: int
    left: bool = False


class Busy(msgspec.Struct, frozen=True, tag="busy"):
    """The daemon is behind, or its store can't be written; all after `upto` is to be sent again after the pause."""

    upto: int
    retry_after_ms: int
    reason: str = ""


class Reject(msgspec.Struct, frozen=True, tag="reject"):
    """Batch `seq` is malformed or too new a version; sending it again is useless."""

    seq: int
    reason: str


Upstream = Hello | Batch | Left
Downstream = Ack | Busy | Reject

_encoder = msgspec.msgpack.Encoder()
_upstream: msgspec.msgpack.Decoder[Upstream] = msgspec.msgpack.Decoder(Hello | Batch | Left)
_downstream: msgspec.msgpack.Decoder[Downstream] = msgspec.msgpack.Decoder(Ack | Busy | Reject)
_part: msgspec.msgpack.Decoder[SpanPart] = msgspec.msgpack.Decoder(SpanPart)

# Text that is no UTF-8 raises UnicodeDecodeError, which is a ValueError as DecodeError is, but not a DecodeError.
_UNREADABLE: Final = (ValueError, RecursionError)


class WireError(ValueError):
    """A frame that does not follow the protocol; the message says what is wrong with it."""


class TooDeep(WireError):
    """A record is nested deeper than this interpreter lets msgspec follow."""


def encode_header(message: Upstream | Downstream) -> bytes:
    """The header frame of a message."""
    return _encoder.encode(message)


def decode_upstream(frame: bytes) -> Upstream:
    """Reads a header that a program sent; raises WireError."""
    try:
        return _upstream.decode(frame)
    except _UNREADABLE as error:
        raise WireError(f"not a traceview header: {error}") from error


def decode_downstream(frame: bytes) -> Downstream:
    """Reads a header that the daemon sent; raises WireError."""
    try:
        return _downstream.decode(frame)
    except _UNREADABLE as error:
        raise WireError(f"not a traceview header: {error}") from error


def join_records(records: Iterable[bytes | memoryview]) -> bytes:
    """The body of a batch: each record with its length before it."""
    return b"".join(piece for record in records for piece in (_LENGTH.pack(len(record)), record))


def split_records(body: bytes | memoryview) -> Iterator[memoryview]:
    """The records of a body, without copying; raises WireError where a length points past the end."""
    view = memoryview(body)
    place = 0
    while place < len(view):
        start = place + _LENGTH.size
        if start > len(view):
            raise WireError("the body ends inside a record's length")
        (size,) = _LENGTH.unpack_from(view, place)
        place = start + size
        if place > len(view):
            raise WireError(f"a record of {size} bytes runs past the end of the body")
        yield view[start:place]


def decode_part(record: bytes | memoryview) -> SpanPart:
    """Reads one span part, however deep it is nested; raises WireError."""
    try:
        return decode_flat(record)
    except TooDeep:
        try:
            shallow = _encoder.encode(read_deep(record))
        except _UNREADABLE as error:
            raise WireError(f"not a span record: {error}") from error
        return decode_flat(shallow)


def decode_flat(record: bytes | memoryview) -> SpanPart:
    """The same as far as msgspec can follow, so that whoever reads these bytes again can too; raises TooDeep."""
    try:
        part = _part.decode(record)
    except RecursionError as error:
        raise TooDeep(f"not a span record: {error}") from error
    except ValueError as error:
        raise WireError(f"not a span record: {error}") from error
    if len(part.trace_id) != 16 or len(part.span_id) != 8:
        raise WireError("a trace id has 16 bytes and a span id has 8")
    return part
