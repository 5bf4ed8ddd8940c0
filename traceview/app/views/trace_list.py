"""The left pane: the traces of a source, live, with filter, histogram and counters; or a rail of status icons."""

from __future__ import annotations

from datetime import tzinfo
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from traceview.app.controls import IconButton, LinkButton, plain_tooltip
from traceview.app.models.trace_list import TraceListModel
from traceview.app.state.filters import Filters
from traceview.app.state.open_run import Source
from traceview.app.state.trace_filter import field_term
from traceview.app.theme import Theme, theme
from traceview.app.views.filter_bar import FilterBar
from traceview.app.views.live_pill import LivePill
from traceview.app.views.source_bar import SourceBar
from traceview.app.views.trace_counters import TraceCounters
from traceview.app.views.trace_histogram import TraceHistogram
from traceview.app.views.trace_list_parts import Columns, Hint, Panel, RailFoot, Title
from traceview.app.views.trace_rows import RAIL_WIDTH, TraceRows
from traceview.protocol.records import TraceSummary

LIST_WIDTH = 320
_MIN_WIDTH = 240
_MANY_TRACES = 5_000
_STATS_MS = 60


class TraceList(QWidget):
    """All the list shows and asks for; what is chosen, opened or exported is done elsewhere.

    Signals:
        trace_picked(bytes): the user chose a trace.
        follow_changed(bool): whether each new run is to be opened as it starts.
        export_requested(object): trace ids (list of bytes) to write to a file.
        keep_requested(Source): an opened file is to be copied into the live store.
        widen_requested(): the rail's button: show the whole list.
    """

    trace_picked = Signal(object)
    follow_changed = Signal(bool)
    export_requested = Signal(object)
    keep_requested = Signal(object)
    widen_requested = Signal()

    def __init__(self, model: TraceListModel, filters: Filters, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._filters = filters
        self._theme = theme(True)
        self._source: Source | None = None
        self._loading = True
        self._rail = False
        self.rows = TraceRows(model)
        self.filter_bar = FilterBar(filters)
        self.source_bar = SourceBar()
        self.histogram = TraceHistogram()
        self.counters = TraceCounters()
        self.pill = LivePill()
        self.keep = LinkButton("Keep")
        self._title = Title()
        self._columns = Columns()
        self._rail_head = IconButton("panel", "Show the trace list")
        self._rail_foot = RailFoot()
        self._hint = Hint(self.rows)
        self._stats_timer = QTimer(self, singleShot=True, interval=_STATS_MS)
        self._compose()
        self._connect()
        self._refresh()

    def _compose(self) -> None:
        self.keep.setToolTip(plain_tooltip("Copy these traces into the live store"))
        self.keep.hide()
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self._title, 1)
        head.addWidget(self.keep)
        head.addWidget(self.pill)
        self._head = Panel((12, 8, 12, 10))
        self._head.column.setSpacing(8)
        self._head.column.addLayout(head)
        for widget in (self.source_bar, self.filter_bar, self.histogram):
            self._head.column.addWidget(widget)
        self._figures = Panel((12, 0, 12, 0))
        self._figures.column.addWidget(self.counters)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self._head, self._figures, self._columns):
            column.addWidget(part)
        column.addWidget(self._rail_head, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.rows, 1)
        column.addWidget(self._rail_foot)
        self._rail_head.hide()
        self._rail_foot.hide()
        self.setMinimumWidth(_MIN_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Trace list")

    def _connect(self) -> None:
        self.rows.trace_picked.connect(self.trace_picked)
        self.rows.menu_requested.connect(self._show_menu)
        self.filter_bar.left.connect(self.rows.setFocus)
        self.histogram.range_brushed.connect(self._filters.brush)
        self.histogram.room_changed.connect(self._refresh_histogram)
        self.counters.filter_requested.connect(self._filters.add)
        self.pill.toggled.connect(self.follow_changed)
        self.keep.clicked.connect(lambda: self.keep_requested.emit(self._source))
        self._rail_head.clicked.connect(self.widen_requested)
        self._hint.clear.clicked.connect(self._filters.clear)
        self._hint.everywhere.clicked.connect(lambda: self._filters.type(self._filters.in_everything()))
        self._filters.filter_changed.connect(self._model.set_filter)
        self._filters.range_changed.connect(self._model.set_range)
        self._model.stats_changed.connect(self._on_stats)
        self._stats_timer.timeout.connect(self._refresh)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for part in (self._title, self._columns, self._rail_foot, self._hint, self._head, self._figures):
            part.set_theme(colors)
        for button in (self.pill, self.keep, self._rail_head):
            button.set_theme(colors)
        for pane in (self.rows, self.source_bar, self.filter_bar, self.histogram, self.counters):
            pane.set_theme(colors)
        self.update()

    def set_zone(self, zone: tzinfo | None) -> None:
        """Shows times in this zone; None is this computer's."""
        self.histogram.set_zone(zone)
        self.filter_bar.set_zone(zone)

    def set_source(self, source: Source) -> None:
        """Whose traces are shown now."""
        self._source = source
        self._loading = True
        self.rows.set_live(source.live)
        self.pill.setVisible(source.live)
        self.keep.setVisible(not source.live)
        self._refresh()

    def set_loading(self, loading: bool) -> None:
        """Whether the source's traces are still on their way: then an empty list promises nothing."""
        self._loading = loading
        self._refresh()

    def set_rail(self, rail: bool) -> None:
        """Shrinks to a rail of status icons, or grows to the whole list."""
        if rail == self._rail:
            return
        self._rail = rail
        for widget in (self._head, self._figures, self._columns):
            widget.setVisible(not rail)
        self._rail_head.setVisible(rail)
        self._rail_foot.setVisible(rail)
        self.rows.set_rail(rail)
        self.rows.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff if rail else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        )
        if rail:
            self.setFixedWidth(RAIL_WIDTH)
        else:
            self.setMinimumWidth(_MIN_WIDTH)
            self.setMaximumWidth(16_777_215)
        self._refresh()

    @property
    def rail(self) -> bool:
        """Whether only the rail is shown."""
        return self._rail

    def focus_filter(self) -> None:
        """Puts the keyboard into the filter line."""
        if self._rail:
            self.widen_requested.emit()
        self.filter_bar.field.start_typing()

    def step(self, by: int) -> None:
        """Chooses the next (1) or previous (-1) trace of the filtered list."""
        count = self._model.rowCount()
        if count:
            row = self.rows.current
            self.rows.set_current(0 if row < 0 else max(0, min(count - 1, row + by)))

    def set_reading(self, path: Path, done: int, total: int) -> None:
        """Shows how far a file has been read."""
        self.source_bar.set_reading(path, done, total)

    def copy(self, row: int) -> None:
        """Puts a trace on the clipboard, as text and as JSON."""
        QGuiApplication.clipboard().setMimeData(self.rows.mime(row))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the current trace."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.rows.current >= 0:
            self.copy(self.rows.current)
        else:
            super().keyPressEvent(event)

    def build_menu(self, row: int) -> QMenu:
        """The context menu of a trace."""
        trace = self._model.trace(row)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy", lambda: self.copy(row))
        menu.addAction("Copy trace id", lambda: clipboard.setText(trace.trace_id.hex()))
        if trace.preview:
            menu.addAction("Copy input", lambda: clipboard.setText(trace.preview or ""))
        only = menu.addMenu("Show only")
        for term in _terms(trace):
            only.addAction(term.replace("&", "&&"), partial(self._filters.add, term))
        menu.addSeparator()
        menu.addAction("Export…", lambda: self.export_requested.emit([trace.trace_id]))
        shown = self._model.rowCount()
        if shown > 1:
            menu.addAction(f"Export all {shown:,} shown…", lambda: self.export_requested.emit(self._shown_ids()))
        return menu

    def _shown_ids(self) -> list[bytes]:
        return [self._model.trace(row).trace_id for row in range(self._model.rowCount())]

    def _show_menu(self, row: int, place: QPoint) -> None:
        self.build_menu(row).popup(place)

    def _on_stats(self) -> None:
        if not self._stats_timer.isActive():
            self._stats_timer.start()
        self._show_hint()

    def _show_hint(self) -> None:
        filters, model = self._filters, self._model
        self._hint.show_for(model, loading=self._loading, filtered=filters.active, words=bool(filters.in_everything()))
        self.filter_bar.field.set_count("searching…" if model.searching else "")

    def _refresh(self) -> None:
        model = self._model
        self.filter_bar.set_many(model.total > _MANY_TRACES)
        self._title.set_counts(model.rowCount(), model.total, filtered=self._filters.active)
        self._rail_foot.set_counts(model.rowCount(), model.total, filtered=self._filters.active)
        self.counters.set_stats(model.stats)
        self._refresh_histogram()
        nothing = model.total == 0 and not self._filters.active
        for widget in (self.histogram, self._figures, self._columns):
            widget.setVisible(not nothing and not self._rail)
        self._show_hint()

    def _refresh_histogram(self) -> None:
        self.histogram.set_data(self._model.histogram(self.histogram.bins()), self._filters.range)

    def sizeHint(self) -> QSize:
        """320 wide unless the user dragged it."""
        return QSize(RAIL_WIDTH if self._rail else LIST_WIDTH, 600)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the pane's ground."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.bg1)
        painter.end()


def _terms(trace: TraceSummary) -> list[str]:
    """The filter terms that a trace's own values make."""
    values = (("session", trace.session), ("user", trace.user), ("project", trace.project))
    terms = [field_term(field, value) for field, value in values if value]
    terms += [field_term("tag", tag) for tag in trace.tags]
    terms += [field_term("model", model) for model in trace.models]
    return [*terms, field_term("name", trace.name), field_term("status", trace.status.word)]
