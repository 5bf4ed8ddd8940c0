"""The waterfall: find field and minimap above, the tree of spans and its timeline below, one selection for both."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from traceview.app.controls import IconButton, SearchField
from traceview.app.models.span_columns import Ints
from traceview.app.models.span_rows import SpanRows
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import MINIMAP, PANE_PADDING, Theme, theme
from traceview.app.timeline.area_card import AreaCard
from traceview.app.timeline.card import CardView
from traceview.app.timeline.finder import Finder
from traceview.app.timeline.halves import Halves
from traceview.app.timeline.hover_card import HoverCard
from traceview.app.timeline.live_clock import LiveClock
from traceview.app.timeline.minimap import Minimap
from traceview.app.timeline.ruler import Ruler
from traceview.app.timeline.time_window import PAN_SHARE, ZOOM_STEP, TimeWindow
from traceview.app.timeline.timeline_view import TimelineView
from traceview.app.timeline.tree_header import TreeHeader
from traceview.app.timeline.tree_view import SpanTreeView
from traceview.app.timeline.update_pacer import UpdatePacer

SHORT_NS: Final = 10_000_000


class Waterfall(QWidget):
    """The pane that shows when what happened in a run, and follows and changes the shared selection.

    `clock` gives ns since the epoch; live runs grow by it.
    """

    def __init__(
        self, selection: Selection, parent: QWidget | None = None, *, clock: Callable[[], int] = time.time_ns
    ) -> None:
        super().__init__(parent)
        self._selection = selection
        self._theme = theme(True)
        self._syncing = self._own = False
        self._anchor: tuple[bytes, int] | None = None
        self.rows = SpanRows(self)
        self.window_of_time = TimeWindow(self)
        self.tree = SpanTreeView(self.rows)
        self.timeline = TimelineView(self.tree, self.window_of_time)
        self.ruler = Ruler(self.rows, self.window_of_time)
        self.minimap = Minimap(self.rows, self.window_of_time)
        self.header = TreeHeader()
        self.find_field = SearchField("Find in this run", "/")
        self.filter_button = IconButton("filter", "Hide spans shorter than 10 ms", checkable=True)
        self.finder = Finder(self.rows, self.find_field, self)
        self.hover_card = CardView(self)
        self._hover = HoverCard(self.rows, self.timeline, self.hover_card, self)
        self.area_card = CardView(self)
        self._area = AreaCard(self.rows, self.timeline, self.area_card, self)
        self._clock = LiveClock(clock, self)
        self._pacer = UpdatePacer(self._take_update, self)
        self.setAccessibleName("Waterfall")
        self._compose()
        self._connect_parts()
        self._connect_selection()
        self.set_theme(self._theme)
        if selection.run is not None:
            self._open(selection.run)

    def _compose(self) -> None:
        finding = QWidget()
        finding.setFixedHeight(MINIMAP)
        line = QHBoxLayout(finding)
        line.setContentsMargins(PANE_PADDING, 0, PANE_PADDING, 0)
        line.setSpacing(6)
        line.addWidget(self.find_field, 1)
        line.addWidget(self.filter_button)
        finding.setAutoFillBackground(True)
        self._finding = finding
        self._halves = Halves((finding, self.header, self.tree), (self.minimap, self.ruler, self.timeline))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._halves)

    def _connect_parts(self) -> None:
        rows, tree, timeline = self.rows, self.tree, self.timeline
        rows.modelAboutToBeReset.connect(self._keep_place)
        rows.modelReset.connect(self._rows_reset)
        tree.current_changed.connect(self._select_row)
        tree.hovered_row_changed.connect(self._hover_row)
        tree.collapse_asked.connect(self._collapse_row)
        tree.show_asked.connect(rows.show_hidden)
        tree.zoom_asked.connect(self._zoom_to_row)
        timeline.pointed.connect(self.ruler.set_pointer)
        timeline.hovered.connect(tree.set_hovered)
        timeline.clicked.connect(self._click_row)
        timeline.zoom_asked.connect(self._zoom_to_row)
        self.window_of_time.changed.connect(self._area.place)
        tree.verticalScrollBar().valueChanged.connect(self._area.place)
        self.finder.text_changed.connect(self._mark_found)
        self.finder.hit_shown.connect(self._show_hit)
        self.finder.hit_chosen.connect(self._choose)
        self.find_field.escaped.connect(tree.setFocus)
        self.filter_button.toggled.connect(self._filter)
        self.header.filter_removed.connect(self._remove_filter, Qt.ConnectionType.QueuedConnection)
        self._clock.ticked.connect(self._grow)
        self._clock.live_changed.connect(timeline.set_live)
        self._clock.live_changed.connect(self.ruler.set_live)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_moved)

    def _connect_selection(self) -> None:
        selection = self._selection
        selection.run_opened.connect(self._open)
        selection.run_updated.connect(self._pacer.offer)
        selection.run_closed.connect(self._close)
        selection.span_selected.connect(self._follow_selected)
        selection.span_hovered.connect(self._follow_hovered)
        selection.moment_changed.connect(self._follow_moment)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        palette = self._finding.palette()
        palette.setColor(self._finding.backgroundRole(), colors.bg1)
        self._finding.setPalette(palette)
        painted = (self.tree, self.timeline, self.ruler, self.minimap, self.header, self.find_field, self.filter_button)
        for part in (*painted, self._hover, self._area):
            part.set_theme(colors)

    # The run

    def _open(self, run: OpenRun) -> None:
        self._pacer.forget()
        self._clock.follow(run)
        self.rows.set_run(run)
        self.rows.set_now(self._clock.now())
        self.window_of_time.reset(self.rows.now)
        self.tree.verticalScrollBar().setValue(0)
        self.finder.reset()
        self._follow_selected(self._selection.span_id)
        self._follow_moment(self._selection.moment)

    def _take_update(self, run: OpenRun) -> None:
        columns = self.rows.columns
        shift = 0 if columns is None else columns.start_ns - run.start_ns
        self._clock.follow(run)
        self.rows.update_run(run)
        self.rows.set_now(self._clock.now())
        self.window_of_time.set_whole(self.rows.now, shift)
        self.finder.refresh()
        self._place_playhead(self._selection.moment)

    def _close(self) -> None:
        self._pacer.forget()
        self._clock.follow(None)
        self.rows.set_run(None)
        self.window_of_time.reset(0)

    def _grow(self) -> None:
        self.rows.set_now(self._clock.now())
        self.window_of_time.set_whole(self.rows.now)
        self.tree.viewport().update()
        self.timeline.refresh()
        self.ruler.update()

    def _keep_place(self) -> None:
        """Rows are about to change: remembers what stands at the top, so that it does not jump."""
        scroll = self.tree.scroll_y
        record = self.rows.record_at(scroll // self.tree.row_height) if scroll else None
        self._anchor = None if record is None else (record.span_id, scroll % self.tree.row_height)

    def _rows_reset(self) -> None:
        self._syncing = True
        try:
            self.tree.rows_changed()
            if self._anchor is not None:
                row = self.rows.row_of_id(self._anchor[0])
                if row >= 0:
                    self.tree.verticalScrollBar().setValue(row * self.tree.row_height + self._anchor[1])
            self.tree.set_current(self.rows.row_of_id(self._selection.span_id), scroll=False)
            self.tree.set_hovered(self.rows.row_of_id(self._selection.hovered))
        finally:
            self._syncing = False

    # Selection

    def _select_row(self, row: int) -> None:
        if not self._syncing:
            record = self.rows.record_at(row)
            self._own = True
            self._selection.select_span(None if record is None else record.span_id)
            self._own = False

    def _click_row(self, row: int) -> None:
        if self.rows.hidden_line(row) is None:
            self.tree.set_current(row)

    def _follow_selected(self, span_id: bytes | None) -> None:
        if self._own:
            return
        span = self.rows.place(span_id)
        row = self.rows.row_of(span) if self.rows.row_of(span) >= 0 else self.rows.reveal(span)
        self._syncing = True
        self.tree.set_current(row, scroll=False)
        self._syncing = False
        if row >= 0:
            self.tree.bring_into_view(row)
            self.window_of_time.bring_into_view(*self._times(span))

    def _hover_row(self, row: int) -> None:
        if not self._syncing:
            record = self.rows.record_at(row)
            self._selection.hover(None if record is None else record.span_id)

    def _follow_hovered(self, span_id: bytes | None) -> None:
        # A line of hidden spans is hovered too, yet there is no span to tell of.
        if span_id is not None or self.rows.hidden_line(self.tree.hovered) is None:
            self.tree.set_hovered(self.rows.row_of_id(span_id))

    def _follow_moment(self, moment: int) -> None:
        at = self._place_playhead(moment)
        if at is not None:
            self.window_of_time.bring_into_view(at, at)

    def _place_playhead(self, moment: int) -> float | None:
        run, columns = self.rows.run, self.rows.columns
        at: float | None = None
        if run is not None and columns is not None and 0 <= moment < len(run.moments):
            at = float(run.moments[moment].time_ns - columns.start_ns)
        for part in (self.timeline, self.ruler, self.minimap):
            part.set_playhead(at)
        return at

    def _times(self, span: int) -> tuple[float, float]:
        columns = self.rows.columns
        assert columns is not None, "there is a span"
        return float(columns.start[span]), float(self.rows.end(span))

    def _choose(self, span: int) -> None:
        """Selects a span wherever it is, and shows it."""
        self._selection.select_span(self.rows.record(span).span_id)
        self._follow_selected(self._selection.span_id)

    # Rows

    def _collapse_row(self, row: int, collapsed: bool) -> None:
        span = self.rows.span_at(row)
        columns = self.rows.columns
        if span < 0 or columns is None:
            return
        inside = span < self.rows.place(self._selection.span_id) < int(columns.subtree_end[span])
        self.rows.set_collapsed(span, collapsed)
        if collapsed and inside:
            self.tree.set_current(self.rows.row_of(span), scroll=False)

    def collapse_all(self) -> None:
        """Folds every span but the roots; the selection moves to what is left of it."""
        run = self.rows.run
        if run is None:
            return
        self.rows.collapse_all()
        span = self.rows.place(self._selection.span_id)
        if span >= 0 and self.rows.row_of(span) < 0:
            left = next(above for above in run.tree.ancestors(span) if self.rows.row_of(above) >= 0)
            self._choose(left)

    def expand_all(self) -> None:
        """Unfolds every span."""
        self.rows.expand_all()

    def _filter(self, on: bool) -> None:
        self.header.set_filter("≥ 10 ms" if on else "")
        self.rows.set_min_duration(SHORT_NS if on else 0)

    def _remove_filter(self) -> None:
        self.filter_button.setChecked(False)

    # Find

    def focus_find(self) -> None:
        """Puts the keyboard into the find field."""
        self.find_field.start_typing()

    def _mark_found(self, text: str) -> None:
        self.finder.set_near(max(0, self.rows.place(self._selection.span_id)))
        self.tree.set_found_text(text)
        self.timeline.refresh()

    def _show_hit(self, span: int) -> None:
        row = self.rows.row_of(span)
        if row >= 0:
            self.tree.bring_into_view(row)

    # What keys and palette ask for

    def zoom_in(self) -> None:
        """Shows less time, around the mouse if it is over the timeline."""
        self.window_of_time.zoom(1 / ZOOM_STEP, self.timeline.pointer_time)

    def zoom_out(self) -> None:
        """Shows more time, around the mouse if it is over the timeline."""
        self.window_of_time.zoom(ZOOM_STEP, self.timeline.pointer_time)

    def pan_left(self) -> None:
        """Moves to earlier times."""
        self.window_of_time.pan(-PAN_SHARE)

    def pan_right(self) -> None:
        """Moves to later times."""
        self.window_of_time.pan(PAN_SHARE)

    def fit(self) -> None:
        """Zooms to the selected span; done again, or without one, shows the whole run."""
        span = self.rows.place(self._selection.span_id)
        if span < 0 or self.window_of_time.fits(*self._times(span)):
            self.window_of_time.show_whole()
        else:
            self.window_of_time.fit(*self._times(span))

    def _zoom_to_row(self, row: int) -> None:
        span = self.rows.span_at(row)
        if span >= 0:
            self.window_of_time.fit(*self._times(span))

    def next_error(self) -> None:
        """Selects the next failed span, after the last the first."""
        self._go_among(self.rows.errors(), 1)

    def previous_error(self) -> None:
        """Selects the failed span before, before the first the last."""
        self._go_among(self.rows.errors(), -1)

    def next_span(self) -> None:
        """Selects the next span of the same depth."""
        self._go_in_depth(1)

    def previous_span(self) -> None:
        """Selects the span of the same depth before."""
        self._go_in_depth(-1)

    def _go_in_depth(self, step: int) -> None:
        columns = self.rows.columns
        if columns is not None and len(columns):
            span = self.rows.place(self._selection.span_id)
            spans = self.rows.spans_between(0, self.rows.count)
            spans = spans[columns.depth[spans] == (columns.depth[span] if span >= 0 else 0)]
            self._go_among(spans, step, ring=False)

    def _go_among(self, spans: Ints, step: int, *, ring: bool = True) -> None:
        """Goes to the next of some places in the tree; in a ring, after the last comes the first."""
        span = self.rows.place(self._selection.span_id)
        at = int(np.searchsorted(spans, span, side="right")) if step > 0 else int(np.searchsorted(spans, span)) - 1
        if len(spans) and (ring or 0 <= at < len(spans)):
            self._choose(int(spans[at % len(spans)]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.timeline.area is not None:
            self.timeline.set_area(None)
        else:
            super().keyPressEvent(event)

    # The pane

    def save_state(self) -> dict[str, Any]:
        """The width of the tree, for `restore_state`; nothing if nobody has changed it."""
        return {"tree_width": self._halves.chosen} if self._halves.chosen else {}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Takes over what was saved, as far as it makes sense."""
        self._halves.choose(state.get("tree_width"))

    def _focus_moved(self, _before: QWidget | None, now: QWidget | None) -> None:
        self.tree.set_pane_focused(now is not None and self.isAncestorOf(now))
        self.timeline.refresh()
