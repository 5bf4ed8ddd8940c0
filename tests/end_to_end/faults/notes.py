"""What a recording program notes outside traceview, one line per call that has returned, and how it is read again.

`s 7` span 7 was opened, `e 7.0` its first event was recorded, `o 7` its output was set, `f 7` it was ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

Call = Literal["s", "e", "o", "f"]

# Every so many spans, one so large that it does not fit into what is left of a segment.
_LARGE_EVERY: Final = 499
_LARGE_CHARS: Final = 300_000


class Notes:
    """An append-only file: what `add` returned from is in the kernel's hands, whatever kills this process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, call: Call, which: object) -> None:
        """Notes that this call has returned; any thread."""
        os.write(self._file, f"{call} {which}\n".encode())


def read_notes(path: Path) -> Iterator[tuple[str, str]]:
    """Every call that was noted, as (call, which). A last line without its end was not noted."""
    try:
        text = path.read_text()
    except FileNotFoundError:  # killed before its first call
        return
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            call, _, which = line.strip().partition(" ")
            yield call, which


def text_of(number: int) -> str:
    """The input of span `number`: so that what is read back can be compared without having been noted."""
    return "x" * (_LARGE_CHARS if number % _LARGE_EVERY == _LARGE_EVERY - 1 else number % 300)
