"""The tree of a value: rows appear as they are opened, and a million entries cost a thousand rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from traceview.app.models.json_tree import RANGE, JsonTree
from traceview.app.models.json_values import (
    MAX_DECODED,
    count_text,
    decoded_json,
    describe,
    encodable,
    looks_like_json,
    preview_text,
    scalar_text,
    visible,
)


def labels(tree: JsonTree) -> list[str]:
    return [f"{'  ' * node.depth}{node.label}" for node in tree.rows]


def row(tree: JsonTree, label: str) -> int:
    return next(place for place, node in enumerate(tree.rows) if node.label == label)


def test_rows_are_the_entries_and_open_in_place() -> None:
    tree = JsonTree({"a": {"x": 1, "y": 2}, "b": [10, 20]})
    assert labels(tree) == ["a", "b"]
    assert tree.expand(0) == 2
    assert tree.expand(0) == 0
    tree.toggle(3)
    assert labels(tree) == ["a", "  x", "  y", "b", "  0", "  1"]
    assert tree.collapse(0) == 2
    assert labels(tree) == ["a", "b", "  0", "  1"]
    assert len(tree) == 4


def test_what_was_open_inside_opens_again_with_its_parent() -> None:
    tree = JsonTree({"a": {"b": {"c": {}}}})
    tree.expand(0)
    tree.expand(1)
    tree.toggle(0)
    assert labels(tree) == ["a"]
    tree.toggle(0)
    assert labels(tree) == ["a", "  b", "    c"]
    assert tree.parent_row(2) == 1
    assert tree.parent_row(0) == -1


def test_a_scalar_is_one_row_and_an_empty_object_none() -> None:
    assert [node.value for node in JsonTree(42).rows] == [42]
    assert JsonTree(42).path(0) == "$"
    assert JsonTree({}).row_at(()) == 0
    assert labels(JsonTree({"a": {}})) == ["a"]
    assert not JsonTree({"a": {}}).rows[0].can_open
    assert JsonTree({"a": {}}).expand(0) == 0


def test_a_million_entries_stand_in_ranges_of_a_thousand() -> None:
    tree = JsonTree(list(range(1_000_000)))
    assert len(tree) == RANGE
    assert tree.rows[0].label == "[0 … 999]"
    tree.expand(1)
    assert tree.rows[2].label == "1000"
    assert tree.path(2) == "$[1000]"
    assert tree.path(1) == "$[1000:2000]"
    assert tree.value_of(1) == list(range(1000, 2000))
    assert len(tree) == 2 * RANGE


def test_more_than_a_million_entries_stand_in_ranges_of_ranges() -> None:
    tree = JsonTree(dict.fromkeys(map(str, range(1_000_001)), 0))
    assert labels(tree) == ["[0 … 999,999]", "[1,000,000 … 1,000,000]"]
    found = tree.row_at((1_000_000,), reveal=True)
    assert found is not None
    assert tree.rows[found].label == "1000000"
    assert tree.value_of(row(tree, "[1,000,000 … 1,000,000]")) == {"1000000": 0}


def test_five_thousand_levels_open_and_close(nested: Callable[[int], Any]) -> None:
    tree = JsonTree(nested(5_000))
    assert tree.expand_all()
    assert len(tree) == 5_000
    assert tree.rows[-1].depth == 4_999
    assert tree.path(4_999) == "$" + "[0]" * 5_000
    assert tree.row_of(tree.rows[-1]) == 4_999
    newer = JsonTree(nested(5_000))
    newer.adopt(tree)
    assert len(newer) == 5_000
    tree.collapse_all()
    assert len(tree) == 1


def test_expand_all_ends_at_its_limit_and_says_so() -> None:
    tree = JsonTree([[[1] * 900 for _ in range(3)] for _ in range(10)])
    assert not tree.expand_all(limit=2_000)
    assert 2_000 <= len(tree) < 2_000 + RANGE
    assert JsonTree([1, [2]]).expand_all()


def test_expand_all_leaves_long_json_strings_closed() -> None:
    tree = JsonTree({"long": json.dumps(["x" * 5_000]), "short": '{"a": 1}'})
    assert not tree.expand_all()
    assert labels(tree) == ["long", "short", "  a"]


def test_json_in_a_string_opens_like_an_object_once_and_twice_encoded() -> None:
    tree = JsonTree({"once": '{"a": [1]}', "twice": json.dumps(json.dumps({"b": 2})), "no": "[INFO] all well [ok]"})
    assert [node.in_string for node in tree.rows] == [True, True, False]
    tree.expand(1)
    assert tree.path(2) == "$.twice|fromjson|.b"
    tree.expand(0)
    tree.expand(1)
    assert tree.path(2) == "$.once|fromjson|.a[0]"
    assert tree.value_of(0) == '{"a": [1]}'


def test_a_long_string_is_decoded_only_when_it_is_opened() -> None:
    tree = JsonTree({"bad": "{" + "x" * 5_000 + "}", "good": json.dumps(list(range(3_000)))})
    assert tree.rows[0].can_open
    assert tree.expand(0) == 0
    assert not tree.rows[0].can_open
    assert tree.expand(1) == 3
    assert [node.label for node in tree.rows[2:]] == ["[0 … 999]", "[1,000 … 1,999]", "[2,000 … 2,999]"]
    assert not tree.rows[2].in_string


def test_what_is_no_json_stays_text() -> None:
    assert decoded_json("{" * 5_000 + "}" * 5_000) is None
    assert decoded_json("[" + " " * (300 * 1024) + "oops]") is None
    assert decoded_json('["' + "x" * MAX_DECODED + '"]') is None
    assert decoded_json('"plain"') is None
    assert decoded_json('{"a": NaN, "b": "\\ud800"}') is not None
    assert decoded_json("{'a': 1}") is None
    assert decoded_json('"[INFO] x"') is None
    assert not looks_like_json("")


def test_reveal_opens_the_way_to_an_entry_and_nothing_else() -> None:
    tree = JsonTree({"a": [0, {"b": [1, 2, 3]}], "c": 1})
    assert tree.row_at((0, 1, 0, 2)) is None
    found = tree.row_at((0, 1, 0, 2), reveal=True)
    assert found is not None
    assert tree.path(found) == "$.a[1].b[2]"
    assert tree.row_at((0, 1, 0, 2)) == found
    assert tree.row_at((9,)) is None
    assert tree.row_at((1, 0), reveal=True) is None


def test_paths_quote_keys_that_are_no_names() -> None:
    tree = JsonTree({"llm.model": 1, 'say "hi"': 2, "größe": 3, 7: 4}, "$.attributes")
    assert [tree.path(place) for place in range(4)] == [
        '$.attributes["llm.model"]',
        '$.attributes["say \\"hi\\""]',
        "$.attributes.größe",
        '$.attributes["7"]',
    ]


def test_a_newer_picture_keeps_open_what_was_open() -> None:
    old = JsonTree({"a": {"b": [1]}, "list": list(range(1_500))})
    old.expand(row(old, "list"))
    old.expand(row(old, "[1,000 … 1,499]"))
    old.expand(row(old, "a"))
    old.expand(row(old, "b"))
    new = JsonTree({"new": 0, "a": {"b": [1, 2]}, "list": list(range(1_700))})
    new.adopt(old)
    assert labels(new)[:5] == ["new", "a", "  b", "    0", "    1"]
    assert new.rows[row(new, "[1,000 … 1,699]")].is_open
    assert not new.rows[row(new, "[0 … 999]")].is_open
    assert new.row_like(old.rows[row(old, "b")]) == 2
    assert new.row_like(old.rows[row(old, "1499")]) == row(new, "1499")
    new.collapse(row(new, "a"))
    assert new.row_like(old.rows[row(old, "b")]) is None
    gone = JsonTree({"a": 5})
    gone.adopt(old)
    assert labels(gone) == ["a"]
    assert gone.row_like(old.rows[row(old, "list")]) is None


def test_a_small_document_is_open_at_first_a_large_one_is_not() -> None:
    small = JsonTree({"a": {"b": {"c": 1}}, "text": '{"closed": 1}'})
    small.open_first()
    assert labels(small) == ["a", "  b", "    c", "text"]
    large = JsonTree({"big": list(range(900)), "small": [1]})
    large.open_first()
    assert labels(large) == ["big", "small", "  0"]


def test_scalars_stand_in_one_short_row_whatever_they_are(hostile: dict[Any, Any]) -> None:
    shown = {str(key): scalar_text(value) for key, value in hostile.items()}
    assert all(len(text) <= 1_010 for text in shown.values())
    assert shown["none"] == "null"
    assert shown["nan"] == "NaN"
    assert shown["huge"].startswith("0x")
    assert shown["bytes"].startswith("200 bytes  00 01")
    assert scalar_text(b"\x01") == "1 bytes  01"
    assert scalar_text(True) == "true"
    assert scalar_text(False) == "false"
    assert scalar_text(1.5) == "1.5"


def test_a_value_whose_own_text_fails_is_named() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    assert scalar_text(Broken()) == "<Broken: RuntimeError>"


def test_controls_and_overrides_are_seen_joiners_are_kept() -> None:
    assert visible("a\x00\x7f\x9b\u202e\ud800\n\t👩\u200d💻") == "a␀␡���\n\t👩\u200d💻"
    assert encodable("a\ud800b") == "a\ufffdb"


def test_values_are_described_and_previewed_in_a_few_words() -> None:
    assert [describe(value) for value in ({"a": 1}, [], [1, 2], 3, None)] == [
        "JSON, 1 key",
        "list, 0 items",
        "list, 2 items",
        "int",
        "null",
    ]
    assert count_text({"a": 1}) == "{1}"
    assert count_text([1]) == "[1]"
    assert preview_text({"a": [], "b": "x" * 60, "c": 1, "d": 2, "e": 3}) == f"b: “{'x' * 39}…, c: 1, d: 2"
    assert preview_text([1, 2]) == "1, 2"
