"""Attributes and events as lists that are searched, opened and copied like a tree."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.attribute_rows import AttributeRows, attribute_groups, shortened
from traceview.app.inspectors.event_rows import EventRows, draw_level, event_name, event_summary, event_tree, level_ink
from traceview.app.inspectors.explorer import Explorer
from traceview.app.inspectors.labels import Label, Saying, Skeleton, end_of
from traceview.app.inspectors.subject import Subject
from traceview.app.inspectors.tree_page import TreePage
from traceview.app.theme import mono_font, theme
from traceview.protocol.records import Event, SpanPayload
from traceview.testing import START_NS

MakeSubject = Callable[..., Subject]

PAYLOAD = SpanPayload(
    attributes={"llm.model": "gpt-4o", "Zone": 1, "args": '{"id": 1}', "list": [1, 2], "text": "x" * 3_000},
    resource={"service.name": "support"},
)
EVENTS = (
    Event(START_NS + 5_000_000, "first token"),
    Event(START_NS + 7_000_000, "traceview.log", {"message": "picked p1", "level": "warning", "source": "ranker"}),
    Event(START_NS + 8_000_000, "traceview.state", {"memory": {}, "context": []}),
    Event(START_NS + 9_000_000, "exception", {"exception.message": "504"}),
    Event(START_NS + 10_000_000, "custom", {"item_id": 7}),
)


@pytest.fixture
def attributes(qtbot: QtBot) -> Explorer:
    found = Explorer("Attributes", AttributeRows())
    found.set_theme(theme(True))
    found.resize(384, 500)
    qtbot.addWidget(found)
    found.set_value(attribute_groups(PAYLOAD))
    found.show()
    return found


@pytest.fixture
def events(qtbot: QtBot) -> Explorer:
    rows = EventRows()
    found = Explorer("Events", rows)
    found.set_theme(theme(True))
    found.resize(384, 500)
    qtbot.addWidget(found)
    rows.set_events(EVENTS, START_NS)
    found.set_tree(event_tree(EVENTS))
    found.show()
    return found


def labels(explorer: Explorer) -> list[str]:
    return [node.label for node in explorer.tree.rows.tree.rows]


def test_attributes_are_sorted_and_the_resource_stands_apart(attributes: Explorer) -> None:
    assert labels(attributes) == [
        "attributes",
        "args",
        "list",
        "llm.model",
        "text",
        "Zone",
        "resource",
        "service.name",
    ]
    assert attributes.tree.bar.label.text == "5 attributes, 1 of the resource"
    assert attribute_groups(SpanPayload()) == {}


def test_an_attribute_opens_in_place_and_a_long_one_where_it_has_room(attributes: Explorer, qtbot: QtBot) -> None:
    rows = attributes.tree.rows
    rows.set_current(1)
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert labels(attributes)[2] == "id"
    rows.set_current(labels(attributes).index("llm.model"))
    assert attributes.tree.bar.label.text == '$.attributes["llm.model"]'
    rows.set_current(labels(attributes).index("text"))
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert attributes.detail.text.text == "x" * 3_000


def test_attributes_are_copied_and_found(attributes: Explorer, qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    attributes.search.set_text("gpt")
    qtbot.waitUntil(lambda: attributes.search._count == "1 of 1")
    qtbot.keyClick(attributes.tree.rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard() == "gpt-4o"
    attributes.search.set_text("SERVICE")
    qtbot.waitUntil(lambda: labels(attributes)[attributes.tree.rows.current] == "service.name")


@pytest.mark.parametrize("width", [60, 336, 384, 600])
@pytest.mark.parametrize("dark", [True, False])
def test_attributes_are_painted_at_any_width(attributes: Explorer, width: int, dark: bool) -> None:
    attributes.set_theme(theme(dark))
    attributes.resize(width, 400)
    attributes.tree.expand_all()
    for row in range(len(labels(attributes))):
        attributes.tree.rows.set_current(row)
        attributes.tree.rows.set_hovered(0)
        assert not attributes.grab().isNull()


def test_thousands_of_attributes_stand_in_ranges(attributes: Explorer) -> None:
    many = {f"key {number:05}": number for number in range(3_000)}
    attributes.set_value(attribute_groups(SpanPayload(attributes=many)))
    assert labels(attributes)[1] == "[0 … 999]"
    assert not attributes.grab().isNull()


def test_long_keys_keep_both_ends() -> None:
    font_width = 7
    key = "llm.token_count.prompt_details.cache_read"
    short = shortened(key, 26 * font_width)
    assert short.startswith("llm.…")
    assert short.endswith("details.cache_read")
    assert len(short) <= 28
    assert shortened("short", 200) == "short"
    assert shortened("x" * 100, 140).startswith("x" * 5)


def test_events_say_when_what_and_how_bad(events: Explorer) -> None:
    rows = events.tree.rows
    assert [rows.row_text(row) for row in range(len(EVENTS))] == [
        "5\u2009ms  first token ",
        "7\u2009ms warning Log picked p1",
        "8\u2009ms  State memory, context",
        "9\u2009ms  Exception 504",
        "10\u2009ms  custom 7",
    ]
    assert events.tree.bar.label.text == "5 events, times from run start"
    assert event_name(EVENTS[4]) == "custom"
    assert event_summary(EVENTS[0]) == ""


def test_an_event_opens_to_its_attributes_and_copies_whole(
    events: Explorer, qtbot: QtBot, clipboard: Callable[[], str]
) -> None:
    rows = events.tree.rows
    rows.set_current(1)
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert labels(events)[2:5] == ["message", "level", "source"]
    assert rows.row_text(2) == "message “picked p1”"
    qtbot.keyClick(rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert json.loads(clipboard())["name"] == "traceview.log"
    rows.set_current(2)
    qtbot.keyClick(rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard() == "picked p1"


def test_events_are_found_by_name_and_by_what_is_in_them(events: Explorer, qtbot: QtBot) -> None:
    events.search.set_text("token")
    qtbot.waitUntil(lambda: events.tree.rows.current == 0)
    events.search.set_text("ranker")
    qtbot.waitUntil(lambda: events.search._count == "1 of 1")
    assert labels(events)[events.tree.rows.current] == "source"


@pytest.mark.parametrize("width", [90, 336, 600])
def test_events_are_painted_at_any_width(events: Explorer, width: int, hostile: dict[Any, Any]) -> None:
    events.resize(width, 400)
    events.tree.expand_all()
    for row in range(len(labels(events))):
        events.tree.rows.set_current(row)
        assert not events.grab().isNull()
    rows = events.tree.rows
    assert isinstance(rows, EventRows)
    wild = tuple(Event(START_NS, f"n\x00{number}\u202e", hostile) for number in range(2_500))
    rows.set_events(wild, START_NS)
    events.set_tree(event_tree(wild))
    rows.toggle(0)
    assert not events.grab().isNull()
    assert "1 of" not in rows.caption()


def test_an_event_that_is_alone_is_open(events: Explorer) -> None:
    rows = events.tree.rows
    assert isinstance(rows, EventRows)
    rows.set_events(EVENTS[1:2], START_NS)
    events.set_tree(event_tree(EVENTS[1:2]))
    assert len(labels(events)) == 4
    assert events.tree.bar.label.text == "1 event, times from run start"


def test_levels_stand_out_by_how_bad_they_are() -> None:
    colors = theme(True)
    assert level_ink("ERROR", colors) == level_ink("critical", colors) == colors.error
    assert level_ink("warn", colors) == colors.interrupted
    assert level_ink("info", colors) == colors.text3
    image = QImage(200, 24, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    assert draw_level(painter, 10, 12, "warning", colors) > 50
    painter.end()


def test_a_label_cut_at_its_beginning_keeps_its_end(qtbot: QtBot) -> None:
    label = Label("", font=mono_font(11), from_end=True)
    qtbot.addWidget(label)
    label.resize(120, 20)
    label.set_text("$.a" * 2_000)
    assert not label.grab().isNull()
    cut = end_of("$.tracking.last_scan.at", mono_font(11), 100)
    assert cut.startswith("…")
    assert cut.endswith(".at")
    assert end_of("short", mono_font(11), 200) == "short"
    assert label.sizeHint().height() == 20


def test_a_pane_without_content_says_so(qtbot: QtBot) -> None:
    for widget in (saying := Saying(), Skeleton()):
        qtbot.addWidget(widget)
        widget.resize(384, 300)
        widget.set_theme(theme(False))
        assert not widget.grab().isNull()
    saying.say("Nothing", "<b>here</b>")
    assert saying.accessibleName() == "Nothing <b>here</b>"
    assert not saying.grab().isNull()


def test_a_tree_page_without_rows_copies_nothing(qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    page = TreePage(AttributeRows())
    qtbot.addWidget(page)
    page.copy_path(-1)
    assert clipboard() == ""
    assert not page.grab().isNull()
