"""The ruler's ticks: round steps of time, labelled in one unit with as many decimals as the step needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from traceview.analysis.figures import MINUS, THIN
from traceview.app.timeline.geometry import TimeRange

_SECOND: Final = 1e9
_LABEL_SPACE: Final = 28
_DIGIT: Final = 7
_LONG_STEPS: Final = (
    *(10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200),
)
# Below this a label is in that unit, which has so many ns.
_UNITS: Final = ((1e3, "ns", 1.0), (1e6, "µs", 1e3), (1e9 + 1, "ms", 1e6))


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid: its time in ns since the run's start, and what the ruler says."""

    time: float
    label: str


def find_ticks(shown: TimeRange, width: float, min_gap: float = 46) -> list[Tick]:
    """The ticks of a range shown `width` pixels wide, at least `min_gap` pixels and their own labels apart."""
    if width <= 0:
        return []
    gap, largest = min_gap, max(abs(shown.start), abs(shown.end))
    for _ in range(3):  # longer labels need wider steps, which may need fewer decimals: settles at once
        step = round_step(shown.length / width * gap)
        text = tick_label(largest, step, largest)
        needed = len(text) * _DIGIT + _LABEL_SPACE
        if needed <= step / shown.length * width:
            break
        gap = max(gap, needed)
    first = math.ceil(shown.start / step - 1e-9)
    last = math.floor(shown.end / step + 1e-9)
    return [Tick(n * step, tick_label(n * step, step, largest)) for n in range(first, last + 1)]


def round_step(least: float) -> float:
    """The smallest round step of at least so many ns: 1, 2, 5 times a power of ten; from 10 s on parts of an hour."""
    if least > 5 * _SECOND:
        for seconds in _LONG_STEPS:
            if seconds * _SECOND >= least:
                return seconds * _SECOND
        days = least / (86_400 * _SECOND)
        return _one_two_five(days) * 86_400 * _SECOND
    return max(1.0, _one_two_five(least))


def _one_two_five(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(least, 1e-9)))
    for factor in (1, 2, 5):
        if factor * power >= least * (1 - 1e-9):
            return factor * power
    return 10 * power


def tick_label(time: float, step: float, largest: float) -> str:
    """A time as the ruler writes it: "40 ms", "1.84 s", "1 m 12 s", with the decimals that tell steps apart.

    The unit is the one that suits `largest`, so that all labels of a ruler have the same.
    """
    if time < 0:
        return MINUS + tick_label(-time, step, largest)
    for below, unit, size in _UNITS:
        if largest < below:
            return f"{time / size:,.{_decimals(step / size)}f}{THIN}{unit}"
    return _in_seconds(time, step) if time else f"0{THIN}s"


def _in_seconds(time: float, step: float) -> str:
    decimals = _decimals(step / _SECOND)
    seconds = round(time / _SECOND, decimals)
    if seconds < 60:
        return f"{seconds:.{decimals}f}{THIN}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours:,.0f}{THIN}h"] if hours else []
    if minutes or (hours and (rest or step < 60e9)):
        parts.append(f"{minutes:.0f}{THIN}m")
    if rest or step < 60e9:
        parts.append(f"{rest:.{decimals}f}{THIN}s")
    return THIN.join(parts)


def _decimals(step: float) -> int:
    return max(0, math.ceil(-math.log10(step) - 1e-9))
