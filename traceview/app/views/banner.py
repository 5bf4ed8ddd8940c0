"""A line over the panes that says what went wrong, or was left out, until one closes it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from traceview.app.controls import IconButton
from traceview.app.icons import draw_icon
from traceview.app.theme import Theme, theme, ui_font


class Banner(QWidget):
    """Shows one message, and how many wait behind it; closing it shows the next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._messages: list[tuple[str, bool]] = []
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setWordWrap(True)
        self._label.setFont(ui_font(12))
        self._close = IconButton("close", "Close this message", size=24)
        self._close.clicked.connect(self._drop_first)
        row = QHBoxLayout(self)
        row.setContentsMargins(36, 6, 8, 7)
        row.addWidget(self._label, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setAccessibleName("Message")
        self.hide()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self._close.set_theme(colors)
        self._show_first()

    def tell(self, message: str, *, error: bool = True) -> None:
        """Shows a message; the same one twice is shown once."""
        if (message, error) not in self._messages:
            self._messages.append((message, error))
        self._show_first()

    def messages(self) -> list[str]:
        """The messages, the one in sight first."""
        return [message for message, _ in self._messages]

    def _drop_first(self) -> None:
        self._messages = self._messages[1:]
        self._show_first()

    def _show_first(self) -> None:
        self.setVisible(bool(self._messages))
        if not self._messages:
            return
        message = self._messages[0][0]
        more = len(self._messages) - 1
        self._label.setText(message + (f"  (and {more} more)" if more else ""))
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.WindowText, self._theme.text1)
        self._label.setPalette(palette)
        self.setAccessibleDescription(message)
        self.update()

    def sizeHint(self) -> QSize:
        """One line, more where the message is long."""
        return QSize(400, 38)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the wash, the edge and an icon."""
        colors = self._theme
        error = bool(self._messages) and self._messages[0][1]
        ink = colors.error if error else colors.interrupted
        painter = QPainter(self)
        try:
            painter.fillRect(self.rect(), colors.error_wash if error else colors.changed_wash)
            painter.fillRect(0, 0, 2, self.height(), ink)
            painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
            draw_icon(painter, 12, 10, "error", ink)
        finally:
            painter.end()
