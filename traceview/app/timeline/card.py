"""A small card that floats over the waterfall: a span's times under the mouse, or the sums of a selected area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, metrics, one_line, outline_round, text_width
from traceview.app.theme import Theme, theme, ui_font

_SHADOW: Final = 6
_PADDING: Final = 12
_TITLE: Final = 28
_LINE: Final = 18
_WIDTH: Final = 220
_WIDEST: Final = 320
_NOTE_LENGTH: Final = 240
_WARNING_LEFT: Final = 18
_WRAP: Final = int(Qt.TextFlag.TextWordWrap | Qt.TextFlag.TextWrapAnywhere)


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says: an icon and a title, a caption at the right, lines of label and value, a note and warnings."""

    icon: str
    icon_color: QColor
    title: str
    caption: str
    lines: tuple[tuple[str, str], ...]
    note: str = ""
    warnings: tuple[str, ...] = ()


class CardView(QWidget):
    """Shows a card near a place of its parent, always whole, never in the way of the mouse."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pane = parent
        self._theme = theme(True)
        self._card: Card | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    @property
    def card(self) -> Card | None:
        """What is shown, or None."""
        return self._card

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def show_card(self, card: Card, beside: QPoint) -> None:
        """Shows a card right below a place of the parent, or on its other side where there is no room."""
        self._card = card
        size = self._size(card)
        room = self._pane.rect()
        x, y = beside.x() + 14 - _SHADOW, beside.y() + 12 - _SHADOW
        if x + size.width() > room.right():
            x = beside.x() - size.width() - 8 + _SHADOW
        if y + size.height() > room.bottom():
            y = beside.y() - size.height() - 8 + _SHADOW
        self.setGeometry(QRect(QPoint(max(0, x), max(0, y)), size))
        said = (card.title, *(f"{label} {value}" for label, value in card.lines), *card.warnings)
        self.setAccessibleName(", ".join(said))
        self.raise_()
        self.show()
        self.update()

    def dismiss(self) -> None:
        """Takes the card away."""
        self._card = None
        self.hide()

    def _size(self, card: Card) -> QSize:
        title = text_width(ui_font(12, 600), one_line(card.title)) + text_width(ui_font(12), card.caption) + 60
        width = min(_WIDEST, max(_WIDTH, round(title)))
        warnings = (text_width(ui_font(12), words) + _WARNING_LEFT for words in card.warnings)
        width = min(_WIDEST, max(width, *map(round, warnings), 0) + 2 * _PADDING) if card.warnings else width
        lines = len(card.lines) + len(card.warnings)
        height = _PADDING // 2 + _TITLE + _LINE * lines + _PADDING - 4 + self._note_height(card, width)
        return QSize(width + 2 * _SHADOW, height + 2 * _SHADOW)

    @staticmethod
    def _note_height(card: Card, width: int) -> int:
        if not card.note:
            return 0
        box = metrics(ui_font(12)).boundingRect(QRect(0, 0, width - 2 * _PADDING, 1000), _WRAP, _note(card))
        return min(4 * _LINE, round(box.height()) + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._card is None:
            return
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme, self._card)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme, card: Card) -> None:
        box = self.rect().adjusted(_SHADOW, _SHADOW, -_SHADOW, -_SHADOW)
        for spread in range(_SHADOW, 0, -2):
            shade = QColor(0, 0, 0, 26 if colors.dark else 12)
            fill_round(painter, box.adjusted(-spread + 1, -spread + 3, spread - 1, spread - 1), shade, 6 + spread)
        fill_round(painter, box, colors.bg3, 6)
        outline_round(painter, box, colors.border_strong, 6)
        inner = box.adjusted(_PADDING, _PADDING // 2, -_PADDING, 0)
        self._paint_title(painter, QRect(inner.left(), inner.top(), inner.width(), _TITLE), colors, card)
        top = inner.top() + _TITLE
        for label, value in card.lines:
            line = QRect(inner.left(), top, inner.width(), _LINE)
            used = draw_text(painter, line, label, ui_font(12), colors.text2)
            line.setLeft(line.left() + round(used) + 12)
            draw_text(painter, line, value, ui_font(12, 600), colors.text1, Qt.AlignmentFlag.AlignRight)
            top += _LINE
        for words in card.warnings:
            draw_icon(painter, inner.left(), top + 3, "warning", colors.interrupted, 12)
            line = QRect(inner.left() + _WARNING_LEFT, top, inner.width() - _WARNING_LEFT, _LINE)
            draw_text(painter, line, words, ui_font(12), colors.interrupted)
            top += _LINE
        if card.note:
            painter.setFont(ui_font(12))
            painter.setPen(colors.error)
            painter.drawText(QRect(inner.left(), top + 2, inner.width(), box.bottom() - top - 6), _WRAP, _note(card))

    @staticmethod
    def _paint_title(painter: QPainter, rect: QRect, colors: Theme, card: Card) -> None:
        draw_icon(painter, rect.left(), rect.top() + 6, card.icon, card.icon_color)
        caption = draw_text(painter, rect, card.caption, ui_font(12), colors.text2, Qt.AlignmentFlag.AlignRight)
        name = rect.adjusted(22, 0, -round(caption) - 10, 0)
        draw_text(painter, name, card.title, ui_font(12, 600), colors.text1)


def _note(card: Card) -> str:
    return one_line(card.note, _NOTE_LENGTH)
