"""Shows the card of a bar when the mouse has rested on it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QPointF, QTimer

from traceview.app.models.span_rows import SpanRows
from traceview.app.theme import Theme, theme
from traceview.app.timeline.card import CardView
from traceview.app.timeline.cards import span_card
from traceview.app.timeline.timeline_view import TimelineView

REST_MS: Final = 300


class HoverCard(QObject):
    """Follows the mouse over the timeline; the card floats over `view`'s parent, so that it may cover the tree."""

    def __init__(self, rows: SpanRows, timeline: TimelineView, view: CardView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._timeline = timeline
        self._view = view
        self._theme = theme(True)
        self._span = -1
        self._place = QPointF()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._show)
        timeline.pointed.connect(self._follow)
        rows.modelReset.connect(self._forget)

    def set_theme(self, colors: Theme) -> None:
        """Paints in other colours from now on."""
        self._theme = colors
        self._view.set_theme(colors)

    def _follow(self) -> None:
        place = self._timeline.pointer
        span = -1 if place is None else self._timeline.span_at(place)
        if place is not None:
            self._place = place
        if span == self._span:
            return
        self._forget()
        self._span = span
        if span >= 0:
            self._rest.start()

    def _forget(self) -> None:
        self._span = -1
        self._rest.stop()
        self._view.dismiss()

    def _show(self) -> None:
        card = span_card(self._rows, self._timeline.bars, self._span, self._timeline.frame, self._theme)
        pane = self._view.parentWidget()
        place = self._timeline.viewport().mapTo(pane, self._place.toPoint())
        self._view.show_card(card, place)
