"""Waiting with a deadline, and what is raised when something must not be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_DEADLINE: Final = 90.0
_POLL: Final = 0.01


class Fault(Exception):
    """Something that must not happen did, apart from loss and duplication; the message says what."""


def until(condition: Callable[[], object], what: str, seconds: float = _DEADLINE) -> None:
    """Waits for the condition; raises Fault, saying what did not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Fault(f"after {seconds:g} s still not: {what}")
        time.sleep(_POLL)
