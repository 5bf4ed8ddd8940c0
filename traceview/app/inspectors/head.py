"""The head of the inspector: which span, its kind, how it stands, which step it is, what is amiss; what one can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRect, QTimer, Signal
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from traceview.app.controls import IconButton, wash
from traceview.app.icons import draw_icon
from traceview.app.inspectors.labels import Painted
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_chip, draw_text, fill_round, text_width
from traceview.app.theme import CHIP, INSPECTOR_PADDING, Theme, ui_font
from traceview.protocol.records import KINDS, SpanRow, Status

HEAD: Final = 62
_NAME_MIDDLE: Final = 20
_CHIPS_MIDDLE: Final = 46
_BUTTON: Final = 26
_SAID_MS: Final = 2_500
_NOTE: Final = 20
_STATUS: Final = {
    Status.RUNNING: ("running", "Running"),
    Status.OK: ("ok", "OK"),
    Status.ERROR: ("error", "Error"),
    Status.INTERRUPTED: ("interrupted", "Interrupted"),
}
_SHORT_KINDS: Final = {"llm": "LLM"}


class Head(Painted):
    """Icon, name, chips, a line for each thing that is amiss; copy and more at the right.

    Signals:
        copy_wanted(): the span is to be copied.
    """

    copy_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row: SpanRow | None = None
        self._step: tuple[int, int] | None = None
        self._notes: tuple[str, ...] = ()
        self._said = ""
        self.copy = IconButton("copy", "Copy this span as JSON", size=_BUTTON, parent=self)
        self.more = IconButton("more", "More", size=_BUTTON, parent=self)
        self.copy.clicked.connect(self.copy_wanted)
        self._silence = QTimer(self, interval=_SAID_MS, singleShot=True)
        self._silence.timeout.connect(lambda: self.say(""))
        self.setFixedHeight(HEAD)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.copy.set_theme(colors)
        self.more.set_theme(colors)

    def show_span(self, row: SpanRow, step: tuple[int, int] | None, notes: Sequence[str] = ()) -> None:
        """Shows a span; `step` is its number among the agent steps and how many there are, `notes` what is amiss."""
        self._row, self._step, self._notes = row, step, tuple(notes)
        self._said = ""
        self.setFixedHeight(HEAD + _NOTE * len(self._notes))
        words = (visible(row.name), self.kind_word, _STATUS[row.status][1], self.step_text, *map(visible, self._notes))
        self.setAccessibleName(", ".join(words))
        self.update()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said to be amiss."""
        return self._notes

    def say(self, text: str) -> None:
        """Says for a moment what happened."""
        self._said = text
        self._silence.start()
        self.update()

    @property
    def kind_word(self) -> str:
        """The kind as the chip names it."""
        kind = self._row.kind if self._row else ""
        return _SHORT_KINDS.get(kind, kind.capitalize())

    @property
    def step_text(self) -> str:
        """ "step 18 of 23", or "" for spans that are no agent step."""
        return f"step {self._step[0]:,} of {self._step[1]:,}" if self._step else ""

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The buttons stay at the right."""
        super().resizeEvent(event)
        right = self.width() - INSPECTOR_PADDING + 5
        for button in (self.more, self.copy):
            button.move(right - _BUTTON, _NAME_MIDDLE - _BUTTON // 2)
            right -= _BUTTON + 2

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        row = self._row
        if row is None:
            return
        kind = colors.kind(row.kind)
        icon = row.kind if row.kind in KINDS else "other"
        draw_icon(painter, INSPECTOR_PADDING, _NAME_MIDDLE - 8, icon, kind.ink)
        left = INSPECTOR_PADDING + 24
        name = QRect(left, _NAME_MIDDLE - 12, self.copy.x() - left - 8, 24)
        draw_text(painter, name, visible(row.name[:1000]) or "unnamed", ui_font(14, 600), colors.text1)
        ground = wash(kind.ink, 0.18)
        left = draw_chip(painter, left, _CHIPS_MIDDLE, self.kind_word, colors, kind.ink, ground) + 6
        left = self._paint_status(painter, left, colors) + 10
        rest = QRect(left, _CHIPS_MIDDLE - 10, self.width() - INSPECTOR_PADDING - left, CHIP)
        draw_text(
            painter, rest, self._said or self.step_text, ui_font(12), colors.text2 if self._said else colors.text3
        )
        for place, note in enumerate(self._notes):
            top = HEAD - 2 + _NOTE * place
            draw_icon(painter, INSPECTOR_PADDING + 2, top + 4, "warning", colors.interrupted, 12)
            line = QRect(INSPECTOR_PADDING + 24, top, self.width() - 2 * INSPECTOR_PADDING - 24, _NOTE)
            draw_text(painter, line, note, ui_font(12), colors.interrupted)

    def _paint_status(self, painter: QPainter, left: int, colors: Theme) -> int:
        assert self._row is not None
        status = self._row.status
        icon, word = _STATUS[status]
        ink = {
            Status.RUNNING: colors.running,
            Status.OK: colors.text2,
            Status.ERROR: colors.error,
            Status.INTERRUPTED: colors.interrupted,
        }[status]
        width = round(text_width(ui_font(11, 500), word)) + 33
        box = QRect(left, _CHIPS_MIDDLE - CHIP // 2, width, CHIP)
        fill_round(painter, box, colors.error_wash if status is Status.ERROR else colors.bg3, 4)
        draw_icon(painter, left + 7, box.top() + 4, icon, ink, 12)
        draw_text(painter, box.adjusted(24, 0, -6, 0), word, ui_font(11, 500), ink)
        return left + width

    def menu(self) -> QMenu:
        """An empty menu at the more button; the pane fills it."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu
