"""What the user looks at, in one object that every pane is given: the open run, the span, the place in the replay."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from traceview.app.state.open_run import OpenRun


class Selection(QObject):
    """The shared selection. Panes change it through its methods and follow it by its signals.

    Signals:
        run_opened(OpenRun): another run is shown (the span selection was cleared before).
        run_updated(OpenRun): the same run, with more spans, events or ends.
        run_closed(): no run is shown.
        span_selected(object): a span id (bytes), or None.
        span_hovered(object): the span under the mouse in tree or timeline (bytes), or None.
        moment_changed(int): the replay stands at another moment of `run.moments`; -1 is "not replaying".
    """

    run_opened = Signal(object)
    run_updated = Signal(object)
    run_closed = Signal()
    span_selected = Signal(object)
    span_hovered = Signal(object)
    moment_changed = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._run: OpenRun | None = None
        self._span: bytes | None = None
        self._hovered: bytes | None = None
        self._moment = -1

    @property
    def run(self) -> OpenRun | None:
        """The run that is shown, or None."""
        return self._run

    @property
    def span_id(self) -> bytes | None:
        """The selected span, or None."""
        return self._span

    @property
    def hovered(self) -> bytes | None:
        """The span under the mouse, or None."""
        return self._hovered

    @property
    def moment(self) -> int:
        """The index of the replay's moment, or -1 when not replaying."""
        return self._moment

    def show(self, run: OpenRun | None) -> None:
        """Shows a run, or a newer picture of the one shown."""
        before = self._run
        if run is None:
            self._run = None
            self._clear()
            if before is not None:
                self.run_closed.emit()
            return
        same = before is not None and (before.source, before.summary.trace_id) == (run.source, run.summary.trace_id)
        self._run = run
        if same:
            self.run_updated.emit(run)
        else:
            self._clear()
            self.run_opened.emit(run)

    def select_span(self, span_id: bytes | None) -> None:
        """Selects a span of the run, or none."""
        if span_id != self._span:
            self._span = span_id
            self.span_selected.emit(span_id)

    def hover(self, span_id: bytes | None) -> None:
        """Marks the span under the mouse, in tree and timeline alike."""
        if span_id != self._hovered:
            self._hovered = span_id
            self.span_hovered.emit(span_id)

    def go_to_moment(self, moment: int) -> None:
        """Moves the replay to a moment (clamped to the run), or stops replaying with -1."""
        last = len(self._run.moments) - 1 if self._run else -1
        moment = max(-1, min(moment, last))
        if moment != self._moment:
            self._moment = moment
            self.moment_changed.emit(moment)

    def _clear(self) -> None:
        self.select_span(None)
        self.hover(None)
        if self._moment != -1:
            self._moment = -1
            self.moment_changed.emit(-1)
