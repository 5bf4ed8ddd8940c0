"""A debugger's steps through a run: next, into, out, first and last, and the same backward. Pure functions.

gdb's words. *Next* goes over what the current step calls, *into* goes to the first step inside it, *out* (finish) to
the end of the step that called it; backward, *next* goes over the step before, *into* to the step before wherever it
is, *out* to where the caller opened. Steps that ran at the same time count as siblings where neither called the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from traceview.analysis.moments import MomentKind
from traceview.analysis.steps import AxisKind, Walk


@dataclass(frozen=True, slots=True)
class Stop:
    """Where one lands: the moment, and the span (index in the tree) to look at there."""

    moment: int
    span: int


def first(walk: Walk) -> Stop | None:
    """The first stop; None where there are no steps."""
    return _at(walk, 1)


def last(walk: Walk) -> Stop | None:
    """The last stop."""
    return _at(walk, len(walk))


def onward(walk: Walk, moment: int) -> Stop | None:
    """The next stop of the axis wherever it is, as playing goes; None at the last."""
    step = walk.step_at(moment)
    if 0 < step == len(walk):
        return _at(walk, step) if moment < walk.stop(step) else None
    return _at(walk, step + 1)


def over(walk: Walk, moment: int) -> Stop | None:
    """The next stop that is not inside the current step; where all are, the end of the run, showing this step."""
    step = walk.step_at(moment)
    if walk.axis.kind is AxisKind.EVERY_MOMENT:
        return _over_moment(walk, moment)
    if not walk.by_spans or step == 0:
        return onward(walk, moment)
    begin, end = walk.span(step), walk.tree.subtree_end[walk.span(step)]
    for further in range(step + 1, len(walk) + 1):
        if not begin < walk.span(further) < end:
            return _at(walk, further)
    return _unless_there(moment, Stop(walk.stop(len(walk)), begin))


def into(walk: Walk, moment: int) -> Stop | None:
    """The first step inside the current one; where there is none, the next stop of the axis."""
    step = walk.step_at(moment)
    if walk.by_spans and step:
        begin, end = walk.span(step), walk.tree.subtree_end[walk.span(step)]
        if end - begin > 1:
            for further in range(step + 1, len(walk) + 1):
                if begin < walk.span(further) < end:
                    return _at(walk, further)
    return onward(walk, moment)


def out(walk: Walk, moment: int) -> Stop | None:
    """The stop at which the step that called the current one has ended, showing that step; else the last stop."""
    if walk.axis.kind is AxisKind.EVERY_MOMENT:
        return _out_moment(walk, moment)
    caller = _caller(walk, moment)
    if caller is None:
        return _unless_there(moment, last(walk))
    closed = walk.moments.closed[caller]
    if closed < 0:
        return _unless_there(moment, last(walk))
    stop = walk.stop(max(1, walk.step_at(closed)))
    return _unless_there(moment, Stop(max(stop, moment), caller)) or onward(walk, moment)


def back(walk: Walk, moment: int) -> Stop | None:
    """The stop before, wherever it is; None at the first. From -1, not replaying, the last."""
    if moment < 0:
        return last(walk)
    step = walk.step_at(moment)
    return _at(walk, step - 1)


def back_over(walk: Walk, moment: int) -> Stop | None:
    """The step before that is not inside a step which the current one is outside of; None at the first."""
    if walk.axis.kind is AxisKind.EVERY_MOMENT and moment >= 0:
        return _back_over_moment(walk, moment)
    step = walk.step_at(moment)
    if not walk.by_spans or moment < 0 or step < 2:
        return back(walk, moment)
    around = set(walk.tree.ancestors(walk.span(step)))
    for before in range(step - 1, 0, -1):
        caller = _caller_of(walk, walk.span(before))
        if caller is None or caller in around:
            return _at(walk, before)
    return _at(walk, step - 1)


def back_out(walk: Walk, moment: int) -> Stop | None:
    """The stop of the step that called the current one; else the first stop."""
    if moment < 0:
        return last(walk)
    if walk.axis.kind is AxisKind.EVERY_MOMENT:
        return _back_out_moment(walk, moment)
    caller = _caller(walk, moment)
    step = walk.step_of(caller) if caller is not None else 1
    return _unless_there(moment, _at(walk, step or 1))


def _at(walk: Walk, step: int) -> Stop | None:
    if not 1 <= step <= len(walk):
        return None
    return Stop(walk.stop(step), walk.span(step))


def _unless_there(moment: int, stop: Stop | None) -> Stop | None:
    return stop if stop is not None and stop.moment != moment else None


def _caller(walk: Walk, moment: int) -> int | None:
    """The nearest step around the current one."""
    step = walk.step_at(moment)
    return _caller_of(walk, walk.span(step)) if step else None


def _caller_of(walk: Walk, span: int) -> int | None:
    above = walk.tree.parent[span]
    while above >= 0:
        if walk.step_of(above) is not None:
            return above
        above = walk.tree.parent[above]
    return None


def _over_moment(walk: Walk, moment: int) -> Stop | None:
    if moment >= 0 and walk.moments.kinds[moment] == MomentKind.OPEN:
        closed = walk.moments.closed[walk.moments.spans[moment]]
        if closed >= 0:
            return _at(walk, closed + 1)
    return onward(walk, moment)


def _back_over_moment(walk: Walk, moment: int) -> Stop | None:
    if walk.moments.kinds[moment] == MomentKind.CLOSE:
        return _at(walk, walk.moments.opened[walk.moments.spans[moment]] + 1)
    return _at(walk, moment)


def _out_moment(walk: Walk, moment: int) -> Stop | None:
    """To the closing of the span one is in; at a closing, of the span around it."""
    if moment < 0:
        return last(walk)
    span = walk.moments.spans[moment]
    if walk.moments.kinds[moment] == MomentKind.CLOSE:
        span = walk.tree.parent[span]
    closed = walk.moments.closed[span] if span >= 0 else -1
    if closed > moment:
        return _at(walk, closed + 1)
    return _unless_there(moment, last(walk))


def _back_out_moment(walk: Walk, moment: int) -> Stop | None:
    """To the opening of the span one is in; at an opening, of the span around it."""
    span = walk.moments.spans[moment]
    if walk.moments.kinds[moment] == MomentKind.OPEN:
        span = walk.tree.parent[span]
    opened = walk.moments.opened[span] if span >= 0 else -1
    return _unless_there(moment, _at(walk, opened + 1 if 0 <= opened < moment else 1))
