"""Changes: what was added, removed or changed between two values, however large or odd they are."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from traceview.analysis.alignment import BlockKind, align, same
from traceview.analysis.changes import MAX_DEPTH, Change, ChangeKind, Path, changes, paths


def _told(before: Any, after: Any) -> dict[Path, str]:
    return {path: kind.value for path, kind in paths(changes(before, after))}


def test_equal_values_have_no_changes() -> None:
    assert changes({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) is None
    assert list(paths(None)) == []


def test_keys_are_added_changed_and_removed() -> None:
    before = {"decision": None, "draft": "We are sorry", "retries": 1}
    after = {"decision": "refund", "retries": 1, "policy": "P-12"}
    assert _told(before, after) == {("decision",): "changed", ("policy",): "added", ("draft",): "removed"}


def test_a_removed_key_stands_where_it_stood() -> None:
    change = changes({"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 3})
    assert change is not None
    assert list(change.gone) == [None]
    change = changes({"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3})
    assert change is not None
    assert change.gone == {"a": (("b", Change(ChangeKind.REMOVED, before=2)),)}


def test_changes_are_told_at_the_place_and_counted() -> None:
    change = changes({"memory": {"tone": "calm", "n": [1, 2]}}, {"memory": {"tone": "cross", "n": [1, 3, 4]}})
    assert change is not None
    assert change.kind is ChangeKind.INSIDE
    assert change.count == 3
    assert change.inside["memory"].inside["tone"] == Change(ChangeKind.CHANGED, "calm", "cross")


def test_a_window_of_messages_that_moves_on_is_two_changes() -> None:
    messages = [{"role": "user", "content": str(i)} for i in range(10_000)]
    assert _told({"context": messages[:-1]}, {"context": messages[1:]}) == {
        ("context", 0): "removed",
        ("context", 9_998): "added",
    }


def test_items_put_in_and_changed_in_place_are_told_apart() -> None:
    assert _told(["a", "b", "c"], ["a", "x", "b", "c"]) == {(1,): "added"}
    assert _told(["a", {"k": 1}, "c"], ["a", {"k": 2}, "c"]) == {(1, "k"): "changed"}
    assert _told(["a", "b"], []) == {(0,): "removed", (1,): "removed"}


def test_true_is_not_one_and_not_a_number_is_itself() -> None:
    assert _told({"a": 1, "b": math.nan}, {"a": True, "b": float("nan")}) == {("a",): "changed"}
    assert changes([float("nan")], [float("nan")]) is None


def test_another_type_is_a_change_of_the_whole() -> None:
    assert _told({"a": {"b": 1}}, {"a": [1]}) == {("a",): "changed"}


def test_deep_values_are_compared_whole_below_a_depth() -> None:
    before: Any = 1
    after: Any = 2
    for _ in range(MAX_DEPTH + 10):
        before, after = [before], [after]
    ((path, kind),) = paths(changes(before, after))
    assert (len(path), kind) == (MAX_DEPTH, ChangeKind.CHANGED)


def test_bottomless_values_are_a_change_and_no_error() -> None:
    def bottomless(levels: int) -> Any:
        value: Any = []
        for _ in range(levels):
            value = [value]
        return value

    before, after = bottomless(60_000), bottomless(60_001)
    assert changes({"a": before}, {"a": after}) is not None
    assert not same(before, after)
    assert align([before], [after, before])[0].kind is not BlockKind.KEPT


def test_huge_values_are_compared_up_to_a_limit() -> None:
    before = {str(i): [i] for i in range(250_000)}
    after = {str(i): [i + 1] for i in range(250_000)}
    change = changes(before, after)
    assert change is not None
    assert change.count == 250_000
    assert change.inside["249999"].kind is ChangeKind.CHANGED
    assert change.inside["0"].kind is ChangeKind.INSIDE


def test_lists_that_share_nothing_are_paired_without_looking_ahead_for_ever() -> None:
    blocks = align(list(range(20_000)), list(range(20_000, 40_000)))
    assert {block.kind for block in blocks} == {BlockKind.PAIRED}


_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]) | st.floats(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=20,
)


def _apply(value: Any, change: Change | None) -> Any:
    """What `change` says became of the value."""
    if change is None:
        return value
    if change.kind is not ChangeKind.INSIDE:
        return change.after
    if isinstance(value, dict):
        gone = {key for group in change.gone.values() for key, _ in group}
        kept = {key: _apply(inner, change.inside.get(key)) for key, inner in value.items() if key not in gone}
        return kept | {key: inner.after for key, inner in change.inside.items() if inner.kind is ChangeKind.ADDED}
    gone = {key for group in change.gone.values() for key, _ in group}
    left = iter([inner for i, inner in enumerate(value) if i not in gone])
    result: list[Any] = []
    added = sum(inner.kind is ChangeKind.ADDED for inner in change.inside.values())
    for i in range(len(value) - len(gone) + added):
        inner = change.inside.get(i)
        result.append(inner.after if inner and inner.kind is ChangeKind.ADDED else _apply(next(left), inner))
    return result


@given(_values, _values)
def test_the_changes_lead_from_one_value_to_the_other(before: Any, after: Any) -> None:
    assert same(_apply(before, changes(before, after)), after) or repr(after).count("nan")


@given(st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)))
def test_an_alignment_covers_both_lists_in_order(before: list[int], after: list[int]) -> None:
    old = new = 0
    for block in align(before, after):
        assert (block.old, block.new) == (old, new)
        if block.kind is not BlockKind.NEW:
            old += block.count
        if block.kind is not BlockKind.GONE:
            new += block.count
        if block.kind is BlockKind.KEPT:
            assert before[block.old : old] == after[block.new : new]
    assert (old, new) == (len(before), len(after))
