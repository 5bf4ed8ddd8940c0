"""The time by which ages count: the machine's, unless that leaps ahead, which would make everything old at once.

A clock that was set forward, or that a machine with an empty battery wakes up with, is believed after an hour: until
then a user, or NTP, can set it right, and nothing is forgotten that is not old by the time before.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from traceview.protocol.clock import steady_ns

log = logging.getLogger(__name__)

_HOUR_NS: Final = 3600 * 10**9
# Clocks are slewed by less than that; what is set by less makes nothing old that was not nearly.
_LEAP_NS: Final = 60 * 10**9


class AgeClock:
    """`now_ns` is wall time in ns since 1970. Without a leap it is the machine's."""

    def __init__(self) -> None:
        self._trusted_ns, self._at = time.time_ns(), steady_ns()
        self._leapt_at: int | None = None

    def go_on_from(self, believed_ns: int, max_age_ns: int) -> None:
        """At the start: what was believed last. Were even that too old by now, the time since is taken for a leap."""
        if self._trusted_ns - believed_ns > max_age_ns:
            self._trusted_ns = believed_ns

    def now_ns(self) -> int:
        """The time now, as far as it is believed."""
        told_ns, steady = time.time_ns(), steady_ns()
        going_on_ns = self._trusted_ns + steady - self._at
        if told_ns - going_on_ns <= _LEAP_NS:
            self._leapt_at = None
        elif self._leapt_at is None:
            self._leapt_at = steady
            log.warning(
                "the clock says that %.1f days have passed at once, or no daemon ran for so long:"
                " what that makes too old is forgotten in an hour, unless the clock is set right",
                (told_ns - going_on_ns) / (24 * _HOUR_NS),
            )
        if self._leapt_at is not None and steady - self._leapt_at < _HOUR_NS:
            return going_on_ns
        self._trusted_ns, self._at, self._leapt_at = told_ns, steady, None
        return told_ns
