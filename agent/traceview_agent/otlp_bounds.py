"""Refuses protobuf that is small as bytes and huge as objects, before it is decoded.

An empty message takes two bytes on the wire and up to 170 in memory: 20 MiB of empty events were 2 GB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceview.formats.otlp.fields import LENGTH, WireDamage, read_fields

# What exporters send in a request is hundreds of spans; ten thousand would be a lot.
MOST_SPANS: Final = 100_000
MOST_PARTS: Final = 200_000
# A span of fewer bytes than this is not looked into: what it can become is bounded by that.
_LARGE_SPAN: Final = 64 * 1024


class TooDense(Exception):
    """The request holds more messages than any exporter sends; the message says which."""


def check_density(body: bytes) -> None:
    """Raises TooDense for an ExportTraceServiceRequest that would not fit into memory as objects.

    Takes about a microsecond a span. What breaks the grammar is left to the decoder to say.
    """
    spans = parts = 0
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
    except WireDamage:
        return


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
