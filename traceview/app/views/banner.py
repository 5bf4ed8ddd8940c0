"""A line over the panes: what is wrong for as long as it is, what went wrong, what was left out, what has been done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from traceview.app.controls import IconButton, LinkButton
from traceview.app.icons import draw_icon
from traceview.app.theme import Theme, theme, ui_font

Mood = Literal["error", "warning", "done"]
Action = tuple[str, Callable[[], object]]

_ICONS: Final[dict[Mood, str]] = {"error": "error", "warning": "warning", "done": "ok"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `standing` names the trouble that it tells of, "" for what happened once."""

    text: str
    mood: Mood
    actions: tuple[Action, ...] = ()
    standing: str = ""


class Banner(QWidget):
    """Shows one message, and how many wait behind it; closing it shows the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._messages: list[Message] = []
        self._troubles: dict[str, str] = {}
        self._links: list[LinkButton] = []
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setWordWrap(True)
        self._label.setFont(ui_font(12))
        self._close = IconButton("close", "Close this message", size=24)
        self._close.clicked.connect(self._drop_first)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(36, 6, 8, 7)
        self._row.setSpacing(12)
        self._row.addWidget(self._label, 1)
        self._row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setAccessibleName("Message")
        self.hide()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self._close.set_theme(colors)
        self._show_first()

    def tell(self, text: str, mood: Mood = "error", actions: tuple[Action, ...] = ()) -> None:
        """Shows a message; the same one twice is shown once, and what is done replaces what was done before."""
        if mood == "done":
            self._messages = [message for message in self._messages if message.mood != "done"]
        if not any((message.text, message.mood) == (text, mood) for message in self._messages):
            self._messages.append(Message(text, mood, actions))
        self._show_first()

    def stand(self, trouble: str, text: str) -> None:
        """Says before all else what is wrong now with `trouble`; "" when nothing is any more: then it goes by itself.

        Closed by the user it stays away until something else is wrong.
        """
        if self._troubles.get(trouble, "") == text:
            return
        self._troubles[trouble] = text
        self._messages = [message for message in self._messages if message.standing != trouble]
        if text:
            self._messages.insert(0, Message(text, "error", standing=trouble))
        self._show_first()

    def messages(self) -> list[str]:
        """The messages, the one in sight first."""
        return [message.text for message in self._messages]

    def links(self) -> list[LinkButton]:
        """What can be done about the message in sight."""
        return list(self._links)

    def _drop_first(self) -> None:
        self._messages = self._messages[1:]
        self._show_first()

    def _show_first(self) -> None:
        self.setVisible(bool(self._messages))
        for link in self._links:
            self._row.removeWidget(link)
            link.hide()
            link.deleteLater()
        self._links = []
        if not self._messages:
            return
        first, more = self._messages[0], len(self._messages) - 1
        self._label.setText(first.text + (f"  (and {more} more)" if more else ""))
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.WindowText, self._theme.text1)
        self._label.setPalette(palette)
        for words, slot in first.actions:
            link = LinkButton(words)
            link.set_theme(self._theme)
            link.clicked.connect(lambda _=False, slot=slot: slot())
            self._row.insertWidget(self._row.count() - 1, link, 0, Qt.AlignmentFlag.AlignVCenter)
            self._links.append(link)
        self.setAccessibleDescription(first.text)
        self.update()

    def sizeHint(self) -> QSize:
        """One line, more where the message is long."""
        return QSize(400, 38)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the wash, the edge and an icon."""
        mood: Mood = self._messages[0].mood if self._messages else "done"
        ink, wash = self._colors(mood)
        painter = QPainter(self)
        try:
            painter.fillRect(self.rect(), wash)
            painter.fillRect(0, 0, 2, self.height(), ink)
            painter.fillRect(0, self.height() - 1, self.width(), 1, self._theme.border)
            draw_icon(painter, 12, 10, _ICONS[mood], ink)
        finally:
            painter.end()

    def _colors(self, mood: Mood) -> tuple[QColor, QColor]:
        colors = self._theme
        return {
            "error": (colors.error, colors.error_wash),
            "warning": (colors.interrupted, colors.changed_wash),
            "done": (colors.ok, colors.bg2),
        }[mood]
