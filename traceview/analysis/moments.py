"""The moments of a run in order: spans opening and closing, events, changes of state.

Kept in columns, since a run of a million spans has more than two million moments; one is made when asked for.
"""

from __future__ import annotations

import enum
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter, eq
from typing import Final, overload

from traceview.analysis.tree import SpanTree
from traceview.protocol.records import STATE_EVENT, EventRow, Status

# The kinds whose spans are steps of an AI agent; chains, prompts and plain code are the glue between them.
AGENT_STEP_KINDS: Final = frozenset(
    {"agent", "llm", "tool", "retriever", "reranker", "embedding", "guardrail", "evaluator"}
)

# Bits of `Moments.marks`: what the axes look for, worked out once off the GUI thread.
OPENS_SPAN: Final = 1
OPENS_AGENT_STEP: Final = 2
ENDS_IN_ERROR: Final = 4
OPENS_LEAF: Final = 8
CLOSES_LEAF: Final = 16


_ONLY: Final = {1 << n: bytes(byte >> n & 1 for byte in range(256)) for n in range(5)}


class MomentKind(enum.IntEnum):
    """What happens at a moment."""

    OPEN = 0
    EVENT = 1
    STATE = 2
    CLOSE = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment: when, what, and in which span (its index in the tree)."""

    time_ns: int
    kind: MomentKind
    span: int
    name: str


class Moments(Sequence[Moment]):
    """All moments of a run by time, as columns of equal length.

    `times` are ns since the epoch, `kinds` are MomentKind numbers, `spans` indices in the tree, `marks` the bits above.
    `opened[i]` and `closed[i]` say at which moment span i opens and closes (-1: not yet).
    """

    __slots__ = (
        "_masks",
        "_places",
        "_refs",
        "_tree",
        "closed",
        "events",
        "kinds",
        "marks",
        "opened",
        "spans",
        "times",
    )

    times: array[int]
    kinds: bytes
    spans: array[int]
    marks: bytes
    opened: array[int]
    closed: array[int]

    def __init__(self, tree: SpanTree, events: Sequence[EventRow]) -> None:
        self._tree = tree
        self.events = events
        self._masks: dict[int, bytes] = {}
        self._places: dict[int, Sequence[int]] = {}
        entries = _Entries(tree, events)
        order = entries.order()
        self.times = array("q", map(entries.times.__getitem__, order))
        self.kinds = bytes(map(entries.kinds.__getitem__, order))
        self.spans = array("q", map(entries.spans.__getitem__, order))
        self.marks = bytes(map(_marks(tree, len(events), entries.ended).__getitem__, order))
        self._refs = array("q", order)
        place = array("q", self._refs)
        for moment, entry in enumerate(order):
            place[entry] = moment
        self.opened = place[: len(tree)]
        self.closed = array("q", b"\xff" * (8 * len(tree)))
        for span, moment in zip(entries.ended, place[len(tree) + len(events) :], strict=True):
            self.closed[span] = moment

    def __len__(self) -> int:
        return len(self.times)

    def marked(self, bit: int) -> bytes:
        """Per moment 1 where it carries a mark, else 0."""
        mask = self._masks.get(bit)
        if mask is None:
            mask = self._masks[bit] = self.marks.translate(_ONLY[bit])
        return mask

    def places(self, bit: int) -> Sequence[int]:
        """The moments that carry a mark, as indices in order."""
        places = self._places.get(bit)
        if places is None:
            places = self._places[bit] = list(compress(range(len(self)), self.marked(bit)))
        return places

    def span_id(self, moment: int) -> bytes:
        """The id of the span in which a moment happens."""
        return self._tree.rows[self.spans[moment]].span_id

    @overload
    def __getitem__(self, index: int) -> Moment: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Moment]: ...

    def __getitem__(self, index: int | slice) -> Moment | Sequence[Moment]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        span, kind = self.spans[index], MomentKind(self.kinds[index])
        if kind in (MomentKind.OPEN, MomentKind.CLOSE):
            name = self._tree.rows[span].name
        else:
            name = self.events[self._refs[index] - len(self._tree)].name
        return Moment(self.times[index], kind, span, name)

    def __iter__(self) -> Iterator[Moment]:
        return (self[i] for i in range(len(self)))


def find_moments(tree: SpanTree, events: Sequence[EventRow]) -> Moments:
    """All moments of a run by time; events of spans that are not in the tree are left out.

    At equal times what began earlier ends before anything new opens, so that "as of" a step includes its own end:
    first events and closings of spans opened before, then openings, then events and closings of spans just opened.
    Parents open before and close after their children. O(n log n).
    """
    if not all(map(tree.index.__contains__, map(_SPAN_ID, events))):
        events = [event for event in events if event.span_id in tree.index]
    moments = Moments(tree, events)
    # What the GUI thread is going to ask for, so that it needn't work it out.
    moments.places(OPENS_AGENT_STEP if 1 in moments.marked(OPENS_AGENT_STEP) else OPENS_SPAN)
    for bit in (ENDS_IN_ERROR, OPENS_LEAF, CLOSES_LEAF):
        moments.marked(bit)
    return moments


_SPAN_ID = attrgetter("span_id")


def find_again(before: Moments, moment: int, after: Moments) -> int:
    """Where a moment of one picture of a run stands in a newer one; the last moment by then if it is gone."""
    time, kind = before.times[moment], before.kinds[moment]
    span_id, name = before.span_id(moment), before[moment].name
    first, last = bisect_left(after.times, time), bisect_right(after.times, time)
    for place in range(first, min(last, first + _MOST_TIES)):
        if after.kinds[place] == kind and after.span_id(place) == span_id and after[place].name == name:
            return place
    return last - 1


_MOST_TIES = 10_000


class _Entries:
    """Openings (entry i is span i), then events, then closings, the last span's first: not yet in order.

    Laid out so that among entries of one time and rank the smaller entry comes first.
    """

    def __init__(self, tree: SpanTree, events: Sequence[EventRow]) -> None:
        starts = [row.start_ns for row in tree.rows]
        ends = [row.end_ns for row in tree.rows]
        index = tree.index
        inside = [index[event.span_id] for event in events]
        happened = [event.time_ns for event in events]
        backward = range(len(ends) - 1, -1, -1)
        self.ended = [i for i in backward if ends[i] is not None] if None in ends else backward
        closed = [end for end in reversed(ends) if end is not None]
        self.times = starts + happened + closed
        self.spans = [*range(len(starts)), *inside, *self.ended]
        kinds = (MomentKind.STATE if event.name == STATE_EVENT else MomentKind.EVENT for event in events)
        self.kinds = bytes(len(starts)) + bytes(kinds) + bytes([MomentKind.CLOSE]) * len(closed)
        # One integer per entry (time, rank, entry) sorts three times faster than a tuple.
        bits = len(self.times).bit_length()
        scale = 8 << bits
        keys = [time * scale + i for i, time in enumerate(starts, _OPENING << bits)]
        for i, (span, time) in enumerate(zip(inside, happened, strict=True), len(starts)):
            keys.append(time * scale + i + ((_EARLY_EVENT if starts[span] < time else _LATE_EVENT) << bits))
        keys += [time * scale + i for i, time in enumerate(closed, len(keys) + (_EARLY_CLOSING << bits))]
        late = _held_open(tree, starts, ends)
        if late:
            for i, span in enumerate(self.ended, len(starts) + len(inside)):
                if span in late:
                    keys[i] += (_LATE_CLOSING - _EARLY_CLOSING) << bits
        self._keys = keys
        self._mask = (1 << bits) - 1

    def order(self) -> list[int]:
        """The entries by time, then by rank."""
        mask = self._mask
        return [key & mask for key in sorted(self._keys)]


# The order of moments of one time: events, then closings of spans opened before; openings; what belongs to those.
_EARLY_EVENT, _EARLY_CLOSING, _OPENING, _LATE_EVENT, _LATE_CLOSING = range(5)


def _held_open(tree: SpanTree, starts: Sequence[int], ends: Sequence[int | None]) -> set[int]:
    """The spans that close among the last of their moment: those of no duration, and the parents they end with."""
    held = set(compress(range(len(starts)), map(eq, starts, ends)))
    for i in list(held):
        above = tree.parent[i]
        while above >= 0 and ends[above] == ends[i] and above not in held:
            held.add(above)
            above = tree.parent[above]
    return held


def agent_steps(tree: SpanTree) -> list[bool]:
    """Per span whether it is a step of an AI agent. A root of kind agent that has children is the run, not a step."""
    steps = [row.kind in AGENT_STEP_KINDS for row in tree.rows]
    root = 0
    while root < len(steps):
        row = tree.rows[root]
        if row.kind == "agent" and row.parent_id is None and not tree.is_leaf(root):
            steps[root] = False
        root = tree.subtree_end[root]
    return steps


_FAILED = int(Status.ERROR)  # comparing with the plain number is three times faster


def _marks(tree: SpanTree, events: int, ended: Sequence[int]) -> bytes:
    failed = [row.status == _FAILED for row in tree.rows]
    leaf = bytes(map(eq, tree.subtree_end, range(1, len(tree) + 1)))
    opening = [OPENS_SPAN | OPENS_LEAF * is_leaf | OPENS_AGENT_STEP * step for step in (0, 1) for is_leaf in (0, 1)]
    marks = bytearray([opening[is_leaf + 2 * step] for is_leaf, step in zip(leaf, agent_steps(tree), strict=True)])
    marks += bytes(events)
    closing = (0, CLOSES_LEAF, ENDS_IN_ERROR, CLOSES_LEAF | ENDS_IN_ERROR)
    marks += bytes([closing[leaf[i] + 2 * failed[i]] for i in ended])
    if len(ended) < len(failed):  # what failed and goes on is shown where it opened
        for i, row in enumerate(tree.rows):
            if row.end_ns is None and failed[i]:
                marks[i] |= ENDS_IN_ERROR
    return bytes(marks)
