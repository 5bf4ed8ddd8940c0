"""Buttons: an icon, a word, a link, a chip. Painted in the theme's colours, known to screen readers as buttons."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from traceview.app.controls.drawing import RADIUS, plain_tooltip, wash
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import CHIP, INPUT, Theme, theme, ui_font


class PaintedButton(QPushButton):
    """A push button (so that screen readers know it as one) that paints itself in the theme's colours."""

    def __init__(self, label: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self.setAccessibleName(label)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAutoDefault(False)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
            if self.hasFocus():
                outline_round(painter, self.rect(), self._theme.accent, RADIUS)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        raise AssertionError("every button paints itself")


class IconButton(PaintedButton):
    """A square button with an icon and no words; its tooltip is also its accessible name."""

    def __init__(
        self,
        icon_name: str,
        tooltip: str,
        *,
        checkable: bool = False,
        size: int = INPUT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tooltip, parent)
        self._icon = icon_name
        self.setToolTip(plain_tooltip(tooltip))
        self.setCheckable(checkable)
        self.setFixedSize(size, size)

    def set_icon(self, icon_name: str) -> None:
        """Shows another icon."""
        self._icon = icon_name
        self.update()

    def set_tooltip(self, text: str) -> None:
        """Says something else on hovering and to screen readers."""
        self.setToolTip(plain_tooltip(text))
        self.setAccessibleName(text)

    def sizeHint(self) -> QSize:
        return self.maximumSize()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        ink = colors.text2 if self.isEnabled() else colors.disabled
        if self.isChecked():
            fill_round(painter, self.rect(), wash(colors.accent), RADIUS)
            ink = colors.accent
        elif self.isEnabled() and (self.isDown() or self.underMouse()):
            fill_round(painter, self.rect(), colors.bg4 if self.isDown() else colors.bg3, RADIUS)
            ink = colors.text1
        size = min(16, self.width() - 4)
        draw_icon(painter, (self.width() - size) // 2, (self.height() - size) // 2, self._icon, ink, size)


class TextButton(PaintedButton):
    """A button with a word, and perhaps an icon before it; `primary` is the one thing to do here."""

    def __init__(
        self, text: str, *, primary: bool = False, icon_name: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(text, parent)
        self._label = text
        self._primary = primary
        self._icon = icon_name
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_text(self, text: str) -> None:
        """Shows another word."""
        self._label = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    @property
    def label(self) -> str:
        """The word on the button."""
        return self._label

    def sizeHint(self) -> QSize:
        icon = 22 if self._icon else 0
        return QSize(round(text_width(ui_font(12, 600), self._label)) + 24 + icon, 32 if self._primary else INPUT)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        ink = colors.text1 if self.isEnabled() else colors.disabled
        box = self.rect()
        hot = self.isEnabled() and (self.underMouse() or self.isChecked())
        if self._primary and self.isEnabled():
            ink = colors.on_accent
            fill_round(painter, box, colors.accent.lighter(108) if hot else colors.accent, RADIUS)
        else:
            fill_round(painter, box, colors.bg4 if hot else colors.bg3, RADIUS)
            outline_round(painter, box, colors.border_strong, RADIUS)
        left = 12
        if self._icon:
            draw_icon(painter, left, (self.height() - 16) // 2, self._icon, ink)
            left += 22
        draw_text(painter, box.adjusted(left, 0, -6, 0), self._label, ui_font(12, 600), ink)


class LinkButton(PaintedButton):
    """A word in accent that does something: "Show", "choose…", "Start"."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self._label = text
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(round(text_width(ui_font(12, 600), self._label)) + 5, 20)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        ink = colors.accent if self.isEnabled() else colors.disabled
        draw_text(painter, self.rect().adjusted(2, 0, 3, 0), self._label, ui_font(12, 600), ink)
        if self.underMouse() and self.isEnabled():
            painter.fillRect(2, self.height() - 3, self.width() - 5, 1, ink)


class Chip(PaintedButton):
    """A small label that can be clicked; with `removable` it carries a × and clicking it means "take this away"."""

    def __init__(self, text: str, *, removable: bool = False, mark: str = "", parent: QWidget | None = None) -> None:
        super().__init__(f"Remove {text}" if removable else text, parent)
        self._label = text
        self._removable = removable
        self._mark = mark
        self.setFixedHeight(CHIP)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setToolTip(plain_tooltip(self.accessibleName()) if removable else "")

    @property
    def label(self) -> str:
        """The text on the chip."""
        return self._label

    def sizeHint(self) -> QSize:
        width = round(text_width(ui_font(11, 500), self._label)) + 17
        return QSize(min(260, width + (16 if self._removable else 0)), CHIP)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(48, self.sizeHint().width()), CHIP)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        checked = self.isChecked()
        ground = colors.selection if checked else colors.bg4 if self.underMouse() and self.isEnabled() else colors.bg3
        fill_round(painter, self.rect(), ground, 4)
        ink = colors.accent if checked else colors.interrupted if self._mark == "warning" else colors.text2
        right = -20 if self._removable else -6
        draw_text(painter, self.rect().adjusted(8, 0, right, 0), self._label, ui_font(11, 500), ink)
        if self._removable:
            draw_icon(painter, self.width() - 19, 4, "close", colors.text3, 12)
