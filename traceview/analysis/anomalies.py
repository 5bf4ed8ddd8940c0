"""What in a run's times and tree can't be as recorded: noted for the reader, never corrected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from traceview.analysis.figures import duration_text
from traceview.analysis.tree import SpanTree

# Some programs take times in whole milliseconds: what lies closer together may have begun in either order.
CLOCK_GRAIN_NS: Final = 1_000_000

_START: Final = attrgetter("start_ns")
_END: Final = attrgetter("end_ns")


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Indices of spans in their tree, and by how many ns.

    `early` spans begin before the span that called them: the clocks of two processes differ, or one was set back.
    `backwards` spans end before they begin. `orphans` name a parent that has not been received.
    """

    early: Mapping[int, int] = field(default_factory=dict)
    backwards: Mapping[int, int] = field(default_factory=dict)
    orphans: frozenset[int] = frozenset()

    def __contains__(self, i: object) -> bool:
        return i in self.early or i in self.backwards or i in self.orphans

    @property
    def clock_skew_ns(self) -> int | None:
        """The least by which clocks differ: the most that any span begins before its parent; None if none does."""
        return max(self.early.values(), default=None)


def find_anomalies(tree: SpanTree) -> Anomalies:
    """Looks at every span of a run; O(n). Less than CLOCK_GRAIN_NS between parent and child is no sign of skew."""
    starts, ends = [*map(_START, tree.rows)], [*map(_END, tree.rows)]
    early = {
        i: ahead for i, up in enumerate(tree.parent) if up >= 0 and (ahead := starts[up] - starts[i]) >= CLOCK_GRAIN_NS
    }
    backwards = {i: starts[i] - end for i, end in enumerate(ends) if end is not None and end < starts[i]}
    return Anomalies(early, backwards, tree.orphans)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the reader of a run must know: in a few words, in full, and on which spans (indices) it can be seen."""

    text: str
    explanation: str
    spans: tuple[int, ...] = ()


def run_notices(anomalies: Anomalies, dropped: int) -> list[Notice]:
    """What must be said of a run, the worst first; `dropped` spans are known to be lost."""
    notices = []
    if dropped:
        notices.append(Notice(f"{_spans(dropped)} dropped", _DROPPED))
    skew = anomalies.clock_skew_ns
    if skew is not None:
        count = len(anomalies.early)
        who = "1 span begins before the one that called it" if count == 1 else _MANY_EARLY.format(count)
        text = f"clocks differ by up to {duration_text(skew)}"
        notices.append(Notice(text, f"{who}. {_SKEW}", tuple(anomalies.early)))
    if anomalies.backwards:
        count = len(anomalies.backwards)
        text = f"{_spans(count)} {'ends' if count == 1 else 'end'} before {'it begins' if count == 1 else 'they begin'}"
        notices.append(Notice(text, _BACKWARDS, tuple(anomalies.backwards)))
    if anomalies.orphans:
        text = f"{_spans(len(anomalies.orphans))} without parent"
        notices.append(Notice(text, _ORPHANS, tuple(sorted(anomalies.orphans))))
    return notices


def span_notes(anomalies: Anomalies, i: int) -> list[str]:
    """What must be said of span i, each in a few words."""
    notes = []
    if i in anomalies.early:
        notes.append(f"Begins {duration_text(anomalies.early[i])} before its parent")
    if i in anomalies.backwards:
        notes.append(f"Ends {duration_text(anomalies.backwards[i])} before it begins")
    if i in anomalies.orphans:
        notes.append("Its parent is not here")
    return notes


def _spans(count: int) -> str:
    return "1 span" if count == 1 else f"{count:,} spans"


_DROPPED: Final = (
    "The program recorded them while its outbox was full, and they are lost; some may have belonged to other runs of "
    "that program. An outbox fills while the daemon is away or can't write its store. To give a program more room, set "
    "TRACEVIEW_SPOOL_MB (256 by default) where it runs."
)
_MANY_EARLY: Final = "{:,} spans begin before the ones that called them"
_SKEW: Final = (
    "The clocks of their processes differ, or a clock was set back meanwhile. Times are shown as recorded: compare "
    "them across processes with care, and let the machines synchronise their clocks (NTP)."
)
_BACKWARDS: Final = "A clock was set back while they ran. They are drawn where they begin, without length."
_ORPHANS: Final = (
    "The span that called them has not been received, so they stand as roots. It may still be running (OpenTelemetry "
    "reports spans as they end), it may not be recorded at all, or it is lost."
)
