"""Moments: everything that happens in a run, in order, each in its span."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from traceview.analysis.moments import MomentKind, Moments, agent_steps, find_moments
from traceview.analysis.tree import SpanTree, build_tree
from traceview.protocol.records import STATE_EVENT, EventRow, SpanRow
from traceview.testing import START_NS, STEP_NS, build_trace


def _words(tree: SpanTree, moments: Moments) -> list[str]:
    marks = {MomentKind.OPEN: "+", MomentKind.CLOSE: "-", MomentKind.EVENT: ".", MomentKind.STATE: "*"}
    return [marks[moment.kind] + tree.rows[moment.span].name for moment in moments]


def _timed(
    text: str, times: dict[str, tuple[int, int | None]], events: Sequence[tuple[str, int, str]] = ()
) -> list[str]:
    rows = [
        msgspec.structs.replace(row, start_ns=times[row.name][0], end_ns=times[row.name][1])
        for row in build_trace(text).rows()
    ]
    ids = {row.name: row.span_id for row in rows}
    tree = build_tree(rows)
    return _words(tree, find_moments(tree, [EventRow(ids[span], time, name) for span, time, name in events]))


def test_a_run_is_told_in_order_parents_around_their_children() -> None:
    tree = build_tree(build_trace("plan > (search, answer~)").rows())
    moments = find_moments(tree, [])
    assert _words(tree, moments) == ["+plan", "+search", "-search", "+answer", "-plan"]
    assert [moment.time_ns for moment in moments] == [START_NS + n * STEP_NS for n in (1, 2, 3, 4, 6)]
    assert list(moments.opened) == [0, 1, 3]
    assert list(moments.closed) == [4, 2, -1]


def test_events_and_changes_of_state_are_moments_of_their_span() -> None:
    words = _timed("a", {"a": (0, 9)}, [("a", 3, "log"), ("a", 5, STATE_EVENT)])
    assert words == ["+a", ".a", "*a", "-a"]


def test_a_moment_names_its_span_or_its_event() -> None:
    trace = build_trace("a")
    tree = build_tree(trace.rows())
    moments = find_moments(tree, [EventRow(trace.part("a").span_id, START_NS + STEP_NS, "first token")])
    assert [moment.name for moment in moments] == ["a", "first token", "a"]
    assert moments[-1].kind is MomentKind.CLOSE
    assert [moment.name for moment in moments[1:]] == ["first token", "a"]


def test_an_event_of_an_unknown_span_is_left_out() -> None:
    tree = build_tree(build_trace("a").rows())
    assert len(find_moments(tree, [EventRow(b"12345678", START_NS, "lost")])) == 2


def test_what_began_earlier_ends_before_anything_new_opens() -> None:
    times = {"a": (0, 9), "b": (0, 5), "c": (5, 9)}
    events = [("b", 5, STATE_EVENT), ("c", 5, "first")]
    assert _timed("a > (b, c)", times, events) == ["+a", "+b", "*b", "-b", "+c", ".c", "-c", "-a"]


def test_a_parent_stays_open_for_a_child_of_no_duration_at_its_very_end() -> None:
    times = {"a": (0, 5), "b": (0, 5), "c": (5, 5)}
    assert _timed("a > b > c", times) == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_a_run_without_spans_has_no_moments() -> None:
    moments = find_moments(build_tree([]), [])
    assert len(moments) == 0
    assert list(moments) == []


def test_the_root_agent_is_the_run_and_not_a_step_of_it() -> None:
    tree = build_tree(build_trace("run:agent > (plan:llm, glue, helper:agent > fetch:tool)").rows())
    assert agent_steps(tree) == [False, True, False, True, True]


def test_a_lone_agent_and_an_agent_whose_parent_is_missing_are_steps() -> None:
    assert agent_steps(build_tree(build_trace("run:agent").rows())) == [True]
    orphaned = build_trace("root > helper:agent > fetch:tool").rows()[1:]
    assert agent_steps(build_tree(orphaned)) == [True, True]


@st.composite
def _runs(draw: st.DrawFn) -> tuple[list[SpanRow], list[EventRow]]:
    template = build_trace("a").rows()[0]
    rows: list[SpanRow] = []
    for i in range(draw(st.integers(1, 12))):
        start = draw(st.integers(0, 6))
        rows.append(
            msgspec.structs.replace(
                template,
                span_id=i.to_bytes(8, "big"),
                parent_id=draw(st.one_of(st.none(), st.integers(0, 12).map(lambda n: n.to_bytes(8, "big")))),
                start_ns=start,
                end_ns=draw(st.one_of(st.none(), st.integers(0, 4).map(lambda d, s=start: s + d))),
            )
        )
    events = [
        EventRow(
            draw(st.sampled_from(rows)).span_id, draw(st.integers(-2, 12)), draw(st.sampled_from(["x", STATE_EVENT]))
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    return rows, events


@given(_runs())
def test_every_run_has_each_opening_closing_and_event_once_and_in_order_of_time(
    run: tuple[list[SpanRow], list[EventRow]],
) -> None:
    rows, events = run
    tree = build_tree(rows)
    moments = find_moments(tree, events)
    assert len(moments) == len(rows) + sum(row.end_ns is not None for row in rows) + len(events)
    assert list(moments.times) == sorted(moments.times)
    for i, row in enumerate(tree.rows):
        opening = moments[moments.opened[i]]
        assert (opening.time_ns, opening.kind, opening.span) == (row.start_ns, MomentKind.OPEN, i)
        if row.end_ns is None:
            assert moments.closed[i] == -1
        else:
            closing = moments[moments.closed[i]]
            assert (closing.time_ns, closing.kind, closing.span) == (row.end_ns, MomentKind.CLOSE, i)
            assert moments.opened[i] < moments.closed[i]
