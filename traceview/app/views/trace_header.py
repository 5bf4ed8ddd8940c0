"""The head over the open run: what it is, what was asked, and six figures."""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from traceview.analysis.figures import duration_text, money, tokens
from traceview.app.paint import draw_text, text_width
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.state.trace_filter import tokens_of
from traceview.app.theme import TRACE_HEADER, Theme, theme, ui_font
from traceview.app.views.run_chips import RunChips
from traceview.app.views.trace_rows import draw_status, spin_now
from traceview.protocol.records import Status, TraceSummary

_TICK_MS = 100
_LEFT = 36
_FIGURE_GAP = 22
_NAME_ROOM = 120


class TraceHeader(QWidget):
    """Follows the selection's run; the duration of a running one grows.

    Signals:
        filter_requested(str): a chip was clicked: show only traces like this (a term of the filter line).
    """

    filter_requested = Signal(str)

    def __init__(self, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._selection = selection
        self.chips = RunChips(self)
        self.chips.filter_requested.connect(self.filter_requested)
        self.chips.span_requested.connect(selection.select_span)
        self.setFixedHeight(TRACE_HEADER)
        self.setAccessibleName("Run")
        self._tick = QTimer(self, interval=_TICK_MS)
        self._tick.timeout.connect(self.update)
        selection.run_opened.connect(self._show_run)
        selection.run_updated.connect(self._show_run)
        selection.run_closed.connect(self._show_nothing)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.chips.set_theme(colors)
        self.update()

    def figures(self) -> list[tuple[str, str]]:
        """Label and value of each figure, as shown."""
        run = self._selection.run
        if run is None:
            return []
        trace = run.summary
        spent = tokens_of(trace)
        return [
            ("Duration", _duration(run)),
            ("Spans", f"{trace.spans:,}"),
            ("Errors", f"{trace.errors:,}"),
            ("LLM calls", f"{trace.llm_calls:,}"),
            ("Tokens", "–" if spent is None else tokens(spent)),
            ("Cost", "–" if trace.cost_usd is None else money(trace.cost_usd, 3)),
        ]

    def _show_run(self, run: OpenRun) -> None:
        self.chips.show_run(run)
        if run.summary.status is Status.RUNNING and run.source.live:
            self._tick.start()
        else:
            self._tick.stop()
        self.setAccessibleDescription(", ".join(f"{label} {value}" for label, value in self.figures()))
        self._place_chips()
        self.update()

    def _show_nothing(self) -> None:
        self._tick.stop()
        self.chips.show_run(None)
        self.update()

    def _figures_left(self) -> int:
        widths = (_figure_width(label, value) + _FIGURE_GAP for label, value in self.figures())
        return self.width() - 12 - sum(widths) + _FIGURE_GAP

    def _room(self) -> int:
        """How wide name, chips and input may be."""
        return max(80, self._figures_left() - 24 - _LEFT)

    def _name_width(self, name: str) -> int:
        """What the name takes: it gives way to warnings, and they to its beginning."""
        room = self._room()
        warnings = self.chips.least_width(room - _NAME_ROOM - 12)
        return max(0, min(round(text_width(ui_font(14, 600), name)), room - (warnings + 12 if warnings else 0)))

    def _place_chips(self) -> None:
        run = self._selection.run
        if run is not None:
            taken = self._name_width(run.summary.name) + 12
            self.chips.setGeometry(_LEFT + taken, 4, max(0, self._room() - taken), self.chips.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The chips that fit are shown."""
        super().resizeEvent(event)
        self._place_chips()

    def sizeHint(self) -> QSize:
        """As high as two lines."""
        return QSize(400, TRACE_HEADER)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints status, name, input and figures."""
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
        run = self._selection.run
        if run is None:
            return
        trace = run.summary
        spin = spin_now() if self._tick.isActive() else 0.0
        draw_status(painter, 12, 6, trace.status, colors, spin)
        name = QRect(_LEFT, 2, self._name_width(trace.name) + 1, 24)
        draw_text(painter, name, trace.name, ui_font(14, 600), colors.text1)
        if trace.preview:
            draw_text(painter, QRect(_LEFT, 24, self._room(), 20), f"“{trace.preview}”", ui_font(12), colors.text2)
        right = self.width() - 12
        for label, value in reversed(self.figures()):
            right = self._paint_figure(painter, right, label, value, trace) - _FIGURE_GAP

    def _paint_figure(self, painter: QPainter, right: int, label: str, value: str, trace: TraceSummary) -> int:
        width = _figure_width(label, value)
        box = QRect(right - width, 5, width, 16)
        colors = self._theme
        align = Qt.AlignmentFlag.AlignRight
        draw_text(painter, box, label, ui_font(11), colors.text3, align)
        draw_text(painter, box.translated(0, 18), value, ui_font(13, 600), _ink(label, value, trace, colors), align)
        return right - width


def _figure_width(label: str, value: str) -> int:
    return max(round(text_width(ui_font(11), label)), round(text_width(ui_font(13, 600), value))) + 2


def _ink(label: str, value: str, trace: TraceSummary, colors: Theme) -> QColor:
    if label == "Duration" and trace.status is Status.RUNNING:
        return colors.running
    return colors.error if label == "Errors" and value != "0" else colors.text1


def _duration(run: OpenRun) -> str:
    took = run.summary.duration_ns
    if took is None:
        growing = run.source.live and run.summary.status is Status.RUNNING
        took = max(run.now_ns, time.time_ns() if growing else 0) - run.start_ns
    return duration_text(max(0, took))
