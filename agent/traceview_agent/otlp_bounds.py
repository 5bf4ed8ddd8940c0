"""Refuses protobuf that is small as bytes and huge as objects, before it is decoded.

An empty message takes two bytes on the wire and up to 170 in memory: 20 MiB of empty events were 2 GB, of empty values
in a list half a GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceview.formats.otlp.fields import LENGTH, WireDamage, read_fields

# What exporters send in a request is hundreds of spans; ten thousand would be a lot.
MOST_SPANS: Final = 100_000
MOST_PARTS: Final = 200_000
# Two million numbers fill a request of 20 MiB, hence no vectors are refused.
MOST_VALUES: Final = 2_000_000
# A span of fewer bytes than this is not looked into: what it can become is bounded by that.
_LARGE_SPAN: Final = 64 * 1024
# The decoder refuses what is nested deeper than 100.
_DEEPEST: Final = 100

# Which fields of a message are messages, and which fields of those: trace.proto and common.proto of OTLP.
Shape = dict[int, "Shape"]
_VALUE: Final[Shape] = {}
_ATTRIBUTE: Final[Shape] = {2: _VALUE}
_VALUE.update({5: {1: _VALUE}, 6: {1: _ATTRIBUTE}})
_SPAN: Final[Shape] = {9: _ATTRIBUTE, 11: {3: _ATTRIBUTE}, 13: {4: _ATTRIBUTE}}


class TooDense(Exception):
    """The request holds more messages than any exporter sends; the message says which."""


def check_density(body: bytes) -> None:
    """Raises TooDense for an ExportTraceServiceRequest that would not fit into memory as objects.

    Takes about a microsecond a span. What breaks the grammar is left to the decoder to say.
    """
    spans = parts = values = 0
    try:
        for span in _spans(memoryview(body)):
            spans += 1
            if spans > MOST_SPANS:
                raise TooDense(f"more than {MOST_SPANS} spans, scopes and resources: send smaller batches")
            if len(span) > _LARGE_SPAN:
                for _ in read_fields(span):  # type: ignore[arg-type]  # a view of bytes will do
                    parts += 1
                    if parts > MOST_PARTS:
                        raise TooDense(f"more than {MOST_PARTS} attributes, events and links: send smaller batches")
                for _ in _values(span):
                    values += 1
                    if values > MOST_VALUES:
                        raise TooDense(f"more than {MOST_VALUES} values: send smaller batches")
    except WireDamage:
        return


def _values(span: memoryview) -> Iterator[None]:
    """Every message in a span, however deep."""
    inside = [(read_fields(span), _SPAN)]  # type: ignore[arg-type]
    while inside:
        fields, shape = inside[-1]
        found = next(fields, None)
        if found is None:
            inside.pop()
            continue
        field, _, value = found
        if field in shape and isinstance(value, memoryview):
            yield
            if len(inside) < _DEEPEST:
                inside.append((read_fields(value), shape[field]))


def _spans(body: memoryview) -> Iterator[memoryview]:
    """Every span; and, as an empty view, every resource and scope, which cost memory as well."""
    for resource in _messages(body, 1):
        yield resource[:0]
        for scope in _messages(resource, 2):
            yield scope[:0]
            yield from _messages(scope, 2)


def _messages(data: memoryview, number: int) -> Iterator[memoryview]:
    for field, wire, value in read_fields(data):  # type: ignore[arg-type]
        if field == number and wire == LENGTH:
            yield value  # type: ignore[misc]
