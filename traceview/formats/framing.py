"""Tells what binary data is, protobuf by its inside: OTLP in one of three framings, Perfetto, or none of them.

OTLP files come as one message (concatenated messages are one, too), with a varint length before each message
(opentelemetry-specification, protocol/file-exporter.md), or with four bytes of big-endian length before each
(opentelemetry-collector-contrib, exporter/fileexporter), the latter also around JSON and zstd.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from traceview.formats.otlp.fields import FIXED32, FIXED64, LENGTH, VARINT, WireDamage, read_varint
from traceview.formats.source import ZSTD

_RESOURCE_FIELDS = frozenset({1, 2, 3, 1000})
_PERFETTO_FIELDS = frozenset({(8, VARINT), (10, VARINT), (3, VARINT), (11, LENGTH), (13, VARINT), (60, LENGTH)})


class Framing(enum.Enum):
    """How OTLP messages stand in a binary file, or what else the file is."""

    PLAIN = "OTLP protobuf"
    DELIMITED = "length-delimited OTLP protobuf"
    SIZED = "OTLP of the collector's file exporter"
    LOGS = "OTLP logs without spans"
    METRICS = "OTLP metrics without spans"
    PERFETTO = "a Perfetto trace"


def framing_of(head: bytes) -> Framing | None:
    """What the first bytes of a file betray; None where they are no protobuf that we know."""
    size = int.from_bytes(head[:4], "big")
    body = head[4:]
    if head[:1] != b"\x0a" and size >= 2:
        if body.startswith((b"{", ZSTD)):
            return Framing.SIZED
        kind = _kind_of_message(body[:size])
        if kind is not None:
            return Framing.SIZED if kind is Framing.PLAIN else kind
    kind = _kind_of_message(head)
    if kind is not None:
        return kind
    try:
        size, place = read_varint(head, 0)
    except WireDamage:
        return None
    kind = _kind_of_message(head[place : place + size])
    return Framing.DELIMITED if kind is Framing.PLAIN else kind


def _kind_of_message(head: bytes) -> Framing | None:
    """What a message is whose first bytes these are: a list of ResourceSpans, ResourceLogs …, or of TracePackets."""
    found: Framing | None = None
    for number, wire, piece in _prefix(head):
        if number != 1 or wire != LENGTH:
            return None
        inner = list(_prefix(piece))
        if not inner and piece:
            return None
        if all(number in _RESOURCE_FIELDS and wire == LENGTH for number, wire, _ in inner):
            kind = _signal_of(inner)
            if kind is not None:
                return kind
            found = Framing.PLAIN
        elif any((number, wire) in _PERFETTO_FIELDS for number, wire, _ in inner):
            return Framing.PERFETTO
        else:
            return None
    return found


def _signal_of(resource: list[tuple[int, int, bytes]]) -> Framing | None:
    """Which signal the first record inside a resource belongs to; None where there is no record."""
    scopes = [piece for number, _, piece in resource if number == 2]
    records = [piece for scope in scopes for number, wire, piece in _prefix(scope) if number == 2 and wire == LENGTH]
    for record in records:
        fields = {(number, wire): piece for number, wire, piece in _prefix(record)}
        if (1, FIXED64) in fields or (11, FIXED64) in fields:  # a log record's times; a span starts with its ids
            return Framing.LOGS
        has_ids = len(fields.get((1, LENGTH), b"")) == 16 and len(fields.get((2, LENGTH), b"")) == 8
        is_metric = not has_ids and (1, LENGTH) in fields and (7, FIXED64) not in fields
        return Framing.METRICS if is_metric else Framing.PLAIN
    return None


def _prefix(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The fields at the start of a message that may be cut off anywhere; the last one may be incomplete."""
    place = 0
    while place < len(data):
        try:
            tag, place = read_varint(data, place)
            number, wire = tag >> 3, tag & 7
            if wire == LENGTH:
                size, place = read_varint(data, place)
            elif wire == VARINT:
                _, after = read_varint(data, place)
                size = after - place
            elif wire in (FIXED32, FIXED64):
                size = 8 if wire == FIXED64 else 4
            else:
                yield 0, wire, b""
                return
        except WireDamage:
            return
        yield number, wire, data[place : place + size]
        place += size
