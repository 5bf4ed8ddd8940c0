"""Which items a filter kept and which filter removed the others: a tick or a cross per item and filter."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from traceview.app.controls import Chip
from traceview.app.icons import draw_icon
from traceview.app.inspectors.blocks import Block, HeadBlock, Look, TextBlock, prose
from traceview.app.inspectors.item_table import ItemRows, ItemTable
from traceview.app.inspectors.judgements import Evaluation, FilterResult, filter_names, removed_by
from traceview.app.inspectors.subject import Subject
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, text_width
from traceview.app.painted_rows import RowState
from traceview.app.theme import Theme, mono_font, ui_font

_LEFT: Final = 12
_RESULT: Final = 66
_ITEM_LEAST: Final = 96
_ITEM_WANTED: Final = 130
_FILTER_LEAST: Final = 26
_FILTER_MOST: Final = 72
_CHIPS: Final = 8
_CENTRE: Final = Qt.AlignmentFlag.AlignHCenter
_RIGHT: Final = Qt.AlignmentFlag.AlignRight


class EvaluationRows(ItemRows):
    """A row per item: id and title, a mark per filter, the result."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[Evaluation, ...] = ()
        self.filters: tuple[str, ...] = ()
        self.setAccessibleName("Evaluations")

    def row_count(self) -> int:
        """How many items are shown."""
        return len(self.items)

    def row_text(self, row: int) -> str:
        """An item, its filters and its result, with tabs between."""
        item = self.items[row]
        marks = (f"{result.name}: {_word(result)}" for result in item.filters)
        return "\t".join(part for part in (item.item_id, item.title, *marks, item.verdict) if part)

    def columns(self, width: int) -> tuple[int, list[int]]:
        """The widths of the items' column and of each filter's; none where the filters share one column."""
        room = width - 2 * _LEFT - _RESULT
        if not self.filters:
            return room, []
        names = (round(text_width(ui_font(11, 600), visible(name))) + 14 for name in self.filters)
        widths = [max(_FILTER_LEAST, min(_FILTER_MOST, name)) for name in names]
        if room - sum(widths) < _ITEM_WANTED:
            widths = [max(_FILTER_LEAST, min(width, (room - _ITEM_LEAST) // len(widths))) for width in widths]
        if room - sum(widths) < _ITEM_LEAST:
            return room - _FILTER_MOST, []
        return room - sum(widths), widths

    def paint_heads(self, painter: QPainter, rect: QRect, colors: Theme) -> None:
        """Item, the filters' names, result."""
        font, ink = ui_font(11, 600), colors.text3
        item, widths = self.columns(rect.width())
        draw_text(painter, QRect(_LEFT, 0, item, rect.height()), "Item", font, ink)
        left = _LEFT + item
        for name, width in zip(self.filters, widths, strict=False):
            draw_text(painter, QRect(left + 2, 0, width - 2, rect.height()), visible(name), font, ink, _CENTRE)
            left += width
        if self.filters and not widths:
            draw_text(painter, QRect(left, 0, _FILTER_MOST, rect.height()), "Passed", font, ink, _CENTRE)
        draw_text(painter, rect.adjusted(0, 0, -_LEFT, 0), "Result", font, ink, _RIGHT)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """One item; removed ones are quieter."""
        colors, item = self._theme, self.items[row]
        kept = item.qualified is not False
        width, widths = self.columns(rect.width())
        room = QRect(_LEFT, rect.top(), width - 8, rect.height())
        ink = colors.text1 if kept else colors.text2
        used = draw_text(painter, room, visible(item.item_id), ui_font(12, 600), ink)
        rest = room.adjusted(round(used) + (10 if used else 0), 0, 0, 0)
        if item.title and rest.width() > 16:
            draw_text(painter, rest, visible(item.title), ui_font(12), colors.text1 if kept else colors.text3)
        self._paint_marks(painter, item, QRect(_LEFT + width, rect.top(), _FILTER_MOST, rect.height()), widths)
        result = rect.adjusted(0, 0, -_LEFT, 0)
        result_ink = colors.ok if item.qualified else colors.text3
        draw_text(painter, result, item.verdict or "not said", ui_font(12, 500), result_ink, _RIGHT)

    def _paint_marks(self, painter: QPainter, item: Evaluation, box: QRect, widths: list[int]) -> None:
        if not widths and item.filters:
            passed = sum(result.passed is True for result in item.filters)
            text = f"{passed} of {len(item.filters)}"
            draw_text(painter, box, text, ui_font(12), self._theme.text2, _CENTRE)
        marks = {result.name: result.passed for result in item.filters}
        left = box.left()
        for name, width in zip(self.filters, widths, strict=False):
            if name in marks:
                draw_mark(painter, left + width // 2 - 7, box.top() + 4, marks[name], self._theme)
            left += width


def draw_mark(painter: QPainter, left: int, top: int, passed: bool | None, colors: Theme) -> None:
    """A tick, a cross, or a dash where nothing was said."""
    if passed is None:
        draw_icon(painter, left, top, "minus", colors.text3)
    elif passed:
        draw_icon(painter, left, top, "ok", colors.text2)
    else:
        draw_icon(painter, left, top, "close", colors.error)


def _word(result: FilterResult) -> str:
    return "not said" if result.passed is None else "passed" if result.passed else "failed"


class EvaluationsView(ItemTable):
    """The evaluations of a span. A chip per filter shows only what that filter removed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._rows = EvaluationRows()
        super().__init__(self._rows, parent)
        self._all: tuple[Evaluation, ...] = ()
        self._only = ""

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows a span's evaluations."""
        self._all = subject.evaluations
        self._rows.filters = filter_names(self._all)
        kept = sum(item.qualified is True for item in self._all)
        culprits = removed_by(self._all)[:_CHIPS]
        if not again or self._only not in dict(culprits):
            self._only = ""
        self.set_caption(f"{len(self._all):,} evaluated, {kept:,} qualified", [self._chip(*each) for each in culprits])
        self._fill(again=again)

    def _chip(self, name: str, count: int) -> Chip:
        chip = Chip(f"{visible(name)[:24]} {count:,}")
        chip.setAccessibleName(f"Only the {count:,} removed by {visible(name)}")
        chip.setCheckable(True)
        chip.setChecked(name == self._only)
        chip.toggled.connect(lambda on, name=name: self.show_only(name if on else ""))
        return chip

    def show_only(self, name: str) -> None:
        """Shows only the items that this filter removed; "" shows all."""
        if name == self._only:
            return
        self._only = name
        culprits = [culprit for culprit, _ in removed_by(self._all)[:_CHIPS]]
        for culprit, chip in zip(culprits, self.chips, strict=True):
            chip.setChecked(culprit == name)
        self._fill(again=False)

    def _fill(self, *, again: bool) -> None:
        self._rows.items = tuple(item for item in self._all if not self._only or self._only in item.failed)
        self.keep_current(again)

    def blocks_of(self, row: int) -> list[Block]:
        """The verdict of each filter on the current item, and the reasons given."""
        item = self._rows.items[row]
        title = " ".join(part for part in (item.item_id, item.title) if part)
        found: list[Block] = [HeadBlock(title, right=item.verdict, whole=self._rows.row_text(row))]
        found += [VerdictBlock(result) for result in item.filters]
        if item.reasoning:
            look = Look(prose, ui_font(12), fold=12)
            found.append(TextBlock(item.reasoning, look, title, self.detail.show_detail))
            found[-1].above = 4
        return found


class VerdictBlock(Block):
    """One filter: its mark and name, at the right why."""

    def __init__(self, result: FilterResult) -> None:
        self._result = result

    def height(self, width: int) -> int:
        """One line."""
        return 22

    def text(self) -> str:
        """Name, verdict and detail."""
        return "\t".join(part for part in (self._result.name, _word(self._result), self._result.detail) if part)

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Mark, name, detail."""
        draw_mark(painter, box.left(), box.top() + 3, self._result.passed, colors)
        line = box.adjusted(24, 0, 0, 0)
        half = line.adjusted(0, 0, -line.width() // 2 if self._result.detail else 0, 0)
        used = draw_text(painter, half, visible(self._result.name), mono_font(12), colors.text1)
        rest = line.adjusted(round(used) + 12, 0, 0, 0)
        draw_text(painter, rest, visible(self._result.detail[:1_000]), ui_font(12), colors.text2, _RIGHT)
