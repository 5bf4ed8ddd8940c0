"""The settings: theme, time zone; and where the daemon listens and the store lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QPainter
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from traceview.app.controls import Chip, IconButton
from traceview.app.paint import draw_text
from traceview.app.theme import Theme, mono_font, ui_font
from traceview.app.views.overlay import Overlay
from traceview.app.views.part import Part

_LINE = 40
_LABEL = 120


class SettingsSheet(Overlay):
    """Each choice takes effect at once.

    Signals:
        theme_picked(str), zone_picked(str): one of the names given to `set_choices`.
    """

    theme_picked = Signal(str)
    zone_picked = Signal(str)

    def __init__(self, window: QWidget, places: Sequence[tuple[str, str, Path | None]]) -> None:
        super().__init__(window, "Settings", width=620)
        self.themes = _Choice("Theme", (("system", "As the system"), ("dark", "Dark"), ("light", "Light")))
        self.zones = _Choice("Times", (("local", "This computer's zone"), ("utc", "UTC")))
        self.lines = [_Place(label, text, folder) for label, text, folder in places]
        self.body.setContentsMargins(8, 8, 8, 8)
        self.body.addWidget(_Heading())
        for row in (self.themes, self.zones, *self.lines):
            self.body.addWidget(row)
        self.themes.picked.connect(self.theme_picked)
        self.zones.picked.connect(self.zone_picked)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        for row in self.frame.findChildren(Part):
            row.set_theme(colors)

    def set_text(self, label: str, text: str) -> None:
        """Shows another path or address in the line of this label."""
        for line in self.lines:
            if line.label == label:
                line.set_text(text)

    def set_choices(self, theme: str, zone: str) -> None:
        """Marks what is chosen now."""
        self.themes.set_value(theme)
        self.zones.set_value(zone)


class _Heading(Part):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(_LINE)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        draw_text(painter, self.rect().adjusted(12, 0, -12, 0), "Settings", ui_font(14, 600), colors.text1)


class _Row(Part):
    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label
        self.setFixedHeight(_LINE)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(12 + _LABEL, 0, 12, 0)
        self.row.setSpacing(6)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(12, 0, self.width() - 24, 1, colors.border)
        draw_text(painter, QRect(12, 0, _LABEL, self.height()), self.label, ui_font(12), colors.text3)


class _Choice(_Row):
    """One of a few words."""

    picked = Signal(str)

    def __init__(self, label: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__(label)
        self._group = QButtonGroup(self)
        self.chips: dict[str, Chip] = {}
        for name, text in options:
            chip = self.chips[name] = Chip(text)
            chip.setCheckable(True)
            chip.clicked.connect(lambda _=False, name=name: self.picked.emit(name))
            self._group.addButton(chip)
            self.row.addWidget(chip)
        self.row.addStretch(1)

    def set_theme(self, colors: Theme) -> None:
        super().set_theme(colors)
        for chip in self.chips.values():
            chip.set_theme(colors)

    def set_value(self, name: str) -> None:
        self.chips[name].setChecked(True)


class _Place(_Row):
    """A path or an address, to be copied, and its folder to be shown."""

    def __init__(self, label: str, text: str, folder: Path | None) -> None:
        super().__init__(label)
        self._text = ""
        self.copy = IconButton("copy", f"Copy: {label}", size=24)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._text))
        self.row.addStretch(1)
        self.buttons = [self.copy]
        if folder is not None:
            show = IconButton("open", f"Show the folder: {label}", size=24)
            show.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))))
            self.buttons.append(show)
        for button in self.buttons:
            self.row.addWidget(button)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        self._text = text
        self.setAccessibleName(f"{self.label}: {text}")
        self.update()

    def set_theme(self, colors: Theme) -> None:
        super().set_theme(colors)
        for button in self.buttons:
            button.set_theme(colors)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        super()._paint(painter, colors)
        box = QRect(12 + _LABEL, 0, self.width() - _LABEL - 24 - 32 * len(self.buttons), self.height())
        draw_text(painter, box, self._text, mono_font(11), colors.text1, Qt.AlignmentFlag.AlignLeft)
