"""The bare grammar of protobuf: tags, varints, lengths. Enough to split messages and to tell what they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


class WireDamage(ValueError):
    """The bytes break protobuf's grammar; `place` is the offset at which they do."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(f"{why} at byte {place}")
        self.place = place


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The varint at `place` and the place after it; raises WireDamage."""
    value = shift = 0
    start = place
    while True:
        if place >= len(data):
            raise WireDamage(start, "the data ends inside a number")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise WireDamage(start, "a number is longer than ten bytes")


def read_fields(data: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """The fields of one message as (number, wire type, value); raises WireDamage where the grammar breaks."""
    place = 0
    while place < len(data):
        start = place
        tag, place = read_varint(data, place)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireDamage(start, "a field has number 0")
        if wire == VARINT:
            value, place = read_varint(data, place)
            yield number, wire, value
        elif wire == LENGTH:
            size, place = read_varint(data, place)
            if place + size > len(data):
                raise WireDamage(start, f"a field of {size} bytes runs past the end")
            yield number, wire, data[place : place + size]
            place += size
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            if place + size > len(data):
                raise WireDamage(start, "the data ends inside a fixed number")
            yield number, wire, struct.unpack_from("<Q" if size == 8 else "<I", data, place)[0]
            place += size
        else:
            raise WireDamage(start, f"a field has wire type {wire}")
