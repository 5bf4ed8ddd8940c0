"""Keeps the store within its limits, and samples it, while nothing else is to be written: slice by slice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from traceview.protocol.sampling import SampledOut
from traceview.store import Limits, Sampling, StoreError, StoreWriter
from traceview_agent.age_clock import AgeClock
from traceview_agent.quiet import Quiet
from traceview_agent.sampling import Policy

log = logging.getLogger(__name__)

NO_LIMITS: Final = Limits()
_FIRST_S: Final = 1.0
_LOOK_EVERY_S: Final = 60.0
_NOTE_EVERY_NS: Final = 600 * 10**9
# A slice takes some 20 ms: spans that come in meanwhile wait no longer, and get four fifths of the time. Sampling alone
# can wait: nine tenths. While no spans wait, the rest is for the other threads.
_REST_PER_WORK: Final = 4.0
_SAMPLING_REST_PER_WORK: Final = 9.0
_IDLE_REST_PER_WORK: Final = 1.0
# OpenTelemetry reports spans when they end, hence the root last: without one, a trace may still be running.
_ROOT_TO_COME_S: Final = 3600.0


class Upkeep:
    """When the next slice is due, and doing it; all on the writer's thread, but for reading `sampled_out`."""

    def __init__(self, limits: Limits, policy: Policy | None = None) -> None:
        self._limits = limits
        self._policy = policy if policy is not None and policy.leaves_something_out else None
        settle_s = 0.0 if self._policy is None else self._policy.settle_s
        self._settled, self._overdue = Quiet(settle_s), Quiet(max(settle_s, _ROOT_TO_COME_S))
        # Rules are in force from the start: a first slice before anything comes in notes where they begin.
        self._due: float | None = time.monotonic() + (_FIRST_S if self._policy is None else 0.0)
        self._rested = self._due
        self._told: str | None = None
        self.sampled_out: tuple[SampledOut, ...] = ()
        self._clock = AgeClock()
        self._believed_ns: int | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until the next slice; None if there is nothing to come."""
        due = [at for at in (self._due, self._settled.due, self._overdue.due) if at is not None]
        return max(0.0, min(due) - time.monotonic(), self._rested - time.monotonic()) if due else None

    def noticed(self, store: StoreWriter) -> None:
        """Something was written: as far as is known, the traces that it concerns are quiet from now on."""
        if self._policy is not None:
            head = store.head()
            self._settled.note(head)
            self._overdue.note(head)

    def run_if_due(self, store: Callable[[], StoreWriter], *, busy: bool = False) -> None:
        """Does a slice if it is time; `store` gives the open store, `busy` says whether spans wait to be written.

        The first looks for what an earlier daemon left half done, limits or not.
        """
        if self.seconds_left != 0.0:
            return
        started = time.monotonic()
        rest: float | None = None
        try:
            if self._slice(store()):
                rest = self._rest_per_work(busy) * (time.monotonic() - started)
            self._told = None
        except StoreError as error:
            rest = _LOOK_EVERY_S
            if str(error) != self._told:
                self._told = str(error)
                log.warning("retention has to wait: %s", error)
        except Exception:
            rest = _LOOK_EVERY_S
            log.exception("retention failed; it is tried again in a minute")
        ended = time.monotonic()
        self._rested = ended + (rest or 0.0)
        if rest is not None:
            self._due = self._rested
        else:
            self._due = None if self._limits == NO_LIMITS else ended + _LOOK_EVERY_S

    def _rest_per_work(self, busy: bool) -> float:
        if not busy:
            return _IDLE_REST_PER_WORK
        return _SAMPLING_REST_PER_WORK if self._limits == NO_LIMITS else _REST_PER_WORK

    def _slice(self, store: StoreWriter) -> bool:
        """Whether there is more to do."""
        sampling = None
        if self._policy is not None:
            self.noticed(store)
            sampling = Sampling(self._policy.judge, self._settled.look(), self._overdue.look())
        try:
            return store.tidy(self._limits, sampling, now_ns=self._now_ns(store))
        finally:
            self.sampled_out = store.sampled_out()

    def _now_ns(self, writer: StoreWriter) -> int | None:
        """The time to count ages by; None where none are counted."""
        if self._limits.max_age_ns is None:
            return None
        if self._believed_ns is None:
            self._believed_ns = writer.last_believed_ns()
            if self._believed_ns:
                self._clock.go_on_from(self._believed_ns, self._limits.max_age_ns)
        now_ns = self._clock.now_ns()
        if now_ns > self._believed_ns + _NOTE_EVERY_NS:
            writer.believe(now_ns)
            self._believed_ns = now_ns
        return now_ns
