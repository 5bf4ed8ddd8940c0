"""The right pane: the selected span's head, and tabs of inspectors chosen by what its data is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from traceview.analysis.anomalies import span_notes
from traceview.app.controls import LinkButton, Tabs
from traceview.app.inspectors.copying import Copier
from traceview.app.inspectors.head import Head
from traceview.app.inspectors.labels import Painted, Saying, Skeleton
from traceview.app.inspectors.registry import Inspector, InspectorKind, Registry
from traceview.app.inspectors.standard import standard_registry
from traceview.app.inspectors.subject import Subject, make_subject, step_of
from traceview.app.jobs import Jobs
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.theme import INSPECTOR_PADDING, Theme, theme
from traceview.conventions import losses
from traceview.protocol.records import SpanPayload, SpanRow

SKELETON_MS: Final = 150
_JOB: Final = "inspector"

LoadPayload = Callable[[Source, bytes, bytes], SpanPayload | None]


class InspectorPane(QWidget):
    """Shows the selected span. Its payload is read by `load_payload` on the jobs' thread.

    Signals:
        subject_shown(object): a span's payload (a Subject) has been read and is shown.
    """

    subject_shown = Signal(object)

    def __init__(
        self,
        selection: Selection,
        jobs: Jobs,
        load_payload: LoadPayload,
        parent: QWidget | None = None,
        *,
        registry: Registry | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._selection = selection
        self._jobs = jobs
        self._load_payload = load_payload
        self._span: bytes | None = None
        self._asked: tuple[bytes, int] | None = None
        self._subject: Subject | None = None
        self.head = Head(self)
        self.tabs = InspectorTabs(registry or standard_registry(), self)
        self.saying = _Message(self)
        self.skeleton = Skeleton(self)
        self.pages = QStackedWidget(self)
        for page in (self.saying, self.skeleton, self.tabs):
            self.pages.addWidget(page)
        self._copier = Copier(self)
        self._slow = QTimer(self, interval=SKELETON_MS, singleShot=True)
        self._slow.timeout.connect(lambda: self.pages.setCurrentWidget(self.skeleton))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.pages, 1)
        self.setFocusProxy(self.tabs)
        self.setAccessibleName("Inspector")
        self._connect()
        self._show_nothing()
        if selection.span_id is not None:
            self._on_selected(selection.span_id)

    def _connect(self) -> None:
        self._selection.span_selected.connect(self._on_selected)
        self._selection.run_updated.connect(self._on_updated)
        self._selection.run_opened.connect(lambda _: self._on_selected(self._selection.span_id))
        self._selection.run_closed.connect(self._show_nothing)
        self.head.copy_wanted.connect(self.copy_span)
        self.head.more.clicked.connect(self._pop_up)
        self.saying.retry.clicked.connect(self.reload)
        self._copier.said.connect(self.head.say)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for part in (self.head, self.tabs, self.saying, self.skeleton):
            part.set_theme(colors)
        self.update()

    @property
    def subject(self) -> Subject | None:
        """The span that is shown, with its payload; None while there is none."""
        return self._subject

    def reload(self) -> None:
        """Reads the span's payload once more."""
        self._asked = None
        self._ask()

    def copy_span(self) -> None:
        """Copies everything known of the span as JSON."""
        if self._subject is not None:
            self._copier.copy_value(self._subject.document())

    def menu(self) -> QMenu:
        """What one can do with the span."""
        menu = self.head.menu()
        run, row = self._selection.run, self._row()
        if run is not None and row is not None:
            copy = self._copier.copy_text
            trace_id, span_id = run.summary.trace_id.hex(), row.span_id.hex()
            menu.addAction("Copy name").triggered.connect(lambda: copy(row.name))
            menu.addAction("Copy span id").triggered.connect(lambda: copy(span_id))
            menu.addAction("Copy trace id").triggered.connect(lambda: copy(trace_id))
            menu.addAction("Copy as JSON").triggered.connect(self.copy_span)
        return menu

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), self._theme.bg1)
        painter.end()

    def _pop_up(self) -> None:
        self.menu().popup(self.head.more.mapToGlobal(self.head.more.rect().bottomLeft()))

    def _row(self) -> SpanRow | None:
        run = self._selection.run
        return run.row(self._span) if run is not None and self._span is not None else None

    def _show_nothing(self) -> None:
        self._span = self._subject = self._asked = None
        self._slow.stop()
        self._jobs.cancel(_JOB)
        self.head.hide()
        self.saying.say("Select a span", "Click a row or a bar to see what went in and what came out.")
        self.pages.setCurrentWidget(self.saying)

    def _on_selected(self, span_id: bytes | None) -> None:
        if span_id is None:
            self._show_nothing()
            return
        if span_id == self._span and self._subject is not None:
            return
        self._span, self._subject, self._asked = span_id, None, None
        self._slow.start()
        self._ask()

    def _on_updated(self, run: OpenRun) -> None:
        row = self._row()
        if row is None:
            return
        self._show_head(run, row)
        if self._subject is None or row.change > self._subject.row.change:
            self._ask()

    def _ask(self) -> None:
        """Reads the payload, unless just that is being read: a run may report faster than payloads are read."""
        run, row = self._selection.run, self._row()
        if run is None or row is None:
            return
        self._show_head(run, row)
        self.head.show()
        if self._asked is not None and self._asked[0] == row.span_id:
            return
        self._asked = (row.span_id, row.change)
        source, trace_id, start_ns, load = run.source, run.summary.trace_id, run.start_ns, self._load_payload

        def work() -> Subject | None:
            payload = load(source, trace_id, row.span_id)
            return None if payload is None else make_subject(trace_id, start_ns, row, payload)

        self._jobs.latest(_JOB, work, self._show, self._fail)

    def _show_head(self, run: OpenRun, row: SpanRow) -> None:
        notes = span_notes(run.anomalies, run.tree.index[row.span_id])
        if self._subject is not None and self._subject.row.span_id == row.span_id:
            notes += losses(self._subject.payload.attributes)
        self.head.show_span(row, step_of(run, row.span_id), notes)

    def _show(self, subject: Subject | None) -> None:
        self._asked = None
        self._slow.stop()
        if subject is None:
            self.saying.say("Nothing is kept of this span", "It may have been removed from the store.")
            self.pages.setCurrentWidget(self.saying)
            return
        again = self._subject is not None
        self._subject = subject
        self.tabs.show_subject(subject, again=again)
        self.pages.setCurrentWidget(self.tabs)
        self.subject_shown.emit(subject)
        run, row = self._selection.run, self._row()
        if run is not None and row is not None:
            self._show_head(run, row)
            if row.change > subject.row.change:
                self._ask()

    def _fail(self, error: Exception) -> None:
        self._asked = None
        self._slow.stop()
        self.saying.say("This span could not be read", str(error) or type(error).__name__, retry=True)
        self.pages.setCurrentWidget(self.saying)


class InspectorTabs(QWidget):
    """Tabs over the inspectors that fit a span. The tab chosen last is remembered per kind of span."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._registry = registry
        self._kinds: list[InspectorKind] = []
        self._made: dict[str, Inspector] = {}
        self._shown: dict[str, bytes] = {}
        self._fresh: set[str] = set()
        self._chosen: dict[tuple[str, bool], str] = {}
        self._subject: Subject | None = None
        self._settling = False
        self.bar = Tabs(self)
        self.bar.setAccessibleName("Inspector tabs")
        self.pages = QStackedWidget(self)
        self._strip = _Strip(self.bar, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._strip)
        column.addWidget(self.pages, 1)
        self.bar.current_changed.connect(self._on_chosen)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.bar.set_theme(colors)
        self._strip.set_theme(colors)
        for inspector in self._made.values():
            inspector.set_theme(colors)

    @property
    def current(self) -> Inspector | None:
        """The inspector that is seen."""
        index = self.bar.current
        return self._made.get(self._kinds[index].title) if 0 <= index < len(self._kinds) else None

    def choose(self, title: str) -> None:
        """Goes to a tab by its title, if it is there."""
        titles = self.bar.labels()
        if title in titles:
            self.bar.set_current(titles.index(title))

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the tabs that fit a span, and in the chosen one the span."""
        self._subject = subject
        self._fresh.clear()
        before = self.bar.labels()[self.bar.current] if again and self.bar.current >= 0 else None
        self._kinds = self._registry.fitting(subject)
        titles = [kind.title for kind in self._kinds]
        wanted = before or self._chosen.get((subject.row.kind, subject.failed))
        self._settling = True
        self.bar.set_tabs([(kind.title, kind.count(subject)) for kind in self._kinds])
        self.bar.set_current(titles.index(wanted) if wanted in titles else self._telling(subject))
        self._settling = False
        self._show_current()

    def _telling(self, subject: Subject) -> int:
        """The first tab with something to see; Raw always has."""
        return next((place for place, kind in enumerate(self._kinds) if not kind.empty(subject)), 0)

    def _on_chosen(self, index: int) -> None:
        if self._settling or self._subject is None or index < 0:
            return
        self._chosen[self._subject.row.kind, self._subject.failed] = self._kinds[index].title
        self._show_current()

    def _show_current(self) -> None:
        subject = self._subject
        if subject is None or not 0 <= self.bar.current < len(self._kinds):
            return
        kind = self._kinds[self.bar.current]
        inspector = self._made.get(kind.title)
        if inspector is None:
            inspector = self._made[kind.title] = kind.make()
            inspector.set_theme(self._theme)
            self.pages.addWidget(inspector)
        if kind.title not in self._fresh:
            again = self._shown.get(kind.title) == subject.row.span_id
            inspector.show_subject(subject, again=again)
            self._shown[kind.title] = subject.row.span_id
            self._fresh.add(kind.title)
        self.pages.setCurrentWidget(inspector)
        self.setFocusProxy(inspector)


class _Strip(Painted):
    """The tabs and the hairline they stand on."""

    def __init__(self, bar: Tabs, parent: QWidget) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(INSPECTOR_PADDING, 2, INSPECTOR_PADDING, 0)
        row.addWidget(bar)
        self._bar = bar

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(0, self.height() - 1, self.width(), 1, colors.border)


class _Message(Saying):
    """Why nothing is shown, and the way to try again."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.retry = LinkButton("Try again", self)
        self.retry.hide()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.retry.set_theme(colors)

    def say(self, headline: str, hint: str = "", *, retry: bool = False) -> None:
        """Says something else."""
        super().say(headline, hint)
        self.retry.setVisible(retry)
        self.retry.resize(self.retry.sizeHint())
        self.retry.move((self.width() - self.retry.width()) // 2, 110)
