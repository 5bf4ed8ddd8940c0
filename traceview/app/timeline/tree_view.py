"""The tree of spans: names, tokens and durations in painted rows, which the timeline beside it shares."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QToolTip, QWidget

from traceview.analysis import figures
from traceview.analysis.anomalies import span_notes
from traceview.app.controls import plain_tooltip
from traceview.app.icons import draw_icon
from traceview.app.models.span_rows import HiddenLine, SpanRows, tokens_of
from traceview.app.paint import draw_text, elide, text_width
from traceview.app.painted_rows import PaintedRows, RowState
from traceview.app.theme import INDENT, PANE_PADDING, ROW, ui_font
from traceview.app.timeline.hits import draw_marked_text
from traceview.protocol.records import SpanRow, Status

UNIT_WIDTH: Final = 18
_VALUE_WIDTH: Final = 56
_TOKENS_WIDTH: Final = 44
_COLUMN_GAP: Final = 10
_CHEVRON_LEFT: Final = 9
_ICON_LEFT: Final = 28
_TEXT_LEFT: Final = 50
_NAME_ROOM: Final = 96
_MARK: Final = 18
# Narrower than this the tree has no room for tokens beside names.
_TOKENS_FROM: Final = 330


def duration_right(width: int) -> int:
    """The x where durations end and their units begin, in a tree of this width."""
    return width - PANE_PADDING - UNIT_WIDTH - 2


def tokens_right(width: int) -> int:
    """The x where tokens end, or 0 where the tree is too narrow to show them."""
    return duration_right(width) - _VALUE_WIDTH if width >= _TOKENS_FROM else 0


class SpanTreeView(PaintedRows):
    """Paints the rows of a SpanRows; the row of the topmost root stays at the top while its spans scroll.

    Signals:
        collapse_asked(int, bool): fold (True) or unfold the span of a row.
        show_asked(int): show the hidden spans of a row's line.
        zoom_asked(int): look closer at a row's span.
    """

    collapse_asked = Signal(int, bool)
    show_asked = Signal(int)
    zoom_asked = Signal(int)
    ends_by_ctrl = True

    def __init__(self, rows: SpanRows, parent: QWidget | None = None) -> None:
        super().__init__(ROW, parent)
        self.rows = rows
        self.found_text = ""
        self._pane_focused = False
        self._worst: dict[int, Status] = {}
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Spans")
        self.setMinimumWidth(200)
        self.row_activated.connect(self._activate)
        rows.modelReset.connect(self._worst.clear)

    def row_count(self) -> int:
        return self.rows.count

    def row_text(self, row: int) -> str:
        return self.rows.row_text(row)

    def set_found_text(self, text: str) -> None:
        """Marks this text in names."""
        self.found_text = text
        self.viewport().update()

    @property
    def pane_focused(self) -> bool:
        """Whether the keyboard is somewhere in the waterfall: then the selected row is blue, else grey."""
        return self._pane_focused

    def set_pane_focused(self, focused: bool) -> None:
        """Tells whether the keyboard is somewhere in the waterfall."""
        if focused != self._pane_focused:
            self._pane_focused = focused
            self.viewport().update()

    # Scrolling under the pinned root

    def pinned_row(self) -> int:
        """The root row that is painted over the top since it is scrolled away, or -1."""
        top = self.scroll_y
        if not self.rows.count or not top:
            return -1
        root = self.rows.root_row(top // ROW)
        return root if root >= 0 and root * ROW < top else -1

    def row_at(self, y: int) -> int:
        pinned = self.pinned_row()
        return pinned if pinned >= 0 and 0 <= y < ROW else super().row_at(y)

    def ensure_row_visible(self, row: int) -> None:
        super().ensure_row_visible(row)
        bar = self.verticalScrollBar()
        hidden = bar.value() + ROW - row * ROW
        if hidden > 0 and self.rows.root_row(row) != row:
            bar.setValue(bar.value() - hidden)

    def bring_into_view(self, row: int) -> None:
        """Scrolls a row that is out of sight to the upper third of the view."""
        height = self.viewport().height()
        top = row * ROW - self.scroll_y
        if not ROW <= top <= height - 2 * ROW:
            self.verticalScrollBar().setValue(row * ROW - height // 3)

    # Painting

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        line = self.rows.hidden_line(row)
        if line is not None:
            self._paint_hidden(painter, rect, line)
            return
        span = self.rows.span_at(row)
        depth = self.rows.depth(row)
        left = self._paint_guides(painter, rect, depth)
        leaf = self._paint_chevron(painter, rect, span, left)
        record = self.rows.record(span)
        self._paint_icon(painter, QPoint(rect.left() + left + _ICON_LEFT, rect.top() + 4), record)
        self._paint_figures(painter, rect, span, record, leaf)
        self._paint_name(painter, rect.adjusted(left + _TEXT_LEFT, 0, 0, 0), span, record, depth, leaf)

    def paint_over(self, painter: QPainter) -> None:
        if not self.rows.count and self.rows.span_count == 0 and self.rows.run is not None:
            draw_text(painter, QRect(PANE_PADDING, 0, 300, ROW), "No spans yet", ui_font(12), self._theme.text3)
        pinned = self.pinned_row()
        if pinned < 0:
            return
        rect = QRect(0, 0, self.viewport().width(), ROW)
        painter.fillRect(rect, self._theme.bg1)
        state = RowState(pinned == self.current, pinned == self.hovered, self._pane_focused)
        self._paint_ground(painter, rect, state)
        self.paint_row(painter, pinned, rect, state)
        painter.fillRect(0, ROW - 1, rect.width(), 1, self._theme.border_strong)

    def _paint_ground(self, painter: QPainter, rect: QRect, state: RowState) -> None:
        super()._paint_ground(painter, rect, RowState(state.selected, state.hovered, self._pane_focused))

    def _indent(self, depth: int) -> int:
        room = (tokens_right(self.width()) or duration_right(self.width())) - _TEXT_LEFT - _NAME_ROOM
        return min(depth, max(1, room // INDENT)) * INDENT

    def _paint_guides(self, painter: QPainter, rect: QRect, depth: int) -> int:
        """Paints the lines of the ancestors, or the depth in figures where lines have no room; returns the indent."""
        indent = self._indent(depth)
        top, height = rect.top(), rect.height()
        for level in range(indent // INDENT):
            painter.fillRect(18 + level * INDENT, top, 1, height, self._theme.border_strong)
        if depth * INDENT > indent:
            box = QRect(0, top, indent + _CHEVRON_LEFT, height)
            painter.fillRect(box.adjusted(18 + indent - 2 * INDENT + 1, 0, 0, 0), self._theme.bg1)
            draw_text(painter, box, str(depth), ui_font(11), self._theme.text3, Qt.AlignmentFlag.AlignRight)
        return indent

    def _paint_chevron(self, painter: QPainter, rect: QRect, span: int, left: int) -> bool:
        columns = self.rows.columns
        leaf = columns is None or not columns.is_container(span)
        if not leaf:
            name = "chevron-right" if self.rows.is_collapsed(span) else "chevron-down"
            draw_icon(painter, left + _CHEVRON_LEFT, rect.top() + 4, name, self._theme.text3)
        return leaf

    def _paint_icon(self, painter: QPainter, place: QPoint, record: SpanRow) -> None:
        name, ink = record.kind, self._theme.kind(record.kind).ink
        if record.status is Status.ERROR:
            name, ink = "error", self._theme.error
        elif record.status is Status.INTERRUPTED:
            name, ink = "interrupted", self._theme.interrupted
        elif name not in self._theme.kinds:
            name = "other"
        draw_icon(painter, place.x(), place.y(), name, ink)

    def _paint_figures(self, painter: QPainter, rect: QRect, span: int, record: SpanRow, leaf: bool) -> None:
        right = duration_right(rect.width())
        value, unit = figures.duration(self.rows.duration(span))
        running = record.status is Status.RUNNING
        ink = self._theme.accent if running else self._theme.text1
        self._paint_right(painter, rect, right, _VALUE_WIDTH + 24, value, ink, 500)
        draw_text(painter, QRect(right + 3, rect.top(), UNIT_WIDTH, ROW), unit, ui_font(12), self._theme.text3)
        tokens = tokens_of(record, leaf=leaf)
        if tokens is not None and tokens_right(rect.width()):
            text = figures.tokens(tokens)
            self._paint_right(painter, rect, tokens_right(rect.width()), _TOKENS_WIDTH, text, self._theme.text3, 400)

    @staticmethod
    def _paint_right(
        painter: QPainter, rect: QRect, right: int, width: int, text: str, ink: QColor, weight: int
    ) -> None:
        box = QRect(right - width, rect.top(), width, ROW)
        draw_text(painter, box, text, ui_font(12, weight), ink, Qt.AlignmentFlag.AlignRight)

    def _name_right(self, span: int, record: SpanRow, leaf: bool) -> int:
        """Where names must end: what stands right of them differs from row to row."""
        width = self.viewport().width()
        right = tokens_right(width)
        if right and tokens_of(record, leaf=leaf) is not None:
            return right - _TOKENS_WIDTH
        value, _ = figures.duration(self.rows.duration(span))
        return duration_right(width) - round(text_width(ui_font(12, 500), value)) - _COLUMN_GAP

    def _paint_name(self, painter: QPainter, rect: QRect, span: int, record: SpanRow, depth: int, leaf: bool) -> None:
        colors = self._theme
        font = ui_font(12, 400 if leaf else 600 if depth == 0 else 500)
        rect.setRight(self._name_right(span, record, leaf))
        marks = self._marks(span, leaf)
        rect.setRight(rect.right() - _MARK * len(marks))
        ink = colors.error if record.status is Status.ERROR else colors.text1
        name = elide(font, record.name or "(no name)", rect.width())
        used = draw_marked_text(painter, rect, name, font, ink, self.found_text, colors)
        left = rect.left() + round(used) + 6
        for place, (icon, tint) in enumerate(marks):
            draw_icon(painter, left + _MARK * place, rect.top() + 6, icon, tint, 12)

    def _marks(self, span: int, leaf: bool) -> list[tuple[str, QColor]]:
        """Icons and colours of what stands behind a name: what a collapsed span hides, what can't be as recorded."""
        worst = self._worst_inside(span) if not leaf and self.rows.is_collapsed(span) else None
        marks = [] if worst is None else [worst]
        run = self.rows.run
        if run is not None and span in run.anomalies:
            marks.append(("orphan" if span in run.anomalies.orphans else "clock", self._theme.interrupted))
        return marks

    def _worst_inside(self, span: int) -> tuple[str, QColor] | None:
        """Icon and colour of the worst that a collapsed span hides; None if all is well inside."""
        if span not in self._worst:
            self._worst[span] = self.rows.worst_inside(span)
        colors = self._theme
        inks = {Status.ERROR: colors.error, Status.INTERRUPTED: colors.interrupted, Status.RUNNING: colors.running}
        worst = self._worst[span]
        return None if worst is Status.OK else (worst.word, inks[worst])

    def _paint_hidden(self, painter: QPainter, rect: QRect, line: HiddenLine) -> None:
        colors = self._theme
        left = self._paint_guides(painter, rect, line.depth)
        draw_icon(painter, left + _ICON_LEFT, rect.top() + 4, "more", colors.text3)
        box = rect.adjusted(left + _TEXT_LEFT, 0, -(rect.width() - self._show_left(rect.width())) - 8, 0)
        draw_text(painter, box, line.text, ui_font(12), colors.text3)
        show = QRect(self._show_left(rect.width()), rect.top(), 60, ROW)
        draw_text(painter, show, "Show", ui_font(12, 600), colors.accent)

    @staticmethod
    def _show_left(width: int) -> int:
        return width - PANE_PADDING - round(text_width(ui_font(12, 600), "Show"))

    # Mouse and keys

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.tooltip_of(self.row_at(event.pos().y()))
            QToolTip.showText(event.globalPos(), plain_tooltip(text), self.viewport())
            return True
        return super().viewportEvent(event)

    def tooltip_of(self, row: int) -> str:
        """What a row has no room for: its name where that is cut, and what its marks mean."""
        run, span = self.rows.run, self.rows.span_at(row)
        notes = [] if run is None or span < 0 else span_notes(run.anomalies, span)
        return "\n".join(filter(None, (self._cut_name(row), *notes)))

    def _cut_name(self, row: int) -> str:
        """The name of a row where it is not seen in full, else ""."""
        record = self.rows.record_at(row)
        if record is None:
            return ""
        span = self.rows.span_at(row)
        left = self._indent(self.rows.depth(row)) + _TEXT_LEFT
        columns = self.rows.columns
        leaf = columns is None or not columns.is_container(span)
        room = self._name_right(span, record, leaf) - left
        return record.name if text_width(ui_font(12, 500), record.name) > room else ""

    def _activate(self, row: int) -> None:
        if self.rows.hidden_line(row) is not None:
            self.show_asked.emit(row)
        else:
            self.zoom_asked.emit(row)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        row = self.row_at(place.y())
        if event.button() is Qt.MouseButton.LeftButton and row >= 0:
            if self.rows.hidden_line(row) is not None and place.x() >= self._show_left(self.width()) - 8:
                self.show_asked.emit(row)
                return
            if self._on_chevron(row, place.x()):
                self._toggle(row)
                return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        if self._on_chevron(self.row_at(place.y()), place.x()):
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def _on_chevron(self, row: int, x: int) -> bool:
        span, columns = self.rows.span_at(row), self.rows.columns
        if span < 0 or columns is None or not columns.is_container(span):
            return False
        left = self._indent(self.rows.depth(row)) + _CHEVRON_LEFT
        return left - 4 <= x < left + 18

    def _toggle(self, row: int) -> None:
        self.collapse_asked.emit(row, not self.rows.is_collapsed(self.rows.span_at(row)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        span = self.rows.span_at(self.current)
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if span >= 0 and plain and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._walk_sideways(span, event.key() == Qt.Key.Key_Left)
        else:
            super().keyPressEvent(event)

    def _walk_sideways(self, span: int, out: bool) -> None:
        """Left folds, then goes to the parent; Right unfolds, then goes to the first child."""
        columns = self.rows.columns
        assert columns is not None, "a current row has a span"
        opened = columns.is_container(span) and not self.rows.is_collapsed(span)
        if out and opened:
            self.collapse_asked.emit(self.current, True)
        elif out and columns.parent[span] >= 0:
            self.set_current(self.rows.row_of(int(columns.parent[span])))
        elif not out and opened:
            self.set_current(self.current + 1)
        elif not out and columns.is_container(span):
            self.collapse_asked.emit(self.current, False)
