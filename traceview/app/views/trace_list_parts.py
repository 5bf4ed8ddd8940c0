"""The small painted parts of the trace list: title, column heads, the rail's foot, what an empty list says."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from traceview.app.controls import TextButton, plain_tooltip
from traceview.app.icons import draw_icon
from traceview.app.models.trace_list import TraceListModel
from traceview.app.paint import draw_text, fill_round
from traceview.app.theme import COLUMN_HEADER, TRACE_ROW, Theme, ui_font
from traceview.app.views.part import Part

_FUNNEL = 12
_SKELETONS = ((150, 100), (136, 110), (122, 120), (108, 128))


class Panel(Part):
    """A column of widgets with a hairline beneath."""

    def __init__(self, margins: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*margins)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)


class Title(Part):
    """ "Traces  318 of 1,284": what is shown, and of how many if some are hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(24)
        self.counts = ""

    def set_counts(self, shown: int, total: int, *, filtered: bool) -> None:
        """How many traces are shown, of how many."""
        self.counts = f"{shown:,} of {total:,}" if filtered else f"{total:,}" if total else ""
        self.setAccessibleName(f"Traces {self.counts}".strip())
        self.update()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        used = draw_text(painter, self.rect(), "Traces", ui_font(14, 600), colors.text1)
        draw_text(painter, self.rect().adjusted(round(used) + 10, 0, 0, 0), self.counts, ui_font(12), colors.text3)


class Columns(Part):
    """The heads over the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(COLUMN_HEADER)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)
        box, font = self.rect().adjusted(12, 0, -12, -1), ui_font(11, 600)
        draw_text(painter, box, "Input and agent", font, colors.text3)
        draw_text(painter, box, "Duration", font, colors.text3, Qt.AlignmentFlag.AlignRight)


class RailFoot(Part):
    """How many traces the rail shows, under a funnel where a filter hides others."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(36)
        self._text = ""
        self._filtered = False

    def set_counts(self, shown: int, total: int, *, filtered: bool) -> None:
        """Shows how many traces are shown, 123k where there are many; of how many is in the tooltip."""
        self._text = f"{shown:,}" if shown < 100_000 else f"{shown // 1000}k"
        self._filtered = filtered
        of_all = "1 trace" if total == 1 else f"{total:,} traces"
        said = f"{shown:,} of {of_all}: a filter is on" if filtered else of_all
        self.setToolTip(plain_tooltip(said))
        self.setAccessibleName(said)
        self.update()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(0, 0, self.width(), 1, colors.border)
        box = self.rect()
        if self._filtered:
            draw_icon(painter, (self.width() - _FUNNEL) // 2, 5, "filter", colors.accent, _FUNNEL)
            box.setTop(5 + _FUNNEL)
        draw_text(painter, box, self._text, ui_font(11, 500), colors.text3, Qt.AlignmentFlag.AlignHCenter)


class Hint(Part):
    """Over a list without rows: skeletons while it loads or waits, or that no trace matches."""

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self._text = ""
        self._skeletons = True
        self._offers: tuple[TextButton, ...] = ()
        self.clear = TextButton("Clear the filter", parent=self)
        self.everywhere = TextButton("Search everything recorded", parent=self)
        self.clear.hide()
        self.everywhere.hide()
        self.hide()
        over.installEventFilter(self)

    @property
    def text(self) -> str:
        """What the hint says."""
        return self._text

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.clear.set_theme(colors)
        self.everywhere.set_theme(colors)

    def show_for(self, model: TraceListModel, *, loading: bool, filtered: bool, words: bool = False) -> None:
        """Says what fits: nothing over rows. `words` offers to look for them in more than the list shows."""
        empty = model.rowCount() == 0
        self._skeletons = model.total == 0
        self._text = ""
        if empty and model.searching:
            self._text = "Searching what was recorded…"
        elif empty and not self._skeletons:
            self._text = "No trace matches the filter."
        elif empty and not loading:
            self._text = "Runs appear here as they start."
        self._offers = ()
        if empty and filtered and not self._skeletons:
            self._offers = (self.clear, self.everywhere) if words else (self.clear,)
        self.setVisible(empty)
        self._place()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keeps covering the list."""
        if event.type() is QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is None:
            return
        self.setGeometry(parent.rect())
        for button, top in ((self.clear, 56), (self.everywhere, 92)):
            button.setVisible(button in self._offers and not self._is_narrow)
            button.resize(button.sizeHint())
            button.move((self.width() - button.width()) // 2, top)

    @property
    def _is_narrow(self) -> bool:
        """Whether it covers the rail, where nothing can be read."""
        return self.width() < 100

    def sizeHint(self) -> QSize:
        """As large as the list."""
        return QSize(200, 240)

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        if self._is_narrow:
            return
        top = 20
        if self._skeletons:
            for place, widths in enumerate(_SKELETONS):
                painter.setOpacity(1 - 0.24 * place)
                self._paint_skeleton(painter, colors, place * TRACE_ROW, widths)
            painter.setOpacity(1)
            top = len(_SKELETONS) * TRACE_ROW + 8
        box = QRect(12, top, self.width() - 24, 24)
        draw_text(painter, box, self._text, ui_font(12, 500), colors.text3, Qt.AlignmentFlag.AlignHCenter)

    def _paint_skeleton(self, painter: QPainter, colors: Theme, top: int, widths: tuple[int, int]) -> None:
        fill_round(painter, QRect(14, top + 18, 12, 12), colors.bg3, 6)
        fill_round(painter, QRect(36, top + 20, widths[0], 8), colors.bg3, 3)
        fill_round(painter, QRect(36, top + 38, widths[1], 6), colors.bg3, 3)
        fill_round(painter, QRect(self.width() - 52, top + 20, 40, 8), colors.bg3, 3)
