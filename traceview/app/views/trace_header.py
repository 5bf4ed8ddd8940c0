"""The head over the open run: what it is, what was asked, and six figures."""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from traceview.analysis.figures import duration_text, money, tokens
from traceview.app.controls import Chip
from traceview.app.paint import draw_text, text_width
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.state.trace_filter import field_term, tokens_of
from traceview.app.theme import TRACE_HEADER, Theme, theme, ui_font
from traceview.app.views.trace_rows import draw_status, spin_now
from traceview.protocol.records import Status, TraceSummary

_TICK_MS = 100
_LEFT = 36
_FIGURE_GAP = 22


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
        self._chips: list[Chip] = []
        self._chip_terms: tuple[tuple[str, str], ...] = ()
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
        for chip in self._chips:
            chip.set_theme(colors)
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

    def chip_texts(self) -> list[str]:
        """The chips beside the name."""
        return [chip.label for chip in self._chips]

    def _show_run(self, run: OpenRun) -> None:
        terms = _chip_terms(run.summary)
        if terms != self._chip_terms:
            self._chip_terms = terms
            self._make_chips()
        if run.summary.status is Status.RUNNING and run.source.live:
            self._tick.start()
        else:
            self._tick.stop()
        self.setAccessibleDescription(", ".join(f"{label} {value}" for label, value in self.figures()))
        self._place_chips()
        self.update()

    def _show_nothing(self) -> None:
        self._tick.stop()
        self._chip_terms = ()
        self._make_chips()
        self.update()

    def _make_chips(self) -> None:
        for chip in self._chips:
            chip.hide()
            chip.deleteLater()
        self._chips = []
        for text, term in self._chip_terms:
            chip = Chip(text, mark="" if term else "warning", parent=self)
            chip.set_theme(self._theme)
            if term:
                chip.clicked.connect(lambda _=False, term=term: self.filter_requested.emit(term))
            self._chips.append(chip)

    def _figures_left(self) -> int:
        widths = (_figure_width(label, value) + _FIGURE_GAP for label, value in self.figures())
        return self.width() - 12 - sum(widths) + _FIGURE_GAP

    def _place_chips(self) -> None:
        run = self._selection.run
        if run is None:
            return
        right = self._figures_left() - 24
        left = _LEFT + min(round(text_width(ui_font(14, 600), run.summary.name)), self._name_room()) + 12
        for chip in self._chips:
            width = chip.sizeHint().width()
            chip.setGeometry(left, 4, width, chip.height())
            # What doesn't fit is left out: tags are the last and the first to go.
            chip.setVisible(left + width <= right)
            left += width + 6

    def _name_room(self) -> int:
        return max(80, self._figures_left() - 24 - _LEFT)

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
        room = self._name_room()
        draw_text(painter, QRect(_LEFT, 2, room, 24), trace.name, ui_font(14, 600), colors.text1)
        if trace.preview:
            draw_text(painter, QRect(_LEFT, 24, room, 20), f"“{trace.preview}”", ui_font(12), colors.text2)
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


def _chip_terms(trace: TraceSummary) -> tuple[tuple[str, str], ...]:
    """Text and filter term of each chip; a chip without a term is a warning."""
    chips: list[tuple[str, str]] = []
    if trace.dropped:
        chips.append((f"{trace.dropped:,} spans dropped", ""))
    for field, value in (("session", trace.session), ("user", trace.user)):
        if value:
            chips.append((f"{field} {value}", field_term(field, value)))
    chips += [(tag, field_term("tag", tag)) for tag in trace.tags if tag]
    return tuple(chips)
