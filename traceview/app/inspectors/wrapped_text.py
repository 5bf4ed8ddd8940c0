"""A painted paragraph: wrapped to a width, folded after some lines, selectable, copied as it was recorded."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFont, QPainter, QTextLayout, QTextOption

from traceview.analysis.figures import bytes_text
from traceview.app.models.json_values import encodable, visible
from traceview.app.paint import metrics

LINE_HEIGHT: Final = 18
# Longer texts are not set here but opened in a text view: 64 kB take 8 ms to set.
MAX_UNFOLDED: Final = 64 * 1024
# As much as is set of a folded text: its first lines are in here at any width.
_FOLDED: Final = 4 * 1024
# Hiding this few lines behind a link that takes one itself is no gain.
_SLACK: Final = 2


class WrappedText:
    """Text set in lines of 18 px. `fold` is how many lines are shown while it is folded."""

    def __init__(self, text: str, font: QFont, fold: int) -> None:
        self.text = text
        self.folded = True
        self._fold = fold
        self._font = font
        self._width = -1
        self._layout: QTextLayout | None = None
        self._lines = 0
        self._selection: tuple[int, int] | None = None

    @property
    def too_long(self) -> bool:
        """Whether it is only ever shown by its beginning."""
        return len(self.text) > MAX_UNFOLDED

    @property
    def lines(self) -> int:
        """How many lines are shown at the width last set."""
        return min(self._lines, self._fold) if self._folds else self._lines

    @property
    def _cut(self) -> bool:
        """Whether less than the whole text is set."""
        return len(self.text) > _FOLDED and (self.folded or self.too_long)

    @property
    def _folds(self) -> bool:
        return self.folded and (self._cut or self._lines > self._fold + _SLACK)

    @property
    def link(self) -> str:
        """What the link below says: how much more there is, how to fold it again; "" where all is seen."""
        if self.too_long:
            return f"Show all, {bytes_text(len(self.text))}"
        if not self._folds:
            return "Fold" if not self.folded and self._lines > self._fold + _SLACK else ""
        if self._cut:
            return f"{bytes_text(len(self.text))} in all"
        more = self._lines - self._fold
        return f"{more:,} more line{'' if more == 1 else 's'}"

    def estimate(self, width: int) -> int:
        """About how high it will be, without setting it."""
        per_line = max(1, int(width / (metrics(self._font).averageCharWidth() or 6)))
        lines = 1 + len(self.text) // per_line + self.text.count("\n", 0, _FOLDED)
        return LINE_HEIGHT * (min(lines, self._fold + 1) if self.folded else lines)

    def set_width(self, width: int) -> int:
        """Sets the lines; returns their height, that of the link not counted."""
        width = max(20, width)
        if width != self._width or self._layout is None:
            self._width = width
            self._layout = self._set(width)
        return self.lines * LINE_HEIGHT

    def _set(self, width: int) -> QTextLayout:
        shown = self.text[:_FOLDED] if self._cut else self.text
        layout = QTextLayout(_lines_joined(visible(shown)), self._font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        option.setTabStopDistance(4 * metrics(self._font).horizontalAdvance(" "))
        layout.setTextOption(option)
        layout.setCacheEnabled(True)
        # Centred on cap height like every other text, whatever font a line falls back to.
        baseline = round((LINE_HEIGHT + metrics(self._font).capHeight()) / 2)
        layout.beginLayout()
        self._lines = 0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, self._lines * LINE_HEIGHT + baseline - line.ascent()))
            self._lines += 1
        layout.endLayout()
        return layout

    def toggle(self) -> None:
        """Folds or unfolds it."""
        self.folded = not self.folded
        self._layout = None

    def paint(self, painter: QPainter, left: int, top: int, ink: QColor, selected: QColor) -> None:
        """Draws the lines that are shown."""
        layout = self._layout
        if layout is None:
            return
        painter.setPen(ink)
        for number in range(self.lines):
            line = layout.lineAt(number)
            self._paint_selection(painter, left, top, number, selected)
            line.draw(painter, QPointF(left, top))

    def _paint_selection(self, painter: QPainter, left: int, top: int, number: int, wash: QColor) -> None:
        if self._selection is None or self._layout is None:
            return
        line = self._layout.lineAt(number)
        first = max(self._selection[0], line.textStart())
        last = min(self._selection[1], line.textStart() + line.textLength())
        if first < last:
            start, end = _x(line.cursorToX(first)), _x(line.cursorToX(last))
            x, width = left + round(min(start, end)), round(abs(end - start)) or 1
            painter.fillRect(x, top + number * LINE_HEIGHT, width, LINE_HEIGHT, wash)

    def position_at(self, x: int, y: int) -> int:
        """The place in the text nearest to a point, for `select`."""
        if self._layout is None or not self.lines:
            return 0
        number = max(0, min(self.lines - 1, y // LINE_HEIGHT))
        return self._layout.lineAt(number).xToCursor(x)

    def select(self, start: int, end: int) -> None:
        """Selects what is between two places."""
        self._selection = (min(start, end), max(start, end)) if start != end else None

    def clear_selection(self) -> None:
        """Selects nothing."""
        self._selection = None

    def selected_text(self) -> str:
        """What is selected, as it was recorded."""
        if self._selection is None or self._layout is None:
            return ""
        start, end = (_characters(self._layout.text(), place) for place in self._selection)
        return encodable(self.text[start:end])


def _lines_joined(text: str) -> str:
    """Line breaks as QTextLayout takes them, one character for one."""
    return text.replace("\r\n", " \u2028").replace("\n", "\u2028").replace("\r", "␍")


def _characters(text: str, units: int) -> int:
    """How many characters the first so many UTF-16 units are."""
    return len(text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore"))


def _x(answer: object) -> float:
    # PySide gives cursorToX as a number or as (x, cursor), depending on the overload it finds.
    found = answer[0] if isinstance(answer, tuple) else answer
    return float(found)  # type: ignore[arg-type]
