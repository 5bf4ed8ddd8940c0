"""The ruler's times are round, apart from each other, and in one unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.app.timeline.geometry import TimeRange
from traceview.app.timeline.ticks import find_ticks, round_step, tick_label

S = 1e9


def labels(start: float, end: float, width: float = 500) -> list[str]:
    return [tick.label.replace("\u2009", " ") for tick in find_ticks(TimeRange(start, end), width)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 27.84 * S, ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s"]),
        (0, 0.2 * S, ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]),
        (0, 1.0 * S, ["0 ms", "200 ms", "400 ms", "600 ms", "800 ms", "1,000 ms"]),
        (0, 4e-7 * S, ["0 ns", "100 ns", "200 ns", "300 ns", "400 ns"]),
        (0, 2e-5 * S, ["0 µs", "5 µs", "10 µs", "15 µs", "20 µs"]),
        (12.34 * S, 12.38 * S, ["12.34 s", "12.35 s", "12.36 s", "12.37 s", "12.38 s"]),
        (0, 90 * S, ["0 s", "30 s", "1 m 0 s", "1 m 30 s"]),
        (0, 3600 * S, ["0 s", "10 m", "20 m", "30 m", "40 m", "50 m", "1 h"]),
        (0, 90_000 * S, ["0 s", "3 h", "6 h", "9 h", "12 h", "15 h", "18 h", "21 h", "24 h"]),
        (-3 * S, 3 * S, ["−3 s", "−2 s", "−1 s", "0 s", "1 s", "2 s", "3 s"]),
        (3_700 * S, 3_701 * S, ["1 h 1 m 40.0 s", "1 h 1 m 40.5 s", "1 h 1 m 41.0 s"]),
    ],
)  # fmt: skip
def test_a_range_has_round_labels(start: float, end: float, expected: list[str]) -> None:
    assert labels(start, end) == expected


def test_no_room_has_no_ticks() -> None:
    assert find_ticks(TimeRange(0, S), 0) == []


@given(st.floats(0, 1e15), st.floats(200, 1e16), st.integers(60, 4_000))
def test_labels_never_touch(start: float, length: float, width: int) -> None:
    ticks = find_ticks(TimeRange(start, start + length), width)
    places = [(tick.time - start) / length * width for tick in ticks]
    for left, right, tick in zip(places, places[1:], ticks[1:], strict=False):
        assert right - left >= 6 * len(tick.label)
    assert len({tick.label for tick in ticks}) == len(ticks)


@given(st.floats(1, 1e18))
def test_steps_are_at_least_what_is_asked_for(least: float) -> None:
    assert least * (1 - 1e-6) <= round_step(least) <= 3 * 86_400 * S + 5.1 * least


def test_labels_have_the_decimals_that_tell_steps_apart() -> None:
    assert tick_label(12.345 * S, 0.001 * S, 13 * S) == "12.345\u2009s"
    assert tick_label(65 * S, 0.5 * S, 70 * S) == "1\u2009m\u20095.0\u2009s"
    assert tick_label(7_205 * S, 1 * S, 7_300 * S) == "2\u2009h\u20090\u2009m\u20095\u2009s"
