"""The tree of a run holds every span once, parents first, whatever nonsense the parents are."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.analysis.tree import SpanTree, build_tree
from traceview.protocol.records import SpanRow, Status
from traceview.testing import build_trace


def row(span: int, parent: int | None, start: int = 0, status: Status = Status.OK) -> SpanRow:
    above = None if parent is None else parent.to_bytes(8, "big")
    return SpanRow(
        span.to_bytes(8, "big"), above, str(span), "other", status, None, start, start + 1, *[None] * 8, 0, 0
    )


def names(tree: SpanTree) -> list[str]:
    return [span.name for span in tree.rows]


def outline(tree: SpanTree) -> str:
    return " ".join("." * tree.depth[i] + tree.rows[i].name for i in range(len(tree)))


def check(tree: SpanTree, spans: Sequence[SpanRow]) -> None:
    """What holds of every tree."""
    assert sorted(set(names(tree))) == sorted({span.name for span in spans})
    assert len(tree) == len({span.span_id for span in spans})
    for i, span in enumerate(tree.rows):
        assert tree.index[span.span_id] == i
        parent = tree.parent[i]
        assert tree.depth[i] == (tree.depth[parent] + 1 if parent >= 0 else 0)
        if parent >= 0:
            assert parent < i < tree.subtree_end[i] <= tree.subtree_end[parent]
            assert span.parent_id == tree.rows[parent].span_id
        assert (i in tree.orphans) == (parent < 0 and span.parent_id is not None)


def test_parents_come_first_and_siblings_by_start() -> None:
    rows = build_trace("plan > (search > fetch, answer), after").rows()
    tree = build_tree(reversed(rows))
    assert outline(tree) == "plan .search ..fetch .answer after"
    assert tree.children(0) == [1, 3]
    assert tree.ancestors(2) == [1, 0]
    assert [tree.is_leaf(i) for i in range(5)] == [False, False, True, True, True]
    check(tree, rows)


def test_equal_starts_keep_the_order_given() -> None:
    tree = build_tree([row(1, None), row(4, 1), row(2, 1), row(3, 1)])
    assert names(tree) == ["1", "4", "2", "3"]


def test_a_child_may_start_before_its_parent() -> None:
    tree = build_tree([row(2, 1, start=5), row(1, None, start=9), row(3, None, start=7)])
    assert outline(tree) == "3 1 .2"


def test_no_spans_make_an_empty_tree() -> None:
    assert len(build_tree([])) == 0


def test_spans_whose_parent_is_missing_stand_as_roots_and_are_named() -> None:
    spans = [row(1, None), row(2, 77), row(3, 2)]
    tree = build_tree(spans)
    assert outline(tree) == "1 2 .3"
    assert tree.orphans == {1}


def test_a_span_that_is_its_own_parent_is_a_root() -> None:
    tree = build_tree([row(1, 1), row(2, 1)])
    assert outline(tree) == "1 .2"
    assert tree.orphans == {0}


def test_a_cycle_is_cut_at_its_earliest_span_and_keeps_what_hangs_on_it() -> None:
    # 9 starts first but only hangs on the cycle 1 > 2 > 3 > 1.
    spans = [row(9, 2, start=1), row(2, 1, start=3), row(3, 2, start=4), row(1, 3, start=2), row(5, None, start=8)]
    tree = build_tree(spans)
    assert outline(tree) == "1 .2 ..9 ..3 5"
    assert tree.orphans == {0}
    check(tree, spans)


def test_thousands_of_cycles_are_cut_at_once() -> None:
    spans = [row(i, i ^ 1, start=i) for i in range(20_000)]
    tree = build_tree(spans)
    assert tree.depth[:4] == [0, 1, 0, 1]
    check(tree, spans)


def test_of_rows_with_one_id_the_earliest_stands() -> None:
    late = msgspec.structs.replace(row(2, 1, start=9), name="late")
    tree = build_tree([row(1, None), late, row(2, 1, start=5), row(3, 2, start=6)])
    assert outline(tree) == "1 .2 ..3"


def test_the_worst_status_inside_is_known() -> None:
    rows = build_trace("a > (b > c!, d~, e > f?, g)").rows()
    tree = build_tree(rows)
    assert tree.worst_status(0) is Status.ERROR
    assert tree.worst_status(tree.index[rows[4].span_id]) is Status.INTERRUPTED
    assert tree.worst_status(tree.index[rows[3].span_id]) is Status.RUNNING
    assert tree.worst_status(tree.index[rows[6].span_id]) is Status.OK


@given(st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 14), st.integers(0, 5)), max_size=14))
def test_any_parents_make_a_tree(spans: list[tuple[int, int | None, int]]) -> None:
    rows = [row(*span) for span in spans]
    check(build_tree(rows), rows)


@pytest.mark.parametrize("closed", [False, True], ids=["chain", "cycle"])
def test_depth_has_no_limit(closed: bool) -> None:
    count = 20_000
    rows = [row(i, i - 1 if i else (count - 1 if closed else None), start=i) for i in range(count)]
    tree = build_tree(rows)
    assert tree.depth[-1] == count - 1
    assert len(tree.ancestors(count - 1)) == count - 1


def test_many_spans_take_little_time() -> None:
    rows = [row(i, (i - 1) // 3 if i else None, start=i) for i in range(100_000)]
    best = min(_timed(rows) for _ in range(3))
    assert best < 0.5, "three to four times what it takes on a quiet machine"


def _timed(rows: list[SpanRow]) -> float:
    begun = time.perf_counter()
    build_tree(rows)
    return time.perf_counter() - begun
