"""The state panel: the state as of the step, what the step changed, and the way to the step that changed a value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QHelpEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QToolTip
from pytestqt.qtbot import QtBot

from traceview.analysis.steps import EVERY_MOMENT, moment_of_step, walk
from traceview.app.jobs import Jobs
from traceview.app.replay.state_notice import CODE, HINT
from traceview.app.replay.state_panel import StatePanel
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.theme import PANEL_HEAD, theme
from traceview.protocol.records import STATE_EVENT, Event

MakeRun = Callable[..., OpenRun]
MS = 1_000_000

# Agent steps: plan 1, search 2, answer 3. Opened after 1, 3 and 5 ms, ended after 2, 4 and 6 ms.
_RUN = "run:agent > (plan:llm, search:tool, answer:llm)"
_REPORTS: list[tuple[str, int, dict[str, Any]]] = [
    ("run", MS // 2, {"state": {"order": 48213, "decision": None}}),
    ("plan", 2 * MS - 5, {"memory": {"facts": ["likes email"]}}),
    ("search", 4 * MS - 5, {"state": {"order": 48213, "decision": "refund"}}),
]


class _Store:
    """What the panel reads; every reading is counted, and can be held back or fail."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, Event]] = []
        self.readings = 0
        self.may_read = threading.Event()
        self.may_read.set()
        self.problem: Exception | None = None

    def load(self, source: Source, trace_id: bytes) -> list[tuple[bytes, Event]]:
        assert self.may_read.wait(10)
        self.readings += 1
        if self.problem is not None:
            raise self.problem
        return list(self.events)


@pytest.fixture
def store() -> _Store:
    return _Store()


@pytest.fixture
def panel(selection: Selection, jobs: Jobs, store: _Store, qtbot: QtBot) -> StatePanel:
    panel = StatePanel(selection, jobs, store.load)
    qtbot.addWidget(panel)
    panel.resize(452, 324)
    panel.show()
    return panel


ShowRun = Callable[..., OpenRun]


@pytest.fixture
def show_run(make_run: MakeRun, selection: Selection, store: _Store) -> ShowRun:
    """Opens a run with these reports of state, or shows more of it."""

    def show(reports: list[tuple[str, int, dict[str, Any]]] = _REPORTS, text: str = _RUN, **how: Any) -> OpenRun:
        run = make_run(text, [(span, time, STATE_EVENT) for span, time, _ in reports], **how)
        ids = {row.name: row.span_id for row in run.tree.rows}
        store.events = [
            (ids[span], Event(run.start_ns + time, STATE_EVENT, values)) for span, time, values in reports if values
        ]
        selection.show(run)
        return run

    return show


def _lines(panel: StatePanel) -> list[str]:
    return [panel.rows.row_text(row) for row in range(panel.rows.row_count())]


def _row(panel: StatePanel, label: str) -> int:
    return next(i for i, row in enumerate(panel.tree.rows) if row.label == label)


def _go_to_step(selection: Selection, step: int) -> None:
    run = selection.run
    assert run is not None
    selection.go_to_moment(moment_of_step(run.moments, run.tree, step))


def test_outside_a_replay_it_shows_the_newest_state(panel: StatePanel, show_run: ShowRun, qtbot: QtBot) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    assert _lines(panel) == [
        "state, {2}, step 2",
        "order, 48213, start",
        "decision, “refund”, step 2",
        "memory, {1}, step 1",
        "facts, [1], step 1",
    ]
    assert (panel.head.words, panel.head.count) == ("as of now", "")
    panel.grab()


def test_at_a_step_it_shows_the_state_as_of_then_and_what_the_step_changed(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    _go_to_step(selection, 2)
    qtbot.waitUntil(lambda: panel.head.count == "1 change")
    assert panel.head.words == "changed by this step"
    assert _lines(panel)[:3] == [
        "state, {2}, step 2",
        "order, 48213, start",
        "decision, null → “refund”, changed, step 2",
    ]
    _go_to_step(selection, 1)
    assert panel.head.count == "1 change"
    assert _lines(panel)[-2:] == ["memory, {1}, added, step 1", "facts, [1], added, step 1"]
    _go_to_step(selection, 3)
    assert panel.head.count == "no changes"
    selection.go_to_moment(1)
    assert panel.head.count == "1 change"
    selection.go_to_moment(0)
    assert (panel.head.count, panel.tree.rows) == ("no changes", [])


def test_it_counts_along_the_axis_it_is_given(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    run = show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    panel.set_walk(walk(run.tree, run.moments, EVERY_MOMENT))
    assert _lines(panel)[2] == "decision, “refund”, moment 7"
    selection.go_to_moment(6)
    assert (panel.head.words, panel.head.count) == ("changed by this moment", "1 change")
    selection.go_to_moment(7)
    assert panel.head.count == "no changes"
    selection.go_to_moment(0)
    assert panel.head.count == "no changes"
    show_run()
    assert _lines(panel) == []


def test_a_click_on_a_step_goes_there(panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot) -> None:
    run = show_run()
    _go_to_step(selection, 3)
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    rows = panel.rows
    place = QPoint(rows.viewport().width() - 20, rows.row_rect(_row(panel, "facts")).center().y())
    assert rows.link_at(place) == 1
    qtbot.mouseMove(rows.viewport(), place)
    assert rows.viewport().cursor().shape() is Qt.CursorShape.PointingHandCursor
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)
    selected = run.row(selection.span_id) if selection.span_id else None
    assert selected is not None
    assert selected.name == "plan"
    assert panel.tree.rows[_row(panel, "facts")].kind is not None
    assert rows.link_at(QPoint(5, 5)) == -1
    assert rows.link_at(QPoint(5, 900)) == -1


def test_what_was_reported_before_the_first_step_leads_to_its_moment(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    panel.rows.row_activated.emit(_row(panel, "order"))
    assert selection.moment == 1
    assert selection.span_id is None


def test_a_run_without_state_says_how_to_report_it(panel: StatePanel, show_run: ShowRun, store: _Store) -> None:
    show_run([])
    assert panel.collapsed
    panel.toggle()
    assert panel.notice.text == HINT
    assert CODE in panel.notice.accessibleName()
    assert store.readings == 0
    panel.grab()


def test_it_unfolds_when_the_first_state_is_reported(panel: StatePanel, show_run: ShowRun, qtbot: QtBot) -> None:
    show_run([])
    assert panel.collapsed
    show_run()
    assert not panel.collapsed
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    panel.toggle()
    show_run([], name="another")
    show_run()
    assert panel.collapsed, "who folds it over a run with state wants it folded"


def test_reports_without_values_are_no_state(panel: StatePanel, show_run: ShowRun, qtbot: QtBot, store: _Store) -> None:
    show_run([("plan", 2 * MS, {})])
    qtbot.waitUntil(lambda: panel.notice.text == HINT)
    show_run([("plan", 2 * MS, {})])
    assert store.readings == 1


def test_no_run_no_state(panel: StatePanel, show_run: ShowRun, selection: Selection, qtbot: QtBot) -> None:
    assert panel.notice.text == "No run is open."
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    selection.show(None)
    assert panel.notice.text == "No run is open."
    panel.rows.report_chosen.emit(0)
    assert panel.rows.row_text(0).startswith("state")
    panel.set_walk(None)


def test_a_store_that_cannot_be_read_is_said(panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot) -> None:
    store.problem = OSError("traces.db is damaged: restore it from a copy")
    show_run()
    qtbot.waitUntil(lambda: "damaged" in panel.notice.text)
    panel.grab()
    store.problem = None
    show_run(name="another")
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)


def test_slow_reading_shows_grey_rows(panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot) -> None:
    store.may_read.clear()
    show_run()
    qtbot.waitUntil(lambda: panel.notice.loading)
    panel.grab()
    store.may_read.set()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    assert panel.notice.isHidden()


def test_more_reports_of_a_live_run_are_read_once(
    panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot
) -> None:
    show_run(_REPORTS[:1], running=True)
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 3)
    store.may_read.clear()
    for count in (2, 3, 3, 3):
        show_run(_REPORTS[:count], running=True)
    store.may_read.set()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    qtbot.waitUntil(lambda: store.readings in (2, 3))
    show_run(running=True)
    assert store.readings in (2, 3)


def test_the_answer_for_a_run_that_was_left_is_dropped(
    panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot
) -> None:
    store.may_read.clear()
    show_run()
    show_run([], name="another")
    panel.toggle()
    store.may_read.set()
    qtbot.waitUntil(lambda: store.readings == 1)
    QApplication.processEvents()
    assert panel.notice.text == HINT


def test_folded_to_its_head_it_reads_nothing(panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.collapsed_changed):
        qtbot.mouseClick(panel.head, Qt.MouseButton.LeftButton)
    assert panel.collapsed
    assert panel.maximumHeight() == PANEL_HEAD
    assert panel.minimumSizeHint().height() == PANEL_HEAD
    show_run()
    assert store.readings == 0
    panel.set_collapsed(False)
    panel.set_collapsed(False)
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    assert panel.head.words == "as of now"
    panel.set_collapsed(True)
    assert panel.head.words == ""
    panel.set_collapsed(False)
    assert panel.sizeHint().height() > panel.minimumSizeHint().height() > PANEL_HEAD


def test_hidden_it_reads_nothing_until_it_is_shown(
    panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot
) -> None:
    panel.hide()
    show_run()
    assert store.readings == 0
    panel.show()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)


def test_a_panel_made_for_an_open_run_shows_it(
    selection: Selection, jobs: Jobs, store: _Store, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    panel = StatePanel(selection, jobs, store.load)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)


def test_the_current_row_stays_with_its_path(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    panel.rows.set_current(_row(panel, "facts"))
    _go_to_step(selection, 1)
    assert panel.rows.current_path() == ("memory", "facts")
    selection.go_to_moment(0)
    assert panel.rows.current_path() is None


def test_the_keyboard_opens_closes_and_copies(
    panel: StatePanel, show_run: ShowRun, selection: Selection, qtbot: QtBot
) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    rows = panel.rows
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    rows.set_current(_row(panel, "facts"))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(rows, key)
    assert rows.current_path() == ("memory", "facts", 0)
    qtbot.keySequence(rows, QKeySequence(QKeySequence.StandardKey.Copy))
    assert QGuiApplication.clipboard().text() == "likes email"
    rows.copy_path()
    assert QGuiApplication.clipboard().text() == "memory.facts[0]"
    qtbot.keyClick(rows, Qt.Key.Key_Left)
    qtbot.keyClick(rows, Qt.Key.Key_Left)
    assert rows.current_path() == ("memory", "facts")
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert rows.row_count() == 6
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert rows.current_path() == ("memory", "facts")
    rows.set_current(_row(panel, "order"))
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert selection.moment == 1


def test_nothing_chosen_nothing_copied(panel: StatePanel, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("before")
    panel.rows.copy_value()
    panel.rows.copy_path()
    assert panel.rows.menu() is None
    assert QGuiApplication.clipboard().text() == "before"


def test_a_click_on_the_chevron_opens(panel: StatePanel, show_run: ShowRun, qtbot: QtBot) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    viewport = panel.rows.viewport()
    middle = panel.rows.row_rect(_row(panel, "facts")).center().y()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(46, middle))
    assert panel.rows.row_count() == 6
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(46, middle))
    assert panel.rows.row_count() == 5
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(90, middle))
    qtbot.mouseClick(viewport, Qt.MouseButton.RightButton, pos=QPoint(46, middle))
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(46, viewport.height() - 2))
    assert panel.rows.row_count() == 5


def test_the_menu_copies_and_leads_to_the_step(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 5)
    viewport = panel.rows.viewport()
    place = panel.rows.row_rect(_row(panel, "decision")).center()
    QApplication.sendEvent(
        viewport, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, viewport.mapToGlobal(place))
    )
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, QMenu)
    actions = {action.text(): action for action in popup.actions()}
    assert list(actions) == ["Copy value", "Copy path", "Go to step 2"]
    actions["Copy value"].trigger()
    assert QGuiApplication.clipboard().text() == "refund"
    actions["Go to step 2"].trigger()
    assert selection.moment >= 0
    popup.close()
    panel.rows.set_current(-1)
    QApplication.sendEvent(
        viewport, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, viewport.mapToGlobal(place))
    )


def test_tooltips_show_whole_values_and_who_reported_them(panel: StatePanel, show_run: ShowRun, qtbot: QtBot) -> None:
    show_run([("plan", 2 * MS - 5, {"state": {"long": "<i>" + "x" * 3_000, "list": [1]}})])
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 3)
    rows, right = panel.rows, panel.rows.viewport().width() - 20
    long = rows.row_rect(_row(panel, "long")).center().y()
    text = rows.tooltip_at(QPoint(100, long))
    assert text.startswith("state.long\n<i>xxx")
    assert text.endswith("…")
    assert len(text) < 2_000
    assert rows.tooltip_at(QPoint(right, long)) == "Reported in plan at 2\u2009ms"
    assert rows.tooltip_at(QPoint(100, rows.row_rect(_row(panel, "list")).center().y())) == "state.list\n[1]"
    assert rows.tooltip_at(QPoint(100, 900)) == ""
    place = QPoint(100, long)
    QApplication.sendEvent(rows.viewport(), QHelpEvent(QEvent.Type.ToolTip, place, rows.mapToGlobal(place)))
    assert "&lt;i&gt;" in QToolTip.text()
    QToolTip.hideText()


def test_a_report_from_a_span_that_is_not_here_is_told(
    panel: StatePanel, show_run: ShowRun, store: _Store, qtbot: QtBot
) -> None:
    run = show_run([("plan", 2 * MS - 5, {"a": 1})])
    store.events = [(b"elsewher", Event(run.start_ns + 2 * MS - 5, STATE_EVENT, {"a": 1}))]
    qtbot.waitUntil(lambda: len(panel.tree.rows) == 1)
    place = QPoint(panel.rows.viewport().width() - 20, 10)
    assert panel.rows.tooltip_at(place).startswith("Reported in ")


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("width", [700, 452, 300, 220])
def test_changes_are_washed_in_their_colour_at_any_width(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot, dark: bool, width: int
) -> None:
    before = {"kept": 1, "gone": "We are sorry", "changed": {"deep": {"er": "a" * 200}}}
    after = {"kept": 1, "changed": {"deep": {"er": "b" * 200}}, "new": 64.9, "items": list(range(20_000))}
    show_run([("plan", 2 * MS - 5, before), ("search", 4 * MS - 5, after)])
    colors = theme(dark)
    panel.set_theme(colors)
    panel.resize(width, 400)
    _go_to_step(selection, 2)
    qtbot.waitUntil(lambda: panel.tree.changed == 3)
    panel.rows.set_current(_row(panel, "kept"))
    panel.rows.setFocus()
    panel.tree.set_expanded(_row(panel, "items"), True)
    panel.rows.refresh(("kept",))
    image = panel.rows.viewport().grab().toImage()
    places = {row.label: panel.rows.row_rect(i).center().y() for i, row in enumerate(panel.tree.rows[:12])}
    grounds = {label: image.pixelColor(8, y) for label, y in places.items()}
    assert grounds["new"] == colors.added_wash
    assert grounds["er"] == colors.changed_wash
    assert grounds["kept"] in (colors.selection, colors.bg4)
    panel.rows.ensure_row_visible(panel.rows.row_count() - 1)
    panel.rows.viewport().grab()
    assert panel.rows.row_text(panel.rows.row_count() - 1).startswith("10,000 more")
    panel.grab()


def _inks(panel: StatePanel, row: int) -> set[int]:
    """The colours in the column of glyphs."""
    image = panel.rows.viewport().grab(panel.rows.row_rect(row)).toImage()
    return {image.pixel(x, y) for x in range(12, 24) for y in range(4, 20)}


def test_a_closed_container_tells_of_changes_inside(
    panel: StatePanel, selection: Selection, show_run: ShowRun, qtbot: QtBot
) -> None:
    show_run()
    _go_to_step(selection, 2)
    qtbot.waitUntil(lambda: panel.tree.changed == 1)
    panel.rows.set_current(0)
    assert len(_inks(panel, 0)) == 1
    qtbot.keyClick(panel.rows, Qt.Key.Key_Left)
    assert panel.tree.rows[0].changes == 1
    assert len(_inks(panel, 0)) > 1


def test_the_head_shows_hover_and_focus(panel: StatePanel, qtbot: QtBot) -> None:
    panel.rows.setFocus()
    # The pointer may lie anywhere, over the head too.
    panel.head.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    plain = panel.head.grab().toImage()
    panel.head.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    hovered = panel.head.grab().toImage()
    panel.head.setFocus()
    qtbot.waitUntil(panel.head.hasFocus)
    assert plain != hovered != panel.head.grab().toImage()
    assert panel.head.accessibleName() == "State and memory"
