"""What the controls draw alike: key caps, washes; how tooltips quote; whether anything may move."""

from __future__ import annotations

import html
from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication, QStyle

from traceview.app.paint import draw_text, outline_round, text_width
from traceview.app.theme import Theme, ui_font

RADIUS: Final = 5

_KEY_CAP = 18
_WASH = 0.2


def plain_tooltip(text: str) -> str:
    """A tooltip that shows the text letter by letter: Qt would interpret what looks like HTML."""
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>") if text else ""


def reduced_motion() -> bool:
    """Whether the desktop asks for no animation: then nothing turns, slides or fades."""
    return QApplication.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) == 0


def wash(color: QColor, share: float = _WASH) -> QColor:
    """The colour as a see-through wash."""
    result = QColor(color)
    result.setAlphaF(share)
    return result


def draw_key_cap(painter: QPainter, left: int, middle: int, text: str, colors: Theme) -> int:
    """Draws a key as it is printed on a keyboard, centred on `middle`; returns the x right of it."""
    box = QRect(left, middle - _KEY_CAP // 2, key_cap_width(text), _KEY_CAP)
    outline_round(painter, box, colors.border_strong, 4)
    draw_text(painter, box, text, ui_font(10, 500), colors.text3, Qt.AlignmentFlag.AlignHCenter)
    return box.left() + box.width()


def key_cap_width(text: str) -> int:
    """How wide `draw_key_cap` draws this text."""
    return max(_KEY_CAP, round(text_width(ui_font(10, 500), text)) + 10)
