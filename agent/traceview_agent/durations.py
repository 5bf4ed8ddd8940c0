"""Lengths of time as people write them: `1.5s`, `200ms`, `2h`."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_NUMBER: Final = r"([0-9]{1,30}(?:\.[0-9]+)?)"
# With a unit, as settings want it.
PATTERN: Final = rf"^{_NUMBER}(ns|us|ms|s|m|h)\Z"
_DURATION: Final = re.compile(PATTERN, re.ASCII)


def nanoseconds(text: str) -> int:
    """The length in ns; raises ValueError for anything but a number and its unit."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no length of time: write 1.5s or 200ms")
    return round(float(match[1]) * _UNITS[match[2]])
