"""Painting text, icons and chips the same way in every pane: centred on cap height, elided once, cached by width."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from traceview.app.theme import CHIP, Theme, ui_font

_RADIUS_CHIP = 4


@lru_cache(maxsize=64)
def metrics(font: QFont) -> QFontMetricsF:
    """The measures of a font; fonts come from `theme.ui_font` and `mono_font`, so they are few and cached."""
    return QFontMetricsF(font)


@lru_cache(maxsize=20_000)
def text_width(font: QFont, text: str) -> float:
    """The width of one line of text in logical pixels."""
    return metrics(font).horizontalAdvance(text)


@lru_cache(maxsize=20_000)
def elide(font: QFont, text: str, width: int) -> str:
    """The text, cut with … at the right where it is wider than `width` pixels. One line: breaks become spaces."""
    line = one_line(text)
    if text_width(font, line) <= width:
        return line
    return metrics(font).elidedText(line, Qt.TextElideMode.ElideRight, width)


def one_line(text: str, limit: int = 1000) -> str:
    """Text fit for a row: cut to `limit` characters, line breaks and control characters shown as spaces or pictures."""
    return "".join(_VISIBLE.get(c, c) for c in text[:limit])


# Control characters and bidi overrides are shown, never obeyed: recorded text is untrusted.
_VISIBLE = {chr(c): chr(0x2400 + c) for c in range(0x20)}
_VISIBLE |= {"\n": " ", "\r": "", "\t": " ", "\x7f": "␡", "\u2028": " ", "\u2029": " "}
_VISIBLE |= {
    chr(c): "�" for c in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
}


def draw_text(
    painter: QPainter,
    rect: QRect,
    text: str,
    font: QFont,
    color: QColor,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> float:
    """Draws one elided line into `rect`, its capitals centred vertically; returns the width used.

    Centring on cap height lets sizes 11, 12 and 13 share a line, and a fallback font (Chinese, emoji) doesn't shift it.
    """
    shown = elide(font, text, rect.width())
    width = text_width(font, shown)
    x = float(rect.left())
    if align & Qt.AlignmentFlag.AlignRight:
        x = rect.left() + rect.width() - width
    elif align & Qt.AlignmentFlag.AlignHCenter:
        x = rect.left() + (rect.width() - width) / 2
    baseline = rect.top() + (rect.height() + metrics(font).capHeight()) / 2
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(QPointF(round(x), round(baseline)), shown)
    return width


def draw_chip(
    painter: QPainter,
    left: int,
    middle: int,
    text: str,
    colors: Theme,
    ink: QColor | None = None,
    ground: QColor | None = None,
) -> int:
    """Draws a 20 px chip whose left edge is at `left`, centred on `middle`; returns the x right of it."""
    font = ui_font(11, 500)
    width = round(text_width(font, one_line(text))) + 16
    box = QRect(left, middle - CHIP // 2, width, CHIP)
    fill_round(painter, box, ground or colors.bg3, _RADIUS_CHIP)
    draw_text(painter, box.adjusted(8, 0, -7, 0), text, font, ink or colors.text2)
    return left + width


def fill_round(painter: QPainter, rect: QRect | QRectF, color: QColor, radius: float) -> None:
    """A filled rectangle with round corners; plain below 6 px, where corners cost and don't show."""
    box = QRectF(rect)
    if min(box.width(), box.height()) < 6:
        painter.fillRect(box, color)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRoundedRect(box, radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def outline_round(painter: QPainter, rect: QRect, color: QColor, radius: float) -> None:
    """A 1 px outline with round corners, on half pixels so that it is crisp."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(color, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
