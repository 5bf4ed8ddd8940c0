"""Two or three words of which one holds: Tree or Text."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.app.inspectors.labels import Painted
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import INPUT, Theme, ui_font


class WordSwitch(Painted):
    """Words side by side; the chosen one stands on a lighter ground.

    Signals:
        changed(str): another word was chosen, by mouse, by key or by `choose`.
    """

    changed = Signal(str)

    def __init__(self, name: str, words: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._words = tuple(words)
        self._chosen = self._words[0]
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{name}: {self._chosen}")

    @property
    def chosen(self) -> str:
        """The word that holds."""
        return self._chosen

    def choose(self, word: str) -> None:
        """Chooses a word."""
        if word in self._words and word != self._chosen:
            self._chosen = word
            self.setAccessibleName(f"{self._name}: {word}")
            self.update()
            self.changed.emit(word)

    def sizeHint(self) -> QSize:
        """As wide as the words."""
        rects = self._rects()
        return QSize(rects[-1].right() + 3, INPUT)

    def _rects(self) -> list[QRect]:
        found, left = [], 2
        for word in self._words:
            width = round(text_width(ui_font(12, 600), word)) + 16
            found.append(QRect(left, 2, width, INPUT - 4))
            left += width
        return found

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        fill_round(painter, self.rect(), colors.bg2, 5)
        outline_round(painter, self.rect(), colors.accent if self.hasFocus() else colors.border_strong, 5)
        for word, rect in zip(self._words, self._rects(), strict=True):
            if word == self._chosen:
                fill_round(painter, rect, colors.bg4, 4)
            ink = colors.text1 if word == self._chosen else colors.text3
            draw_text(painter, rect, word, ui_font(12, 600), ink, Qt.AlignmentFlag.AlignHCenter)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on a word chooses it."""
        place = event.position().toPoint()
        for word, rect in zip(self._words, self._rects(), strict=True):
            if rect.contains(place):
                self.choose(word)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left, Right and Space walk through the words."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Space: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.choose(self._words[(self._words.index(self._chosen) + step) % len(self._words)])
