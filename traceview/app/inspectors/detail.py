"""One long value by itself, as text, under its name and the way back."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from traceview.app.controls import LinkButton
from traceview.app.inspectors.labels import Label, Painted
from traceview.app.inspectors.text_view import TextView
from traceview.app.theme import PANEL_HEAD, Theme, mono_font


class Detail(QWidget):
    """A string, or any value as indented JSON."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.head = _Head(self)
        self.back = self.head.back
        self.text = TextView(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.text, 1)

    def show_value(self, path: str, value: Any) -> None:
        """Shows a value, named by its path or title."""
        self.head.path.set_text(path)
        if isinstance(value, str):
            self.text.set_text(value)
        else:
            self.text.set_value(value)

    def look_for(self, wanted: str) -> None:
        """Looks for a text in it."""
        self.text.look_for(wanted)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.head.set_theme(colors)
        self.text.set_theme(colors)


class _Head(Painted):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.back = LinkButton("← Back", self)
        self.path = Label("", self, font=mono_font(11), from_end=True)
        self.setFixedHeight(PANEL_HEAD)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 12, 0)
        row.addWidget(self.back)
        row.addWidget(self.path, 1)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.back.set_theme(colors)
        self.path.set_theme(colors)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
