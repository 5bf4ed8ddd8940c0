"""Where the moments of a run lie along the scrubber, and how many in each slice: pure geometry, no painting."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from traceview.analysis.idle import idle_gaps
from traceview.analysis.moments import ENDS_IN_ERROR, Moments

SLICE: Final = 4
FOLD: Final = 30

# Idle gaps above this share of the run are folded, so that what happened around them can be told apart.
_FOLD_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the run, in ns, and where it lies, in pixels from the scrubber's left end. Folded: an idle gap."""

    start_ns: int
    end_ns: int
    left: float
    right: float
    folded: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Some pixels of the scrubber in which moments lie: how many, and at how many of them a failed span ends."""

    left: int
    moments: int
    failed: int


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Times of a run to pixels and back; linear but for folded gaps, which are 30 px each."""

    stretches: tuple[Stretch, ...]

    def x(self, time_ns: int) -> float:
        """Where a time lies; times outside the run lie at its ends."""
        place = bisect_right(self.stretches, time_ns, key=lambda stretch: stretch.start_ns) - 1
        part = self.stretches[max(0, place)]
        length = part.end_ns - part.start_ns
        share = (time_ns - part.start_ns) / length if length else 0.0
        return part.left + (part.right - part.left) * min(1.0, max(0.0, share))

    def time(self, x: float) -> int:
        """The time that lies at a place; the run's ends beyond its ends."""
        place = bisect_right(self.stretches, x, key=lambda stretch: stretch.left) - 1
        part = self.stretches[max(0, place)]
        width = part.right - part.left
        share = min(1.0, max(0.0, (x - part.left) / width)) if width else 0.0
        return part.start_ns + round((part.end_ns - part.start_ns) * share)

    @property
    def folds(self) -> list[Stretch]:
        """The folded gaps."""
        return [stretch for stretch in self.stretches if stretch.folded]


def make_scale(moments: Moments, width: int) -> TimeScale:
    """The scale on which all moments of a run fill a width in pixels; long idle gaps are folded where there is room."""
    times = moments.times
    if not len(times):
        return TimeScale((Stretch(0, 0, 0.0, float(width), False),))
    start, end = times[0], times[-1]
    gaps = idle_gaps(moments, int((end - start) * _FOLD_SHARE))
    if FOLD * len(gaps) > width / 3:
        gaps = []
    shown = end - start - sum(gap_end - gap_start for gap_start, gap_end in gaps)
    per_ns = (width - FOLD * len(gaps)) / shown if shown else 0.0
    stretches: list[Stretch] = []
    here, left = start, 0.0
    for gap_start, gap_end in gaps:
        right = left + (gap_start - here) * per_ns
        stretches.append(Stretch(here, gap_start, left, right, False))
        stretches.append(Stretch(gap_start, gap_end, right, right + FOLD, True))
        here, left = gap_end, right + FOLD
    stretches.append(Stretch(here, end, left, float(width), False))
    return TimeScale(tuple(stretches))


def make_slices(moments: Moments, scale: TimeScale, width: int) -> list[Slice]:
    """The slices in which something happens. O(width · log moments): each slice is two binary searches."""
    times: Sequence[int] = moments.times
    failed = moments.marked(ENDS_IN_ERROR)
    found: list[Slice] = []
    first = 0
    for left in range(0, width, SLICE):
        past = left + SLICE >= width
        last = len(times) if past else bisect_left(times, scale.time(left + SLICE), first)
        if last > first:
            found.append(Slice(left, last - first, failed.count(1, first, last)))
        first = last
    return found
