"""Ranked items: rank, name, a bar of the score; of the chosen one the reasons and its other scores."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QWidget

from traceview.app.inspectors.blocks import Block, HeadBlock, Look, TextBlock, prose
from traceview.app.inspectors.item_table import ItemRows, ItemTable, share
from traceview.app.inspectors.judgements import Candidate
from traceview.app.inspectors.subject import Subject
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, fill_round
from traceview.app.painted_rows import RowState
from traceview.app.theme import Theme, ui_font

_LEFT: Final = 12
_RANK: Final = 32
_BAR: Final = 60
_SCORE: Final = 52
_GAP: Final = 12
_RIGHT: Final = Qt.AlignmentFlag.AlignRight


class CandidateRows(ItemRows):
    """A row per candidate."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[Candidate, ...] = ()
        self.most = 1.0
        self.setAccessibleName("Candidates")

    def row_count(self) -> int:
        """How many candidates there are."""
        return len(self.items)

    def row_text(self, row: int) -> str:
        """Rank, id, title and score, with tabs between."""
        item = self.items[row]
        rank = "" if item.rank is None else str(item.rank)
        return "\t".join((rank, item.item_id, item.title, _figure(item.score)))

    def paint_heads(self, painter: QPainter, rect: QRect, colors: Theme) -> None:
        """Rank, candidate, score."""
        font, ink = ui_font(11, 600), colors.text3
        draw_text(painter, QRect(_LEFT, 0, _RANK, rect.height()), "Rank", font, ink, _RIGHT)
        draw_text(painter, rect.adjusted(_LEFT + _RANK + _GAP, 0, 0, 0), "Candidate", font, ink)
        draw_text(painter, rect.adjusted(0, 0, -_LEFT, 0), "Score", font, ink, _RIGHT)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """One candidate."""
        colors, item = self._theme, self.items[row]
        ranks = QRect(_LEFT, rect.top(), _RANK, rect.height())
        draw_text(painter, ranks, "–" if item.rank is None else f"{item.rank:,}", ui_font(12), colors.text2, _RIGHT)
        right = rect.right() - _LEFT - (_BAR + _SCORE if item.score is not None else 0)
        room = QRect(ranks.right() + 1 + _GAP, rect.top(), right - ranks.right() - 2 * _GAP, rect.height())
        used = draw_text(painter, room, visible(item.item_id), ui_font(12, 600), colors.text1)
        rest = room.adjusted(round(used) + (10 if used else 0), 0, 0, 0)
        if item.title and rest.width() > 16:
            draw_text(painter, rest, visible(item.title), ui_font(12), colors.text2)
        if item.score is not None:
            draw_text(
                painter, rect.adjusted(0, 0, -_LEFT, 0), _figure(item.score), ui_font(12, 600), colors.text1, _RIGHT
            )
            bar = QRect(rect.right() - _LEFT - _SCORE - _BAR + 4, rect.top() + 9, _BAR - 4, 6)
            draw_meter(painter, bar, share(item.score, self.most), colors.kind("reranker").fill, colors)


def draw_meter(painter: QPainter, box: QRect, part: float, fill: QColor, colors: Theme) -> None:
    """A bar in a trough, filled to a share of it."""
    fill_round(painter, box, colors.bg4, 2)
    if part > 0:
        fill_round(painter, QRect(box.left(), box.top(), max(2, round(box.width() * part)), box.height()), fill, 2)


def _figure(score: float | None) -> str:
    if score is None:
        return ""
    return f"{score:.3f}" if abs(score) < 100 else f"{score:,.4g}"


class CandidatesView(ItemTable):
    """The candidates of a span."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._rows = CandidateRows()
        super().__init__(self._rows, parent)

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows a span's candidates."""
        items = subject.candidates
        self._rows.items = items
        self._rows.most = max((item.score for item in items if item.score is not None), default=1.0)
        self.set_caption(f"{len(items):,} candidate{'' if len(items) == 1 else 's'}, best first")
        self.keep_current(again)

    def blocks_of(self, row: int) -> list[Block]:
        """The reasons and the other scores of the current candidate."""
        item = self._rows.items[row]
        title = " ".join(part for part in (item.item_id, item.title) if part)
        found: list[Block] = [HeadBlock(title, right="" if item.rank is None else f"rank {item.rank:,}")]
        if item.reasoning:
            look = Look(prose, ui_font(12), fold=12)
            found.append(TextBlock(item.reasoning, look, title, self.detail.show_detail))
            found[-1].above = 4
        found += [ScoreBlock(name, score, "retriever") for name, score in item.scores]
        if item.score is not None and item.scores:
            found.append(ScoreBlock("score", item.score, "reranker", self._rows.most))
        return found


class ScoreBlock(Block):
    """A name, a bar, a figure."""

    def __init__(self, name: str, score: float, kind: str, most: float = 1.0) -> None:
        self._name = name
        self._score = score
        self._kind = kind
        self._most = most

    def height(self, width: int) -> int:
        """One line."""
        return 22

    def text(self) -> str:
        """Name and figure."""
        return f"{self._name}\t{_figure(self._score)}"

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Name, bar, figure."""
        draw_text(
            painter, QRect(box.left(), box.top(), 84, box.height()), visible(self._name), ui_font(12), colors.text2
        )
        bar = QRect(box.left() + 92, box.top() + 8, box.width() - 92 - _SCORE, 6)
        draw_meter(painter, bar, share(self._score, self._most), colors.kind(self._kind).fill, colors)
        draw_text(painter, box, _figure(self._score), ui_font(12, 600), colors.text1, _RIGHT)
