"""Values as JSON text: valid, in pieces, whatever the value."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from traceview.app.inspectors.json_text import json_pieces, json_text


def whole(value: Any, **how: int) -> str:
    return "".join(json_pieces(value, **how))


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": {"b": [1, 2.5, None, True, "ü\n"]}, "c": {}, "d": []},
        [[[]], [{}], [1]],
        "text",
        7,
        list(range(5_000)),
        {"long": "x" * 200_000},
    ],
)
def test_the_text_is_the_value_indented_as_python_does_it(value: Any) -> None:
    assert whole(value) == json.dumps(value, indent=2, ensure_ascii=False)


def test_what_json_lacks_becomes_a_string() -> None:
    found = json.loads(
        whole(
            {"bytes": b"\x00\x01", "when": datetime(2026, 1, 2, tzinfo=UTC), "day": date(2026, 1, 2), "set": {1}, 5: 6}
        )
    )
    assert found == {"bytes": "AAE=", "when": "2026-01-02T00:00:00+00:00", "day": "2026-01-02", "set": [1], "5": 6}
    assert whole({1}) == "[\n  1\n]"
    assert whole(10**5000).startswith('"0x')
    assert whole(float("nan")) == "NaN"


def test_hostile_values_give_text_that_can_be_encoded(hostile: dict[Any, Any]) -> None:
    text = whole(hostile)
    assert text.encode()
    assert "x\\ud800y" in text
    assert "a\\u0000b" in text


def test_five_thousand_levels_don_t_recurse_and_stop_indenting(nested: Callable[[int], Any]) -> None:
    lines = whole(nested(5_000)).split("\n")
    assert len(lines) == 10_001
    assert max(len(line) for line in lines) < 200


def test_no_piece_is_much_longer_than_64_kb() -> None:
    pieces = list(json_pieces({"text": "x" * 1_000_000, "numbers": list(range(100_000))}))
    assert max(map(len, pieces)) < 80_000
    assert len(pieces) > 15


def test_the_head_of_a_text_is_written_without_the_rest() -> None:
    class Counting(list[int]):
        asked = 0

        def __iter__(self) -> Any:
            for number in super().__iter__():
                Counting.asked += 1
                yield number

    text, complete = json_text(Counting(range(1_000_000)), 1_000)
    assert (len(text), complete) == (1_000, False)
    assert Counting.asked < 5_000
    assert json_text([1], 1_000) == ("[\n  1\n]", True)


def test_small_objects_inside_stand_on_one_line() -> None:
    value = {"scans": [{"at": 1, "hub": "a"}, {"at": 2, "hub": "b" * 50}], "none": {}, "set": [{1, 2}]}
    assert whole(value, fit=40).split("\n") == [
        "{",
        '  "scans": [',
        '    {"at": 1, "hub": "a"},',
        "    {",
        '      "at": 2,',
        f'      "hub": "{"b" * 50}"',
        "    }",
        "  ],",
        '  "none": {},',
        '  "set": [[1, 2]]',
        "}",
    ]
    assert json.loads(whole({"a": {"b": [{"c": 1}, "x" * 30]}}, fit=40)) == {"a": {"b": [{"c": 1}, "x" * 30]}}
