"""The bar along the top: the mark, the views there are, the way to the command palette, panel, theme and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from traceview.app.controls import IconButton, draw_key_cap, key_cap_width
from traceview.app.controls.buttons import PaintedButton
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import APP_BAR, INPUT, Theme, theme, ui_font

_FIELD_WIDTH = 300
_WORDS_FROM = 900


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking at a run, as a button of the bar."""

    name: str
    title: str
    icon: str


class AppBar(QWidget):
    """What is asked for here is done by the main window.

    Signals:
        view_picked(str): another view, by name.
        palette_requested(), panel_toggled(), theme_requested(), settings_requested(): the buttons at the right.
    """

    view_picked = Signal(str)
    palette_requested = Signal()
    panel_toggled = Signal()
    theme_requested = Signal()
    settings_requested = Signal()

    def __init__(self, views: Sequence[View], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._views = [_ViewButton(view) for view in views]
        self._brand = _Brand()
        self.field = _CommandField()
        self.panel = IconButton("panel-right", "Inspector (P)", checkable=False)
        self.theme_button = IconButton("theme", "Theme")
        self.settings = IconButton("settings", "Settings (Ctrl+,)")
        self.setFixedHeight(APP_BAR)
        self._compose()
        self.set_view(views[0].name)

    def _compose(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 12, 1)
        row.setSpacing(4)
        row.addWidget(self._brand)
        row.addSpacing(18)
        for button in self._views:
            button.clicked.connect(lambda _=False, button=button: self._pick(button.view.name))
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.field, 0)
        row.addSpacing(8)
        for icon, signal in (
            (self.panel, self.panel_toggled),
            (self.theme_button, self.theme_requested),
            (self.settings, self.settings_requested),
        ):
            icon.clicked.connect(signal)
            row.addWidget(icon)
        self.field.clicked.connect(self.palette_requested)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for button in (*self._views, self.field, self.panel, self.theme_button, self.settings):
            button.set_theme(colors)
        self._brand.set_theme(colors)
        self.update()

    def set_theme_choice(self, choice: str) -> None:
        """Says which theme is chosen: "system", "dark" or "light"."""
        self.theme_button.set_tooltip(f"Theme: {choice}")

    def set_view(self, name: str) -> None:
        """Marks a view as the one shown."""
        for button in self._views:
            button.setChecked(button.view.name == name)

    def view_names(self) -> list[str]:
        """The views in the bar."""
        return [button.view.name for button in self._views]

    def set_narrow(self, narrow: bool) -> None:
        """Hides the views' words where there is no room for them; the icons stay."""
        for button in self._views:
            button.set_words(not narrow)

    def _pick(self, name: str) -> None:
        self.set_view(name)
        self.view_picked.emit(name)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the ground and the hairline."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.bg2)
        painter.fillRect(0, self.height() - 1, self.width(), 1, self._theme.border)
        painter.end()


class _Brand(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._theme = theme(True)
        self.setFixedSize(22 + round(text_width(ui_font(13, 600), "traceview")) + 4, 24)
        self.setAccessibleName("traceview")

    def set_theme(self, colors: Theme) -> None:
        self._theme = colors
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_icon(painter, 0, 4, "mark", self._theme.accent)
        draw_text(painter, self.rect().adjusted(24, 0, 4, 0), "traceview", ui_font(13, 600), self._theme.text1)
        painter.end()


class _ViewButton(PaintedButton):
    def __init__(self, view: View) -> None:
        super().__init__(view.title)
        self.view = view
        self._words = True
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_words(self, words: bool) -> None:
        self._words = words
        self.setToolTip("" if words else self.view.title)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        word = round(text_width(ui_font(12, 600), self.view.title)) + 6 if self._words else 0
        return QSize(16 + word + 14, 26)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        chosen = self.isChecked()
        if chosen or self.underMouse():
            fill_round(painter, self.rect(), colors.bg4 if chosen else colors.bg3, 5)
        ink = colors.text1 if chosen else colors.text2
        draw_icon(painter, 7, 5, self.view.icon, ink)
        if self._words:
            draw_text(painter, self.rect().adjusted(28, 0, 0, 0), self.view.title, ui_font(12, 600), ink)


class _CommandField(PaintedButton):
    """Looks like a field, opens the command palette."""

    def __init__(self) -> None:
        super().__init__("Search runs and commands")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setFixedHeight(INPUT - 2)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(_FIELD_WIDTH, INPUT - 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, INPUT - 2)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        fill_round(painter, self.rect(), colors.bg1, 5)
        outline_round(painter, self.rect(), colors.border_strong, 5)
        draw_icon(painter, 9, self.height() // 2 - 8, "search", colors.text3)
        cap = key_cap_width("Ctrl K")
        box = self.rect().adjusted(30, 0, -cap - 12, 0)
        draw_text(painter, box, "Search runs and commands", ui_font(12), colors.text3)
        draw_key_cap(painter, self.width() - cap - 6, self.height() // 2, "Ctrl K", colors)
