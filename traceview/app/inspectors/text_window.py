"""The piece of a long text that is laid out: which part, what is shown of it, and the way back to what was recorded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from traceview.app.models.json_values import visible

# What QPlainTextEdit sets in 6 ms: 256 kB, but only 4,000 lines (128,000 short ones take 220 ms), and no long ones
# (one line of 2 MB: more than 40 s).
WINDOW: Final = 256 * 1024
WINDOW_LINES: Final = 4_000
LINE: Final = 4_096
_BEFORE_HIT: Final = 4_096


@dataclass(frozen=True, slots=True)
class TextWindow:
    """The characters `start` to `end` of a text as they are shown.

    `shown` has control characters made visible (one for one) and a line break after every 4,096 characters of a longer
    line; `breaks` are the offsets within the window before which such a break stands.
    """

    start: int
    end: int
    shown: str
    breaks: tuple[int, ...]

    def to_document(self, offset: int) -> int:
        """The cursor position of a text offset in the shown document, which counts in UTF-16 units."""
        inside = offset - self.start
        inside += bisect_right(self.breaks, inside)
        return len(self.shown[:inside].encode("utf-16-le")) // 2

    def to_text(self, position: int) -> int:
        """The text offset of a cursor position."""
        shown = self.shown.encode("utf-16-le")[: 2 * position]
        inside = len(shown.decode("utf-16-le", "ignore"))
        # The break before source offset b stands at b + (number of breaks before it) in the shown text.
        places = [place + index for index, place in enumerate(self.breaks)]
        return self.start + inside - bisect_left(places, inside)


def window_at(text: str, start: int) -> TextWindow:
    """The window that begins at an offset: up to 256 kB or 4,000 lines, ending at a line's end where one is near."""
    end = min(len(text), start + WINDOW)
    line_end = start
    for _ in range(WINDOW_LINES):
        line_end = text.find("\n", line_end, end) + 1
        if line_end == 0:
            break
    else:
        end = line_end
    if end < len(text) and text[end - 1] != "\n":
        end = max(text.rfind("\n", start + WINDOW // 2, end) + 1, 0) or end
    shown, breaks = _broken(_display(text[start:end]))
    return TextWindow(start, end, shown, breaks)


def window_before(text: str, end: int) -> TextWindow:
    """The window that ends about where another begins."""
    start = max(0, end - WINDOW)
    place = end
    for _ in range(WINDOW_LINES):
        place = text.rfind("\n", start, place - 1) + 1 if place - 1 > start else 0
        if place == 0:
            break
    else:
        return window_at(text, place)
    if start:
        start = (text.find("\n", start, start + WINDOW // 2) + 1) or start
    return window_at(text, start)


def window_around(text: str, offset: int) -> TextWindow:
    """A window with this offset near its beginning, for a hit of a search."""
    start = max(0, offset - _BEFORE_HIT)
    return window_at(text, (text.rfind("\n", start, offset) + 1) or start)


def _display(text: str) -> str:
    """Letter for letter what is shown: a carriage return that ends no line is a character like other controls."""
    return visible(text.replace("\r\n", " \n").replace("\r", "␍") if "\r" in text else text)


def _broken(text: str) -> tuple[str, tuple[int, ...]]:
    """The text with its long lines broken, and where."""
    lines = text.split("\n")
    if max(map(len, lines)) <= LINE:
        return text, ()
    shown: list[str] = []
    breaks: list[int] = []
    offset = 0
    for line in lines:
        pieces = [line[place : place + LINE] for place in range(0, len(line), LINE)] or [""]
        breaks.extend(offset + place for place in range(LINE, len(line), LINE))
        shown.extend(pieces)
        offset += len(line) + 1
    return "\n".join(shown), tuple(breaks)
