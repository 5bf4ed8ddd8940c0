"""How long playing waits at each stop: the real time between stops, made bearable at both ends. Pure."""

from __future__ import annotations

import math
from typing import Final

from traceview.analysis.steps import Walk

FRAME_S: Final = 1 / 60
LONGEST_S: Final = 1.0
SPEEDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, math.inf)

# A run of a few milliseconds is still seen step by step; one of many steps is not stretched beyond ten seconds by that.
_SHORTEST_S: Final = 0.05
_STRETCHED_S: Final = 10.0
# At full speed each stop has its frame, and the whole run takes no longer than this.
_FULL_SPEED_S: Final = 5.0


def speed_text(speed: float) -> str:
    """A speed as one reads it: "0.5×", "1×", "Max"."""
    return "Max" if math.isinf(speed) else f"{speed:g}×"


def wait(between_ns: int, speed: float, steps: int) -> float:
    """Seconds to stay at a stop, given the run's time until the next one, the speed and the number of stops."""
    least = min(FRAME_S, _FULL_SPEED_S / max(1, steps))
    if math.isinf(speed):
        return least
    slowly = max(min(_SHORTEST_S, _STRETCHED_S / max(1, steps)), between_ns / 1e9)
    return min(LONGEST_S, max(least, slowly / speed))


def next_frame(walk: Walk, step: int, speed: float) -> tuple[int, float]:
    """The stop to show after step `step` and the seconds until then; stops closer than a frame are shown as one."""
    times = walk.moments.times
    before = times[walk.stop(step)]
    passed = 0.0
    while step < len(walk) and passed < FRAME_S:
        step += 1
        now = times[walk.stop(step)]
        passed += wait(now - before, speed, len(walk))
        before = now
    return step, passed
