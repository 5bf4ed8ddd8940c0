"""Underlined tabs with counts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, outline_round, text_width
from traceview.app.theme import Theme, theme, ui_font


class Tabs(QWidget):
    """Words over an underline, some with a count; those that don't fit wait behind "…".

    Signals:
        current_changed(int): another tab was chosen, by mouse, by Left/Right, or by `set_current`.
    """

    current_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._tabs: list[tuple[str, int | None]] = []
        self._current = -1
        self._hovered = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(32)
        self.setAccessibleName("Tabs")

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def set_tabs(self, tabs: Sequence[tuple[str, int | None]]) -> None:
        """Shows these tabs, each a word and a count or None; the current one stays where it still exists by name."""
        before = self._tabs[self._current][0] if self._current >= 0 else None
        self._tabs = list(tabs)
        words = [word for word, _ in self._tabs]
        place = words.index(before) if before in words else (0 if words else -1)
        changed = place != self._current or (words[place] if place >= 0 else None) != before
        self._current = place
        self.update()
        if changed:
            self._tell()

    @property
    def current(self) -> int:
        """The index of the chosen tab, or -1 where there are none."""
        return self._current

    def labels(self) -> list[str]:
        """The words, in order."""
        return [word for word, _ in self._tabs]

    def set_current(self, index: int) -> None:
        """Chooses a tab."""
        if 0 <= index < len(self._tabs) and index != self._current:
            self._current = index
            self.update()
            self._tell()

    def _tell(self) -> None:
        self.setAccessibleDescription(self._tabs[self._current][0] if self._current >= 0 else "")
        self.current_changed.emit(self._current)

    def _width(self, index: int) -> int:
        word, count = self._tabs[index]
        width = round(text_width(ui_font(12, 600), word))
        return width + (0 if count is None else 6 + round(text_width(ui_font(12), str(count))))

    def _rects(self) -> tuple[list[QRect], QRect | None]:
        """Where the tabs that fit lie, and where "…" lies if some don't."""
        rects: list[QRect] = []
        left = 0
        for index in range(len(self._tabs)):
            rects.append(QRect(left, 0, self._width(index), self.height()))
            left += rects[-1].width() + 16
        if not rects or left - 16 <= self.width():
            return rects, None
        while rects and rects[-1].right() > self.width() - 32:
            rects.pop()
        more = rects[-1].right() + 16 if rects else 0
        return rects, QRect(more, 0, 20, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        rects, more = self._rects()
        for index, rect in enumerate(rects):
            word, count = self._tabs[index]
            current = index == self._current
            ink = colors.text1 if current or index == self._hovered else colors.text2
            used = draw_text(painter, rect.adjusted(0, 0, 2, -2), word, ui_font(12, 600), ink)
            if count is not None:
                box = rect.adjusted(round(used) + 6, 0, 4, -2)
                draw_text(painter, box, str(count), ui_font(12), colors.text3)
            if current:
                painter.fillRect(rect.left(), self.height() - 2, rect.width(), 2, colors.accent)
        if more is not None:
            hidden = self._current >= len(rects)
            draw_icon(painter, more.left() + 2, (self.height() - 18) // 2, "more", colors.text2)
            if hidden:
                painter.fillRect(more.left(), self.height() - 2, more.width(), 2, colors.accent)
        if self.hasFocus():
            outline_round(painter, self.rect(), colors.accent, 2)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        _, more = self._rects()
        if more is not None and more.contains(place):
            self.more_menu().popup(self.mapToGlobal(more.bottomLeft()))
        else:
            self.set_current(self._at(place))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.set_current(self._current + step)

    def more_menu(self) -> QMenu:
        """The menu behind "…": the tabs that don't fit."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rects, _ = self._rects()
        for index in range(len(rects), len(self._tabs)):
            action = menu.addAction(self._tabs[index][0].replace("&", "&&"))
            action.triggered.connect(lambda _=False, index=index: self.set_current(index))
        return menu

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self.update()

    def _at(self, place: QPoint) -> int:
        rects, _ = self._rects()
        return next((index for index, rect in enumerate(rects) if rect.contains(place)), -1)
