"""The spans of a run as numpy columns: what a timeline of any size can be painted from without touching the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, count, repeat
from operator import attrgetter, is_not
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from traceview.analysis.tree import SpanTree
from traceview.app.state.open_run import OpenRun
from traceview.protocol.records import CANDIDATE_EVENT, EVALUATION_EVENT, KINDS, EventRow, SpanRow, Status

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

# The end of a span that still runs: later than all ends, yet far from overflow (146 years after the run's start).
OPEN_END: Final = 2**62

_JUDGEMENTS: Final = frozenset({EVALUATION_EVENT, CANDIDATE_EVENT})
_KIND_INDEX: Final = {kind: i for i, kind in enumerate(KINDS)}
_BLOCK: Final = 2048
_OTHER: Final = _KIND_INDEX["other"]


@dataclass(frozen=True, slots=True)
class Children:
    """The children of one span, by start: their places in the tree, their times, and the latest end so far."""

    index: Ints
    start: Ints
    end: Ints
    latest: Ints


@dataclass(frozen=True, slots=True)
class SpanColumns:
    """One entry per span in tree order. Times are ns since `start_ns`; running spans end at OPEN_END.

    `kind` indexes KINDS, `status` is a Status. Spans that end before they start are taken to last 0 ns.
    """

    tree: SpanTree
    events: Sequence[EventRow]
    start_ns: int
    start: Ints
    end: Ints
    kind: Ints
    status: Ints
    parent: Ints
    depth: Ints
    subtree_end: Ints
    _children: dict[int, Children] = field(default_factory=dict, repr=False)
    _events: list[tuple[Ints, Ints]] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def container(self) -> Bools:
        """Which spans have children."""
        return self.subtree_end > np.arange(1, len(self) + 1)

    def is_container(self, i: int) -> bool:
        """Whether span i has children."""
        return bool(self.subtree_end[i] > i + 1)

    def children(self, i: int) -> Children:
        """The children of span i; found once, in time linear in its subtree."""
        found = self._children.get(i)
        if found is None:
            begin = i + 1
            index = begin + np.flatnonzero(self.parent[begin : int(self.subtree_end[i])] == i)
            end = self.end[index]
            found = self._children[i] = Children(index, self.start[index], end, np.maximum.accumulate(end))
        return found

    def event_times(self, i: int) -> Ints:
        """The times of what happened in span i, sorted, in ns since `start_ns`; its judgements did not happen then."""
        if not self._events:
            place = self.tree.index
            happened = [event for event in self.events if event.name not in _JUDGEMENTS]
            spans = np.fromiter((place.get(event.span_id, -1) for event in happened), np.int64, len(happened))
            times = np.fromiter((event.time_ns for event in happened), np.int64, len(happened)) - self.start_ns
            order = np.lexsort((times, spans))
            self._events.append((spans[order], times[order]))
        spans, times = self._events[0]
        first, stop = np.searchsorted(spans, (i, i + 1))
        return times[first:stop]

    def sum_inside(self, flags: Bools) -> Ints:
        """How many spans of each subtree (itself included) are flagged."""
        sums = np.concatenate(([0], np.cumsum(flags, dtype=np.int64)))
        return np.asarray(sums[self.subtree_end] - sums[:-1])

    def inside(self, i: int, status: Status) -> int:
        """How many spans below span i have a status."""
        return int(np.count_nonzero(self.status[i + 1 : int(self.subtree_end[i])] == status))

    def latest_end(self) -> int:
        """The latest time known of the run, whether an end or a start."""
        if not len(self):
            return 0
        ends = self.end[self.end < OPEN_END]
        return max(int(np.max(self.start)), int(np.max(ends)) if len(ends) else 0)


def read_columns(run: OpenRun, before: SpanColumns | None = None) -> SpanColumns:
    """The columns of a run. Records that stand in `before` too, at its beginning or end, are not read again."""
    rows, tree = run.tree.rows, run.tree
    head = tail = 0
    if before is not None and before.start_ns == run.start_ns:
        old = before.tree.rows
        head = _same(old, rows)
        shared = min(len(old), len(rows)) - head
        tail = min(shared, _same(reversed(old), reversed(rows)))
    columns = _read(rows[head : len(rows) - tail], run.start_ns)
    if before is not None and head + tail:
        known = (before.start, before.end, before.kind, before.status)
        columns = [
            np.concatenate((old[:head], fresh, old[len(old) - tail :]))
            for old, fresh in zip(known, columns, strict=True)
        ]
    start, end, kind, status = columns
    return SpanColumns(
        tree=tree,
        events=run.events,
        start_ns=run.start_ns,
        start=start,
        end=end,
        kind=kind,
        status=status,
        parent=np.array(tree.parent, np.int64),
        depth=np.array(tree.depth, np.int64),
        subtree_end=np.array(tree.subtree_end, np.int64),
    )


def _read(rows: Sequence[SpanRow], start_ns: int) -> list[Ints]:
    """Start, end, kind and status of records.

    Read a few thousand records at a time: four passes over 100,000 records in tree order, which is not their order in
    memory, miss the processor's cache four times and take three times as long.
    """
    still_open = start_ns + OPEN_END
    columns = [np.empty(len(rows), np.int64) for _ in range(4)]
    start, end, kind, status = columns
    for begin in range(0, len(rows), _BLOCK):
        block = rows[begin : begin + _BLOCK]
        here, size = slice(begin, begin + len(block)), len(block)
        start[here] = np.fromiter(map(attrgetter("start_ns"), block), np.int64, size)
        ends = [still_open if value is None else value for value in map(attrgetter("end_ns"), block)]
        end[here] = np.fromiter(ends, np.int64, size)
        kind[here] = np.fromiter(map(_KIND_INDEX.get, map(attrgetter("kind"), block), repeat(_OTHER)), np.int64, size)
        status[here] = np.fromiter(map(attrgetter("status"), block), np.int64, size)
    start -= start_ns
    end -= start_ns
    np.maximum(start, end, out=end)
    return columns


def _same(old: Iterable[SpanRow], new: Iterable[SpanRow]) -> int:
    """How many records both begin with, by identity: a record that changed is another record."""
    old, new = list(old), list(new)
    return next(compress(count(), map(is_not, old, new)), min(len(old), len(new)))
