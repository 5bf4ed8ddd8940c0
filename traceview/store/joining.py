"""Parts of a span that come in one transaction, as start, output and end of a fast one do: stored in one slot.

One slot is less to write, to index and to free than three. Their records stay as they came, one behind the other, so
that nothing is encoded again, and each part stays known by its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from traceview.protocol.deep import read_deep
from traceview.protocol.records import SpanPart
from traceview.store.cutting import MIN_RECORD
from traceview.store.encoding import SEVERAL, decode, encode
from traceview.store.readying import ReadyPart

# It begins like a part: trace id, span id, nil, and the list of parts.
_HEADER: Final = b"%c\xc4\x10%b\xc4\x08%b\xc0%c"
_SHORT_LIST: Final = 0x90
_MOST: Final = 15
# With its header it is shorter than what is cut into pieces.
_MOST_BYTES: Final = MIN_RECORD - 64


class _Several(msgspec.Struct, frozen=True, array_like=True):
    trace_id: bytes
    span_id: bytes
    nothing: None
    parts: list[SpanPart]


_several: Final = msgspec.msgpack.Decoder(_Several).decode


def to_slots(news: dict[bytes, ReadyPart]) -> list[tuple[bytes | memoryview, list[bytes]]]:
    """What is to be stored of new parts of one span, by digest and in order: slot by slot, with the digests in it.

    As many parts share a slot as are short together; a long one has its own.
    """
    parts = list(news.values())
    records = [ready.record for ready in parts]
    if len(records) <= _MOST and sum(map(len, records)) <= _MOST_BYTES:
        return [(_joined(parts[0].part, records), list(news))]
    slots: list[list[ReadyPart]] = []
    size = 0
    for ready in parts:
        size += len(ready.record)
        if not slots or size > _MOST_BYTES or len(slots[-1]) == _MOST:
            slots.append([])
            size = len(ready.record)
        slots[-1].append(ready)
    return [(_joined(slot[0].part, [ready.record for ready in slot]), [ready.mark for ready in slot]) for slot in slots]


def _joined(part: SpanPart, records: Sequence[bytes | memoryview]) -> bytes | memoryview:
    if len(records) == 1:
        return records[0]
    header = _HEADER % (SEVERAL, part.trace_id, part.span_id, _SHORT_LIST | len(records))
    return b"".join([header, *records])


def split(record: bytes | memoryview) -> list[SpanPart]:
    """The parts in a slot, with what is nested too deeply for this interpreter, or so far down its stack, as text.

    Raises msgspec.DecodeError.
    """
    try:
        return _split(record)
    except RecursionError:
        try:
            return _split(encode(read_deep(record)))
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from error


def _split(record: bytes | memoryview) -> list[SpanPart]:
    return _several(record).parts if record and record[0] == SEVERAL else [decode(record)]
