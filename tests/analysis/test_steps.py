"""Steps: which moments one stops at on each axis, and how the steps are numbered."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from traceview.analysis.steps import (
    AGENT_STEPS,
    ERRORS,
    EVERY_MOMENT,
    SPANS,
    Axis,
    Moments,
    Walk,
    axis_positions,
    default_axis,
    find_moments,
    moment_of_step,
    number_steps,
    same_name,
    same_parent,
    span_at,
    step_at,
    walk,
)
from traceview.analysis.tree import SpanTree, build_tree
from traceview.protocol.records import EventRow
from traceview.testing import START_NS, STEP_NS, build_trace

# run(0) plan(1) fetch(2) parse(3) answer(4)
_RUN = "run:agent > (plan:llm > fetch:tool!, parse, answer:llm)"


def _run(text: str = _RUN) -> tuple[SpanTree, Moments]:
    tree = build_tree(build_trace(text).rows())
    return tree, find_moments(tree, [])


def _names(stops: Walk) -> list[str]:
    return [stops.tree.rows[stops.span(step)].name for step in range(1, len(stops) + 1)]


def test_agent_steps_are_numbered_by_opening_and_leave_out_glue_and_the_run_itself() -> None:
    tree, moments = _run()
    assert _names(walk(tree, moments, AGENT_STEPS)) == ["plan", "fetch", "answer"]
    assert number_steps(tree, AGENT_STEPS) == [None, 1, 2, None, 3]


def test_as_of_a_step_is_the_last_moment_before_the_next_opens() -> None:
    tree, moments = _run()
    # +run +plan +fetch -fetch -plan +parse -parse +answer -answer -run
    assert axis_positions(moments, tree, AGENT_STEPS) == [1, 6, 9]
    assert [moment_of_step(moments, tree, step) for step in (1, 2, 3)] == [1, 6, 9]
    assert [step_at(moments, tree, moment) for moment in range(-1, 10)] == [0, 0, 1, 2, 2, 2, 2, 2, 3, 3, 3]


def test_a_step_that_is_not_there_is_named() -> None:
    tree, moments = _run()
    for step in (0, 4):
        with pytest.raises(IndexError, match=f"3 steps, so there is no step {step}"):
            moment_of_step(moments, tree, step)


def test_the_span_shown_at_a_moment_is_its_step() -> None:
    tree, moments = _run()
    assert span_at(moments, tree, 0) is None
    assert [span_at(moments, tree, moment) for moment in (1, 2, 6, 7)] == [1, 2, 2, 4]


def test_every_moment_stops_at_each() -> None:
    tree, moments = _run()
    assert axis_positions(moments, tree, EVERY_MOMENT) == list(range(10))
    assert step_at(moments, tree, 4, EVERY_MOMENT) == 5
    assert walk(tree, moments, EVERY_MOMENT).step_of(2) == 3
    with pytest.raises(ValueError, match="numbers moments"):
        number_steps(tree, EVERY_MOMENT)


def test_errors_stop_where_the_failed_span_ends() -> None:
    tree, moments = _run("run > (a! > b!, c~)")
    stops = walk(tree, moments, ERRORS)
    assert _names(stops) == ["b", "a"]
    assert number_steps(tree, ERRORS) == [None, 2, 1, None]
    assert [stops.step_of(i) for i in range(4)] == [None, 2, 1, None]
    assert [moments[moment].time_ns for moment in axis_positions(moments, tree, ERRORS)] == [
        START_NS + 4 * STEP_NS,
        START_NS + 5 * STEP_NS,
    ]


def test_a_failed_span_that_has_not_ended_is_an_error_where_it_opened() -> None:
    trace = build_trace("run > (a!, b)")
    rows = trace.rows()
    tree = build_tree([rows[0], replace(rows[1], end_ns=None), rows[2]])
    stops = walk(tree, find_moments(tree, []), ERRORS)
    assert list(stops.starts) == [1]
    assert stops.step_of(1) == 1


def test_spans_of_one_name_or_one_parent_are_axes_too() -> None:
    tree, moments = _run("run > (try > call, try > call, done)")
    assert len(walk(tree, moments, same_name("call"))) == 2
    assert number_steps(tree, same_name("try")) == [None, 1, None, 2, None, None]
    assert _names(walk(tree, moments, same_parent(tree.rows[0].span_id))) == ["try", "try", "done"]
    assert _names(walk(tree, moments, same_parent(None))) == ["run"]
    assert number_steps(tree, SPANS) == [1, 2, 3, 4, 5, 6]


def test_an_axis_without_stops_is_empty() -> None:
    tree, moments = _run("a > b")
    stops = walk(tree, moments, AGENT_STEPS)
    assert (len(stops), stops.step_at(2), stops.nearest(START_NS)) == (0, 0, 0)
    assert axis_positions(moments, tree, AGENT_STEPS) == []
    assert stops.step_of(0) is None


def test_a_run_without_agent_steps_is_walked_by_all_its_spans() -> None:
    assert default_axis(_run()[1]) == AGENT_STEPS
    assert default_axis(_run("a > b")[1]) == SPANS


@pytest.mark.parametrize(("axis", "unit"), [(AGENT_STEPS, "step"), (EVERY_MOMENT, "moment"), (ERRORS, "error")])
def test_a_stop_has_a_name(axis: Axis, unit: str) -> None:
    assert axis.unit == unit


def test_the_nearest_step_is_the_one_whose_stop_is_closest_in_time() -> None:
    tree, moments = _run("a, b, c")
    stops = walk(tree, moments, SPANS)
    times = [moments.times[stop] for stop in axis_positions(moments, tree, SPANS)]
    assert [stops.nearest(time) for time in times] == [1, 2, 3]
    assert stops.nearest(times[0] - 10 * STEP_NS) == 1
    assert stops.nearest(times[1] - 1) == 2
    assert stops.nearest(times[0] + 1) == 1
    assert stops.nearest(times[2] + STEP_NS) == 3


def test_numbers_in_tree_and_on_the_walk_agree_where_starts_are_equal() -> None:
    rows = [replace(row, start_ns=START_NS) for row in build_trace("a > (b > c, d), e").rows()]
    tree = build_tree(rows)
    stops = walk(tree, find_moments(tree, [EventRow(rows[0].span_id, START_NS, "x")]), SPANS)
    assert number_steps(tree, SPANS) == [stops.step_of(i) for i in range(len(tree))] == [1, 2, 3, 4, 5]
