"""Files of OTLP messages in protobuf, in the three framings met in the wild."""

from __future__ import annotations

from collections.abc import Iterator

from traceview.formats.errors import FormatError
from traceview.formats.framing import Framing
from traceview.formats.otlp.fields import LENGTH, WireDamage, read_fields
from traceview.formats.otlp.from_json import parts_of_document
from traceview.formats.shallow import NOT_JSON
from traceview.formats.source import ZSTD, Source, inflate_message
from traceview.formats.tally import Tally
from traceview.protocol.records import SpanPart

_REPAIR = "copy or export it again"


def read_binary(framing: Framing, source: Source, tally: Tally) -> Iterator[SpanPart]:
    """The spans of a file in this framing; raises FormatError naming the byte where it breaks off or is damaged."""
    from traceview.formats.otlp.from_proto import parts_of_resource  # protobuf's classes cost 40 ms to import

    for place, message in _messages(framing, source):
        try:
            if framing is Framing.PLAIN:
                yield from parts_of_resource(message, tally)
            elif message.startswith(b"{"):
                yield from parts_of_document(message, tally)
            else:
                for number, wire, payload in read_fields(message):
                    if number == 1 and wire == LENGTH and isinstance(payload, bytes):
                        yield from parts_of_resource(payload, tally)
        except (WireDamage, *NOT_JSON) as error:
            raise FormatError(
                f"{source.path} is damaged in the message at byte {place:,} ({error}): {_REPAIR}"
            ) from error


def _messages(framing: Framing, source: Source) -> Iterator[tuple[int, bytes]]:
    """The messages of a file with their places: ResourceSpans of a plain file, whole requests of the others."""
    place = 0
    while source.peek():
        start, size = place, 0
        if framing is Framing.SIZED:
            size = int.from_bytes(_exactly(source, 4, start), "big")
            place += 4
        else:
            if framing is Framing.PLAIN:
                tag = _exactly(source, 1, start)
                if tag != b"\x0a":
                    raise FormatError(f"{source.path} is damaged: no OTLP message starts at byte {start:,}; {_REPAIR}")
                place += 1
            size, width = _varint(source, start)
            place += width
        message = _exactly(source, size, start)
        place += size
        yield start, inflate_message(message, source.path) if message.startswith(ZSTD) else message


def _varint(source: Source, start: int) -> tuple[int, int]:
    """A varint and how many bytes it took."""
    value = 0
    for width in range(10):
        byte = _exactly(source, 1, start)[0]
        value |= (byte & 0x7F) << (7 * width)
        if byte < 0x80:
            return value, width + 1
    raise FormatError(f"{source.path} is damaged: the length at byte {start:,} is no number; {_REPAIR}")


def _exactly(source: Source, size: int, start: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise FormatError(f"{source.path} is cut off inside the message that starts at byte {start:,}: {_REPAIR}")
    return data
