"""The whole window over a real store: what arrives is shown, what is pressed is done, what was arranged comes back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QProcess, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from traceview.app.main_window import MainWindow
from traceview.app.services import make_services
from traceview.app.settings import Settings
from traceview.conventions import facts
from traceview.formats import encode_json
from traceview.protocol.control import AgentStatus, Receiver
from traceview.protocol.places import find_places
from traceview.store import StoreWriter
from traceview.testing import START_NS, build_trace

Open = Callable[..., MainWindow]
NONE, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
)
UP = AgentStatus(
    pid=1, version="0.1.0", started_ns=0, store="/s", store_bytes=1, spans=1, rejected=0, dropped=0, queued=0,
    spans_per_second=0.0, receivers=(Receiver(name="otlp-http", address="http://127.0.0.1:4318"),),
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("qapp_look")


def fill_store(path: Path, *names: str) -> None:
    writer = StoreWriter(path, facts)
    for at, name in enumerate(names):
        trace = build_trace("plan > (search:tool!, answer:llm)", trace=name, start_ns=START_NS + at * 10**9)
        writer.apply(trace.parts)
    writer.close()


@pytest.fixture
def open_window(home: Path, qtbot: QtBot) -> Iterator[Open]:
    """Opens windows of the test's home, without starting a daemon; closed and stopped after the test."""
    with contextlib.ExitStack() as cleanup:

        def open_window(width: int = 1600, height: int = 1000) -> MainWindow:
            places = find_places()
            services = make_services(places, Settings(places.settings), start_daemon=False)
            window = MainWindow(services)
            qtbot.addWidget(window)
            window.resize(width, height)
            window.workbench.build()
            cleanup.callback(services.close)
            window.show()
            services.start()
            qtbot.waitUntil(lambda: services.navigator.is_loaded)
            if services.model.total:
                qtbot.waitUntil(lambda: services.selection.run is not None)
            return window

        yield open_window


def test_a_run_is_shown_in_every_pane(home: Path, open_window: Open) -> None:
    fill_store(home / "traces.db", "first", "second")
    window = open_window()
    assert window.windowTitle() == "second — traceview"
    assert window.trace_list.rows.current == 0
    assert dict(window.workbench.header.figures())["Spans"] == "3"
    assert window._stack.currentWidget() is window.workbench
    assert not window.grab().isNull()


def test_without_a_run_the_ways_in_are_shown_until_one_arrives(home: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(1280, 800)
    assert window._stack.currentWidget() is window.empty
    assert not window.trace_list.rail
    fill_store(home / "traces.db", "first")
    qtbot.waitUntil(lambda: window._stack.currentWidget() is window.workbench)
    qtbot.waitUntil(lambda: window.services.selection.run is not None)
    assert window.trace_list.rail


def test_first_painted_is_told_once(home: Path, qtbot: QtBot) -> None:
    places = find_places()
    services = make_services(places, Settings(places.settings), start_daemon=False)
    window = MainWindow(services)
    qtbot.addWidget(window)
    told: list[None] = []
    window.first_painted.connect(lambda: told.append(None))
    window.show()
    qtbot.waitUntil(lambda: told == [None])
    window.grab()
    assert window.workbench.waterfall is None
    services.close()


@pytest.mark.parametrize(("width", "rail", "side"), [(1600, False, 384), (1280, True, 336), (1000, True, None)])
def test_a_narrow_window_gives_up_the_list_then_the_inspectors_place(
    home: Path, open_window: Open, qtbot: QtBot, width: int, rail: bool, side: int | None
) -> None:
    fill_store(home / "traces.db", "first")
    window = open_window(width, 800)
    assert window.trace_list.rail is rail
    upper = window.workbench._upper
    if side is None:
        assert upper.orientation() is Qt.Orientation.Vertical
    else:
        qtbot.waitUntil(lambda: upper.sizes()[1] == side)
    window.grab()
    window.resize(1600, 900)
    assert not window.trace_list.rail
    qtbot.waitUntil(lambda: upper.sizes()[1] == 384)


def test_home_and_end_are_the_replays_also_while_the_list_has_the_keyboard(
    home: Path, open_window: Open, qtbot: QtBot
) -> None:
    fill_store(home / "traces.db", "first", "second", "third")
    window = open_window()
    selection, rows = window.services.selection, window.trace_list.rows
    qtbot.waitUntil(lambda: selection.run is not None)
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_End)
    assert selection.run is not None
    assert (selection.run.summary.name, selection.moment) == ("third", len(selection.run.moments) - 1)
    qtbot.keyClick(rows, Qt.Key.Key_End, CTRL)
    qtbot.waitUntil(lambda: selection.run is not None and selection.run.summary.name == "first")
    qtbot.keyClick(rows, Qt.Key.Key_Home, CTRL)
    qtbot.waitUntil(lambda: selection.run is not None and selection.run.summary.name == "third")


def test_under_the_waterfall_the_state_stands_beside_the_inspector(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "first")
    window = open_window(1000, 700)
    bench = window.workbench
    assert bench.state is not None
    assert bench.inspector is not None
    qtbot.waitUntil(lambda: bench._upper.sizes()[1] >= 260)
    assert bench._side.orientation() is Qt.Orientation.Vertical
    bench.state.set_collapsed(False)
    assert bench._side.orientation() is Qt.Orientation.Horizontal
    qtbot.waitUntil(lambda: bench.inspector.height() >= 260)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: 350 <= bench.state.width() <= 420)  # type: ignore[union-attr]
    assert "split" not in bench.save_layout()
    window.resize(1600, 1000)
    assert bench._side.orientation() is Qt.Orientation.Vertical
    window.resize(1000, 700)
    assert bench._side.orientation() is Qt.Orientation.Horizontal
    bench.state.set_collapsed(True)
    assert bench._side.orientation() is Qt.Orientation.Vertical
    qtbot.waitUntil(lambda: bench.state.height() <= 28)  # type: ignore[union-attr]


def test_the_list_can_be_widened_in_a_narrow_window(home: Path, open_window: Open) -> None:
    fill_store(home / "traces.db", "first")
    window = open_window(1280, 800)
    window.trace_list._rail_head.click()
    assert not window.trace_list.rail
    window.resize(1290, 800)
    assert not window.trace_list.rail
    window.toggle_list()
    assert window.trace_list.rail


def test_the_layout_comes_back(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "first")
    window = open_window(1500, 900)
    window._body.setSizes([400, 1100])
    window.toggle_panel()
    window.cycle_theme()
    window.set_zone("utc")
    window.close()
    again = open_window(1500, 900)
    assert again.services.settings.layout("window")["list"] == window.trace_list.width()
    qtbot.waitUntil(lambda: again.trace_list.width() == window.trace_list.width())
    assert not again.workbench.panel_visible
    assert again.services.settings.theme == "dark"
    assert again.services.settings.zone == "utc"


def test_a_layout_that_makes_no_sense_is_ignored(home: Path, open_window: Open) -> None:
    settings = Settings(home / "settings.ini")
    settings.set_layout("window", {"size": ["a", 1], "list": 1e9, "maximised": "yes"})
    settings.set_layout("workbench", {"side": -5, "split": ["x"], "waterfall": 3, "panel": "no"})
    settings.save()
    fill_store(home / "traces.db", "first")
    window = open_window()
    assert window.width() == 1600
    assert window.trace_list.width() == 320


def test_keys_do_what_they_say(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "one", "two", "three")
    window = open_window()
    rows = window.trace_list.rows
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_J)
    qtbot.waitUntil(lambda: window.windowTitle() == "two — traceview")
    qtbot.keyClick(rows, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: window.windowTitle() == "three — traceview")
    assert not window.services.navigator.following
    qtbot.keyClick(rows, Qt.Key.Key_L)
    assert window.services.navigator.following
    qtbot.keyClick(rows, Qt.Key.Key_P)
    assert not window.workbench.panel_visible
    qtbot.keyClick(rows, Qt.Key.Key_B)
    assert window.trace_list.rail
    qtbot.keyClick(rows, Qt.Key.Key_F9)


def test_slash_filters_in_the_list_and_finds_in_the_run(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "one")
    window = open_window()
    qtbot.keyClick(window.trace_list.rows, Qt.Key.Key_Slash)
    qtbot.waitUntil(window.trace_list.filter_bar.field.edit.hasFocus)
    qtbot.keyClicks(window.trace_list.filter_bar.field.edit, "jk?/")
    assert window.trace_list.filter_bar.field.text == "jk?/"
    window.services.filters.clear()
    qtbot.keyClick(window.trace_list.rows, Qt.Key.Key_F, CTRL)
    qtbot.waitUntil(lambda: window.workbench.isAncestorOf(QApplication.focusWidget() or window))
    window.trace_list.rows.setFocus()


def test_every_command_can_be_run_with_and_without_a_run(home: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.commands._copy_id()
    window.commands._export()
    for action in window.commands.actions:
        if action.group in ("Waterfall", "Replay"):
            assert not action.enabled()
    fill_store(home / "traces.db", "one")
    qtbot.waitUntil(lambda: window.services.selection.run is not None)
    for action in window.commands.actions:
        if action.group in ("Waterfall", "Replay"):
            window.commands.actions.run(action.id)
    window.commands.actions.run("copy-id")
    assert QGuiApplication.clipboard().text() == build_trace("a", trace="one").trace_id.hex()
    window.commands.actions.run("find")
    window.commands.actions.run("clear-filter")


def test_the_palette_opens_runs_and_filters(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "alpha", "beta")
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_K, CTRL)
    qtbot.keyClicks(window.palette_sheet.field.edit, "alpha")
    qtbot.keyClick(window.palette_sheet.field.edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.windowTitle() == "alpha — traceview")
    window.show_palette()
    qtbot.keyClicks(window.palette_sheet.field.edit, "qqqq")
    qtbot.keyClick(window.palette_sheet.field.edit, Qt.Key.Key_Return)
    assert window.services.filters.typed == "qqqq"
    assert window.trace_list.filter_bar.field.text == "qqqq"


def test_sheets_open_and_themes_go_round(home: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.keyClick(window, Qt.Key.Key_Question, SHIFT)
    assert window.key_sheet.isVisible()
    qtbot.keyClick(window.key_sheet, Qt.Key.Key_Escape)
    window.show_settings()
    assert window.settings_sheet.isVisible()
    window.settings_sheet.zones.chips["utc"].click()
    assert "UTC · times from run start" in window.status_line.texts()
    window.settings_sheet.dismiss()
    seen = []
    for _ in range(3):
        window.cycle_theme()
        seen.append(window.services.settings.theme)
    assert seen == ["dark", "light", "system"]
    window._on_system_theme()
    window.set_theme_choice("light")
    window._on_system_theme()


def test_the_daemons_state_is_shown(home: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: "is not running" in window.status_line.texts()[0])
    assert window.trace_list.pill.word == "Offline"
    window.show_status(UP, "")
    assert window.status_line.texts()[0] == "Daemon running"
    assert window.empty.sheet.addresses() == [("OTLP/HTTP", "http://127.0.0.1:4318")]
    assert window.trace_list.pill.word == "Listening"


def test_a_damaged_store_is_one_sentence_in_the_status_line(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "one")
    window = open_window()
    for file in home.glob("traces.db*"):
        file.unlink()
    qtbot.waitUntil(lambda: any("is gone" in text for text in window.status_line.texts()))


def test_a_dropped_file_opens_beside_the_live_store(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "live")
    (home / "run.json").write_bytes(encode_json(build_trace("plan", trace="filed").parts))
    window = open_window()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(home / "run.json"))])
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(
        QDropEvent(
            QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )
    qtbot.waitUntil(lambda: window.windowTitle() == "filed — traceview", timeout=10_000)
    bar = window.trace_list.source_bar
    assert [entry.chip.label for entry in bar.entries()] == ["Live", "run.json"]
    assert window.services.settings.recent_files() == [home / "run.json"]
    close = bar.entries()[1].close_button
    assert close is not None
    close.click()
    qtbot.waitUntil(lambda: window.windowTitle() == "live — traceview")
    assert not bar.isVisible()


def test_what_cannot_be_opened_stands_in_the_banner(home: Path, open_window: Open, qtbot: QtBot) -> None:
    (home / "letter.txt").write_text("Dear Sir or Madam")
    window = open_window()
    window.files.open([home / "letter.txt"])
    qtbot.waitUntil(window.banner.isVisible, timeout=10_000)
    assert "letter.txt" in window.banner.messages()[0]
    data = QMimeData()
    data.setText("no file")
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    enter.ignore()
    window.dragEnterEvent(enter)
    assert not enter.isAccepted()


def test_files_are_chosen_and_written_through_dialogs(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "live/../run")
    window = open_window()
    window.commands.actions.run("export")
    dialog = window.findChild(QFileDialog)
    assert dialog.selectedFiles()[0].endswith("live-..-run.traceview")
    dialog.filterSelected.emit("OTLP JSON (*.json)")
    assert dialog.defaultSuffix() == "json"
    dialog.fileSelected.emit(str(home / "out.json"))
    dialog.reject()
    qtbot.waitUntil(lambda: window.banner.messages() == [f"1 trace exported to {home / 'out.json'}"], timeout=10_000)
    chosen = window.files.choose()
    chosen.filesSelected.emit([str(home / "out.json")])
    chosen.reject()
    qtbot.waitUntil(lambda: len(window.services.sources.all()) == 2, timeout=10_000)
    again = window.files.choose()
    assert Path(again.directory().absolutePath()) == home
    again.reject()


def test_an_export_that_fails_says_why(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "one")
    window = open_window()
    for name in ("x.traceview", "x.json"):
        (home / name).mkdir()
        window.files.write([build_trace("a", trace="one").trace_id], home / name)
    qtbot.waitUntil(lambda: len(window.banner.messages()) == 2, timeout=10_000)
    for name, message in zip(("x.traceview", "x.json"), window.banner.messages(), strict=True):
        assert f"{home / name} can't be written" in message


def test_the_demo_is_started_as_a_process_of_its_own(
    home: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    started: list[list[str]] = []

    def start(program: str, arguments: list[str]) -> tuple[bool, int]:
        started.append(arguments)
        return len(started) == 1, 1

    monkeypatch.setattr(QProcess, "startDetached", start)
    window.empty.sheet.demo.click()
    assert started == [["-P", "-m", "traceview", "demo", "--no-window"]]
    assert not window.empty.sheet.demo.isEnabled()
    window.start_demo()
    assert "could not be started" in window.banner.messages()[0]


def test_a_chip_of_the_header_filters_the_list(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(home / "traces.db", "one")
    window = open_window()
    window.workbench.header.filter_requested.emit("name:one")
    assert [chip.label for chip in window.trace_list.filter_bar.chips()] == ["name: one"]


def test_closing_stops_every_thread_within_two_seconds(home: Path, open_window: Open) -> None:
    fill_store(home / "traces.db", "one")
    window = open_window()
    started = time.monotonic()
    window.close()
    window.services.close()
    assert time.monotonic() - started < 2


def test_runs_are_found_by_anything_recorded_in_them(home: Path, open_window: Open, qtbot: QtBot) -> None:
    fill_store(find_places().store, "one", "two")
    window = open_window()
    model, filters = window.services.model, window.services.filters
    filters.type("text:boom text:two")
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    assert model.trace(0).name == "two"
    fill_store(find_places().store, "one", "two", "twice two")
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    window.services.texts.note_changed.emit("7 spans are not indexed yet and could not be searched.")
    assert window.trace_list.filter_bar._note.isVisible()
