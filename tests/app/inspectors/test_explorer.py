"""A value as tree and text: opened, searched, copied by mouse and keyboard; newer pictures keep what one set up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QMouseEvent
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.explorer import Explorer
from traceview.app.inspectors.tree_rows import TreeRows
from traceview.app.inspectors.word_switch import WordSwitch
from traceview.app.theme import theme

DOCUMENT = {
    "tracking": {
        "carrier": "DPX",
        "last_scan": "2026-11-16T08:12:44Z",
        "scans": ["Leipzig hub, arrival", "Leipzig hub, sorting"],
    },
    "fetched_ms": 998,
    "args": '{"city": "Leipzig"}',
    "long": "hello " * 1_000,
}


@pytest.fixture
def explorer(qtbot: QtBot) -> Explorer:
    found = Explorer("Output")
    found.set_theme(theme(True))
    found.resize(384, 600)
    qtbot.addWidget(found)
    found.set_value(DOCUMENT)
    found.show()
    return found


def labels(explorer: Explorer) -> list[str]:
    return [node.label for node in explorer.tree.rows.tree.rows]


def go_to(explorer: Explorer, label: str) -> int:
    row = labels(explorer).index(label)
    explorer.tree.rows.set_current(row)
    return row


def click(rows: TreeRows, place: QPoint) -> None:
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        event = QMouseEvent(
            kind,
            QPointF(place),
            QPointF(rows.viewport().mapToGlobal(place)),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        rows.mousePressEvent(event) if kind == QEvent.Type.MouseButtonPress else rows.mouseReleaseEvent(event)


def actions(menu: QMenu) -> dict[str, Any]:
    return {action.text(): action for action in menu.actions() if action.text()}


def test_a_small_document_is_seen_whole(explorer: Explorer) -> None:
    assert labels(explorer)[:6] == ["tracking", "carrier", "last_scan", "scans", "0", "1"]
    assert explorer.tree.bar.label.text == "JSON, 4 keys"
    assert not explorer.tree.bar.copy.isVisible()
    assert explorer.value is DOCUMENT


def test_the_path_of_the_current_row_is_shown_and_copied(explorer: Explorer, clipboard: Callable[[], str]) -> None:
    go_to(explorer, "last_scan")
    assert explorer.tree.bar.label.text == "$.tracking.last_scan"
    explorer.tree.bar.copy.click()
    assert clipboard() == "$.tracking.last_scan"
    assert explorer.tree.bar.label.text.startswith("Copied")


def test_arrows_open_close_and_walk(explorer: Explorer, qtbot: QtBot) -> None:
    rows = explorer.tree.rows
    go_to(explorer, "0")
    qtbot.keyClick(rows, Qt.Key.Key_Left)
    assert labels(explorer)[rows.current] == "scans"
    qtbot.keyClick(rows, Qt.Key.Key_Left)
    assert "0" not in labels(explorer)
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert labels(explorer)[rows.current] == "0"
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert labels(explorer)[rows.current] == "0"
    go_to(explorer, "tracking")
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert labels(explorer)[0:2] == ["tracking", "fetched_ms"]
    qtbot.keyClick(rows, Qt.Key.Key_Left)
    assert rows.current == 0
    qtbot.keyClick(rows, Qt.Key.Key_Down)
    assert rows.current == 1


def test_ctrl_c_copies_a_value_as_it_is_or_as_json(
    explorer: Explorer, qtbot: QtBot, clipboard: Callable[[], str]
) -> None:
    go_to(explorer, "carrier")
    qtbot.keyClick(explorer.tree.rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard() == "DPX"
    go_to(explorer, "scans")
    qtbot.keyClick(explorer.tree.rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert json.loads(clipboard()) == DOCUMENT["tracking"]["scans"]  # type: ignore[index]


def test_a_large_value_is_copied_between_events(explorer: Explorer, qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    explorer.set_value({"million": list(range(100_000))})
    explorer.tree.copy_value(0)
    assert clipboard() == ""
    assert explorer.tree.bar.label.text == "Copying …"
    qtbot.waitUntil(lambda: clipboard().endswith("99999\n]"))
    explorer.tree.rows.tree.expand(0)
    explorer.tree.rows.rows_changed()
    explorer.tree.copy_value(1)
    assert json.loads(clipboard()) == list(range(1_000))


def test_a_click_on_a_chevron_opens_and_on_icons_acts(
    explorer: Explorer, qtbot: QtBot, clipboard: Callable[[], str]
) -> None:
    rows = explorer.tree.rows
    row = labels(explorer).index("scans")
    rect = rows.row_rect(row)
    click(rows, QPoint(rows.indent(rows.tree.rows[row]) + 8, rect.center().y()))
    assert "0" not in labels(explorer)
    assert rows.current == row
    click(rows, QPoint(rows.viewport().width() - 40, rect.center().y()))
    assert "Leipzig hub" in clipboard()
    with qtbot.waitSignal(rows.menu_wanted):
        click(rows, QPoint(rows.viewport().width() - 10, rect.center().y()))
    explorer.findChild(QMenu).close()
    click(rows, QPoint(200, rows.viewport().height() - 2))


def test_the_menu_copies_path_key_and_value(explorer: Explorer, clipboard: Callable[[], str]) -> None:
    row = go_to(explorer, "carrier")
    menu = explorer.tree.menu(row)
    for text, wanted in (("Copy value", "DPX"), ("Copy path", "$.tracking.carrier"), ("Copy key", "carrier")):
        actions(menu)[text].trigger()
        assert clipboard() == wanted
    actions(menu)["Collapse all"].trigger()
    assert labels(explorer) == list(DOCUMENT)
    actions(menu)["Expand all"].trigger()
    assert "city" in labels(explorer)
    explorer.set_value(list(range(2_000)))
    assert "Copy key" not in actions(explorer.tree.menu(0))


@pytest.mark.parametrize("reason", [QContextMenuEvent.Reason.Keyboard, QContextMenuEvent.Reason.Mouse])
def test_the_context_menu_belongs_to_a_row(explorer: Explorer, qtbot: QtBot, reason: QContextMenuEvent.Reason) -> None:
    rows = explorer.tree.rows
    rows.set_current(2)
    place = rows.row_rect(4).center()
    with qtbot.waitSignal(rows.menu_wanted) as told:
        rows.contextMenuEvent(QContextMenuEvent(reason, place, rows.viewport().mapToGlobal(place)))
    assert told.args[0] == (2 if reason is QContextMenuEvent.Reason.Keyboard else 4)
    explorer.findChild(QMenu).close()


def test_a_search_marks_counts_and_walks(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.search.set_text("scan")
    qtbot.waitUntil(lambda: not explorer.tree.finder.running)
    assert explorer.search._count == "1 of 2"
    assert labels(explorer)[explorer.tree.rows.current] == "last_scan"
    plain = explorer.grab().toImage()
    explorer.search.submitted.emit()
    assert labels(explorer)[explorer.tree.rows.current] == "scans"
    explorer.search.backward.emit()
    assert explorer.search._count == "1 of 2"
    explorer.search.set_text("")
    assert explorer.search._count == ""
    assert explorer.grab().toImage() != plain
    explorer.search.set_text("absent")
    qtbot.waitUntil(lambda: explorer.search._count == "none")


def test_a_search_reveals_hits_in_closed_rows_and_ranges(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.set_value({"deep": {"list": list(range(5_000))}})
    explorer.tree.collapse_all()
    explorer.search.set_text("4321")
    qtbot.waitUntil(lambda: explorer.tree.finder.at == 0)
    assert explorer.tree.bar.label.text == "$.deep.list[4321]"
    assert explorer.tree.rows.current in explorer.tree.rows.visible_rows()


def test_ctrl_f_goes_to_the_search_and_escape_back(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.activateWindow()
    explorer.tree.rows.setFocus()
    qtbot.keyClick(explorer.tree.rows, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(explorer.search.edit.hasFocus)
    qtbot.keyClick(explorer.search.edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(explorer.tree.rows.hasFocus)


def test_the_same_value_as_text(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.switch.choose("Text")
    assert json.loads(explorer.text.text) == DOCUMENT
    assert explorer.pages.currentWidget() is explorer.text
    explorer.search.set_text("scan")
    qtbot.waitUntil(lambda: explorer.search._count == "1 of 2")
    assert set(actions(explorer.menu())) == {"Copy all", "Save…"}
    explorer.switch.choose("Tree")
    assert set(actions(explorer.menu())) == {"Copy all", "Expand all", "Collapse all"}


def test_a_search_in_a_long_text_that_is_being_written_says_so(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.set_value(list(range(100_000)))
    explorer.switch.choose("Text")
    explorer.search.set_text("99999")
    assert explorer.search._count == "…"
    qtbot.waitUntil(lambda: explorer.search._count.startswith("1"))


def test_a_long_string_is_shown_by_itself_and_left_again(explorer: Explorer, qtbot: QtBot) -> None:
    explorer.activateWindow()
    row = go_to(explorer, "long")
    explorer.tree.rows.setFocus()
    qtbot.keyClick(explorer.tree.rows, Qt.Key.Key_Return)
    assert explorer.detail.text.text == DOCUMENT["long"]
    assert explorer.detail.head.path.text == "$.long"
    explorer.search.set_text("hello")
    qtbot.waitUntil(lambda: explorer.search._count == "1 of 1,000")
    actions(explorer.menu())["Save…"].trigger()
    explorer.findChild(QFileDialog).reject()
    qtbot.waitUntil(explorer.detail.text.edit.hasFocus)
    qtbot.keyClick(explorer.detail.text.edit, Qt.Key.Key_Escape)
    assert explorer.pages.currentWidget() is explorer.tree
    qtbot.waitUntil(explorer.tree.rows.hasFocus)
    actions(explorer.tree.menu(row))["Show as text"].trigger()
    explorer.detail.back.click()
    assert explorer.pages.currentWidget() is explorer.tree
    explorer.tree.open_text(0)
    assert explorer.pages.currentWidget() is explorer.tree


def test_a_detail_of_a_value_is_its_json(explorer: Explorer) -> None:
    explorer.open_detail("$", {"a": 1})
    assert json.loads(explorer.detail.text.text) == {"a": 1}
    explorer.set_value(1)
    assert explorer.pages.currentWidget() is explorer.tree


def test_a_string_is_text_only_and_nothing_is_said_plainly(explorer: Explorer) -> None:
    explorer.set_value("just text")
    assert not explorer.switch.isVisible()
    assert explorer.text.text == "just text"
    explorer.say("No output", "The span failed.")
    assert not explorer.toolbar.isVisible()
    assert explorer.saying.text == "No output The span failed."
    explorer.set_value(5)
    assert not explorer.switch.isVisible()
    assert explorer.toolbar.isVisible()


def test_a_newer_picture_keeps_open_rows_place_and_search(explorer: Explorer, qtbot: QtBot) -> None:
    value = {"many": list(range(500)), "obj": {"x": 1}}
    explorer.set_value(value)
    rows = explorer.tree.rows
    rows.toggle(labels(explorer).index("many"))
    rows.set_current(labels(explorer).index("250"))
    bar = rows.verticalScrollBar()
    bar.setValue(100 * 24 + 7)
    explorer.search.set_text("x")
    qtbot.waitUntil(lambda: not explorer.tree.finder.running)
    rows.set_current(labels(explorer).index("250"))
    bar.setValue(100 * 24 + 7)
    explorer.set_value({"first": 0, **value, "last": 1}, again=True)
    assert labels(explorer)[rows.current] == "250"
    assert bar.value() == 101 * 24 + 7
    assert explorer.tree.finder.at == -1
    qtbot.waitUntil(lambda: explorer.search._count.startswith("1"))
    explorer.set_value({**value, "last": 1}, again=True)
    assert bar.value() == 100 * 24 + 7
    explorer.set_value([], again=True)
    assert rows.current == -1


def test_a_newer_picture_of_a_text_stays_where_one_reads(explorer: Explorer) -> None:
    explorer.set_value("line\n" * 500)
    bar = explorer.text.edit.verticalScrollBar()
    bar.setValue(200)
    explorer.set_value("line\n" * 500 + "more", again=True)
    assert bar.value() == 200
    explorer.set_value({"a": ["x"] * 200})
    explorer.switch.choose("Text")
    bar.setValue(100)
    explorer.set_value({"a": ["y"] * 200}, again=True)
    assert bar.value() == 100
    explorer.open_detail("$", "text")
    explorer.set_value({"a": 1}, again=True)
    assert explorer.pages.currentWidget() is explorer.detail


def test_hostile_values_are_painted_in_both_themes(
    explorer: Explorer, hostile: dict[Any, Any], nested: Callable[[int], Any], qtbot: QtBot
) -> None:
    explorer.set_value({**hostile, "deep": nested(5_000), "million": list(range(1_000_000))})
    explorer.tree.expand_all()
    assert explorer.tree.bar.label.text == "Opened the first 5,000 rows"
    for colors in (theme(True), theme(False)):
        explorer.set_theme(colors)
        for row in (0, 40, len(labels(explorer)) - 1):
            explorer.tree.rows.set_current(row)
            explorer.tree.rows.set_hovered(max(0, row - 1))
            assert not explorer.grab().isNull()
    assert len(explorer.tree.rows.row_text(3)) < 1_100
    explorer.search.set_text("e")
    qtbot.waitUntil(lambda: explorer.tree.finder.sliced.slices > 1)


def test_rows_are_read_out_with_their_state(explorer: Explorer) -> None:
    rows = explorer.tree.rows
    texts = [rows.row_text(row) for row in range(rows.row_count())]
    assert texts[0] == "tracking {3} open"
    assert texts[1] == "carrier “DPX”"
    args = labels(explorer).index("args")
    assert texts[args] == 'args “{"city": "Leipzig"}” JSON closed'
    rows.toggle(args)
    assert rows.row_text(args) == "args {1}  JSON in a string open"
    explorer.tree.collapse_all()
    assert rows.row_text(0) == "tracking {3}  carrier: “DPX”, last_scan: “2026-11-16T08:12:44Z” closed"
    explorer.set_value(list(range(2_000)))
    assert rows.row_text(0) == "[0 … 999] closed"
    assert rows.accessibleName() == "Output"


def test_the_more_button_pops_its_menu_up(explorer: Explorer) -> None:
    explorer.more.click()
    menu = explorer.findChild(QMenu)
    assert menu is not None
    menu.close()


def test_a_switch_is_worked_by_mouse_and_keys(qtbot: QtBot) -> None:
    switch = WordSwitch("Show as", ("Tree", "Text"))
    qtbot.addWidget(switch)
    switch.resize(switch.sizeHint())
    assert switch.accessibleName() == "Show as: Tree"
    with qtbot.waitSignal(switch.changed):
        qtbot.keyClick(switch, Qt.Key.Key_Right)
    assert switch.chosen == "Text"
    qtbot.keyClick(switch, Qt.Key.Key_Left)
    assert switch.chosen == "Tree"
    qtbot.keyClick(switch, Qt.Key.Key_X)
    qtbot.mouseClick(switch, Qt.MouseButton.LeftButton, pos=QPoint(switch.width() - 8, 10))
    assert switch.chosen == "Text"
    switch.choose("Else")
    assert switch.chosen == "Text"
    assert not switch.grab().isNull()
