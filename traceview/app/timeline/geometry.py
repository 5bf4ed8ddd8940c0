"""Where things lie in the timeline: times and pixels, bars, labels, dots. Pure arithmetic, no Qt.

Times here are nanoseconds since the run's start, as floats: exact to 1 ns for runs up to 104 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

# The shortest stretch of time one can zoom to: nothing that is traced lasts less than a few hundred nanoseconds.
MIN_RANGE: Final = 200.0
DOT_GAP: Final = 14.0
# Up to so many bars of a row are looked at one by one.
_MANY: Final = 20_000
LABEL_GAP: Final = 6
LABEL_INSET: Final = 7


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A stretch of time of the run, in ns since its start."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """How long it is, in ns."""
        return self.end - self.start

    @property
    def middle(self) -> float:
        """The time half-way."""
        return (self.start + self.end) / 2

    def within(self, whole: TimeRange) -> TimeRange:
        """This range, made no longer than `whole`, no shorter than MIN_RANGE, and moved inside `whole`."""
        length = min(max(self.length, MIN_RANGE), max(whole.length, MIN_RANGE))
        start = self.middle - length / 2 if length != self.length else self.start
        start = max(whole.start, min(start, whole.end - length))
        return TimeRange(start, start + length)

    def zoomed(self, at: float, factor: float) -> TimeRange:
        """The range `factor` times as long in which the time `at` keeps its place."""
        return TimeRange(at - (at - self.start) * factor, at + (self.end - at) * factor)

    def moved(self, by: float) -> TimeRange:
        """The range later by so many ns."""
        return TimeRange(self.start + by, self.end + by)

    def overlaps(self, start: float, end: float) -> bool:
        """Whether any of start..end is in the range."""
        return start <= self.end and end >= self.start

    def padded(self, share: float) -> TimeRange:
        """The range with so much of its length added on both sides."""
        return TimeRange(self.start - self.length * share, self.end + self.length * share)

    def between(self, other: TimeRange, share: float) -> TimeRange:
        """The range on the way to another one: 0 is this one, 1 the other."""
        return TimeRange(
            self.start + (other.start - self.start) * share,
            self.end + (other.end - self.end) * share,
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps times to x: `shown` fills the pixels from `left`, `width` wide; what is outside lies beyond them."""

    shown: TimeRange
    left: float
    width: float

    @property
    def pixels_per_ns(self) -> float:
        """How many pixels a nanosecond is wide."""
        return self.width / self.shown.length

    def x(self, time: float) -> float:
        """The pixel of a time."""
        return self.left + (time - self.shown.start) * self.width / self.shown.length

    def time(self, x: float) -> float:
        """The time of a pixel."""
        return self.shown.start + (x - self.left) * self.shown.length / self.width

    def xs(self, times: Ints | Floats) -> Floats:
        """The pixels of many times."""
        return np.asarray(self.left + (times - self.shown.start) * self.pixels_per_ns, dtype=np.float64)


def bar_edges(scale: Scale, start: float, end: float, min_width: int) -> tuple[int, int]:
    """The left and right pixel edge of a bar: whole pixels, at least `min_width` apart."""
    left = round(scale.x(start))
    return left, max(left + min_width, round(scale.x(end)))


@dataclass(frozen=True, slots=True)
class Segments:
    """Bars of one row after merging, by start: edges in pixels, the first bar in each, and how many it stands for."""

    left: Ints
    right: Ints
    first: Ints
    count: Ints

    def __len__(self) -> int:
        return len(self.left)

    def followed_by(self, other: Segments) -> Segments:
        """These segments and then those."""
        pairs = (self.left, other.left), (self.right, other.right), (self.first, other.first), (self.count, other.count)
        return Segments(*(np.concatenate(pair) for pair in pairs))

    @property
    def merged(self) -> int:
        """How many bars stand in segments together with others."""
        return int(self.count[self.count > 1].sum())


def merge_bars(
    starts: Ints, ends: Ints, latest: Ints, scale: Scale, visible: tuple[float, float], cell: int
) -> Segments:
    """The bars of one row that show between two x, those too narrow to tell apart merged; `starts` must be sorted.

    The row is cut into cells of `cell` pixels that are fixed in time, so that panning doesn't make bars flicker. Narrow
    bars that open in one cell become one segment, neighbouring segments of several bars one block; wide bars stand for
    themselves and come first. `latest[i]` is the maximum of `ends[: i + 1]`. Of very many bars only those at the edges
    of cells are looked up, so that the cost grows with the width in pixels, not with the number of bars.
    """
    zero = scale.x(0)
    begin = float(zero + np.floor((visible[0] - zero) / cell) * cell)
    first, stop = find_times(starts, np.array((scale.time(begin), scale.time(visible[1]))))
    early = _open_at(starts, ends, latest, scale.time(begin), int(first))
    if stop - first > _MANY:
        edges = np.arange(begin, visible[1] + cell, cell)
        cuts = find_times(starts, scale.shown.start + (edges - scale.left) / scale.pixels_per_ns)
        filled = np.flatnonzero(np.diff(cuts))
        at, counts, alone = cuts[filled], np.diff(cuts)[filled], early
        stops = latest[at + counts - 1]
    else:
        here = np.arange(first, stop)
        wide = ends[first:stop] - starts[first:stop] > 2 * cell / scale.pixels_per_ns
        alone, narrow = np.concatenate((early, here[wide])), here[~wide]
        at, counts, stops = _group(narrow, np.floor((scale.xs(starts[narrow]) - zero) / cell), ends)
    ones = np.ones(len(alone), np.int64)
    blocks = _join_blocks(_segments(scale, starts[at], stops, at, counts, cell))
    return _segments(scale, starts[alone], ends[alone], alone, ones, cell).followed_by(blocks)


def find_times(sorted_times: Ints, wanted: Floats) -> Ints:
    """Where in sorted times the wanted ones would stand: each before all that are not earlier.

    numpy would turn a million integers into floats, in every frame, to compare them with a few floats.
    """
    return np.searchsorted(sorted_times, np.ceil(wanted).astype(np.int64))


def _group(bars: Ints, cells: Floats, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Of bars in the same cell: the first, how many, their latest end."""
    if not len(bars):
        return bars, bars, bars
    begins = np.flatnonzero(np.concatenate(([True], cells[1:] != cells[:-1])))
    counts = np.diff(np.concatenate((begins, [len(bars)])))
    return bars[begins], counts, np.maximum.reduceat(ends[bars], begins)


def _segments(scale: Scale, starts: Ints, ends: Ints, first: Ints, counts: Ints, cell: int) -> Segments:
    left = np.rint(scale.xs(starts)).astype(np.int64)
    right = np.maximum(np.rint(scale.xs(ends)).astype(np.int64), left + cell)
    return Segments(left, right, first, counts)


def _open_at(starts: Ints, ends: Ints, latest: Ints, time: float, before: int) -> Ints:
    """Which bars that opened before index `before` are still open at a time; a few hundred at most: they overlap."""
    first = min(before, int(find_times(latest, np.array((time,)))[0]))
    return first + np.flatnonzero(ends[first:before] >= time)[:200]


def _join_blocks(cells: Segments) -> Segments:
    if len(cells) < 2:
        return cells
    several = cells.count > 1
    joins = several[1:] & several[:-1] & (cells.left[1:] <= cells.right[:-1] + 1)
    begins = np.flatnonzero(np.concatenate(([True], ~joins)))
    right = np.maximum.reduceat(cells.right, begins)
    return Segments(cells.left[begins], right, cells.first[begins], np.add.reduceat(cells.count, begins))


def uncovered(start: int, end: int, child_starts: Ints, child_latest: Ints) -> tuple[Ints, Ints]:
    """The stretches of start..end that no child covers: the span's self time, as (starts, ends).

    `child_latest[i]` is the latest end of the children up to i; children stand by start.
    """
    from_times = np.maximum(np.concatenate(([start], child_latest)), start)
    to_times = np.minimum(np.concatenate((child_starts, [end])), end)
    open_ = to_times > from_times
    return from_times[open_], to_times[open_]


@dataclass(frozen=True, slots=True)
class Label:
    """Where a bar's label stands: its left edge, and whether it lies on the bar."""

    left: int
    inside: bool


def place_label(bar: tuple[int, int], width: float, view: tuple[int, int], *, container: bool) -> Label | None:
    """Where the label of a bar goes: right of it; else inside a container; else left of it; else nowhere (None).

    `bar` and `view` are left and right edges; a bar that is out of view has no label.
    """
    left, right = bar
    if right < view[0] or left > view[1]:
        return None
    if right + LABEL_GAP + width <= view[1]:
        return Label(right + LABEL_GAP, inside=False)
    seen_left = max(left, view[0])
    if container and seen_left + LABEL_INSET + width + LABEL_INSET <= min(right, view[1]):
        return Label(seen_left + LABEL_INSET, inside=True)
    if left - LABEL_GAP - width >= view[0]:
        return Label(round(left - LABEL_GAP - width), inside=False)
    return None


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark for `count` events: the middle of the pixels they happened at."""

    x: float
    count: int


def place_dots(xs: Sequence[float] | Floats, gap: float = DOT_GAP) -> list[Dot]:
    """One dot per event, those closer than `gap` pixels to the first of a group counted in one; `xs` sorted."""
    places = np.asarray(xs, dtype=np.float64)
    dots = []
    begin = 0
    while begin < len(places):
        stop = int(np.searchsorted(places, places[begin] + gap))
        dots.append(Dot(float(places[begin] + places[stop - 1]) / 2, stop - begin))
        begin = stop
    return dots
