"""The panes around the run: bar, header, empty state, status line, banner, sheets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from traceview.analysis.anomalies import find_anomalies
from traceview.analysis.steps import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.controls import plain_tooltip
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.views.app_bar import AppBar, View
from traceview.app.views.banner import Banner
from traceview.app.views.empty_state import EmptyState
from traceview.app.views.flow_layout import FlowLayout
from traceview.app.views.key_sheet import KeySheet
from traceview.app.views.part import Part
from traceview.app.views.settings_sheet import SettingsSheet
from traceview.app.views.status_line import StatusLine, otlp_address, zone_text
from traceview.app.views.trace_header import TraceHeader
from traceview.protocol.control import AgentStatus, Receiver
from traceview.protocol.records import Status, TraceSummary
from traceview.protocol.sampling import SampledOut
from traceview.testing import START_NS, build_trace

MakeSummary = Callable[..., TraceSummary]
LIGHT = theme(False)
UP = AgentStatus(
    pid=1,
    version="0.1.0",
    started_ns=0,
    store="/s",
    store_bytes=1_240_000_000,
    spans=34,
    rejected=0,
    dropped=0,
    queued=0,
    spans_per_second=412.4,
    receivers=(
        Receiver(name="zmq", address="ipc:///x"),
        Receiver(name="otlp-http", address="http://127.0.0.1:4318"),
    ),
)

pytestmark = pytest.mark.usefixtures("qapp_look")


def _run(summary: TraceSummary, *, live: bool = True, now_ns: int = START_NS + 10**9) -> OpenRun:
    tree = build_tree(build_trace("plan > search").rows())
    return OpenRun(
        Source(Path("traces.db"), "Live", live), summary, tree, (), find_moments(tree, ()), summary.start_ns, now_ns
    )


# The bar


def test_the_bar_shows_the_views_there_are_and_tells_which_is_picked(qtbot: QtBot) -> None:
    bar = AppBar([View("waterfall", "Waterfall", "waterfall"), View("flame", "Flame", "flame")])
    qtbot.addWidget(bar)
    bar.resize(1200, 40)
    assert bar.view_names() == ["waterfall", "flame"]
    with qtbot.waitSignal(bar.view_picked) as picked:
        bar._views[1].click()
    assert picked.args == ["flame"]
    dark = bar.grab().toImage()
    bar.set_theme(LIGHT)
    bar.set_narrow(True)
    assert bar.grab().toImage() != dark
    assert bar._views[0].toolTip() == "Waterfall"
    bar.set_narrow(False)
    bar.set_theme_choice("dark")
    assert "dark" in bar.theme_button.toolTip()


def test_the_bars_buttons_ask_for_what_they_show(qtbot: QtBot) -> None:
    bar = AppBar([View("waterfall", "Waterfall", "waterfall")])
    qtbot.addWidget(bar)
    for button, signal in (
        (bar.field, bar.palette_requested),
        (bar.panel, bar.panel_toggled),
        (bar.theme_button, bar.theme_requested),
        (bar.settings, bar.settings_requested),
    ):
        with qtbot.waitSignal(signal):
            button.click()


# The header


@pytest.fixture
def header(qtbot: QtBot) -> TraceHeader:
    made = TraceHeader(Selection())
    qtbot.addWidget(made)
    made.resize(1000, 48)
    made.show()
    return made


def test_the_header_shows_name_chips_and_six_figures(header: TraceHeader, summary: MakeSummary, qtbot: QtBot) -> None:
    assert header.figures() == []
    header.grab()
    header._selection.show(
        _run(
            summary(
                takes=27.84,
                errors=1,
                session="s-42",
                user="u-7",
                tags=("beta",),
                input_tokens=21_000,
                output_tokens=400,
                cost_usd=0.04,
                preview="Parcel 48213 has not moved",
                dropped=212,
            )
        )
    )
    assert dict(header.figures()) == {
        "Duration": "27.84\u2009s", "Spans": "34", "Errors": "1", "LLM calls": "5", "Tokens": "21.4k", "Cost": "$0.040",
    }  # fmt: skip
    assert header.chips.texts() == ["212 spans dropped", "session s-42", "user u-7", "beta"]
    with qtbot.waitSignal(header.filter_requested) as asked:
        header.chips._others[0].click()
    assert asked.args == ["session:s-42"]
    assert "TRACEVIEW_SPOOL_MB" in header.chips._warnings[0].toolTip()
    with qtbot.waitSignal(header.filter_requested) as asked:
        header.chips._warnings[0].click()
    assert asked.args == ["dropped > 0"]
    header.set_theme(LIGHT)
    wide = header.grab()
    assert not wide.isNull()
    header.resize(600, 48)
    assert not header.chips._others[-1].isVisible()
    assert header.chips._warnings[0].isVisible()
    header._selection.show(None)
    assert header.chips.texts() == []


def _doubtful(summary: TraceSummary) -> OpenRun:
    """A run of which 12 spans are lost; two workers begin before their planner, a third span's parent is missing."""
    rows = build_trace("planner > (worker, helper), lost").rows()
    rows[1] = msgspec.structs.replace(rows[1], start_ns=rows[0].start_ns - 120_000_000)
    rows[2] = msgspec.structs.replace(rows[2], start_ns=rows[0].start_ns - 30_000_000)
    rows[3] = msgspec.structs.replace(rows[3], parent_id=b"missing!")
    tree = build_tree(rows)
    source, moments = Source(Path("traces.db"), "Live", live=True), find_moments(tree, ())
    return OpenRun(source, summary, tree, (), moments, summary.start_ns, START_NS + 10**9, find_anomalies(tree))


def test_the_header_warns_of_what_is_lost_or_can_not_be_as_recorded(header: TraceHeader, summary: MakeSummary) -> None:
    run = _doubtful(summary(dropped=12))
    header._selection.show(run)
    assert header.chips.texts() == ["12 spans dropped", "clocks differ by up to 120\u2009ms", "1 span without parent"]
    visited = []
    for _ in range(3):
        header.chips._warnings[1].click()
        assert header._selection.span_id is not None
        visited.append(run.tree.rows[run.tree.index[header._selection.span_id]].name)
    assert visited == ["worker", "helper", "worker"]
    header.resize(1600, 48)
    assert all(chip.isVisible() for chip in header.chips._warnings)


def test_without_room_the_warnings_become_one_and_a_long_name_gives_way(
    header: TraceHeader, summary: MakeSummary
) -> None:
    header._selection.show(_doubtful(summary("a-very-long-name-" * 9, dropped=12, session="s")))
    header.resize(760, 48)
    (one,) = (chip for chip in header.chips._chips() if chip.isVisible())
    assert one.label == "3 warnings"
    assert "TRACEVIEW_SPOOL_MB" in one.toolTip()
    assert header.chips.geometry().right() <= header._figures_left()
    one.click()
    assert header._selection.span_id is not None
    header.grab()


def test_the_duration_of_a_live_run_grows_and_that_of_a_file_stands(header: TraceHeader, summary: MakeSummary) -> None:
    running = summary(takes=None)
    header._selection.show(_run(running))
    assert header._tick.isActive()
    assert "d" in dict(header.figures())["Duration"] or "h" in dict(header.figures())["Duration"]
    header.grab()
    header._selection.show(_run(running, live=False))
    assert not header._tick.isActive()
    assert dict(header.figures())["Duration"] == "1.00\u2009s"
    header._selection.show(_run(msgspec.structs.replace(running, status=Status.OK, end_ns=START_NS + 2 * 10**9)))
    assert dict(header.figures())["Duration"] == "2.00\u2009s"
    assert dict(header.figures())["Cost"] == "–"


# The empty state


@pytest.fixture
def empty(qtbot: QtBot) -> EmptyState:
    made = EmptyState()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


def test_the_empty_state_shows_real_addresses_and_problems(empty: EmptyState) -> None:
    assert empty.sheet.headline == "Starting the daemon…"
    empty.grab()
    empty.set_status(UP, "")
    assert empty.sheet.headline == "The daemon is up and listening. Nothing leaves this machine."
    assert empty.sheet.addresses() == [("OTLP/HTTP", "http://127.0.0.1:4318")]
    empty.sheet.copy_addresses[0].click()
    assert QGuiApplication.clipboard().text() == "http://127.0.0.1:4318"
    taken = Receiver(name="otlp-grpc", address="127.0.0.1:4317", error="Port 4317 is taken by otelcol: stop it.")
    empty.set_status(msgspec.structs.replace(UP, receivers=(*UP.receivers, taken), problem="The disk is full."), "")
    assert empty.sheet.headline == "The disk is full."
    assert empty.sheet.addresses()[1] == ("OTLP/gRPC", "Port 4317 is taken by otelcol: stop it.")
    empty.set_theme(LIGHT)
    empty.grab()
    empty.set_status(None, "traceview-agent is not running")
    assert empty.sheet.headline == "traceview-agent is not running"
    empty.resize(400, 300)
    empty.grab()


def test_the_two_lines_can_be_copied(empty: EmptyState, qtbot: QtBot) -> None:
    empty.sheet.copy_code.click()
    assert QGuiApplication.clipboard().text() == 'import traceview as tv\nwith tv.trace("my-agent"): run_agent()'
    assert empty.sheet.copy_code.label == "Copied"
    qtbot.waitUntil(lambda: empty.sheet.copy_code.label == "Copy")


def test_demo_and_choosing_are_asked_for(empty: EmptyState, qtbot: QtBot) -> None:
    with qtbot.waitSignal(empty.demo_requested):
        empty.sheet.demo.click()
    empty.say_demo_started()
    assert not empty.sheet.demo.isEnabled()
    empty.allow_demo()
    assert empty.sheet.demo.label == "Try the demo"
    with qtbot.waitSignal(empty.choose_requested):
        empty.sheet.choose.click()
    with qtbot.waitSignal(empty.choose_requested):
        qtbot.mouseClick(empty.sheet.drop, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    with qtbot.assertNotEmitted(empty.choose_requested):
        qtbot.mouseClick(empty.sheet.drop, Qt.MouseButton.RightButton, pos=QPoint(10, 10))


def test_local_files_can_be_dropped_and_nothing_else(empty: EmptyState, qtbot: QtBot) -> None:
    drop, data = empty.sheet.drop, QMimeData()
    data.setUrls([QUrl("https://example.org/x.json")])
    enter = QDragEnterEvent(QPoint(5, 5), _COPY, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter.ignore()
    drop.dragEnterEvent(enter)
    assert not enter.isAccepted()
    data.setUrls([QUrl.fromLocalFile("/x/run.json"), QUrl("https://example.org/x.json")])
    enter = QDragEnterEvent(QPoint(5, 5), _COPY, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    drop.dragEnterEvent(enter)
    assert enter.isAccepted()
    drop.grab()
    drop.dragLeaveEvent(QDragLeaveEvent())
    with qtbot.waitSignal(empty.files_dropped) as dropped:
        drop.dropEvent(
            QDropEvent(QPointF(5, 5), _COPY, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        )
    assert dropped.args == [[Path("/x/run.json")]]


_COPY = Qt.DropAction.CopyAction


# The status line


def test_the_status_line_says_how_the_daemon_is(qtbot: QtBot) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.resize(1200, 24)
    assert line.texts()[0] == "Starting the daemon…"
    line.set_zone(UTC)
    line.set_status(UP, "")
    assert line.texts() == [
        "Daemon running", "412 spans/s", "Store 1.24\u2009GB", "No gaps", "UTC · times from run start",
        "OTLP 127.0.0.1:4318",
    ]  # fmt: skip
    calm = line.grab().toImage()
    taken = Receiver(name="otlp-http", address="http://127.0.0.1:4318", error="Port 4318 is taken by otelcol (812).")
    line.set_status(
        msgspec.structs.replace(UP, receivers=(taken,), dropped=212, rejected=3, problem="The disk is full."), ""
    )
    line.set_store_problem("/s is damaged")
    assert line.texts()[:7] == [
        "The disk is full.", "/s is damaged", "212 spans dropped", "Port 4318 is taken by otelcol (812).",
        "412 spans/s", "Store 1.24\u2009GB", "3 spans rejected",
    ]  # fmt: skip
    assert "TRACEVIEW_SPOOL_MB" in line.toolTip()
    assert "OTLP" not in line.texts()[-1]
    line.set_theme(LIGHT)
    assert line.grab().toImage() != calm
    line.resize(240, 24)
    line.grab()


def test_the_status_line_says_what_sampling_left_out_and_why(qtbot: QtBot) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    out = (SampledOut("ratio", 1_200, 9_000), SampledOut("name=noise* <b>", 34, 70))
    line.set_status(msgspec.structs.replace(UP, sampling=True, sampled_out=out), "")
    assert line.texts()[3] == "1,234 runs sampled out"
    said = "1,234 runs left out once they had ended, by [sampling] in config.toml:"
    assert line.toolTip() == plain_tooltip(f"{said}\n• 1,200 by ratio\n• 34 by name=noise* <b>")
    many = tuple(SampledOut(f"name={number}", 1, 1) for number in range(15))
    line.set_status(msgspec.structs.replace(UP, sampled_out=many), "")
    assert "by rules that are no longer in force" in line.toolTip()
    assert "and 3 other rules" in line.toolTip()
    line.set_status(msgspec.structs.replace(UP, sampled_out=many[:1]), "")
    assert line.texts()[3] == "1 run sampled out"
    line.set_status(UP, "")
    assert line.toolTip() == ""


def test_the_status_line_says_what_programs_did_not_record(qtbot: QtBot) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.set_status(msgspec.structs.replace(UP, left_out=1_234), "")
    assert line.texts()[3] == "1,234 runs not recorded"
    assert "tv.configure(head_ratio=…)" in line.toolTip()
    line.set_status(msgspec.structs.replace(UP, left_out=1), "")
    assert line.texts()[3] == "1 run not recorded"


def test_a_daemon_that_is_down_can_be_started_from_the_line(qtbot: QtBot) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.resize(800, 24)
    line.show()
    line.set_status(None, "traceview-agent is not running")
    line.grab()
    with qtbot.waitSignal(line.start_requested):
        line._link.click()
    line.set_status(UP, "")
    assert not line._link.isVisible()


@pytest.mark.parametrize(("minutes", "text"), [(0, "UTC"), (60, "UTC+1"), (-210, "UTC−3:30"), (345, "UTC+5:45")])
def test_a_zone_is_named_by_its_offset(minutes: int, text: str) -> None:
    assert zone_text(timezone(timedelta(minutes=minutes))) == text


def test_no_address_is_named_where_nothing_listens() -> None:
    assert otlp_address(None) is None
    assert zone_text(None).startswith("UTC")


# Banner and sheets


def test_the_banner_shows_one_message_after_the_other(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    banner.resize(600, 40)
    banner.tell("<b>a.json</b> is empty")
    banner.tell("<b>a.json</b> is empty")
    banner.tell("3 spans were left out", "warning")
    assert banner.messages() == ["<b>a.json</b> is empty", "3 spans were left out"]
    label = banner.findChild(QLabel)
    assert label.textFormat() is Qt.TextFormat.PlainText
    assert label.text() == "<b>a.json</b> is empty  (and 1 more)"
    red = banner.grab().toImage()
    banner._close.click()
    assert label.text() == "3 spans were left out"
    assert banner.grab().toImage() != red
    banner.set_theme(LIGHT)
    banner._close.click()
    assert banner.isHidden()
    banner.set_theme(LIGHT)


def test_trouble_stands_before_all_else_and_goes_by_itself(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    banner.tell("a.json is empty")
    banner.stand("the daemon", "the disk is full: free some space")
    assert banner.messages() == ["the disk is full: free some space", "a.json is empty"]
    banner.stand("the daemon", "the disk is full: free some space")
    banner.stand("reading", "")
    banner.stand("the daemon", "the store was deleted")
    assert banner.messages() == ["the store was deleted", "a.json is empty"]
    banner.stand("the daemon", "")
    assert banner.messages() == ["a.json is empty"]


def test_closed_trouble_stays_away_until_something_else_is_wrong(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    banner.stand("the daemon", "the disk is full")
    banner._close.click()
    banner.stand("the daemon", "the disk is full")
    assert banner.isHidden()
    banner.stand("the daemon", "")
    banner.stand("the daemon", "the disk is full")
    assert banner.isVisible()


def test_a_long_message_is_seen_whole_in_a_narrow_window(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    column, banner = QVBoxLayout(window), Banner()
    column.addWidget(banner)
    column.addWidget(QWidget(), 1)
    window.resize(500, 400)
    window.show()
    banner.tell("short")
    assert banner.height() <= 40
    banner._close.click()
    banner.stand("the daemon", "the disk is full: free some space, nothing stored is lost; " * 4)
    label = banner.findChild(QLabel)
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()) > 30)
    assert banner.height() < 200


def test_what_was_done_is_no_warning_and_offers_what_comes_next(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    banner.resize(900, 40)
    done: list[str] = []
    banner.tell("1 trace exported to /tmp/a.json", "done")
    banner.tell("1 trace exported to /tmp/b.json", "done", (("Copy path", lambda: done.append("b")),))
    assert banner.messages() == ["1 trace exported to /tmp/b.json"]
    (link,) = banner.links()
    link.click()
    assert done == ["b"]
    calm = banner.grab().toImage()
    assert calm.pixelColor(400, 2) == theme(True).bg2
    banner.set_theme(LIGHT)
    assert len(banner.links()) == 1
    banner._close.click()
    assert banner.links() == []


def test_the_key_sheet_shows_all_groups(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(900, 500)
    window.show()
    sheet = KeySheet(window)
    sheet.set_theme(LIGHT)
    sheet.set_groups({"General": [("All keys", ("?",))], "Replay": [("Next step", ("F10", "N")), ("End", ("End",))]})
    sheet.popup()
    sheet.popup()
    assert sheet._keys.accessibleDescription() == "All keys: ?\nNext step: F10 or N\nEnd: End"
    assert not window.grab().isNull()
    with qtbot.waitSignal(sheet.closed):
        qtbot.keyClick(sheet, Qt.Key.Key_Escape)


def test_settings_take_effect_at_once(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(900, 500)
    window.show()
    sheet = SettingsSheet(window, [("Store", "/home/x/traces.db", home), ("OTLP/HTTP", "", None)])
    sheet.set_theme(LIGHT)
    sheet.set_choices("dark", "utc")
    sheet.set_text("OTLP/HTTP", "127.0.0.1:4318")
    sheet.popup()
    assert sheet.themes.chips["dark"].isChecked()
    with qtbot.waitSignal(sheet.theme_picked) as picked:
        sheet.themes.chips["light"].click()
    assert picked.args == ["light"]
    with qtbot.waitSignal(sheet.zone_picked) as picked:
        sheet.zones.chips["local"].click()
    assert picked.args == ["local"]
    sheet.lines[1].copy.click()
    assert QGuiApplication.clipboard().text() == "127.0.0.1:4318"
    shown: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", shown.append)
    sheet.lines[0].buttons[1].click()
    assert [url.toLocalFile() for url in shown] == [str(home)]
    assert not window.grab().isNull()


def test_chips_flow_into_lines(qtbot: QtBot) -> None:
    box = QWidget()
    qtbot.addWidget(box)
    flow = FlowLayout(box, gap=4)
    labels = [QLabel(str(n)) for n in range(3)]
    for label in labels:
        label.setFixedSize(60, 20)
        flow.addWidget(label)
    hidden = QLabel("hidden")
    flow.addWidget(hidden)
    hidden.hide()
    assert (flow.count(), flow.heightForWidth(200), flow.heightForWidth(130), flow.heightForWidth(10)) == (
        4,
        20,
        44,
        68,
    )
    assert flow.hasHeightForWidth()
    assert flow.expandingDirections() == Qt.Orientation(0)
    assert flow.sizeHint().width() >= 60
    box.resize(130, 44)
    box.show()
    flow.activate()
    assert [label.pos() for label in labels] == [QPoint(0, 0), QPoint(64, 0), QPoint(0, 24)]
    assert flow.itemAt(9) is None
    assert flow.takeAt(9) is None


def test_a_part_must_paint_itself(qtbot: QtBot) -> None:
    part = Part()
    qtbot.addWidget(part)
    with pytest.raises(AssertionError, match="paints itself"):
        part._paint(None, LIGHT)  # type: ignore[arg-type]
