"""Small painted texts: one line of plain text, and what a pane without content says."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.theme import INSPECTOR_PADDING, Theme, theme, ui_font


class Painted(QWidget):
    """A widget that paints itself in the theme's colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        raise AssertionError("every part paints itself")


class Label(Painted):
    """One line of plain text in a caption's colour, cut where it doesn't fit. With `from_end` its beginning is cut."""

    def __init__(
        self, text: str, parent: QWidget | None = None, *, font: QFont | None = None, from_end: bool = False
    ) -> None:
        super().__init__(parent)
        self._font = font or ui_font(11)
        self._from_end = from_end
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_text(text)

    @property
    def text(self) -> str:
        """What it says."""
        return self._text

    def set_text(self, text: str) -> None:
        """Says something else."""
        if text != self._text:
            self._text = text
            self.setAccessibleName(visible(text[-1_000:] if self._from_end else text[:1_000]))
            self.update()

    def sizeHint(self) -> QSize:
        """The height of a small button, so that both stand on one line."""
        return QSize(round(text_width(self._font, self._text[:200])) + 2, 20)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        text = end_of(self._text, self._font, self.width()) if self._from_end else visible(self._text[:1_000])
        draw_text(painter, self.rect(), text, self._font, colors.text3)


def end_of(text: str, font: QFont, width: int) -> str:
    """The end of a text, with … before it, that fits into a width."""
    tail = visible(text[-400:])
    if len(tail) == len(text) and text_width(font, tail) <= width:
        return tail
    low, high = 0, len(tail)
    while low < high:  # the fewest letters to drop
        middle = (low + high) // 2
        if text_width(font, f"…{tail[middle:]}") <= width:
            high = middle
        else:
            low = middle + 1
    return f"…{tail[low:]}"


class Saying(Painted):
    """A headline and a hint in the middle of nothing: why there is nothing to see, and what to do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._headline = ""
        self._hint = ""

    @property
    def text(self) -> str:
        """What it says."""
        return f"{self._headline} {self._hint}".strip()

    def say(self, headline: str, hint: str = "") -> None:
        """Says something else."""
        self._headline, self._hint = headline, hint
        self.setAccessibleName(self.text)
        self.update()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        box = QRect(INSPECTOR_PADDING, 28, self.width() - 2 * INSPECTOR_PADDING, 20)
        draw_text(painter, box, self._headline, ui_font(12, 600), colors.text2, Qt.AlignmentFlag.AlignHCenter)
        hint = box.translated(0, 22).adjusted(0, 0, 0, 200)
        painter.setFont(ui_font(12))
        painter.setPen(colors.text3)
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(hint, flags, visible(self._hint[:1_000]))


class Skeleton(Painted):
    """What stands where rows will be, at their real height, while they are read."""

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        left, width = INSPECTOR_PADDING, self.width() - 2 * INSPECTOR_PADDING
        for row, share in enumerate((0.42, 0.86, 0.7, 0.34, 0.8, 0.62)):
            painter.setOpacity(max(0.2, 1 - 0.14 * row))
            fill_round(painter, QRect(left, 20 + 24 * row, round(width * share), 8), colors.bg3, 3)
        painter.setOpacity(1)
