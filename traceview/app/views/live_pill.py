"""The pill over the trace list: whether runs arrive, and whether each new one is opened as it starts."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from traceview.app.controls.buttons import PaintedButton
from traceview.app.controls.drawing import plain_tooltip, wash
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import Theme, ui_font

_HEIGHT = 20


class LivePill(PaintedButton):
    """Checked: each new run is opened. Reads "Live", "Listening" before the first run, "Offline" without a daemon."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Live", parent)
        self._word = "Listening"
        self._up = True
        self.setCheckable(True)
        self.setChecked(True)
        self.setFixedHeight(_HEIGHT)
        self._describe()
        self.toggled.connect(self._describe)

    @property
    def word(self) -> str:
        """What the pill reads."""
        return self._word if self._up else "Offline"

    def set_state(self, *, up: bool, any_runs: bool) -> None:
        """Whether the daemon is up, and whether there is any run yet."""
        self._up = up
        self._word = "Live" if any_runs else "Listening"
        self._describe()
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as its word."""
        return QSize(round(text_width(ui_font(11, 600), self.word)) + 34, _HEIGHT)

    def _describe(self) -> None:
        action = "stop opening" if self.isChecked() else "open"
        self.setAccessibleName(self.word)
        self.setToolTip(plain_tooltip(f"{self.word}: click to {action} each new run as it starts"))

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        following = self.isChecked() and self.word == "Live"
        if following:
            fill_round(painter, self.rect(), wash(colors.accent), _HEIGHT / 2)
        else:
            outline_round(painter, self.rect(), colors.border_strong, _HEIGHT / 2)
        dot = colors.interrupted if not self._up else colors.accent if following else colors.ok
        fill_round(painter, QRect(9, 7, 6, 6), dot, 3)
        ink = colors.accent if following else colors.text2
        box = self.rect().adjusted(21, 0, -8, 0)
        draw_text(painter, box, self.word, ui_font(11, 600), ink, Qt.AlignmentFlag.AlignLeft)
