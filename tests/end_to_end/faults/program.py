"""A program that records numbered spans from two threads and notes each call that returned, until SIGTERM or a number.

    python program.py NAME NOTES SEED MOST

Between bursts of spans it pauses for some milliseconds, as an agent does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from notes import Notes, text_of

import traceview as tv

_THREADS: Final = 2
_PAUSES: Final = 0.2  # after so many of the spans
_LONGEST_PAUSE: Final = 0.02
_SPANS_PER_TRACE: Final = 40


class Recording:
    """What one thread records: the numbers `first`, `first + 2` … below `most`, in traces of a few dozen spans."""

    def __init__(self, name: str, notes: Notes, seed: str, first: int, most: int, stopped: threading.Event) -> None:
        self._name, self._notes, self._most, self._stopped = name, notes, most, stopped
        self._random = random.Random(f"{seed}/{first}")
        self._next = first
        self._parent = os.getppid()

    def run(self) -> None:
        """Records until all numbers are used or the program is told to stop."""
        while self._goes_on():
            with self._numbered(root=True):
                for _ in range(self._random.randrange(_SPANS_PER_TRACE)):
                    if self._goes_on():
                        self._step()

    def _goes_on(self) -> bool:
        # A harness that was killed itself stops nobody.
        return self._next < self._most and not self._stopped.is_set() and os.getppid() == self._parent

    def _step(self) -> None:
        with self._numbered(root=False) as (number, span):
            for index in range(self._random.randrange(3)):
                mark = f"{number}.{index}"
                if index % 2:
                    tv.state(mark=mark)
                else:
                    tv.log("a mark", mark=mark)
                self._notes.add("e", mark)
            span.set_output(number)
            self._notes.add("o", number)
        if self._random.random() < _PAUSES:
            self._stopped.wait(self._random.uniform(0, _LONGEST_PAUSE))

    @contextlib.contextmanager
    def _numbered(self, *, root: bool) -> Iterator[tuple[int, tv.Span]]:
        number, self._next = self._next, self._next + _THREADS
        name, given = f"{self._name}:{number}", {"text": text_of(number)}
        with tv.trace(name, input=given) if root else tv.span(name, kind="tool", input=given) as span:
            self._notes.add("s", number)
            yield number, span
        self._notes.add("f", number)


def main(name: str, notes: Path, seed: str, most: int) -> None:
    """Runs the threads to their end."""
    # Into programs.log: otherwise nobody sees what goes wrong in the SDK.
    logging.basicConfig(format="%(process)d %(message)s")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    book = Notes(notes)
    recordings = [Recording(name, book, seed, first, most, stopped) for first in range(_THREADS)]
    threads = [threading.Thread(target=recording.run) for recording in recordings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
