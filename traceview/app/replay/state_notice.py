"""What stands in the state panel when there are no rows: how to report state, what went wrong, or that it is coming."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, outline_round
from traceview.app.theme import PANE_PADDING, ROW, Theme, mono_font, theme, ui_font

HINT: Final = "This run has recorded no state. Report what your AI agent knows, and every step shows what it changed:"
CODE: Final = "tv.state(memory=…, context=…)"

_CODE_HEIGHT: Final = 28
_BARS: Final = (0.62, 0.38, 0.5, 0.44)


class StateNotice(QWidget):
    """One paragraph, perhaps with a line of code; or grey bars where rows are about to be."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._text = ""
        self._code = ""
        self._failed = False
        self._loading = False

    @property
    def text(self) -> str:
        """The paragraph."""
        return self._text

    @property
    def loading(self) -> bool:
        """Whether grey bars are shown."""
        return self._loading

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def say(self, text: str, code: str = "", *, failed: bool = False) -> None:
        """Shows a paragraph and a line of code below it; `failed` marks it as an error."""
        self._text, self._code, self._failed, self._loading = text, code, failed, False
        self.setAccessibleName(f"{text} {code}".strip())
        self.update()

    def show_loading(self) -> None:
        """Shows grey bars at the height of rows."""
        self.say("")
        self._loading = True
        self.setAccessibleName("The state is being read")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.fillRect(self.rect(), self._theme.bg1)
            if self._loading:
                self._paint_bars(painter)
            elif self._text:
                self._paint_text(painter, self._theme)
        finally:
            painter.end()

    def _paint_bars(self, painter: QPainter) -> None:
        for row, share in enumerate(_BARS):
            box = QRect(PANE_PADDING + 28, row * ROW + 8, round((self.width() - 80) * share), 8)
            fill_round(painter, box, self._theme.bg3, 2)

    def _paint_text(self, painter: QPainter, colors: Theme) -> None:
        left = PANE_PADDING
        if self._failed:
            draw_icon(painter, left, 11, "warning", colors.error)
            left += 24
        painter.setFont(ui_font(12))
        painter.setPen(colors.error if self._failed else colors.text2)
        box = QRect(left, 10, self.width() - left - PANE_PADDING, self.height())
        used = painter.drawText(box, Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop, self._text)
        if self._code:
            code = QRect(left, used.bottom() + 10, self.width() - left - PANE_PADDING, _CODE_HEIGHT)
            fill_round(painter, code, colors.bg0, 4)
            outline_round(painter, code, colors.border, 4)
            draw_text(painter, code.adjusted(10, 0, -8, 0), self._code, mono_font(12), colors.text1)
