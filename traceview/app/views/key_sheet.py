"""The sheet behind `?`: all keys, made from the registry of actions, so that it can't be out of date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QScrollArea, QWidget

from traceview.app.controls import draw_key_cap, key_cap_width
from traceview.app.paint import draw_text
from traceview.app.theme import Theme, ui_font
from traceview.app.views.overlay import Overlay
from traceview.app.views.part import Part

_COLUMNS = 2
_LINE = 26
_HEAD = 34


class KeySheet(Overlay):
    """Groups of keys in two columns."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "Keys", width=760)
        self._keys = _Keys()
        self._scroll = QScrollArea()
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(self._keys)
        self._scroll.viewport().setAutoFillBackground(False)
        self.body.setContentsMargins(2, 8, 2, 8)
        self.body.addWidget(self._scroll)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self._keys.set_theme(colors)

    def set_groups(self, groups: Mapping[str, Iterable[tuple[str, tuple[str, ...]]]]) -> None:
        """Shows these groups: words and key texts of each action."""
        self._keys.set_groups({name: list(lines) for name, lines in groups.items()})

    def wished_height(self) -> int:
        """As high as the longer column."""
        return self._keys.minimumHeight() + 16


class _Keys(Part):
    def __init__(self) -> None:
        super().__init__()
        self._columns: list[list[tuple[str, list[tuple[str, tuple[str, ...]]]]]] = []

    def set_groups(self, groups: dict[str, list[tuple[str, tuple[str, ...]]]]) -> None:
        self._columns = [[] for _ in range(_COLUMNS)]
        heights = [0] * _COLUMNS
        for name, lines in groups.items():
            shortest = heights.index(min(heights))
            self._columns[shortest].append((name, lines))
            heights[shortest] += _HEAD + _LINE * len(lines) + 8
        self.setMinimumHeight(max(heights, default=0) + 8)
        said = (f"{words}: {' or '.join(keys)}" for lines in groups.values() for words, keys in lines)
        self.setAccessibleDescription("\n".join(said))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(700, self.minimumHeight())

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        width = self.width() // _COLUMNS
        for place, column in enumerate(self._columns):
            left, top = place * width + 20, 4
            for name, lines in column:
                box = QRect(left, top, width - 40, _HEAD)
                draw_text(painter, box, name, ui_font(12, 600), colors.text1)
                top += _HEAD
                for words, keys in lines:
                    self._paint_line(painter, QRect(left, top, width - 40, _LINE), words, keys, colors)
                    top += _LINE
                top += 8

    def _paint_line(self, painter: QPainter, box: QRect, words: str, keys: tuple[str, ...], colors: Theme) -> None:
        right = box.left() + box.width()
        for text in reversed(keys):
            right -= key_cap_width(text)
            draw_key_cap(painter, right, box.center().y(), text, colors)
            right -= 6
        draw_text(
            painter, QRect(box.left(), box.top(), right - box.left() - 6, _LINE), words, ui_font(12), colors.text2
        )
        painter.fillRect(box.left(), box.bottom(), box.width(), 1, colors.border)
