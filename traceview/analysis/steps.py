"""The axes along which one steps through the moments of a run, and the numbers of the steps.

A *moment* is a span opening, a span closing, an event, or a change of state, in order of time. An *axis* chooses where
one stops. On an axis of spans a *step* is a span, numbered from 1 by opening, and one stops at the last moment before
step n + 1 opens (for the last step: at the last moment of all): the run "as of step n" is everything that had happened
by then. On the axis of errors one stops where a failed span ends, numbered in that order; on the axis of moments at
each of them.
"""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Final

from traceview.analysis.moments import (
    AGENT_STEP_KINDS,
    ENDS_IN_ERROR,
    OPENS_AGENT_STEP,
    OPENS_SPAN,
    Moment,
    MomentKind,
    Moments,
    agent_steps,
    find_moments,
)
from traceview.analysis.tree import SpanTree

__all__ = [
    "AGENT_STEPS",
    "AGENT_STEP_KINDS",
    "ERRORS",
    "EVERY_MOMENT",
    "SPANS",
    "Axis",
    "AxisKind",
    "Moment",
    "MomentKind",
    "Moments",
    "Walk",
    "axis_positions",
    "default_axis",
    "find_moments",
    "moment_of_step",
    "number_steps",
    "same_name",
    "same_parent",
    "span_at",
    "step_at",
    "walk",
]


class AxisKind(enum.Enum):
    """What one stops at."""

    EVERY_MOMENT = "every moment"
    AGENT_STEPS = "agent steps"
    SPANS = "every span"
    SAME_NAME = "same name"
    SAME_PARENT = "same parent"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class Axis:
    """A way to walk a run. `name` belongs to SAME_NAME; `parent`, a span's id or None for the roots, to SAME_PARENT."""

    kind: AxisKind
    name: str = ""
    parent: bytes | None = None

    @property
    def unit(self) -> str:
        """What one stop is called: `step`, `moment` or `error`."""
        return {AxisKind.EVERY_MOMENT: "moment", AxisKind.ERRORS: "error"}.get(self.kind, "step")


EVERY_MOMENT: Final = Axis(AxisKind.EVERY_MOMENT)
AGENT_STEPS: Final = Axis(AxisKind.AGENT_STEPS)
SPANS: Final = Axis(AxisKind.SPANS)
ERRORS: Final = Axis(AxisKind.ERRORS)


def same_name(name: str) -> Axis:
    """The axis of all spans of one name."""
    return Axis(AxisKind.SAME_NAME, name=name)


def same_parent(parent_id: bytes | None) -> Axis:
    """The axis of the children of one span; None gives the spans that name no parent."""
    return Axis(AxisKind.SAME_PARENT, parent=parent_id)


def default_axis(moments: Moments) -> Axis:
    """Agent steps; every span where a run has no span of an AI agent's kinds."""
    return AGENT_STEPS if 1 in moments.marked(OPENS_AGENT_STEP) else SPANS


@dataclass(frozen=True, slots=True)
class Walk:
    """The stops of one axis through one run. Step n begins at moment `starts[n - 1]`, and one stops at `stop(n)`."""

    tree: SpanTree
    moments: Moments
    axis: Axis
    starts: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def by_spans(self) -> bool:
        """Whether a step of this axis is a span, from its opening on."""
        return self.axis.kind not in (AxisKind.EVERY_MOMENT, AxisKind.ERRORS)

    def stop(self, step: int) -> int:
        """The moment at which one stops for a step, from 1 to len()."""
        if not self.by_spans:
            return self.starts[step - 1]
        return self.starts[step] - 1 if step < len(self.starts) else len(self.moments) - 1

    def span(self, step: int) -> int:
        """The span (index in the tree) that a step, from 1 to len(), shows."""
        return self.moments.spans[self.starts[step - 1]]

    def step_at(self, moment: int) -> int:
        """The step that a moment belongs to: the last one begun by then; 0 before the first."""
        return bisect_right(self.starts, moment)

    def step_of(self, span: int) -> int | None:
        """The number of a span, or None where it is no step of this axis. On the axis of moments: its opening."""
        moments = self.moments
        start = moments.opened[span]
        if self.axis.kind is AxisKind.ERRORS and moments.closed[span] >= 0:
            start = moments.closed[span]
        place = bisect_left(self.starts, start)
        return place + 1 if place < len(self.starts) and self.starts[place] == start else None

    def nearest(self, time_ns: int) -> int:
        """The step whose stop is nearest to a time; 0 where there are no steps."""
        if not self.starts:
            return 0
        times = self.moments.times
        low, high = 1, len(self)
        while low < high:
            middle = (low + high) // 2
            if times[self.stop(middle)] < time_ns:
                low = middle + 1
            else:
                high = middle
        before = max(1, low - 1)
        return before if time_ns - times[self.stop(before)] < times[self.stop(low)] - time_ns else low


def walk(tree: SpanTree, moments: Moments, axis: Axis) -> Walk:
    """The stops of an axis through a run. O(moments), at the speed of C for all but same name and same parent."""
    return Walk(tree, moments, axis, _starts(tree, moments, axis))


def axis_positions(moments: Moments, tree: SpanTree, axis: Axis) -> list[int]:
    """The moments, as indices in order, at which one stops on an axis."""
    stops = walk(tree, moments, axis)
    if not stops.by_spans or not stops.starts:
        return list(stops.starts)
    return [start - 1 for start in stops.starts[1:]] + [len(moments) - 1]


def step_at(moments: Moments, tree: SpanTree, moment: int, axis: Axis = AGENT_STEPS) -> int:
    """The number of the step that a moment belongs to; 0 before the first."""
    return walk(tree, moments, axis).step_at(moment)


def moment_of_step(moments: Moments, tree: SpanTree, step: int, axis: Axis = AGENT_STEPS) -> int:
    """The moment "as of step n"; raises IndexError where there is no such step."""
    stops = walk(tree, moments, axis)
    if not 1 <= step <= len(stops):
        raise IndexError(f"there are {len(stops)} steps, so there is no step {step}")
    return stops.stop(step)


def span_at(moments: Moments, tree: SpanTree, moment: int, axis: Axis = AGENT_STEPS) -> int | None:
    """The span (index in the tree) of the step that a moment belongs to; None before the first."""
    stops = walk(tree, moments, axis)
    step = stops.step_at(moment)
    return stops.span(step) if step else None


def number_steps(tree: SpanTree, axis: Axis) -> list[int | None]:
    """Per span its number on an axis, or None where it is no step of it; raises ValueError for EVERY_MOMENT."""
    if axis.kind is AxisKind.EVERY_MOMENT:
        raise ValueError("the axis of moments numbers moments, not spans")
    rows = tree.rows
    if axis.kind is AxisKind.ERRORS:
        moments = find_moments(tree, ())
        chosen = [moments.spans[start] for start in _starts(tree, moments, axis)]
    else:
        # Sorting is stable: equal starts stay in tree order, as in the moments.
        chosen = sorted(_chosen(tree, axis), key=lambda i: rows[i].start_ns)
    numbers: list[int | None] = [None] * len(rows)
    for number, i in enumerate(chosen, 1):
        numbers[i] = number
    return numbers


def _starts(tree: SpanTree, moments: Moments, axis: Axis) -> Sequence[int]:
    if axis.kind is AxisKind.EVERY_MOMENT:
        return range(len(moments))
    bit = _BITS.get(axis.kind)
    if bit is None:
        return sorted(moments.opened[i] for i in _chosen(tree, axis))
    return moments.places(bit)


_BITS: Final = {
    AxisKind.AGENT_STEPS: OPENS_AGENT_STEP,
    AxisKind.SPANS: OPENS_SPAN,
    AxisKind.ERRORS: ENDS_IN_ERROR,
}


def _chosen(tree: SpanTree, axis: Axis) -> list[int]:
    """The spans of an axis of spans, in tree order."""
    rows = tree.rows
    match axis.kind:
        case AxisKind.AGENT_STEPS:
            return list(compress(range(len(rows)), agent_steps(tree)))
        case AxisKind.SAME_NAME:
            return [i for i, row in enumerate(rows) if row.name == axis.name]
        case AxisKind.SAME_PARENT:
            return [i for i, row in enumerate(rows) if row.parent_id == axis.parent]
        case _:
            return list(range(len(rows)))
