"""A search that runs in slices between events, and the walk through its hits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from PySide6.QtCore import QObject, Signal

from traceview.app.sliced import Sliced

MAX_HITS: Final = 10_000


class Finder(QObject):
    """The hits of one search, and which of them one stands at.

    Signals:
        changed(): more hits are known, the search ended, or another hit is the current one.
        arrived(object): one goes to this hit.
    """

    changed = Signal()
    arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hits: list[Any] = []
        self.sliced = Sliced(self)
        self._at = -1
        self._wanted_step = 0
        self._kept: Any = None

    @property
    def at(self) -> int:
        """The index of the current hit, or -1."""
        return self._at

    @property
    def running(self) -> bool:
        """Whether the search goes on."""
        return self.sliced.running

    @property
    def full(self) -> bool:
        """Whether the search stopped because there are too many hits."""
        return len(self.hits) >= MAX_HITS

    def start(self, work: Iterator[Any], *, again: bool = False) -> None:
        """Begins a search: an iterator of hits and Nones. One arrives at the first hit once it is known.

        `again` is the same search in newer data: one stays where one was.
        """
        self._kept = self.hits[self._at] if again and self._at >= 0 else None
        self.hits, self._at = [], -1
        self._wanted_step = 0 if again else 1
        self.sliced.start(work, self._take, self._sliced)
        self.changed.emit()

    def stop(self) -> None:
        """Ends the search and forgets its hits."""
        self.sliced.stop()
        self.hits, self._at, self._wanted_step = [], -1, 0
        self.changed.emit()

    def go(self, step: int) -> None:
        """Goes to the next (1) or previous (-1) hit, round the end; where none is known yet, as soon as one is."""
        if not self.hits:
            self._wanted_step = step
            return
        count = len(self.hits)
        self._at = (self._at + step) % count if self._at >= 0 else (0 if step > 0 else count - 1)
        self.changed.emit()
        self.arrived.emit(self.hits[self._at])

    def count_text(self) -> str:
        """What stands in the search field: "1 of 3", "1 of 10,000+", "none", or "…" while nothing is known."""
        if not self.hits:
            return "…" if self.running else "none"
        more = "+" if self.running or self.full else ""
        return f"{self._at + 1:,} of {len(self.hits):,}{more}" if self._at >= 0 else f"{len(self.hits):,}{more}"

    def _take(self, hit: Any) -> None:
        if hit is not None:
            self.hits.append(hit)
            if self._kept is not None and hit == self._kept:
                self._at, self._kept = len(self.hits) - 1, None
            if self.full:
                self.sliced.stop()

    def _sliced(self, ended: bool) -> None:
        if self.hits and self._wanted_step and self._at < 0:
            step, self._wanted_step = self._wanted_step, 0
            self.go(step)
        else:
            self.changed.emit()
