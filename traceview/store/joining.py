"""Parts of a span that come in one transaction, as start, output and end of a fast one do: stored as one record.

One record is less to write than three and less to read. Each part stays known by its digest, so that one which arrives
again, alone or with others, is still recognised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from traceview.protocol.records import SpanPart
from traceview.store.encoding import digest, encode, encode_part
from traceview.store.merging import merge
from traceview.store.readying import ReadyPart

# What is longer is stored as it came: it would only be copied once more.
_MOST_BYTES: Final = 64 * 1024

NOTHING_READY: Final[Mapping[int, ReadyPart]] = {}


class Group:
    """Parts of one span, in order of arrival, that mean the same one by one and merged."""

    __slots__ = ("_described", "_ended", "_size", "marks", "parts", "records")

    def __init__(self, part: SpanPart, record: bytes, mark: bytes) -> None:
        self.parts = [part]
        self.records = [record]
        self.marks = [mark]
        self._size = len(record)
        self._described = bool(part.attributes)
        self._ended = part.end_ns is not None

    def add(self, part: SpanPart, record: bytes) -> bool:
        """Takes one more part; False where it must be told apart from those before.

        What is said of the trace counts in the order in which its spans say it. Attributes of two parts can mean
        something else together (a model that was asked for, another that answered). An end after an end is a conflict.
        """
        size = self._size + len(record)
        if part.trace is not None or part.resource or size > _MOST_BYTES:
            return False
        if (self._described and part.attributes) or (self._ended and part.end_ns is not None):
            return False
        mark = digest(record)
        if mark in self.marks:
            return False
        self.parts.append(part)
        self.records.append(record)
        self.marks.append(mark)
        self._size = size
        self._described = self._described or bool(part.attributes)
        self._ended = self._ended or part.end_ns is not None
        return True

    def joined(self) -> tuple[SpanPart, bytes]:
        """The parts as one, and its bytes."""
        if len(self.parts) == 1:
            return self.parts[0], self.records[0]
        part = merge(self.parts)
        return part, encode(part)


def group_parts(parts: Sequence[SpanPart], ready: Mapping[int, ReadyPart] = NOTHING_READY) -> list[Group]:
    """The parts of a trace, those that can be joined together, in order of the first of each.

    `ready` has those that were encoded before, by their `id()`: they stay alone.
    """
    groups: list[Group] = []
    latest: dict[bytes, Group] = {}
    for given in parts:
        before = ready.get(id(given))
        if before is not None:
            groups.append(Group(given, before.record, before.mark))
            latest.pop(given.span_id, None)
            continue
        part, record = encode_part(given)
        group = latest.get(part.span_id)
        if group is None or not group.add(part, record):
            group = latest[part.span_id] = Group(part, record, digest(record))
            groups.append(group)
    return groups
