"""The moments of a run and the axes along which one steps through them.

A *moment* is a span opening, a span closing, an event, or a change of state, in order of time. A *step* is a span of
the axis one walks; steps are numbered from 1 by opening. The run "as of step n" is everything that had happened just
before step n + 1 opened (for the last step: everything).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from traceview.analysis.tree import SpanTree
from traceview.protocol.records import STATE_EVENT, EventRow

# The kinds whose spans are steps of an AI agent; chains, prompts and plain code are the glue between them.
AGENT_STEP_KINDS = frozenset({"agent", "llm", "tool", "retriever", "reranker", "embedding", "guardrail", "evaluator"})


class MomentKind(enum.IntEnum):
    """What happens at a moment. The numbers order moments of equal time: opening first, closing last."""

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


Moments = Sequence[Moment]


def find_moments(tree: SpanTree, events: Sequence[EventRow]) -> Moments:
    """All moments of a run by time. At equal times parents open before and close after their children."""
    keyed: list[tuple[tuple[int, int, int], Moment]] = []
    for i, row in enumerate(tree.rows):
        keyed.append(((row.start_ns, 0, i), Moment(row.start_ns, MomentKind.OPEN, i, row.name)))
        if row.end_ns is not None:
            keyed.append(((row.end_ns, 3, -i), Moment(row.end_ns, MomentKind.CLOSE, i, row.name)))
    for order, event in enumerate(events):
        span = tree.index.get(event.span_id)
        if span is not None:
            kind = MomentKind.STATE if event.name == STATE_EVENT else MomentKind.EVENT
            keyed.append(((event.time_ns, 1, order), Moment(event.time_ns, kind, span, event.name)))
    keyed.sort(key=lambda pair: pair[0])
    return [moment for _, moment in keyed]
