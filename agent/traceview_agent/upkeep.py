"""Keeps the store within its limits while nothing else is to be written: on the writer's thread, slice by slice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from traceview.store import Limits, StoreError, StoreWriter

log = logging.getLogger(__name__)

NO_LIMITS: Final = Limits()
_FIRST_S: Final = 1.0
_LOOK_EVERY_S: Final = 60.0
# A slice takes some 20 ms: spans that come in meanwhile wait no longer, and get four fifths of the time.
_REST_PER_WORK: Final = 4.0


class Upkeep:
    """When the next slice is due, and doing it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._due: float | None = time.monotonic() + _FIRST_S
        self._told: str | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until the next slice; None if there is nothing to come."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def run_if_due(self, store: Callable[[], StoreWriter]) -> None:
        """Does a slice if it is time; `store` gives the open store.

        The first looks for what an earlier daemon left half done, limits or not.
        """
        if self.seconds_left != 0.0:
            return
        started = time.monotonic()
        try:
            more = store().tidy(self._limits)
            self._told = None
        except StoreError as error:
            more = False
            if str(error) != self._told:
                self._told = str(error)
                log.warning("retention has to wait: %s", error)
        except Exception:
            more = False
            log.exception("retention failed; it is tried again in a minute")
        ended = time.monotonic()
        if more:
            self._due = ended + _REST_PER_WORK * (ended - started)
        else:
            self._due = None if self._limits == NO_LIMITS and self._told is None else ended + _LOOK_EVERY_S
