"""The card of a model call: model and settings, figures, a bar of its tokens, a row per type of token, the total."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QBrush, QColor, QPainter

from traceview.analysis.figures import money, tokens_exact
from traceview.app.controls import wash
from traceview.app.inspectors.blocks import Block
from traceview.app.inspectors.llm_figures import LlmFigures, TokenRow
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import Theme, ui_font

_PADDING: Final = 12
_HEAD: Final = 22
_CAPTION: Final = 18
_FIGURES: Final = 36
_BAR: Final = 8
_BAR_ROOM: Final = 32
_ROW: Final = 22
_TOTAL: Final = 30
_DOUBT: Final = 20
_COST_WIDTH: Final = 62
_RIGHT: Final = Qt.AlignmentFlag.AlignRight
_LEAST_SEGMENT: Final = 3
_CACHED: Final = 0.45


class CardBlock(Block):
    """The card. `text()` is its figures as lines of name and value."""

    def __init__(self, figures: LlmFigures) -> None:
        self._figures = figures

    def height(self, width: int) -> int:
        """What is unknown takes no room."""
        figures = self._figures
        height = 2 * _PADDING + _HEAD + (_CAPTION if self._caption_below(width) else 0)
        height += _FIGURES if figures.figures else 0
        if figures.rows:
            height += _BAR_ROOM + _ROW * len(figures.rows) + _TOTAL
        return height + (_DOUBT if figures.doubt else 0)

    def text(self) -> str:
        """Name and value of each figure, a line each."""
        figures = self._figures
        lines = [figures.model, figures.caption, figures.finished]
        lines += [f"{name}\t{value}" for name, value in figures.figures]
        lines += [f"{row.title}\t{row.count}\t{_money(row.cost_usd)}" for row in figures.rows]
        if figures.total is not None:
            lines.append(f"Total\t{figures.total}\t{_money(figures.cost_usd)}")
        return "\n".join(line.rstrip() for line in (*lines, figures.doubt) if line)

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """From top to bottom."""
        fill_round(painter, box, colors.bg2, 6)
        outline_round(painter, box, colors.border, 6)
        inner = box.adjusted(_PADDING, _PADDING, -_PADDING, -_PADDING)
        head = _HEAD + (_CAPTION if self._caption_below(box.width()) else 0)
        self._paint_head(painter, QRect(inner.left(), inner.top(), inner.width(), head), colors)
        top = inner.top() + head
        if self._figures.figures:
            self._paint_figures(painter, QRect(inner.left(), top, inner.width(), _FIGURES), colors)
            top += _FIGURES
        if self._figures.rows:
            self._paint_bar(painter, QRect(inner.left(), top + 12, inner.width(), _BAR), colors)
            top += _BAR_ROOM
            for row in self._figures.rows:
                self._paint_row(painter, row, QRect(inner.left(), top, inner.width(), _ROW), colors)
                top += _ROW
            self._paint_total(painter, QRect(inner.left(), top, inner.width(), _TOTAL), colors)
            top += _TOTAL
        if self._figures.doubt:
            line = QRect(inner.left(), top, inner.width(), _DOUBT)
            draw_text(painter, line, self._figures.doubt, ui_font(11), colors.interrupted)

    def _caption_below(self, width: int) -> bool:
        """Whether provider and settings need a line of their own."""
        figures = self._figures
        texts = ((figures.model, ui_font(13, 600)), (figures.caption, ui_font(11)), (figures.finished, ui_font(11)))
        needed = sum(text_width(font, visible(text)) + 10 for text, font in texts if text)
        return bool(figures.model and figures.caption) and needed > width - 2 * _PADDING + 10

    def _paint_head(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        figures = self._figures
        line = QRect(box.left(), box.top() - 4, box.width(), _HEAD + 2)
        right = round(text_width(ui_font(11), visible(figures.finished))) + 10 if figures.finished else 0
        room = line.adjusted(0, 0, -right, 0)
        title = visible(figures.model) or "Tokens of this span"
        used = draw_text(painter, room, title, ui_font(13, 600), colors.text1)
        caption = room.adjusted(round(used) + 10, 0, 0, 0)
        if box.height() > _HEAD:
            caption = QRect(box.left(), box.top() + _HEAD - 6, box.width(), _CAPTION)
        draw_text(painter, caption, visible(figures.caption), ui_font(11), colors.text3)
        draw_text(painter, line, visible(figures.finished), ui_font(11), colors.text3, _RIGHT)

    def _paint_figures(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        width = box.width() // (4 if len(self._figures.figures) == 4 else 3)
        for place, (name, value) in enumerate(self._figures.figures):
            column = QRect(box.left() + place * width, box.top() + 2, width - 4, 16)
            draw_text(painter, column, name, ui_font(11), colors.text3)
            ink = colors.running if value == "running" else colors.text1
            draw_text(painter, column.translated(0, 17), value, ui_font(12, 600), ink)

    def _paint_bar(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        rows = [row for row in self._figures.rows if row.count]
        whole = sum(row.count for row in rows)
        room = box.width() - 2 * (len(rows) - 1) - _LEAST_SEGMENT * len(rows)
        left = box.left()
        for place, row in enumerate(rows):
            width = _LEAST_SEGMENT + round(room * row.count / whole)
            if place == len(rows) - 1:
                width = box.right() + 1 - left
            _paint_swatch(painter, QRect(left, box.top(), width, _BAR), row.type, colors)
            left += width + 2

    def _paint_row(self, painter: QPainter, row: TokenRow, box: QRect, colors: Theme) -> None:
        _paint_swatch(painter, QRect(box.left(), box.center().y() - 3, 8, 8), row.type, colors)
        draw_text(painter, box.adjusted(17, 0, 0, 0), row.title, ui_font(12), colors.text2)
        counts = box.adjusted(0, 0, -_COST_WIDTH if self._priced else 0, 0)
        draw_text(painter, counts, tokens_exact(row.count), ui_font(12, 600), colors.text1, _RIGHT)
        if row.cost_usd is not None:
            draw_text(painter, box, money(row.cost_usd), ui_font(12), colors.text2, _RIGHT)

    def _paint_total(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        painter.fillRect(box.left(), box.top() + 4, box.width(), 1, colors.border)
        line = box.adjusted(0, 8, 0, 0)
        name = "Total tokens and cost" if self._priced else "Total tokens, no price recorded"
        draw_text(painter, line, name, ui_font(12), colors.text2)
        total = tokens_exact(self._figures.total or 0)
        counts = line.adjusted(0, 0, -_COST_WIDTH if self._priced else 0, 0)
        draw_text(painter, counts, total, ui_font(12, 600), colors.text1, _RIGHT)
        if self._figures.cost_usd is not None:
            draw_text(painter, line, money(self._figures.cost_usd), ui_font(12, 600), colors.text1, _RIGHT)

    @property
    def _priced(self) -> bool:
        return self._figures.cost_usd is not None or any(row.cost_usd is not None for row in self._figures.rows)


def _money(usd: float | None) -> str:
    return "" if usd is None else money(usd)


def _paint_swatch(painter: QPainter, box: QRect, kind: str, colors: Theme) -> None:
    """A piece of the token bar: what went in has the model's colour, hatched if cached; what came out its own."""
    llm = colors.kind("llm")
    fill = {
        "reasoning": colors.kind("prompt").fill,
        "output": colors.text1,
        "cache_read": wash(llm.fill, _CACHED),
        "cache_write": wash(llm.fill, _CACHED),
    }.get(kind, llm.fill)
    painter.fillRect(box, fill)
    if kind in ("cache_read", "cache_write"):
        style = Qt.BrushStyle.BDiagPattern if kind == "cache_read" else Qt.BrushStyle.Dense5Pattern
        painter.fillRect(box, QBrush(QColor(llm.ink), style))
