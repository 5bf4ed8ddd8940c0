"""State and memory as of the step one stands at: what the AI agent knew, and what this step changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from traceview.analysis.figures import duration_text
from traceview.analysis.moments import MomentKind
from traceview.analysis.state import StateHistory
from traceview.analysis.steps import Walk, default_axis, walk
from traceview.app.icons import draw_icon
from traceview.app.jobs import Jobs
from traceview.app.models.state_tree import StateTree
from traceview.app.paint import draw_text, outline_round
from traceview.app.replay.state_notice import CODE, HINT, StateNotice
from traceview.app.replay.state_rows import KEY, LastChange, StateRows, has_last_changed, value_column
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.theme import COLUMN_HEADER, PANE_PADDING, PANEL_HEAD, Theme, theme, ui_font
from traceview.protocol.records import Event

_TITLE: Final = "State and memory"
_UNLIMITED: Final = 16_777_215  # QWIDGETSIZE_MAX
_JOB: Final = "replay.state"
_SHOW_LOADING_MS: Final = 150
# A live run's reports are read anew at most this share of the time: the worker has payloads to read as well.
_IDLE_SHARE: Final = 4.0

LoadStates = Callable[[Source, bytes], list[tuple[bytes, Event]]]


class StatePanel(QWidget):
    """Key, value, last changed; folds to its head.

    Signals:
        collapsed_changed(bool): it was folded to its head, or unfolded.
    """

    collapsed_changed = Signal(bool)

    def __init__(
        self, selection: Selection, jobs: Jobs, load_states: LoadStates, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._selection = selection
        self._jobs = jobs
        self._load_states = load_states
        self._walk: Walk | None = None
        self._given = False
        self._history: StateHistory | None = None
        self._asked = 0
        self._loading = False
        self._collapsed = False
        self._folded = False
        self.tree = StateTree()
        self._make_parts()
        self._again = _single_shot(self, self._refresh)
        self._slow = _single_shot(self, self._show_loading)
        selection.run_opened.connect(self._open)
        selection.run_updated.connect(self._update)
        selection.run_closed.connect(self._close)
        selection.moment_changed.connect(lambda _: self._refresh())
        self.setAccessibleName("State and memory")
        if selection.run is not None:
            self._open(selection.run)
        else:
            self._close()

    def _make_parts(self) -> None:
        self.head = _Head(self)
        self.head.clicked.connect(self.toggle)
        self.rows = StateRows(self.tree, self._last_change)
        self.columns = _Columns(self.rows)
        self.rows.report_chosen.connect(self._go_to_report)
        self.notice = StateNotice()
        table = QWidget()
        below = QVBoxLayout(table)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(self.columns)
        below.addWidget(self.rows, 1)
        self._body = QWidget(self)
        self._stack = QStackedLayout(self._body)
        self._stack.addWidget(table)
        self._stack.addWidget(self.notice)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addWidget(self._body, 1)

    @property
    def collapsed(self) -> bool:
        """Whether only the head is shown."""
        return self._collapsed

    def set_collapsed(self, collapsed: bool) -> None:
        """Folds the panel to its head, or unfolds it."""
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self._body.setVisible(not collapsed)
        self.head.show_collapsed(collapsed)
        self.head.tell("", None)  # folded, it follows nothing
        self.setMaximumHeight(PANEL_HEAD if collapsed else _UNLIMITED)
        self.collapsed_changed.emit(collapsed)
        self._refresh()

    def toggle(self) -> None:
        """Folds or unfolds by the user's wish, which holds for every run that has state."""
        self.set_collapsed(not self._collapsed)
        run = self._selection.run
        if run is None or _reports(run):
            self._folded = self._collapsed

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        for part in (self.head, self.columns, self.rows, self.notice):
            part.set_theme(colors)

    def set_walk(self, stops: Walk | None) -> None:
        """Counts steps along the axis that the transport walks; without it, agent steps."""
        self._walk, self._given = stops, True
        self._refresh()

    def sizeHint(self) -> QSize:
        return QSize(420, PANEL_HEAD + COLUMN_HEADER + 9 * self.rows.row_height)

    def minimumSizeHint(self) -> QSize:
        return QSize(220, PANEL_HEAD if self._collapsed else PANEL_HEAD + COLUMN_HEADER + 2 * self.rows.row_height)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    # What is shown

    def _open(self, run: OpenRun) -> None:
        self._forget()
        self.tree.forget()
        # A run without state has better use for the room; the head stays, and unfolds to say how to report some.
        self.set_collapsed(self._folded or not _reports(run))
        self._update(run)

    def _update(self, run: OpenRun) -> None:
        if not self._asked and _reports(run):
            self.set_collapsed(self._folded)
        if not self._given:
            self._walk = None
        self._refresh()

    def _close(self) -> None:
        self._forget()
        self._say("No run is open.")

    def _forget(self) -> None:
        self._jobs.cancel(_JOB)
        self._again.stop()
        self._slow.stop()
        self._history, self._asked, self._loading, self._walk = None, 0, False, None

    def _refresh(self) -> None:
        """Shows the state as of the moment; reads the reports first where there are others than when last asked."""
        run = self._selection.run
        if run is None or self._collapsed or not self.isVisible():
            return
        reports = _reports(run)
        if reports != self._asked and not self._loading and not self._again.isActive():
            self._load(run, reports)
        if reports == 0 or (self._history is not None and len(self._history) == 0):
            self._say(HINT, CODE)
        elif self._history is not None:
            self._show_state(run, self._history)

    def _show_state(self, run: OpenRun, history: StateHistory) -> None:
        stops = self._stops(run)
        moment = self._selection.moment if self._selection.moment < len(stops.moments) else -1
        count = history.count_at(stops.moments, moment)
        before = None if moment < 0 else history.at(_count_before(history, stops, moment))
        path = self.rows.current_path()
        self.tree.show(history.at(count), before, history.stamp(count))
        self.rows.refresh(path)
        self._stack.setCurrentIndex(0)
        self.columns.update()
        unit = stops.axis.unit
        words = "as of now" if moment < 0 else f"changed by this {unit}"
        self.head.tell(words, None if moment < 0 else self.tree.changed)

    def _say(self, text: str, code: str = "", *, failed: bool = False) -> None:
        self.notice.say(text, code, failed=failed)
        self._stack.setCurrentIndex(1)
        self.head.tell("", None)

    def _stops(self, run: OpenRun) -> Walk:
        if self._walk is None:
            self._walk = walk(run.tree, run.moments, default_axis(run.moments))
        return self._walk

    def _last_change(self, event: int) -> LastChange:
        run, history = self._selection.run, self._history
        if run is None or history is None:
            return LastChange("", False, "")
        stops = self._stops(run)
        moment = history.moment_of(stops.moments, event)
        step = stops.step_at(moment)
        here = self._selection.moment
        span_id, report = history.events[event]
        row = run.row(span_id)
        passed = duration_text(report.time_ns - run.start_ns)
        return LastChange(
            f"{stops.axis.unit} {step:,}" if step else "start",
            here >= 0 and stops.step_at(here) == step,
            f"Reported in {row.name if row is not None else 'a span that is not here'} at {passed}",
        )

    def _go_to_report(self, event: int) -> None:
        run, history = self._selection.run, self._history
        if run is None or history is None:
            return
        stops = self._stops(run)
        moment = history.moment_of(stops.moments, event)
        step = stops.step_at(moment)
        self._selection.go_to_moment(stops.stop(step) if step else moment)
        if step:
            self._selection.select_span(stops.tree.rows[stops.span(step)].span_id)

    # Reading

    def _load(self, run: OpenRun, reports: int) -> None:
        self._asked = reports
        if reports == 0:
            return
        self._loading = True
        if self._history is None:
            self._slow.start(_SHOW_LOADING_MS)
        source, trace_id, load = run.source, run.summary.trace_id, self._load_states

        def work() -> tuple[StateHistory, float]:
            started = time.perf_counter()
            history = StateHistory(load(source, trace_id))
            return history, time.perf_counter() - started

        self._jobs.latest(_JOB, work, self._take, self._fail)

    def _take(self, answer: tuple[StateHistory, float]) -> None:
        self._history, seconds = answer
        self._loading = False
        self._slow.stop()
        self._again.start(round(seconds * _IDLE_SHARE * 1000))
        self._refresh()

    def _fail(self, error: Exception) -> None:
        self._history, self._loading = None, False
        self._slow.stop()
        self._say(str(error), failed=True)

    def _show_loading(self) -> None:
        self.notice.show_loading()
        self._stack.setCurrentIndex(1)


def _count_before(history: StateHistory, stops: Walk, moment: int) -> int:
    """How many reports had been made before the current step."""
    step = stops.step_at(moment)
    if step == 0:
        return 0
    if stops.by_spans:
        before = stops.starts[step - 1] - 1
    else:
        before = stops.stop(step - 1) if step > 1 else -1
    return history.count_at(stops.moments, before) if before >= 0 else 0


def _single_shot(parent: QWidget, then: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(then)
    return timer


def _reports(run: OpenRun) -> int:
    return run.moments.kinds.count(MomentKind.STATE)


class _Head(QPushButton):
    """The panel's head: folds and unfolds it, and says how much the step changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._words = ""
        self._count = ""
        self._collapsed = False
        self.setFixedHeight(PANEL_HEAD)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tell("", None)

    @property
    def words(self) -> str:
        """What stands beside the title."""
        return self._words

    @property
    def count(self) -> str:
        """How much the step changed: "5 changes"."""
        return self._count

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def show_collapsed(self, collapsed: bool) -> None:
        """Turns the chevron."""
        self._collapsed = collapsed
        self.update()

    def tell(self, words: str, changed: int | None) -> None:
        """Shows words beside the title and a number of changes; None shows no number."""
        self._words = words
        self._count = (
            "" if changed is None else f"{changed:,} change{'' if changed == 1 else 's'}" if changed else "no changes"
        )
        self.setAccessibleName(", ".join(word for word in (_TITLE, words, self._count) if word))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg1)
        painter.fillRect(0, 0, self.width(), 1, colors.border)
        chevron = "chevron-right" if self._collapsed else "chevron-down"
        draw_icon(painter, 8, (PANEL_HEAD - 16) // 2, chevron, colors.text1 if self.underMouse() else colors.text3)
        right = QRect(0, 1, self.width() - PANE_PADDING, PANEL_HEAD - 1)
        ink = colors.text3 if self._count == "no changes" else colors.text2
        used = draw_text(painter, right, self._count, ui_font(12, 600), ink, Qt.AlignmentFlag.AlignRight)
        box = QRect(28, 1, round(self.width() - used) - 28 - PANE_PADDING - 8, PANEL_HEAD - 1)
        left = round(draw_text(painter, box, _TITLE, ui_font(12, 600), colors.text1)) + 10
        draw_text(painter, box.adjusted(left, 0, 0, 0), self._words, ui_font(12), colors.text3)
        if self.hasFocus():
            outline_round(painter, self.rect(), colors.accent, 2)


class _Columns(QWidget):
    """The heads of the columns."""

    def __init__(self, rows: StateRows) -> None:
        super().__init__()
        self._rows = rows
        self._theme = theme(True)
        self.setFixedHeight(COLUMN_HEADER)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            # The rows may have a scroll bar beside them.
            width = self._rows.viewport().width()
            colors, font, right = self._theme, ui_font(11, 600), width - PANE_PADDING
            painter.fillRect(self.rect(), colors.bg2)
            painter.fillRect(0, 0, self.width(), 1, colors.border)
            painter.fillRect(0, COLUMN_HEADER - 1, self.width(), 1, colors.border)
            middle = value_column(width)
            draw_text(painter, QRect(KEY, 0, middle - KEY - 8, COLUMN_HEADER), "Key", font, colors.text3)
            draw_text(painter, QRect(middle, 0, right - middle, COLUMN_HEADER), "Value", font, colors.text3)
            if has_last_changed(width):
                box = QRect(middle, 0, right - middle, COLUMN_HEADER)
                draw_text(painter, box, "Last changed", font, colors.text3, Qt.AlignmentFlag.AlignRight)
        finally:
            painter.end()
