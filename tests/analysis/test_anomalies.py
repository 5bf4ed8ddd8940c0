"""What can't be as recorded is counted and named; nothing recorded is changed by looking."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.analysis.anomalies import CLOCK_GRAIN_NS, Anomalies, find_anomalies, run_notices, span_notes
from traceview.analysis.tree import SpanTree, build_tree
from traceview.protocol.records import SpanRow
from traceview.testing import build_trace

MS = 1_000_000


def _tree(text: str, **times: tuple[int, int | None]) -> SpanTree:
    """The tree of a text, some spans of which begin and end at other times, in ms."""
    rows = []
    for row in build_trace(text).rows():
        if row.name in times:
            start, end = times[row.name]
            row = msgspec.structs.replace(row, start_ns=start * MS, end_ns=None if end is None else end * MS)
        rows.append(row)
    return build_tree(rows)


def _by_name(tree: SpanTree, found: dict[int, int]) -> dict[str, int]:
    return {tree.rows[i].name: ns // MS for i, ns in found.items()}


def test_a_run_in_order_has_no_anomalies() -> None:
    found = find_anomalies(build_tree(build_trace("a > (b > c, d), e").rows()))
    assert found == Anomalies()
    assert found.clock_skew_ns is None
    assert run_notices(found, dropped=0) == []
    assert span_notes(found, 0) == []


def test_spans_that_begin_before_their_parent_tell_of_clocks_that_differ() -> None:
    tree = _tree("a > (b > c, d)", a=(1_000, 2_000), b=(880, 1_500), c=(900, 1_000), d=(970, 1_200))
    found = find_anomalies(tree)
    assert _by_name(tree, dict(found.early)) == {"b": 120, "d": 30}
    assert found.clock_skew_ns == 120 * MS
    (notice,) = run_notices(found, dropped=0)
    assert notice.text == "clocks differ by up to 120\u2009ms"
    assert "2 spans begin before the ones that called them" in notice.explanation
    assert [tree.rows[i].name for i in notice.spans] == ["b", "d"]
    assert span_notes(found, tree.index[tree.rows[notice.spans[0]].span_id]) == ["Begins 120\u2009ms before its parent"]


@pytest.mark.parametrize(("ahead", "told"), [(CLOCK_GRAIN_NS - 1, 0), (CLOCK_GRAIN_NS, 1)])
def test_times_in_whole_milliseconds_are_no_sign_of_skew(ahead: int, told: int) -> None:
    first, second = build_trace("a > b").rows()
    rows = [first, msgspec.structs.replace(second, start_ns=first.start_ns - ahead)]
    assert len(find_anomalies(build_tree(rows)).early) == told


def test_spans_that_end_before_they_begin_are_named_and_running_ones_are_not() -> None:
    tree = _tree("a > (b, c~)", a=(0, 100), b=(50, 30), c=(60, None))
    found = find_anomalies(tree)
    assert _by_name(tree, dict(found.backwards)) == {"b": 20}
    assert [notice.text for notice in run_notices(found, 0)] == ["1 span ends before it begins"]
    assert span_notes(found, 1) == ["Ends 20\u2009ms before it begins"]


def test_spans_whose_parent_is_missing_are_named() -> None:
    rows = [row for row in build_trace("a > (b > (c, d))").rows() if row.name != "b"]
    tree = build_tree(rows)
    found = find_anomalies(tree)
    (notice,) = run_notices(found, 0)
    assert notice.text == "2 spans without parent"
    assert [tree.rows[i].name for i in notice.spans] == ["c", "d"]
    assert span_notes(found, notice.spans[0]) == ["Its parent is not here"]


def test_what_is_lost_is_said_first_and_with_what_to_do() -> None:
    tree = _tree("a > (b, c)", a=(10, 100), b=(0, 30), c=(50, 20))
    notices = run_notices(find_anomalies(tree), dropped=1_212)
    assert [notice.text for notice in notices] == [
        "1,212 spans dropped",
        "clocks differ by up to 10\u2009ms",
        "1 span ends before it begins",
    ]
    assert "TRACEVIEW_SPOOL_MB" in notices[0].explanation
    assert run_notices(Anomalies(backwards={1: 5, 2: 6}), 1)[0].text == "1 span dropped"
    assert run_notices(Anomalies(backwards={1: 5, 2: 6}), 1)[1].text == "2 spans end before they begin"


_TIMES = st.integers(-(2**62), 2**62)


@given(st.lists(st.tuples(st.integers(-1, 12), _TIMES, st.none() | _TIMES), max_size=12))
def test_whatever_the_times_each_anomaly_is_true_of_its_span(spans: list[tuple[int, int, int | None]]) -> None:
    rows = [
        SpanRow(i.to_bytes(8, "big"), None if up < 0 else up.to_bytes(8, "big"), str(i), "other", 1, None,  # type: ignore[arg-type]
                start, end, *[None] * 8, 0, 0)
        for i, (up, start, end) in enumerate(spans)
    ]  # fmt: skip
    tree = build_tree(rows)
    found = find_anomalies(tree)
    for i, row in enumerate(tree.rows):
        up = tree.parent[i]
        ahead = tree.rows[up].start_ns - row.start_ns if up >= 0 else 0
        assert found.early.get(i, 0) == (ahead if ahead >= CLOCK_GRAIN_NS else 0)
        assert found.backwards.get(i, 0) == max(0, row.start_ns - (row.start_ns if row.end_ns is None else row.end_ns))
    assert found.orphans == tree.orphans
