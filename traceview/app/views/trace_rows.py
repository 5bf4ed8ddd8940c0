"""The painted rows of the trace list: what was asked, how long it took, who answered, what it cost."""

from __future__ import annotations

import time

import msgspec
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QHideEvent, QPainter, QPen, QShowEvent

from traceview.analysis.figures import age, duration_text, money, tokens
from traceview.app.controls import reduced_motion
from traceview.app.icons import draw_icon
from traceview.app.models.trace_list import TraceListModel
from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.painted_rows import PaintedRows, RowState
from traceview.app.state.trace_filter import tokens_of
from traceview.app.theme import TRACE_ROW, Theme, ui_font
from traceview.protocol.records import Status, TraceSummary

RAIL_WIDTH = 44
_RAIL_ROW = 32
_SPIN_MS = 100
_AGE_MS = 20_000
_TURN_S = 1.2
_STATUS_ICONS = {Status.OK: "ok", Status.ERROR: "error", Status.INTERRUPTED: "interrupted"}


def status_color(status: Status, colors: Theme) -> QColor:
    """The colour of a status icon; success is silent."""
    return {
        Status.RUNNING: colors.running,
        Status.OK: colors.text3,
        Status.ERROR: colors.error,
        Status.INTERRUPTED: colors.interrupted,
    }[status]


def draw_status(painter: QPainter, left: int, top: int, status: Status, colors: Theme, spin: float) -> None:
    """Draws a 16 px status icon; a running one is an arc that stands at `spin` turns."""
    color = status_color(status, colors)
    if status is not Status.RUNNING:
        draw_icon(painter, left, top, _STATUS_ICONS[status], color)
        return
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    box = QRect(left + 2, top + 2, 12, 12)
    faint = QColor(color)
    faint.setAlphaF(0.3)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(faint, 1.6))
    painter.drawEllipse(box)
    pen = QPen(color, 1.6)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawArc(box, round((90 - 360 * spin) * 16) % 5760, -100 * 16)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def spin_now() -> float:
    """Where the arc of running things stands, in turns; still where the desktop asks for no motion."""
    return 0.0 if reduced_motion() else (time.monotonic() / _TURN_S) % 1.0


def summary_text(trace: TraceSummary) -> str:
    """A trace in one line of text, for copying and screen readers."""
    took = duration_text(trace.duration_ns) if trace.duration_ns is not None else trace.status.word
    lost = f", {trace.dropped:,} spans dropped" if trace.dropped else ""
    return f"{trace.preview or trace.name}, {trace.name}, {trace.status.word}, {took}{lost}"


class TraceRows(PaintedRows):
    """The rows over a TraceListModel. New rows at the top move neither the selection nor what is in sight.

    Signals:
        trace_picked(bytes): the user chose another trace.
        menu_requested(int, QPoint): a right click on a row, with the place on the screen.
    """

    trace_picked = Signal(object)
    menu_requested = Signal(int, QPoint)
    ends_by_ctrl = True

    def __init__(self, model: TraceListModel) -> None:
        super().__init__(TRACE_ROW)
        self._model = model
        self._chosen: bytes | None = None
        self._following_rows = False
        self._live = True
        self.setAccessibleName("Traces")
        self.current_changed.connect(self._on_current)
        model.rowsInserted.connect(self._on_inserted)
        model.rowsRemoved.connect(self._on_removed)
        model.modelReset.connect(self._on_reset)
        model.dataChanged.connect(lambda first, _last: self._repaint_row(first.row()))
        self._spin = QTimer(self, interval=_SPIN_MS)
        self._spin.timeout.connect(self._repaint_running)
        self._ages = QTimer(self, interval=_AGE_MS)
        self._ages.timeout.connect(self.viewport().update)

    @property
    def chosen(self) -> bytes | None:
        """The id of the chosen trace, shown or not."""
        return self._chosen

    def choose(self, trace_id: bytes | None, *, scroll: bool = True) -> None:
        """Marks a trace as chosen without telling that the user did."""
        self._chosen = trace_id
        self._place_current(scroll=scroll)

    def set_live(self, live: bool) -> None:
        """Whether running traces grow with the clock (the live store) or stand still (a file)."""
        self._live = live
        self.viewport().update()

    def set_rail(self, rail: bool) -> None:
        """Shows status icons only, in a narrow rail, or whole rows."""
        height = _RAIL_ROW if rail else TRACE_ROW
        if height != self.row_height:
            self.row_height = height
            self.verticalScrollBar().setSingleStep(height)
            self.rows_changed()
            self._place_current(scroll=True)

    def row_count(self) -> int:
        """How many traces are shown."""
        return self._model.rowCount()

    def row_text(self, row: int) -> str:
        """The trace in one line."""
        return summary_text(self._model.trace(row))

    def mime(self, row: int) -> QMimeData:
        """A trace for the clipboard: as text, and as JSON for programs that take it."""
        trace = self._model.trace(row)
        data = QMimeData()
        data.setText(f"{trace.trace_id.hex()}\t{summary_text(trace)}")
        document = msgspec.to_builtins(trace) | {"trace_id": trace.trace_id.hex(), "status": trace.status.word}
        data.setData("application/json", msgspec.json.encode(document))
        return data

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """Paints a trace in two lines, or as an icon in the rail."""
        trace = self._model.trace(row)
        colors = self._theme
        spin = spin_now() if trace.status is Status.RUNNING else 0.0
        if self.row_height == _RAIL_ROW:
            draw_status(painter, (rect.width() - 16) // 2, rect.top() + 8, trace.status, colors, spin)
            return
        draw_status(painter, 12, rect.top() + 6, trace.status, colors, spin)
        # The scroll bar stands in the padding, so that rows end where the column heads do.
        width = self.width() - 48
        self._paint_first_line(painter, trace, QRect(36, rect.top() + 2, width, 22))
        self._paint_second_line(painter, trace, QRect(36, rect.top() + 23, width, 20))
        if not state.selected and row + 1 != self.current:
            painter.fillRect(36, rect.bottom(), width, 1, colors.border)

    def _paint_first_line(self, painter: QPainter, trace: TraceSummary, box: QRect) -> None:
        colors = self._theme
        running = trace.status is Status.RUNNING
        took, font = self._duration(trace), ui_font(12, 600)
        draw_text(painter, box, took, font, colors.running if running else colors.text1, Qt.AlignmentFlag.AlignRight)
        room = box.adjusted(0, 0, -round(text_width(font, took)) - 12, 0)
        draw_text(painter, room, trace.preview or trace.name, font, colors.text1)

    def _paint_second_line(self, painter: QPainter, trace: TraceSummary, box: QRect) -> None:
        ink, font = self._theme.text3, ui_font(11)
        spent = tokens_of(trace)
        figures = [] if spent is None else [tokens(spent)]
        if trace.cost_usd is not None:
            figures.append(money(trace.cost_usd, 3))
        right = " · ".join(figures) or f"{trace.spans:,} span{'' if trace.spans == 1 else 's'}"
        used = draw_text(painter, box, right, font, ink, Qt.AlignmentFlag.AlignRight)
        if trace.dropped:
            lost = box.adjusted(0, 0, -round(used) - 10, 0)
            text = f"{trace.dropped:,} dropped"
            used += 10 + draw_text(painter, lost, text, font, self._theme.interrupted, Qt.AlignmentFlag.AlignRight)
        left = age(trace.start_ns, time.time_ns())
        if trace.preview:
            left = f"{trace.name} · {left}"
        draw_text(painter, box.adjusted(0, 0, -round(used) - 12, 0), left, font, ink)

    def _duration(self, trace: TraceSummary) -> str:
        if trace.duration_ns is not None:
            return duration_text(trace.duration_ns, short=True)
        if trace.status is Status.RUNNING and self._live:
            return duration_text(max(0, time.time_ns() - trace.start_ns), short=True)
        return "no end"

    def _paint_ground(self, painter: QPainter, rect: QRect, state: RowState) -> None:
        # Unlike other lists the chosen row keeps its colour without the focus: it says which run is open beside it.
        colors = self._theme
        box = QRect(
            4, rect.top() + 1, (rect.width() if self.row_height == _RAIL_ROW else self.width()) - 8, rect.height() - 2
        )
        if state.selected:
            fill_round(painter, box, colors.selection, 5)
            painter.fillRect(box.left(), box.top() + 6, 2, box.height() - 12, colors.accent)
        elif state.hovered:
            fill_round(painter, box, colors.hover, 5)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Asks for a menu on the row under the mouse, or on the current row for the menu key."""
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        row = self.current if by_key else self.row_at(self.viewport().mapFromGlobal(event.globalPos()).y())
        if row >= 0:
            place = self.viewport().mapToGlobal(self.row_rect(row).center()) if by_key else event.globalPos()
            self.menu_requested.emit(row, place)

    def showEvent(self, event: QShowEvent) -> None:
        """Ages grow only while they are seen."""
        super().showEvent(event)
        self._ages.start()
        self._update_spin()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing moves while nobody looks."""
        super().hideEvent(event)
        self._ages.stop()
        self._spin.stop()

    def _on_current(self, row: int) -> None:
        if row >= 0 and not self._following_rows:
            picked = self._model.trace(row).trace_id
            if picked != self._chosen:
                self._chosen = picked
                self.trace_picked.emit(picked)

    def _place_current(self, *, scroll: bool) -> None:
        self._following_rows = True
        row = -1 if self._chosen is None else self._model.row_of(self._chosen)
        self.set_current(row, scroll=scroll)
        self._following_rows = False

    def _on_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        bar = self.verticalScrollBar()
        above = first * self.row_height < bar.value() or (first == 0 and bar.value() > 0)
        before = bar.value()
        self._rows_moved()
        if above:
            bar.setValue(before + (last - first + 1) * self.row_height)

    def _on_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        bar = self.verticalScrollBar()
        before = bar.value()
        self._rows_moved()
        if last * self.row_height < before:
            bar.setValue(before - (last - first + 1) * self.row_height)

    def _on_reset(self) -> None:
        self._rows_moved()

    def _rows_moved(self) -> None:
        self._following_rows = True
        self.rows_changed()
        self._following_rows = False
        self._place_current(scroll=False)
        self._update_spin()

    def _update_spin(self) -> None:
        if self.isVisible() and self._live and self._model.running():
            if not self._spin.isActive():
                self._spin.start()
        else:
            self._spin.stop()

    def _repaint_row(self, row: int) -> None:
        self.viewport().update(self.row_rect(row))
        self._update_spin()

    def _repaint_running(self) -> None:
        for row in self.visible_rows():
            if self._model.trace(row).status is Status.RUNNING:
                self.viewport().update(self.row_rect(row))
