"""Times and pixels: zooming keeps its point, slivers merge without losing any, labels find their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.app.timeline.geometry import (
    MIN_RANGE,
    Label,
    Scale,
    Segments,
    TimeRange,
    bar_edges,
    merge_bars,
    place_dots,
    place_label,
    uncovered,
)

WHOLE = TimeRange(0, 10_000)
SCALE = Scale(TimeRange(0, 1_000), 10, 500)
TIMES = st.floats(0, 1e12)


def test_times_map_to_pixels_and_back() -> None:
    assert SCALE.x(0) == 10
    assert SCALE.x(1_000) == 510
    assert SCALE.time(SCALE.x(333.0)) == pytest.approx(333)
    assert SCALE.xs(np.array([0, 500])).tolist() == [10, 260]
    assert SCALE.pixels_per_ns == 0.5


def test_zooming_keeps_the_time_at_the_mouse_in_place() -> None:
    zoomed = TimeRange(100, 300).zoomed(150, 0.5)
    assert zoomed == TimeRange(125, 225)
    assert Scale(zoomed, 0, 100).x(150) == Scale(TimeRange(100, 300), 0, 100).x(150)


@pytest.mark.parametrize(
    ("asked", "given_"),
    [
        (TimeRange(2_000, 3_000), TimeRange(2_000, 3_000)),
        (TimeRange(-500, 500), TimeRange(0, 1_000)),
        (TimeRange(9_500, 10_500), TimeRange(9_000, 10_000)),
        (TimeRange(-5_000, 20_000), WHOLE),
        (TimeRange(5_000, 5_001), TimeRange(5_000.5 - MIN_RANGE / 2, 5_000.5 + MIN_RANGE / 2)),
    ],
)
def test_a_range_stays_inside_the_run_and_is_never_too_short(asked: TimeRange, given_: TimeRange) -> None:
    assert asked.within(WHOLE) == given_


@given(TIMES, TIMES, TIMES)
def test_whatever_is_asked_for_lies_within_the_run(start: float, length: float, whole: float) -> None:
    whole_range = TimeRange(0, max(whole, MIN_RANGE))
    part = TimeRange(start, start + length).within(whole_range)
    slack = 1e-6 * whole_range.end + 1e-3
    assert part.start >= 0
    assert part.end <= whole_range.end + slack
    assert part.length >= MIN_RANGE - slack


def test_ranges_move_grow_and_meet() -> None:
    part = TimeRange(10, 20)
    assert part.moved(5) == TimeRange(15, 25)
    assert part.padded(0.5) == TimeRange(5, 25)
    assert part.between(TimeRange(20, 40), 0.5) == TimeRange(15, 30)
    assert part.overlaps(20, 30)
    assert not part.overlaps(21, 30)
    assert part.middle == 15


def test_a_bar_is_never_narrower_than_its_minimum() -> None:
    assert bar_edges(SCALE, 100, 100, 3) == (60, 63)
    assert bar_edges(SCALE, 100, 300, 3) == (60, 160)


def merge(bars: list[tuple[int, int]], scale: Scale = SCALE, view: tuple[float, float] = (0, 520)) -> Segments:
    bars = sorted(bars)
    starts, ends = (np.array(column, np.int64) for column in zip(*bars, strict=True))
    return merge_bars(starts, ends, np.maximum.accumulate(ends), scale, view, 3)


def test_bars_wide_enough_stand_for_themselves() -> None:
    found = merge([(0, 100), (200, 400), (202, 500)])
    assert found.left.tolist() == [10, 110, 111]
    assert found.right.tolist() == [60, 210, 260]
    assert found.count.tolist() == [1, 1, 1]
    assert found.merged == 0


def test_slivers_in_the_same_pixels_become_one_and_are_counted() -> None:
    found = merge([(600, 601), (601, 602), (602, 603), (800, 900)])
    assert found.count.tolist() == [1, 3]
    assert found.first.tolist() == [3, 0]
    assert found.right[1] - found.left[1] == 3
    assert found.merged == 3


def test_neighbouring_slivers_become_one_block() -> None:
    found = merge([(600 + 2 * i, 601 + 2 * i) for i in range(99)])
    assert found.count.tolist() == [99]
    assert found.left.tolist() == [310]
    assert found.right.tolist() == [409]


def test_what_opened_before_the_view_and_reaches_into_it_is_there() -> None:
    found = merge([(0, 900), (1, 2), (3, 950)], Scale(TimeRange(500, 600), 0, 500), (0, 500))
    assert found.first.tolist() == [0, 2]


def test_nothing_in_view_is_nothing() -> None:
    assert len(merge([(0, 10)], Scale(TimeRange(500, 600), 0, 500), (0, 500))) == 0


def test_merging_does_not_flicker_while_panning() -> None:
    bars = [(5 * i, 5 * i + 2) for i in range(190)]
    here = merge(bars, Scale(TimeRange(0, 1_000), 0, 500), (0, 500))
    there = merge(bars, Scale(TimeRange(3, 1_003), 0, 500), (0, 500))
    assert max(here.count) > 1
    assert there.first.tolist()[2:] == here.first.tolist()[2:]


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 60)), min_size=1, max_size=60))
def test_no_bar_in_view_is_lost(bars: list[tuple[int, int]]) -> None:
    found = merge([(start, start + length) for start, length in bars])
    assert found.count.sum() == len(bars)
    for start, length in bars:
        left, right = bar_edges(SCALE, start, start + length, 1)
        covered = (found.left <= left) & (found.right >= min(right, left + 3) - 1)
        assert covered.any()


def test_of_very_many_bars_none_is_lost_either() -> None:
    starts = np.arange(0, 1_000_000, 10, dtype=np.int64)
    ends = starts + 5
    found = merge_bars(starts, ends, ends, Scale(TimeRange(0, 1e6), 0, 1_000), (0, 1_000), 3)
    assert found.count.sum() == len(starts)
    assert found.left[0] == 0
    assert 1_000 <= found.right[-1] <= 1_003


def test_self_time_is_what_no_child_covers() -> None:
    child_starts, child_ends = np.array([10, 20, 25, 80]), np.array([30, 22, 40, 90])
    starts, ends = uncovered(0, 100, child_starts, np.maximum.accumulate(child_ends))
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == [(0, 10), (40, 80), (90, 100)]


def test_a_child_that_outlives_its_parent_leaves_no_self_time_after_it() -> None:
    starts, ends = uncovered(0, 100, np.array([50]), np.array([200]))
    assert (starts.tolist(), ends.tolist()) == ([0], [50])


@pytest.mark.parametrize(
    ("bar", "container", "place"),
    [
        ((50, 100), False, Label(106, inside=False)),
        ((50, 480), False, None),
        ((200, 480), False, Label(114, inside=False)),
        ((50, 480), True, Label(57, inside=True)),
        ((-300, 480), True, Label(7, inside=True)),
        ((460, 480), True, Label(374, inside=False)),
        ((-300, -10), False, None),
        ((600, 700), True, None),
    ],
)
def test_a_label_goes_right_else_inside_else_left_else_nowhere(
    bar: tuple[int, int], container: bool, place: Label | None
) -> None:
    assert place_label(bar, 80, (0, 500), container=container) == place


def test_events_closer_than_a_dot_are_counted() -> None:
    dots = place_dots([10, 20, 23, 24, 100, 113.9, 114])
    assert [(dot.x, dot.count) for dot in dots] == [(16.5, 3), (24, 1), (106.95, 2), (114, 1)]
    assert place_dots([]) == []
