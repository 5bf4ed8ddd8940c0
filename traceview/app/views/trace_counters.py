"""Six figures over the traces shown: total, running, failed, p50 / p95, tokens, cost."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from traceview.analysis.figures import duration, money, tokens
from traceview.app.models.trace_stats import TraceStats
from traceview.app.paint import draw_text
from traceview.app.theme import Theme, theme, ui_font

_LINE = 36
_PADDING = 6


def percentiles_text(stats: TraceStats) -> str:
    """ "5.4 / 31 s": the unit once where both have the same; "–" where nothing has ended."""
    halves = [stats.percentile(share) for share in (0.5, 0.95)]
    if halves[0] is None or halves[1] is None:
        return "–"
    (low, low_unit), (high, high_unit) = (duration(ns, short=True) for ns in (halves[0], halves[1]))
    low, high = (_two_digits(text) for text in (low, high))
    return f"{low} / {high} {high_unit}" if low_unit == high_unit else f"{low} {low_unit} / {high} {high_unit}"


def _two_digits(text: str) -> str:
    """Seconds as two significant digits: 5.42 → 5.4, 31.2 → 31; other figures as they are."""
    if "." not in text:
        return text
    number = float(text)
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}"


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
