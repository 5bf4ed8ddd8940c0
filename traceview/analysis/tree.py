"""The spans of one trace as a tree in the order people read it: parents first, siblings by start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from traceview.protocol.records import SpanRow, Status

_START: Final = attrgetter("start_ns")


@dataclass(frozen=True, slots=True)
class SpanTree:
    """Spans in pre-order. Index i is a span's row when nothing is collapsed; all lists have one entry per span.

    `parent[i]` is the parent's index or -1; `subtree_end[i]` is the index after the last descendant of i.
    `orphans` are the indices of spans that name a parent which is not in the trace (yet): they stand as roots.
    """

    rows: Sequence[SpanRow]
    depth: Sequence[int]
    parent: Sequence[int]
    subtree_end: Sequence[int]
    orphans: frozenset[int]
    index: dict[bytes, int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def ancestors(self, i: int) -> list[int]:
        """The indices from i's parent up to its root."""
        found = []
        while (i := self.parent[i]) >= 0:
            found.append(i)
        return found

    def children(self, i: int) -> list[int]:
        """The indices of i's children, by start."""
        found = []
        child = i + 1
        while child < self.subtree_end[i]:
            found.append(child)
            child = self.subtree_end[child]
        return found

    def is_leaf(self, i: int) -> bool:
        """Whether span i has no children."""
        return self.subtree_end[i] == i + 1

    def worst_status(self, i: int) -> Status:
        """The worst status in i's subtree, so that a collapsed parent can show what it hides."""
        found = {row.status for row in self.rows[i : self.subtree_end[i]]}
        for status in (Status.ERROR, Status.INTERRUPTED, Status.RUNNING):
            if status in found:
                return status
        return Status.OK


def build_tree(spans: Iterable[SpanRow]) -> SpanTree:
    """Orders spans into a tree. Siblings stand by start, equal starts in the order given.

    Spans whose parent is missing stand as roots; a cycle of parents (hostile input) is broken at its earliest span.
    Never drops a span; of rows that share a span id the first by start stands for it. O(n log n).
    """
    ordered = sorted(spans, key=_START)
    place = {row.span_id: i for i, row in enumerate(ordered)}
    if len(place) < len(ordered):
        ordered = list({row.span_id: row for row in reversed(ordered)}.values())[::-1]
        place = {row.span_id: i for i, row in enumerate(ordered)}
    find = place.get
    above = [find(row.parent_id, -1) for row in ordered]  # type: ignore[arg-type]  # None is never found
    walk = _Walk(above)
    walk.run()
    order = walk.order
    rows = [ordered[i] for i in order]
    # A root that names a parent hangs in the air: the parent is missing, is itself, or was cut to break a cycle.
    orphans = frozenset(i for i, above in enumerate(walk.parent) if above < 0 and rows[i].parent_id is not None)
    index = dict(zip(place, walk.new_place, strict=True))
    return SpanTree(rows, walk.depth, walk.parent, _subtree_ends(walk.parent), orphans, index)


class _Walk:
    """Walks spans given as each one's parent (its place by start, or -1) in pre-order, siblings by start.

    Children are chained from the last to the first in two flat lists of numbers: a list per parent costs three times
    as much at a million spans, most of it in the garbage collector.
    """

    def __init__(self, above: list[int]) -> None:
        self._above = above
        self._last_child = [-1] * len(above)
        self._sibling_before = [-1] * len(above)
        self.new_place = [-1] * len(above)
        self.order: list[int] = []
        self.parent: list[int] = []
        self.depth: list[int] = []

    def run(self) -> None:
        """Fills `order`, `parent` and `depth`, and `new_place`, which is `order` the other way round."""
        roots = []
        for i, parent in enumerate(self._above):
            if parent < 0 or parent == i:
                roots.append(i)
            else:
                self._sibling_before[i] = self._last_child[parent]
                self._last_child[parent] = i
        for root in roots:
            self._descend(root)
        if len(self.order) < len(self._above):
            for i, new_place in enumerate(self.new_place):
                if new_place < 0:  # the list changes while it is walked: what a descent reached is no longer negative
                    self._descend(self._earliest_of_cycle_above(i))

    def _descend(self, root: int) -> None:
        order, parents, depths = self.order, self.parent, self.depth
        new_place, last_child, sibling_before = self.new_place, self._last_child, self._sibling_before
        stack = [(root, -1, 0)]
        while stack:
            i, parent, depth = stack.pop()
            if new_place[i] >= 0:
                continue
            place = new_place[i] = len(order)
            order.append(i)
            parents.append(parent)
            depths.append(depth)
            child = last_child[i]
            while child >= 0:
                stack.append((child, place, depth + 1))
                child = sibling_before[child]

    def _earliest_of_cycle_above(self, i: int) -> int:
        seen = set()
        while i not in seen:
            seen.add(i)
            i = self._above[i]
        cycle = [i]
        while (i := self._above[i]) != cycle[0]:
            cycle.append(i)
        return min(cycle)


def _subtree_ends(parents: list[int]) -> list[int]:
    ends = list(range(1, len(parents) + 1))
    for i in range(len(parents) - 1, -1, -1):
        parent = parents[i]
        if parent >= 0 and ends[i] > ends[parent]:
            ends[parent] = ends[i]
    return ends
