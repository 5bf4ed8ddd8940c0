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
    order, depth = _walk(above)
    if len(order) < len(above):
        _cut_cycles(above, order)
        order, depth = _walk(above)
    new_place = [0] * len(order)
    for i, old in enumerate(order):
        new_place[old] = i
    rows = [ordered[i] for i in order]
    parent = [new_place[up] if (up := above[i]) >= 0 else -1 for i in order]
    # A root that names a parent hangs in the air: the parent is missing, is itself, or was cut to break a cycle.
    orphans = frozenset(i for i, up in enumerate(parent) if up < 0 and rows[i].parent_id is not None)
    return SpanTree(rows, depth, parent, _subtree_ends(parent), orphans, dict(zip(place, new_place, strict=True)))


def _walk(above: list[int]) -> tuple[list[int], list[int]]:
    """The pre-order, and the depths, of what hangs on roots; `above` is each span's parent by place, or -1.

    A span that is its own parent becomes a root. Children are chained in flat lists of numbers and walked along the
    chains: lists of children and a stack cost twice as much at a million spans, most of it in the garbage collector.
    """
    end = len(above)
    first_child = [-1] * end
    next_sibling = [-1] * (end + 1)
    first_root = -1
    for i in range(end - 1, -1, -1):
        parent = above[i]
        if parent < 0 or parent == i:
            above[i] = -1
            next_sibling[i], first_root = first_root, i
        else:
            next_sibling[i], first_child[parent] = first_child[parent], i
    order: list[int] = []
    depths: list[int] = []
    i, depth = first_root, 0
    while i >= 0:
        order.append(i)
        depths.append(depth)
        child = first_child[i]
        if child >= 0:
            i = child
            depth += 1
            continue
        while depth and next_sibling[i] < 0:
            i = above[i]
            depth -= 1
        i = next_sibling[i]
    return order, depths


def _cut_cycles(above: list[int], reached: list[int]) -> None:
    """Makes the earliest span of every cycle of parents a root; cycles are where `reached` leaves spans out."""
    visit = [0] * len(above)
    for i in reached:
        visit[i] = -1
    for start in range(len(above)):
        i = start
        while not visit[i]:
            visit[i] = start + 1
            i = above[i]
        if visit[i] == start + 1:  # this climb came back to where it had been: a cycle not seen before
            earliest, other = i, above[i]
            while other != i:
                earliest, other = min(earliest, other), above[other]
            above[earliest] = -1


def _subtree_ends(parents: list[int]) -> list[int]:
    ends = list(range(1, len(parents) + 1))
    for i in range(len(parents) - 1, -1, -1):
        parent = parents[i]
        if parent >= 0 and ends[i] > ends[parent]:
            ends[parent] = ends[i]
    return ends
