"""The spans of one trace as a tree in the order people read it: parents first, siblings by start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from traceview.protocol.records import SpanRow, Status


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
    Never drops a span. O(n log n).
    """
    ordered = sorted(spans, key=lambda row: row.start_ns)
    known = {row.span_id for row in ordered}
    children: dict[bytes | None, list[SpanRow]] = {}
    missing: set[bytes] = set()
    for row in ordered:
        above = row.parent_id
        if above is not None and (above not in known or above == row.span_id):
            missing.add(row.span_id)
            above = None
        children.setdefault(above, []).append(row)

    rows: list[SpanRow] = []
    depth: list[int] = []
    parents: list[int] = []
    index: dict[bytes, int] = {}

    def walk(root: SpanRow, top: int) -> None:
        stack = [(root, top)]
        while stack:
            row, parent = stack.pop()
            if row.span_id in index:
                continue
            place = len(rows)
            index[row.span_id] = place
            rows.append(row)
            parents.append(parent)
            depth.append(depth[parent] + 1 if parent >= 0 else 0)
            below = children.get(row.span_id)
            if below:
                stack.extend((child, place) for child in reversed(below))

    for root in children.get(None, ()):
        walk(root, -1)
    if len(rows) < len(known):
        for row in ordered:  # what is left hangs in cycles of parents
            if row.span_id not in index:
                missing.add(row.span_id)
                walk(row, -1)

    ends = list(range(1, len(rows) + 1))
    for i in range(len(rows) - 1, -1, -1):
        parent = parents[i]
        if parent >= 0 and ends[i] > ends[parent]:
            ends[parent] = ends[i]
    return SpanTree(rows, depth, parents, ends, frozenset(index[span] for span in missing), index)
