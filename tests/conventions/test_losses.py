"""What a program left out of its own report is said; counts that make no sense are not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traceview.conventions import losses
from traceview.conventions.losses import ends_cut, items_left_out, whole_items
from traceview.formats.otlp import names
from traceview.sdk.cutting import Cutter
from traceview.sdk.shaping import CUT_PREFIX


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, []),
        ({"traceview.items_cut": True}, ["Output cut: later items were only counted"]),
        ({f"{CUT_PREFIX}input": 1_200_000}, ["Input cut by the program: it had 1,200,000 bytes"]),
        ({f"{CUT_PREFIX}output": "much"}, []),
        ({f"{CUT_PREFIX}{n}": n for n in range(100)}, ["100 values cut by the program"]),
        ({names.DROPPED_ATTRIBUTES: 3}, ["3 attributes dropped by the program"]),
        (
            {names.DROPPED_LINKS: 1, names.DROPPED_EVENTS: 2_000},
            ["2,000 events dropped by the program", "1 link dropped by the program"],
        ),
        ({names.DROPPED_EVENTS: "many", names.DROPPED_LINKS: 0, "traceview.items_cut": False}, []),
    ],
)
def test_losses_are_named(attributes: dict[str, Any], said: list[str]) -> None:
    assert losses(attributes) == said


@pytest.mark.parametrize(
    "value", ["x" * 5_000, ["x"] * 5_000, {str(n): n for n in range(5_000)}, [{"a": ["x" * 5_000]}]]
)
def test_a_value_that_the_sdk_cut_ends_in_its_mark(value: Any) -> None:
    assert not ends_cut(value)
    assert ends_cut(Cutter(1_000).cut(value)[0])


def test_items_that_the_sdk_cut_are_counted() -> None:
    kept = Cutter(1_000).cut(["x"] * 5_000)[0]
    assert len(kept) - 1 + items_left_out(kept[-1]) == 5_000
    for item in (None, "x", "… (cut: 5,000 characters)", "… (cut: few more)", "… (cut: , more)", ["… (cut: 5 more)"]):
        assert items_left_out(item) == 0
    values: tuple[Any, ...] = (None, "", [], {}, 7, "it said (cut: 3 more).")
    assert not any(map(ends_cut, values))


def test_of_a_list_in_json_that_was_cut_the_whole_items_are_there() -> None:
    items = [{"a": [n, "x, ]"]} for n in range(9)]
    text = json.dumps(items)
    for most in range(1, len(text)):
        kept = Cutter(most).cut(text)[0]
        found = whole_items(kept)
        assert found == items[: len(found)]
        assert len(found) == text[:most].count("}") or most <= 2
    for whole in (text, "[1, 2", "it said [1, 2… (cut: 9 characters)", "", "[" * 100_000 + "… (cut: 9 characters)"):
        assert whole_items(whole) == []
