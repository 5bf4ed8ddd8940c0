"""Parts of a span that come in one transaction, as start, output and end of a fast one do: stored as one record.

One record is less to write than three and less to read. Each part stays known by its digest, so that one which arrives
again, alone or with others, is still recognised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from traceview.protocol.records import SpanPart
from traceview.store.encoding import encode
from traceview.store.merging import merge
from traceview.store.readying import ReadyPart, make_ready

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

    def add(self, ready: ReadyPart) -> bool:
        """Takes one more part; False where it must be told apart from those before.

        What is said of the trace counts in the order in which its spans say it. Attributes of two parts can mean
        something else together (a model that was asked for, another that answered). An end after an end is a conflict.
        """
        part, record, mark = ready.part, ready.record, ready.mark
        size = self._size + len(record)
        if part.trace is not None or part.resource or size > _MOST_BYTES:
            return False
        if (self._described and part.attributes) or (self._ended and part.end_ns is not None):
            return False
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

    `ready` has those that were encoded before, by their `id()`; the long ones among them stay alone.
    """
    groups: list[Group] = []
    latest: dict[bytes, Group] = {}
    for given in parts:
        before = ready.get(id(given)) or make_ready(given)
        if before.cuts is not None:
            groups.append(Group(before.part, before.record, before.mark))
            latest.pop(given.span_id, None)
            continue
        group = latest.get(given.span_id)
        if group is None or not group.add(before):
            group = latest[given.span_id] = Group(before.part, before.record, before.mark)
            groups.append(group)
    return groups
