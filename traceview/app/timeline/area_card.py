"""Shows the sums of the area that is selected in the timeline."""

from __future__ import annotations

from PySide6.QtCore import QObject

from traceview.app.models.span_rows import SpanRows
from traceview.app.theme import Theme, theme
from traceview.app.timeline.card import CardView
from traceview.app.timeline.cards import area_card
from traceview.app.timeline.timeline_view import TimelineView


class AreaCard(QObject):
    """Keeps a card at the lower right corner of the selected area while there is one."""

    def __init__(self, rows: SpanRows, timeline: TimelineView, view: CardView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._timeline = timeline
        self._view = view
        self._theme = theme(True)
        timeline.area_selected.connect(self.place)

    def set_theme(self, colors: Theme) -> None:
        """Paints in other colours from now on."""
        self._theme = colors
        self._view.set_theme(colors)

    def place(self) -> None:
        """The area has changed, or what is shown has moved: the card follows."""
        area = self._timeline.area
        if area is None or self._rows.columns is None:
            self._view.dismiss()
            return
        corner = self._timeline.area_rect(area).bottomRight()
        place = self._timeline.viewport().mapTo(self._view.parentWidget(), corner)
        self._view.show_card(area_card(self._rows, area, self._theme), place)
