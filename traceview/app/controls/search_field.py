"""The line that one types into: to search, to filter, to run a command."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from traceview.app.controls.drawing import RADIUS, draw_key_cap, key_cap_width
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import INPUT, Theme, mono_font, theme, ui_font


class _Edit(QLineEdit):
    """The line inside a search field: Return, Shift+Return and Escape are told apart."""

    submitted = Signal()
    backward = Signal()
    escaped = Signal()
    focus_changed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            (self.backward if shifted else self.submitted).emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit()


class SearchField(QWidget):
    """One line of typed text in a box with an icon, a count ("1 of 2") and the key that leads here.

    Signals:
        text_changed(str): after each keystroke.
        submitted(): Return. backward(): Shift+Return.
        escaped(): Escape in an empty field; in a filled one Escape empties it.
    """

    text_changed = Signal(str)
    submitted = Signal()
    backward = Signal()
    escaped = Signal()

    def __init__(
        self,
        placeholder: str,
        key_cap: str = "",
        mono: bool = False,
        *,
        icon_name: str = "search",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._key_cap = key_cap
        self._icon = icon_name
        self._count = ""
        self._wrong = False
        self.edit = _Edit(self)
        self.edit.setFrame(False)
        self._mono = mono
        self.edit.setPlaceholderText(placeholder)
        self.edit.setAccessibleName(placeholder)
        self.edit.textChanged.connect(self._set_font)
        self.edit.textChanged.connect(self.text_changed)
        self.edit.submitted.connect(self.submitted)
        self.edit.backward.connect(self.backward)
        self.edit.escaped.connect(self._escape)
        self.edit.focus_changed.connect(self.update)
        self.setFocusProxy(self.edit)
        self.setFixedHeight(INPUT)
        self._layout = QHBoxLayout(self)
        self._layout.addWidget(self.edit)
        self._place_edit()
        self._set_font("")
        self.set_theme(self._theme)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        palette = QPalette(self.edit.palette())
        for role, color in (
            (QPalette.ColorRole.Base, QColor(0, 0, 0, 0)),
            (QPalette.ColorRole.Text, colors.text1),
            (QPalette.ColorRole.PlaceholderText, colors.text3),
            (QPalette.ColorRole.Highlight, colors.selection),
            (QPalette.ColorRole.HighlightedText, colors.text1),
        ):
            palette.setColor(role, color)
        self.edit.setPalette(palette)
        self.update()

    @property
    def text(self) -> str:
        """What is typed."""
        return self.edit.text()

    def set_text(self, text: str) -> None:
        """Replaces what is typed; emits text_changed if it differs."""
        self.edit.setText(text)

    def set_count(self, text: str) -> None:
        """Shows "1 of 2", or nothing, at the right end."""
        if text != self._count:
            self._count = text
            self._place_edit()
            self.update()

    def set_wrong(self, wrong: bool) -> None:
        """Marks what is typed as not understood: the border turns red."""
        if wrong != self._wrong:
            self._wrong = wrong
            self.update()

    def start_typing(self) -> None:
        """Takes the keyboard, everything selected."""
        self.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.edit.selectAll()

    def _set_font(self, text: str) -> None:
        # The placeholder is our own word, so it is not mono: only what is typed is.
        self.edit.setFont(mono_font(12) if self._mono and text else ui_font(12))

    def _escape(self) -> None:
        if self.text:
            self.edit.clear()
        else:
            self.escaped.emit()

    def _right_width(self) -> int:
        if self._count:
            return round(text_width(ui_font(12), self._count)) + 12
        return key_cap_width(self._key_cap) + 6 if self._key_cap else 0

    def _place_edit(self) -> None:
        self._layout.setContentsMargins(28, 1, self._right_width() + 8, 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        fill_round(painter, self.rect(), colors.bg2, RADIUS)
        focused = self.edit.hasFocus()
        border = colors.error if self._wrong else colors.accent if focused else colors.border_strong
        outline_round(painter, self.rect(), border, RADIUS)
        middle = self.height() // 2
        draw_icon(painter, 9, middle - 8, self._icon, colors.text3)
        if self._count:
            box = self.rect().adjusted(0, 0, -10, 0)
            draw_text(painter, box, self._count, ui_font(12), colors.text3, Qt.AlignmentFlag.AlignRight)
        elif self._key_cap:
            draw_key_cap(painter, self.width() - key_cap_width(self._key_cap) - 6, middle, self._key_cap, colors)
