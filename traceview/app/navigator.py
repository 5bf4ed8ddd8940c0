"""Decides which source and which run are shown, from what the user picks and what the tail reads."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from traceview.app.models.trace_list import TraceListModel
from traceview.app.state.filters import Filters
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.tail import Tail, TracesRead


class Navigator(QObject):
    """While following, each new run of the live store is opened as it starts; picking a run ends that.

    Signals:
        source_changed(Source): the traces of another source are shown.
        loaded(): the source's traces have been read to the end.
        chosen(object, bool): this trace (bytes or None) is the open one; whether the user picked it just now.
        following_changed(bool): whether each new run is opened.
        looked_into(bytes): the user picked this trace of the live store, or a span in it: it should stay.
    """

    source_changed = Signal(object)
    loaded = Signal()
    chosen = Signal(object, bool)
    following_changed = Signal(bool)
    looked_into = Signal(object)

    def __init__(
        self, tail: Tail, source: Source, model: TraceListModel, filters: Filters, selection: Selection
    ) -> None:
        super().__init__()
        self._tail = tail
        self._model = model
        self._filters = filters
        self._selection = selection
        self.source = source
        self._wanted: bytes | None = None
        self._following = source.live
        self._waiting_for: bytes | None = None
        self._loaded = self._complete = self._has_news = False
        model.settled.connect(self._on_settled)
        tail.traces_read.connect(self._take_traces)
        tail.run_read.connect(self._take_run)
        selection.span_selected.connect(self._look_into)

    @property
    def trace_id(self) -> bytes | None:
        """The trace that is open, or is being opened."""
        return self._wanted

    @property
    def following(self) -> bool:
        """Whether each new run is opened as it starts."""
        return self._following

    @property
    def is_loaded(self) -> bool:
        """Whether the source's traces have been read to the end."""
        return self._loaded

    def pick(self, trace_id: bytes) -> None:
        """Opens the run that the user chose; new runs no longer take its place."""
        self.follow(False)
        self._want(trace_id, picked=True)
        self._hold()

    def wait_for(self, trace_id: bytes) -> None:
        """Opens this trace as soon as it is there (given on the command line)."""
        self.follow(False)
        self._waiting_for = trace_id
        self._open_what_fits()

    def follow(self, following: bool) -> None:
        """Whether to open each new run from now on; at once the newest, if so."""
        following = following and self.source.live
        if following == self._following:
            return
        self._following = following
        self.following_changed.emit(following)
        self._open_what_fits()

    def show_source(self, source: Source) -> None:
        """Shows the traces of another source, its newest run open."""
        if source == self.source:
            return
        self.source, self._wanted = source, None
        self._loaded = self._complete = self._has_news = False
        self._filters.brush(None)
        self._model.replace(())
        self._selection.show(None)
        self.source_changed.emit(source)
        self.follow(source.live)
        self._tail.show_source(source)

    def _take_traces(self, read: TracesRead) -> None:
        if read.source != self.source:
            return
        self._complete = read.complete
        if not read.whole:
            self._model.remove(read.gone)
        self._has_news = True  # the list settles once more when it has taken these
        if read.whole:
            self._model.replace(read.traces)
        else:
            self._model.update(read.traces)

    def _on_settled(self) -> None:
        """The list shows what has been read; another filter alone opens no other run."""
        if not self._has_news:
            return
        self._has_news = False
        if self._complete:
            self._forget_what_is_gone()
            if not self._loaded:
                self._loaded = True
                self.loaded.emit()
        self._open_what_fits()

    def _forget_what_is_gone(self) -> None:
        if self._wanted is not None and self._model.find(self._wanted) is None:
            self._wanted = None
            self._selection.show(None)

    def _open_what_fits(self) -> None:
        if self._waiting_for is not None:
            if self._model.find(self._waiting_for) is not None:
                self._want(self._waiting_for, picked=False)
                self._waiting_for = None
                self._hold()
            return
        newest = self._model.newest()
        if newest is not None and (self._following or self._wanted is None):
            self._want(newest.trace_id, picked=False)

    def _look_into(self, span_id: bytes | None) -> None:
        if span_id is not None:
            self.follow(False)  # nobody wants another run in place of this one
            self._hold()

    def _hold(self) -> None:
        if self.source.live and self._wanted is not None:
            self.looked_into.emit(self._wanted)

    def _want(self, trace_id: bytes | None, *, picked: bool) -> None:
        if trace_id != self._wanted:
            self._wanted = trace_id
            self._tail.open_run(trace_id)
            self.chosen.emit(trace_id, picked)

    def _take_run(self, run: OpenRun) -> None:
        # What was read for the previous wish may still be on its way here.
        if run.source == self.source and run.summary.trace_id == self._wanted:
            self._selection.show(run)
