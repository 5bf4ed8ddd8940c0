"""Head sampling: which traces are not recorded at all, decided when they begin. Nothing is left out unless asked."""

from __future__ import annotations

import time
from collections.abc import Callable

from traceview.protocol.sampling import keeps
from traceview.protocol.wire import MAX_DROPPED


class HeadSampling:
    """Keeps a share of the traces (`ratio`, 0 to 1), and of those at most `per_second`, unused ones saved for a second.

    `clock` gives seconds that never step back.
    """

    def __init__(
        self, ratio: float = 1.0, per_second: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ratio, self._clock = ratio, clock
        # The generic cell rate algorithm (ITU-T I.371): one number instead of a bucket, so that it needs no lock, which
        # a fork could inherit locked. Two threads at the same instant may both pass: one trace too many.
        self._interval = None if per_second is None else 1 / per_second
        self._burst = 0.0 if per_second is None else max(1.0, per_second) / per_second
        self._due = clock()

    def keeps(self, trace_id: bytes) -> bool:
        """Whether this trace is recorded. Asked once per trace: every answer uses up some of the rate."""
        if not keeps(trace_id, self._ratio):
            return False
        if self._interval is None:
            return True
        now = self._clock()
        due = max(self._due, now) + self._interval
        # Half an interval more: sums of floats are not exact.
        if due - now > self._burst + self._interval / 2:
            return False
        self._due = due
        return True


_head: HeadSampling | None = None
_count = 0


def sample_by(head: HeadSampling | None) -> None:
    """From now on traces are left out by this; None leaves out none."""
    global _head
    _head = head


def leaves_out(trace_id: bytes) -> bool:
    """Whether a trace that begins now is left out; counted, if so."""
    global _count
    if _head is None or _head.keeps(trace_id):
        return False
    _count += 1
    return True


def count_left_out() -> int:
    """How many traces that began in this process were left out so far."""
    return min(_count, MAX_DROPPED)


def count_anew() -> None:
    """In a fork: what its parent left out is the parent's to tell."""
    global _count
    _count = 0
