"""Which of the store's changes are older than a certain age, told by when its head was where."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

# So many marks within the age: what is told may be a twentieth of it late.
_MARKS: Final = 20


class Quiet:
    """`upto` is the change number up to which all changes are at least `age_s` old, as of the last `look()`.

    Changes that were there before the first `note()` count as made then.
    """

    def __init__(self, age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._age, self._clock = age_s, clock
        self._marks: deque[tuple[float, int]] = deque()
        self._latest = -1
        self._begun = -age_s
        self.upto = 0

    def note(self, head: int) -> None:
        """The highest change number is this one now."""
        if head == self._latest:
            return
        self._latest, now = head, self._clock()
        if self._marks and now - self._begun < self._age / _MARKS:
            self._marks[-1] = (now, head)
        else:
            self._begun = now
            self._marks.append((now, head))

    def look(self) -> int:
        """Brings `upto` up to date and returns it."""
        while self._marks and self._marks[0][0] <= self._clock() - self._age:
            self.upto = self._marks.popleft()[1]
        return self.upto

    @property
    def due(self) -> float | None:
        """When, by the clock, `upto` will be higher; None while nothing is to come."""
        return self._marks[0][0] + self._age if self._marks else None
