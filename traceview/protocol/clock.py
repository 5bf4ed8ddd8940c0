"""Time that nobody can set: a steady clock, and how wall time is counted on by it.

The SDK reads wall time at a trace's first span and counts on from there. So a span lasts as long as it did, and what
happened first comes first, also when somebody sets the machine's clock meanwhile. (OpenTelemetry's Java SDK does the
same: AnchoredClock.) Unlike `time.monotonic` on Linux, this clock counts the time that a machine sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final


def _find_steady() -> Callable[[], int]:
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # macOS's CLOCK_MONOTONIC counts sleep, too
        if hasattr(time, name):
            return partial(time.clock_gettime_ns, getattr(time, name))
    return time.perf_counter_ns


steady_ns: Final = _find_steady()
"""Nanoseconds since some instant; never set, never goes back."""


def anchor_ns() -> int:
    """What to add to `steady_ns()`, from now on, to have wall time in ns since 1970."""
    return time.time_ns() - steady_ns()
