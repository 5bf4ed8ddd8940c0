"""Searching values and texts in bites: every bite is small, every hit is found, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.finder import MAX_HITS, Finder
from traceview.app.inspectors.value_search import CHARACTERS, ENTRIES, find_in_text, find_in_value
from traceview.app.models.json_tree import JsonTree
from traceview.app.sliced import Sliced


def hits(work: Iterator[Any]) -> list[Any]:
    return [hit for hit in work if hit is not None]


def test_keys_and_scalars_are_found_in_document_order() -> None:
    value = {"Scan": 1, "a": [{"x": "last scan"}, 5, None, True], "scans": ["scan"], "n": 12345}
    assert hits(find_in_value(value, "scan")) == [(0,), (1, 0, 0), (2,), (2, 0)]
    assert hits(find_in_value(value, "234")) == [(3,)]
    assert hits(find_in_value(value, "TRUE")) == [(1, 3)]
    assert hits(find_in_value(value, "")) == []
    assert hits(find_in_value("just text", "TEXT")) == [()]
    assert hits(find_in_value(b"\xab", "ab")) == [()]
    assert hits(find_in_value(b"\xab" * 9_000, "ab")) == []


def test_every_hit_can_be_revealed() -> None:
    value = {"a": [{"b": list(range(3_000))}], "c": {"777": '{"777": 1}'}}
    tree = JsonTree(value)
    for path in hits(find_in_value(value, "777")):
        row = tree.row_at(path, reveal=True)
        assert row is not None
        assert "777" in tree.rows[row].label + str(tree.rows[row].value)


def test_a_million_entries_are_searched_in_bites_of_five_hundred() -> None:
    bites = found = 0
    for hit in find_in_value([0] * 1_000_000, "1"):
        bites += hit is None
        found += hit is not None
    assert bites == 1_000_000 // ENTRIES
    assert found == 0


def test_a_long_string_is_searched_in_bites_and_across_their_edges() -> None:
    text = "x" * (CHARACTERS - 2) + "needle" + "y" * CHARACTERS
    assert list(find_in_value({"a": text}, "NEEDLE")) == [(0,)]
    assert list(find_in_value({"a": text}, "absent")) == [None] * 3


def test_five_thousand_levels_are_searched(nested: Callable[[int], Any]) -> None:
    value = nested(5_000)
    assert hits(find_in_value(value, "x")) == []


def test_places_in_a_text_are_found_once_each() -> None:
    text = "Ab" * 3 + "x" * (CHARACTERS - 7) + "abab" + "y" * 10 + "AB"
    assert hits(find_in_text(text, "ab")) == [0, 2, 4, CHARACTERS - 1, CHARACTERS + 1, len(text) - 2]
    assert hits(find_in_text("aaaa", "aa")) == [0, 2]
    assert hits(find_in_text("İİx", "x")) == [2]
    assert hits(find_in_text("abc", "")) == []


def test_work_is_done_in_slices_between_events(qtbot: QtBot) -> None:
    sliced, taken, told = Sliced(), [], []
    sliced.start(iter(range(100_000)), taken.append, told.append)
    assert sliced.running
    assert taken == []
    qtbot.waitUntil(lambda: not sliced.running)
    assert taken == list(range(100_000))
    assert sliced.slices == len(told) > 1
    assert told[-1] is True
    assert not any(told[:-1])


def test_a_second_start_drops_the_first_work(qtbot: QtBot) -> None:
    sliced, taken = Sliced(), []
    sliced.start(iter(range(1_000_000)), lambda _: None, lambda _: None)
    sliced.start(iter("ab"), taken.append, lambda _: None)
    qtbot.waitUntil(lambda: not sliced.running)
    assert taken == ["a", "b"]
    sliced.stop()
    sliced._slice()


def test_one_arrives_at_the_first_hit_and_walks_round(qtbot: QtBot) -> None:
    finder, places = Finder(), []
    finder.arrived.connect(places.append)
    finder.start(iter([None, "a", None, "b", "c"]))
    assert finder.count_text() == "…"
    qtbot.waitUntil(lambda: not finder.running)
    assert finder.count_text() == "1 of 3"
    finder.go(1)
    finder.go(-1)
    finder.go(-1)
    assert places == ["a", "b", "a", "c"]
    assert finder.count_text() == "3 of 3"
    finder.stop()
    assert finder.count_text() == "none"


def test_a_step_before_anything_is_known_is_taken_when_it_is(qtbot: QtBot) -> None:
    finder, places = Finder(), []
    finder.arrived.connect(places.append)
    finder.start(iter(["a", "b"]))
    finder.go(-1)
    qtbot.waitUntil(lambda: bool(places))
    assert places == ["b"]


def test_too_many_hits_end_the_search(qtbot: QtBot) -> None:
    finder = Finder()
    finder.start(iter(range(10 * MAX_HITS)))
    qtbot.waitUntil(lambda: not finder.running)
    assert finder.full
    assert len(finder.hits) == MAX_HITS
    assert finder.count_text() == "1 of 10,000+"


def test_the_same_search_in_newer_data_stays_where_one_is(qtbot: QtBot) -> None:
    finder, places = Finder(), []
    finder.start(iter(["a", "b"]))
    qtbot.waitUntil(lambda: not finder.running)
    finder.go(1)
    finder.arrived.connect(places.append)
    finder.start(iter(["new", "a", "b", "c"]), again=True)
    qtbot.waitUntil(lambda: not finder.running)
    assert finder.count_text() == "3 of 4"
    assert finder.at == 2
    finder.start(iter(["x"]), again=True)
    qtbot.waitUntil(lambda: not finder.running)
    assert finder.count_text() == "1"
    assert places == []


@pytest.mark.parametrize("text", ["", "x"])
def test_searching_nothing_finds_nothing(text: str) -> None:
    assert hits(find_in_value({}, text)) == []
