"""The command palette: few letters find a command or a run, Return does it, Escape gives the keyboard back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from traceview.app.actions import Action
from traceview.app.palette import Entry, Palette, command_entries, file_entries, fuzzy, rank, run_entries
from traceview.app.theme import theme
from traceview.protocol.records import TraceSummary

MakeSummary = Callable[..., TraceSummary]


def _ranked(typed: str, *texts: str) -> list[str]:
    return [match.entry.text for match in rank(typed, [Entry(text, "", lambda: None) for text in texts])]


@pytest.mark.parametrize(
    ("typed", "text", "fits"),
    [
        ("", "anything", True),
        ("zi", "Zoom in", True),
        ("zoom in", "Zoom in", True),
        ("OPEN", "Open trace files…", True),
        ("otf", "Open trace files…", True),
        ("nio", "Zoom in", False),
        ("straße", "Die Straße", True),
        ("stanbul", "İstanbul", True),
        ("xyz", "Zoom in", False),
    ],
)
def test_letters_must_occur_in_their_order(typed: str, text: str, fits: bool) -> None:
    assert (fuzzy(typed, text) is not None) is fits


def test_a_whole_word_beats_scattered_letters_and_word_starts_beat_middles() -> None:
    assert _ranked("exp", "Expand all", "Nap", "Show exports") == ["Expand all", "Show exports"]
    assert _ranked("et", "Settings", "Every trace") == ["Settings", "Every trace"]
    assert _ranked("zi", "Zigzag", "Zoom in") == ["Zigzag", "Zoom in"]
    assert _ranked("oa", "Zoom again and on", "Open all") == ["Open all", "Zoom again and on"]


def test_what_stands_beside_counts_less() -> None:
    entries = [Entry("Parcel", "support-agent", print), Entry("Ask support", "x", print)]
    assert [match.entry.text for match in rank("support", entries)] == ["Ask support", "Parcel"]


class Opened(NamedTuple):
    """A window with a palette open over it, and what was done."""

    window: QWidget
    palette: Palette
    done: list[object]


@pytest.fixture
def opened(qtbot: QtBot, summary: MakeSummary, qapp_look: object) -> Opened:
    """Two commands, one of them not possible now, and two runs."""
    window, done = QWidget(), list[object]()
    before = QLineEdit()
    QVBoxLayout(window).addWidget(before)
    qtbot.addWidget(window)
    window.resize(900, 600)
    palette = Palette(window)
    palette.set_theme(theme(False))
    window.show()
    before.setFocus()
    qtbot.waitUntil(before.hasFocus)
    actions = [
        Action("theme", "Next theme", ("Ctrl+Shift+T",), lambda: done.append("theme")),
        Action("keys", "All keys", (), lambda: done.append("keys")),
        Action("zoom", "Zoom in", ("W",), lambda: done.append("zoom"), enabled=lambda: False),
    ]
    traces = [summary(at=1, preview="Where is my parcel?"), summary("nightly", at=0)]
    files = [Path("/data/run.json")]
    palette.open([*command_entries(actions), *file_entries(files, done.append), *run_entries(traces, done.append)])
    return Opened(window, palette, done)


def test_it_offers_what_can_be_done_and_the_runs(opened: Opened) -> None:
    texts = [match.entry.text for match in opened.palette.matches()]
    assert texts == ["Next theme", "All keys", "Open run.json", "Where is my parcel?", "nightly"]
    assert not opened.window.grab().isNull()


def test_return_does_what_was_chosen_by_arrows(opened: Opened, qtbot: QtBot) -> None:
    edit = opened.palette.field.edit
    qtbot.keyClick(edit, Qt.Key.Key_Down)
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert opened.done == ["keys"]
    assert not opened.palette.isVisible()


def test_typing_narrows_and_a_run_can_be_opened(opened: Opened, qtbot: QtBot, summary: MakeSummary) -> None:
    qtbot.keyClicks(opened.palette.field.edit, "parcel")
    assert [match.entry.text for match in opened.palette.matches()] == ["Where is my parcel?"]
    qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Up)
    opened.window.grab()
    qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Return)
    assert opened.done == [summary(at=1).trace_id]


def test_a_file_opened_lately_is_opened_again(opened: Opened, qtbot: QtBot) -> None:
    qtbot.keyClicks(opened.palette.field.edit, "run.json")
    qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Return)
    assert opened.done == [Path("/data/run.json")]


def test_a_text_that_fits_nothing_becomes_a_filter(opened: Opened, qtbot: QtBot) -> None:
    qtbot.keyClicks(opened.palette.field.edit, "xyzzy")
    qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Down)
    opened.window.grab()
    with qtbot.waitSignal(opened.palette.nothing_found) as found:
        qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Return)
    assert found.args == ["xyzzy"]


def test_a_click_does_it_and_hovering_chooses(opened: Opened, qtbot: QtBot) -> None:
    rows = opened.palette.list
    rows.set_hovered(1)
    assert rows.current == 1
    rows.set_hovered(-1)
    assert rows.row_text(1) == "All keys, General"
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 8))
    assert opened.done == ["theme"]


def test_escape_and_a_click_beside_close_it_and_give_the_keyboard_back(opened: Opened, qtbot: QtBot) -> None:
    field = opened.window.findChild(QLineEdit)
    qtbot.keyClick(opened.palette.field.edit, Qt.Key.Key_Escape)
    assert not opened.palette.isVisible()
    qtbot.waitUntil(field.hasFocus)
    opened.palette.open([])
    assert opened.palette.isVisible()
    qtbot.mouseClick(opened.palette.frame, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert opened.palette.isVisible()
    qtbot.mouseClick(opened.palette, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert not opened.palette.isVisible()
    opened.palette.dismiss()


def test_it_follows_the_windows_size_and_swallows_keys(opened: Opened, qtbot: QtBot) -> None:
    opened.window.resize(500, 400)
    assert opened.palette.size() == opened.window.size()
    assert opened.palette.frame.width() == 500 - 48
    qtbot.keyClick(opened.palette, Qt.Key.Key_J)
    qtbot.keyClick(opened.palette, Qt.Key.Key_Escape)
    opened.window.resize(600, 400)
    assert not opened.palette.isVisible()
