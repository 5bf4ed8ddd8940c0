"""Figures over the traces shown: total, running, failed, p50 / p95, tokens, cost; and what was lost, if anything."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.analysis.figures import money, tokens
from traceview.app.controls import plain_tooltip
from traceview.app.models.trace_stats import TraceStats
from traceview.app.paint import draw_text
from traceview.app.theme import Theme, theme, ui_font

_LINE = 36
_PADDING = 6


_TERMS = {
    "Running": "status:running",
    "Failed": "status:error",
    "Interrupted": "status:interrupted",
    "Dropped spans": "dropped > 0",
}
_UNITS = ((3600e9, "h"), (60e9, "m"), (1e9, "s"), (1e6, "ms"), (1e3, "µs"))


def percentiles_text(stats: TraceStats) -> str:
    """ "5.4 / 31 s": two digits each, the unit once where both have the same; "–" where nothing has ended."""
    low, high = stats.percentile(0.5), stats.percentile(0.95)
    if low is None or high is None:
        return "–"
    (low_text, low_unit), (high_text, high_unit) = _coarse(low), _coarse(high)
    if low_unit == high_unit:
        return f"{low_text} / {high_text} {high_unit}"
    return f"{low_text} {low_unit} / {high_text} {high_unit}"


def _coarse(ns: int) -> tuple[str, str]:
    """A duration as two significant digits and a unit; a whole column is too narrow for more."""
    for size, unit in _UNITS:
        # From 0.995 of a unit on, two digits of the next smaller one would round up to it.
        if ns >= 0.995 * size:
            value = ns / size
            return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}", unit
    return str(ns), "ns"


class TraceCounters(QWidget):
    """Three by two figures, each under its label; a third line where runs were interrupted or spans lost.

    Signals:
        filter_requested(str): a figure was clicked: show only the traces it counts (a term of the filter line).
    """

    filter_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._cells: list[tuple[str, str]] = []
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Counters")
        self.set_stats(TraceStats())

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def set_stats(self, stats: TraceStats) -> None:
        """Shows these sums."""
        self._cells = [
            ("Total", f"{stats.total:,}"),
            ("Running", f"{stats.running:,}"),
            ("Failed", f"{stats.failed:,}"),
            ("p50 / p95", percentiles_text(stats)),
            ("Tokens", tokens(stats.tokens) if stats.tokens else "–"),
            ("Cost", money(stats.cost_usd, 2) if stats.priced else "–"),
        ]
        # Normal is silent: these stand there only when there is something to tell.
        wrong = (("Interrupted", stats.interrupted), ("Dropped spans", stats.dropped))
        self._cells += [(label, f"{count:,}") for label, count in wrong if count]
        self.setFixedHeight(-(-len(self._cells) // 3) * _LINE + 2 * _PADDING)
        self.setAccessibleDescription(", ".join(f"{label} {value}" for label, value in self._cells))
        self.update()

    def texts(self) -> dict[str, str]:
        """The figures by their labels, as shown."""
        return dict(self._cells)

    def sizeHint(self) -> QSize:
        """As wide as the list."""
        return QSize(296, self.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints labels and figures."""
        painter = QPainter(self)
        try:
            for place, (label, value) in enumerate(self._cells):
                self._paint_cell(painter, place, label, value)
        finally:
            painter.end()

    def _paint_cell(self, painter: QPainter, place: int, label: str, value: str) -> None:
        width = self.width() // 3
        left, top = place % 3 * width, _PADDING + place // 3 * _LINE
        draw_text(painter, QRect(left, top, width - 4, 16), label, ui_font(11), self._theme.text3)
        box = QRect(left, top + 15, width - 4, 18)
        draw_text(painter, box, value, ui_font(13, 600), self._ink(label, value))

    def _ink(self, label: str, value: str) -> QColor:
        colors = self._theme
        inks = {"Running": colors.running, "Failed": colors.error}
        inks |= {"Interrupted": colors.interrupted, "Dropped spans": colors.interrupted}
        return colors.text1 if value == "0" else inks.get(label, colors.text1)

    def cell_at(self, place: QPoint) -> str:
        """The label of the figure at a place, or ""."""
        row, column = (place.y() - _PADDING) // _LINE, place.x() * 3 // max(1, self.width())
        index = row * 3 + column
        return self._cells[index][0] if 0 <= column < 3 and 0 <= index < len(self._cells) else ""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Figures that lead somewhere say so."""
        label = self.cell_at(event.position().toPoint())
        leads = label in _TERMS and self.texts()[label] != "0"
        self.setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)
        self.setToolTip(plain_tooltip(f"Show only these: {_TERMS[label]}" if leads else ""))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Shows only the traces that a figure counts."""
        label = self.cell_at(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and label in _TERMS and self.texts()[label] != "0":
            self.filter_requested.emit(_TERMS[label])
