"""The state as rows: what is open, what is marked, how values and paths are written."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from traceview.analysis.changes import ChangeKind
from traceview.analysis.state import Stamp, StateHistory
from traceview.app.models.state_tree import MOST_ENTRIES, StateTree, copy_text, path_text, value_text
from traceview.protocol.records import STATE_EVENT, Event


def _history(*reports: dict[str, Any]) -> StateHistory:
    return StateHistory([(b"12345678", Event(n, STATE_EVENT, report)) for n, report in enumerate(reports)])


def _tree(*reports: dict[str, Any], since: int | None = None) -> StateTree:
    """The state after all reports; marked is what changed since so many of them."""
    history, tree = _history(*reports), StateTree()
    tree.show(history.at(len(history)), None if since is None else history.at(since), history.stamp(len(history)))
    return tree


def _outline(tree: StateTree) -> list[str]:
    marks = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~", ChangeKind.INSIDE: "*", None: ""}
    return ["  " * row.depth + marks[row.kind] + f"{row.label}: {row.text}" for row in tree.rows]


_BEFORE = {"state": {"order": 1, "decision": None, "draft": "sorry", "retries": 1}, "memory": {"tone": "cross"}}
_AFTER = {"state": {"order": 1, "decision": "refund", "retries": 1, "policy": "P-12"}}


def test_top_level_groups_are_open_and_nothing_is_marked_outside_a_replay() -> None:
    assert _outline(_tree(_BEFORE)) == [
        "state: {4}",
        "  order: 1",
        "  decision: null",
        "  draft: “sorry”",
        "  retries: 1",
        "memory: {1}",
        "  tone: “cross”",
    ]


def test_what_the_step_changed_is_marked_where_it_stands() -> None:
    tree = _tree(_BEFORE, _AFTER, since=1)
    assert _outline(tree) == [
        "*state: {4}",
        "  order: 1",
        "  ~decision: null → “refund”",
        "  -draft: “sorry”",
        "  retries: 1",
        "  +policy: “P-12”",
        "memory: {1}",
        "  tone: “cross”",
    ]
    assert tree.changed == 3
    assert [row.event for row in tree.rows] == [1, 0, 1, 1, 0, 1, 0, 0]
    assert (tree.rows[0].changes, tree.rows[0].before) == (3, _BEFORE["state"])


def test_what_is_added_or_removed_whole_is_marked_throughout() -> None:
    tree = _tree({"a": {"gone": {"x": 1}}}, {"a": {"new": {"y": [1]}}}, since=1)
    for label in ("gone", "new", "y"):
        tree.set_expanded(next(i for i, row in enumerate(tree.rows) if row.label == label), True)
    assert _outline(tree) == [
        "*a: {1}",
        "  -gone: {1}",
        "    -x: 1",
        "  +new: {1}",
        "    +y: [1]",
        "      +0: 1",
    ]


def test_containers_open_and_close_by_hand_and_where_something_changed_by_themselves() -> None:
    reports = ({"m": {"a": {"b": {"c": 1}}}, "ctx": ["x"]}, {"m": {"a": {"b": {"c": 2}}}})
    tree = _tree(*reports)
    assert _outline(tree) == ["m: {1}", "  a: {1}", "ctx: [1]"]
    tree.toggle(1)
    tree.set_expanded(1, True)
    assert _outline(tree) == ["m: {1}", "  a: {1}", "    b: {1}", "ctx: [1]"]
    tree.toggle(0)
    assert _outline(tree) == ["m: {1}", "ctx: [1]"]
    tree.set_expanded(1, False)
    history = _history(*reports)
    tree.show(history.at(2), history.at(1), history.stamp(2))
    assert _outline(tree) == ["*m: {1}", "ctx: [1]"]
    tree.forget()
    tree.show(history.at(2), history.at(1), history.stamp(2))
    assert _outline(tree) == ["*m: {1}", "  *a: {1}", "    *b: {1}", "      ~c: 1 → 2", "ctx: [1]"]


def test_scalars_and_empty_containers_do_not_open() -> None:
    tree = _tree({"n": 1, "empty": {}, "none": []})
    for row in range(3):
        tree.toggle(row)
        assert not tree.rows[row].expandable
    assert len(tree.rows) == 3


def test_a_removed_first_item_stands_in_front() -> None:
    tree = _tree({"facts": ["a", "b"]}, {"facts": ["b", "c"]}, since=1)
    assert _outline(tree) == ["*facts: [2]", "  -0: “a”", "  0: “b”", "  +1: “c”"]


def test_rows_are_found_by_path_and_know_their_parent() -> None:
    tree = _tree(_BEFORE)
    assert tree.row_of(("state", "draft")) == 3
    assert tree.row_of(("nowhere",)) == -1
    assert [tree.parent_row(row) for row in (0, 3, 6)] == [-1, 0, 5]


def test_long_lists_are_shown_up_to_a_limit_and_the_rest_is_counted() -> None:
    tree = _tree({"items": list(range(MOST_ENTRIES + 1_234))})
    assert len(tree.rows) == 1
    tree.toggle(0)
    assert len(tree.rows) == MOST_ENTRIES + 2
    assert (tree.rows[-1].label, tree.rows[-1].hidden) == ("1,234 more", 1_234)


def test_ten_thousand_items_are_laid_out_at_once() -> None:
    tree = _tree({"items": [{"id": i} for i in range(10_000)]})
    started = time.perf_counter()
    tree.toggle(0)
    assert len(tree.rows) == 10_001
    assert time.perf_counter() - started < 0.5


def test_bottomless_values_end_somewhere() -> None:
    value: Any = 1
    for _ in range(500):
        value = {"k": value}
    tree = _tree({"deep": value})
    row = 0
    while tree.rows[row].expandable:
        tree.set_expanded(row, True)
        row += 1
    assert row == len(tree.rows) - 1 < 500


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("refund", "“refund”"),
        ("two\nlines", "“two lines”"),
        ("x" * 999, "“" + "x" * 300 + "…”"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (64.9, "64.9"),
        (48213, "48213"),
        (math.inf, "inf"),
        ({"a": 1}, "{1}"),
        (list(range(1200)), "[1,200]"),
        (b"abc", "3 bytes"),
        pytest.param(10**5000, "a number of thousands of digits", id="huge"),
    ],
)
def test_a_value_is_written_on_one_line(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_a_path_is_written_as_code() -> None:
    assert path_text(("memory", "facts", 2, "text")) == "memory.facts[2].text"
    assert path_text(("a key", "ok", "Zoë's")) == '["a key"].ok["Zoë\'s"]'
    assert path_text((b"raw", "x")) == "[b'raw'].x"  # type: ignore[arg-type]


def test_a_value_is_copied_as_text_or_json() -> None:
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]
    assert copy_text("as it is") == "as it is"
    assert copy_text({"a": [1, "ü"]}) == '{\n  "a": [\n    1,\n    "ü"\n  ]\n}'
    assert copy_text({"a": b"x"}) == '{\n  "a": "b\'x\'"\n}'
    assert copy_text(deep) == "(too deep or too large to be written out)"
    assert copy_text([10**5000]) == "(too deep or too large to be written out)"


def test_a_stamp_without_a_history_leaves_rows_without_a_step() -> None:
    tree = StateTree()
    tree.show({"a": 1}, None, Stamp(-1))
    assert tree.rows[0].event == -1
