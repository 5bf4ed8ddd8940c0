"""The transport's own buttons: play, follow live, and a choice from a few."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

from traceview.app.controls import IconButton, TextButton, plain_tooltip, wash
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import INPUT, Theme, theme, ui_font

_RADIUS = 5
_CHOICE = 26
_WIDEST = 180


class PlayButton(IconButton):
    """The one primary button of the transport."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("play", "Play (Space)", size=INPUT, parent=parent)

    def show_playing(self, playing: bool) -> None:
        """Offers to pause, or to play."""
        self.set_icon("pause" if playing else "play")
        self.set_tooltip("Pause (Space)" if playing else "Play (Space)")

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        ground, ink = colors.accent, colors.on_accent
        if not self.isEnabled():
            ground, ink = colors.bg3, colors.disabled
        elif self.underMouse() or self.isDown():
            ground = colors.accent.lighter(108)
        fill_round(painter, self.rect(), ground, _RADIUS)
        if self.hasFocus():
            outline_round(painter, self.rect().adjusted(2, 2, -2, -2), ink, _RADIUS - 2)
        draw_icon(painter, (self.width() - 16) // 2, (self.height() - 16) // 2, self._icon, ink)


class FollowButton(TextButton):
    """ "Follow live", on or off; without its words where there is no room for them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Follow live", icon_name="follow-live", parent=parent)
        self.setCheckable(True)
        self.setToolTip(plain_tooltip("Stay at the newest step of this running run"))
        self._narrow = False

    def set_narrow(self, narrow: bool) -> None:
        """Shows the icon alone."""
        if narrow != self._narrow:
            self._narrow = narrow
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(INPUT, INPUT) if self._narrow else QSize(super().sizeHint().width() - 8, INPUT)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        on = self.isChecked()
        hot = self.isEnabled() and self.underMouse()
        if on:
            fill_round(painter, self.rect(), wash(colors.accent), _RADIUS)
        elif hot:
            fill_round(painter, self.rect(), colors.bg3, _RADIUS)
        ink = colors.accent if on else colors.text1 if self.isEnabled() else colors.disabled
        outline_round(painter, self.rect(), colors.accent if on else colors.border_strong, _RADIUS)
        left = 6 if self._narrow else 8
        draw_icon(painter, left, (self.height() - 16) // 2, "follow-live", ink)
        if not self._narrow:
            draw_text(painter, self.rect().adjusted(left + 22, 0, -4, 0), self.label, ui_font(12, 600), ink)


class ChoiceButton(QPushButton):
    """Shows one of a few words and lets one choose another, from a menu or by Up and Down.

    Signals:
        chosen(int): the user chose this place in the list.
    """

    chosen = Signal(int)

    def __init__(self, name: str, words: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._name = name
        self._words = list(words)
        self._shown = ""
        self._current = 0
        self.setFixedHeight(_CHOICE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self._open_menu)
        self.show_choice(0)

    @property
    def current(self) -> int:
        """The place of the word that is shown."""
        return self._current

    @property
    def shown(self) -> str:
        """The text on the button."""
        return self._shown

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def show_choice(self, index: int, detail: str = "") -> None:
        """Shows a word, perhaps with what it is about, without telling anyone."""
        self._current = index
        self._shown = f"{self._words[index]}: {detail}" if detail else self._words[index]
        self.setAccessibleName(f"{self._name}: {self._shown}")
        self.setToolTip(plain_tooltip(f"{self._name}: {self._shown}"))
        self.update()

    def sizeHint(self) -> QSize:
        font = ui_font(12, 600)
        widest = max(text_width(font, word) for word in self._words)
        return QSize(round(max(widest, min(_WIDEST, text_width(font, self._shown)))) + 42, _CHOICE)

    def menu_of_choices(self) -> QMenu:
        """The menu: each word, the current one ticked."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group = QActionGroup(menu)
        for index, word in enumerate(self._words):
            action = QAction(word.replace("&", "&&"), menu)
            action.setCheckable(True)
            action.setChecked(index == self._current)
            action.triggered.connect(lambda _=False, index=index: self.chosen.emit(index))
            group.addAction(action)
            menu.addAction(action)
        return menu

    def _open_menu(self) -> None:
        menu = self.menu_of_choices()
        menu.setMinimumWidth(self.width())
        # The transport is the window's lowest pane: the menu opens upward.
        menu.popup(self.mapToGlobal(QPoint(0, -menu.sizeHint().height() - 4)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if step is not None:
            index = self._current + step
            if 0 <= index < len(self._words):
                self.chosen.emit(index)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        hot = self.isEnabled() and self.underMouse()
        fill_round(painter, self.rect(), colors.bg3 if hot else colors.bg2, _RADIUS)
        outline_round(painter, self.rect(), colors.accent if self.hasFocus() else colors.border_strong, _RADIUS)
        ink = colors.text1 if self.isEnabled() else colors.disabled
        draw_text(painter, self.rect().adjusted(10, 0, -28, 0), self._shown, ui_font(12, 600), ink)
        chevron = colors.text3 if self.isEnabled() else colors.disabled
        draw_icon(painter, self.width() - 23, (self.height() - 16) // 2, "chevron-down", chevron)
