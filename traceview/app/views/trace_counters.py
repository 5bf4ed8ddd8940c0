"""Six figures over the traces shown: total, running, failed, p50 / p95, tokens, cost."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.analysis.figures import money, tokens
from traceview.app.models.trace_stats import TraceStats
from traceview.app.paint import draw_text
from traceview.app.theme import Theme, theme, ui_font

_LINE = 36
_PADDING = 6


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
    """Three by two figures, each under its label."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._cells: list[tuple[str, str]] = []
        self.setFixedHeight(2 * _LINE + 2 * _PADDING)
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
        if value != "0" and label in ("Running", "Failed"):
            return colors.running if label == "Running" else colors.error
        return colors.text1
