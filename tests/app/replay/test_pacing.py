"""Pacing: playing keeps the run's own rhythm, within what one can follow."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from traceview.analysis.steps import SPANS, walk
from traceview.app.replay.pacing import FRAME_S, LONGEST_S, SPEEDS, next_frame, speed_text, wait
from traceview.app.state.open_run import OpenRun

S = 1_000_000_000


@pytest.mark.parametrize(
    ("between_s", "speed", "steps", "seconds"),
    [
        (0.4, 1.0, 20, 0.4),
        (0.4, 2.0, 20, 0.2),
        (0.4, 0.5, 20, 0.8),
        (60, 1.0, 20, LONGEST_S),
        (60, 10.0, 20, LONGEST_S),
        (0, 1.0, 20, 0.05),
        (0, 2.0, 20, 0.025),
        (0, 1.0, 100_000, 0.0001),
        (5, math.inf, 20, FRAME_S),
        (5, math.inf, 10_000, 0.0005),
        (5, math.inf, 0, FRAME_S),
    ],
)
def test_a_stop_lasts(between_s: float, speed: float, steps: int, seconds: float) -> None:
    assert wait(round(between_s * S), speed, steps) == pytest.approx(seconds)


def test_speeds_are_written_as_people_write_them() -> None:
    assert [speed_text(speed) for speed in SPEEDS] == ["0.5×", "1×", "2×", "5×", "10×", "Max"]


def test_steps_closer_than_a_frame_are_shown_as_one(make_run: Callable[..., OpenRun]) -> None:
    run = make_run(", ".join(f"s{i}" for i in range(1_000)), stretch=0.0001)
    stops = walk(run.tree, run.moments, SPANS)
    step, seconds = next_frame(stops, 1, 1.0)
    assert step > 2
    assert FRAME_S <= seconds < 2 * FRAME_S
    assert next_frame(stops, 999, 1.0)[0] == 1_000
    few = make_run("a, b, c")
    assert next_frame(walk(few.tree, few.moments, SPANS), 1, 1.0)[0] == 2
