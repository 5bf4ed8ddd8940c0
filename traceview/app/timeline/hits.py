"""Text in which what was searched for is marked, in the tree and beside bars."""

from __future__ import annotations

from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QFont, QPainter

from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.theme import Theme

_PAD = 2


def draw_marked_text(
    painter: QPainter, rect: QRect, shown: str, font: QFont, ink: QColor, found: str, colors: Theme
) -> float:
    """Draws one line, already elided, with every place of `found` on a wash; returns the width used."""
    places = _places(shown, found)
    if not places:
        return draw_text(painter, rect, shown, font, ink)
    x, begin = float(rect.left()), 0
    for place in places:
        x += _piece(painter, rect, x, shown[begin:place], font, ink)
        begin = place + len(found)
        width = text_width(font, shown[place:begin])
        box = QRect(round(x) - _PAD, rect.top() + 3, round(width) + 2 * _PAD, rect.height() - 6)
        fill_round(painter, box, colors.hit_wash, 2)
        x += _piece(painter, rect, x, shown[place:begin], font, colors.hit)
    x += _piece(painter, rect, x, shown[begin:], font, ink)
    return x - rect.left()


def _places(shown: str, found: str) -> list[int]:
    """Where the text stands, whatever its case; none where folding case changes lengths (rare letters)."""
    folded, wanted = shown.casefold(), found.casefold()
    if not wanted or len(folded) != len(shown) or len(wanted) != len(found):
        return []
    places = []
    place = folded.find(wanted)
    while place >= 0:
        places.append(place)
        place = folded.find(wanted, place + len(wanted))
    return places


def _piece(painter: QPainter, rect: QRect, x: float, text: str, font: QFont, ink: QColor) -> float:
    if not text:
        return 0.0
    # One pixel more than measured: a piece must never be elided for a rounding error.
    width = text_width(font, text)
    draw_text(painter, QRect(round(x), rect.top(), round(width) + 2, rect.height()), text, font, ink)
    return width
