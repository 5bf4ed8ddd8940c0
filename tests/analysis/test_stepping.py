"""Stepping: next goes over, into goes in, out finishes, and all of them go backward."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from traceview.analysis import stepping
from traceview.analysis.stepping import Stop
from traceview.analysis.steps import ERRORS, EVERY_MOMENT, SPANS, Axis, Walk, find_moments, walk
from traceview.analysis.tree import build_tree
from traceview.testing import build_trace

Move = Callable[[Walk, int], Stop | None]


def _walk(text: str, axis: Axis = SPANS) -> Walk:
    tree = build_tree(build_trace(text).rows())
    return walk(tree, find_moments(tree, []), axis)


def _go(stops: Walk, move: Move, moment: int) -> str | None:
    stop = move(stops, moment)
    return None if stop is None else stops.tree.rows[stop.span].name


def _from(stops: Walk, name: str) -> int:
    span = next(i for i, row in enumerate(stops.tree.rows) if row.name == name)
    step = stops.step_of(span)
    assert step is not None
    return stops.stop(step)


_RUN = "a > (b > (c, d), e), f"


@pytest.mark.parametrize(
    ("move", "start", "end"),
    [
        (stepping.onward, "b", "c"),
        (stepping.onward, "f", None),
        (stepping.over, "b", "e"),
        (stepping.over, "c", "d"),
        (stepping.over, "d", "e"),
        (stepping.over, "a", "f"),
        (stepping.over, "f", None),
        (stepping.into, "b", "c"),
        (stepping.into, "c", "d"),
        (stepping.into, "f", None),
        (stepping.out, "c", "b"),
        (stepping.out, "b", "a"),
        (stepping.out, "d", "e"),
        (stepping.out, "f", None),
        (stepping.back, "e", "d"),
        (stepping.back, "a", None),
        (stepping.back_over, "e", "b"),
        (stepping.back_over, "d", "c"),
        (stepping.back_over, "c", "b"),
        (stepping.back_over, "f", "a"),
        (stepping.back_over, "a", None),
        (stepping.back_out, "d", "b"),
        (stepping.back_out, "e", "a"),
        (stepping.back_out, "f", "a"),
        (stepping.back_out, "a", None),
    ],
)
def test_a_step_from_a_span_leads_to(move: Move, start: str, end: str | None) -> None:
    stops = _walk(_RUN)
    assert _go(stops, move, _from(stops, start)) == end


def test_finishing_lands_where_the_caller_has_ended() -> None:
    stops = _walk(_RUN)
    stop = stepping.out(stops, _from(stops, "c"))
    assert stop is not None
    assert stop.moment >= stops.moments.closed[stop.span]


def test_finishing_a_caller_that_still_runs_goes_to_the_newest_moment() -> None:
    stops = _walk("a~ > (b, c~)")
    stop = stepping.out(stops, _from(stops, "b"))
    assert stop == stepping.last(stops)
    assert stepping.out(stops, len(stops.moments) - 1) is None


def test_going_over_the_last_call_ends_with_that_call_in_view() -> None:
    stops = _walk("a > (b, c)")
    stop = stepping.over(stops, _from(stops, "a"))
    assert stop == Stop(len(stops.moments) - 1, 0)


def test_from_outside_a_replay_forward_starts_and_backward_ends() -> None:
    stops = _walk(_RUN)
    for move in (stepping.onward, stepping.over, stepping.into):
        assert _go(stops, move, -1) == "a"
    for move in (stepping.back, stepping.back_over, stepping.back_out):
        assert _go(stops, move, -1) == "f"
    assert _go(stops, stepping.out, -1) == "f"
    assert (_go(stops, lambda w, _: stepping.first(w), 0), _go(stops, lambda w, _: stepping.last(w), 0)) == ("a", "f")


def test_between_two_stops_backward_goes_to_the_step_before_and_forward_to_the_next() -> None:
    stops = _walk("a, b, c")
    inside = stops.stop(2) - 1
    assert _go(stops, stepping.back, inside) == "a"
    assert _go(stops, stepping.onward, inside) == "c"
    assert _go(stops, stepping.onward, stops.stop(3) - 1) == "c"


def test_no_steps_no_moves() -> None:
    stops = _walk("a", ERRORS)
    for move in (stepping.onward, stepping.over, stepping.into, stepping.out):
        assert move(stops, 0) is None
    for move in (stepping.back, stepping.back_over, stepping.back_out):
        assert move(stops, 0) is None
        assert move(stops, -1) is None
    assert stepping.first(stops) is None
    assert stepping.last(stops) is None


def test_steps_that_ran_at_the_same_time_are_siblings() -> None:
    rows = build_trace("a > (b > c, d)").rows()
    late = max(row.start_ns for row in rows) + 100
    tree = build_tree([msgspec.structs.replace(row, end_ns=late) for row in rows])
    stops = walk(tree, find_moments(tree, []), SPANS)
    assert _go(stops, stepping.over, _from(stops, "b")) == "d"
    assert _go(stops, stepping.back_over, _from(stops, "d")) == "b"


def test_errors_are_walked_one_by_one() -> None:
    stops = _walk("a > (b!, c > d!)", ERRORS)
    assert _go(stops, stepping.over, -1) == "b"
    assert _go(stops, stepping.over, stops.stop(1)) == "d"
    assert _go(stops, stepping.into, stops.stop(1)) == "d"
    assert _go(stops, stepping.back_over, stops.stop(2)) == "b"
    assert _go(stops, stepping.out, stops.stop(1)) == "d"
    assert _go(stops, stepping.back_out, stops.stop(2)) == "b"


def test_a_child_that_opened_before_its_parent_is_left_backward() -> None:
    rows = build_trace("a > (b, c)").rows()
    early = msgspec.structs.replace(rows[1], start_ns=rows[0].start_ns - 5)
    tree = build_tree([rows[0], early, rows[2]])
    stops = walk(tree, find_moments(tree, []), SPANS)
    assert _go(stops, stepping.back_over, stops.stop(2)) == "b"


# +a(0) +b(1) -b(2) +c(3) -c(4) -a(5)
@pytest.mark.parametrize(
    ("move", "start", "end"),
    [
        (stepping.over, -1, 0),
        (stepping.over, 0, 5),
        (stepping.over, 1, 2),
        (stepping.over, 2, 3),
        (stepping.over, 5, None),
        (stepping.into, 0, 1),
        (stepping.out, -1, 5),
        (stepping.out, 1, 2),
        (stepping.out, 2, 5),
        (stepping.out, 5, None),
        (stepping.back, 3, 2),
        (stepping.back_over, 5, 0),
        (stepping.back_over, 4, 3),
        (stepping.back_over, 3, 2),
        (stepping.back_over, 0, None),
        (stepping.back_out, 4, 3),
        (stepping.back_out, 3, 0),
        (stepping.back_out, 0, None),
    ],
)
def test_moment_by_moment_a_span_is_gone_over_from_its_opening_to_its_end(
    move: Move, start: int, end: int | None
) -> None:
    stop = move(_walk("a > (b, c)", EVERY_MOMENT), start)
    assert (None if stop is None else stop.moment) == end


def test_moment_by_moment_a_running_span_is_entered() -> None:
    stops = _walk("a~ > b~", EVERY_MOMENT)
    assert stepping.over(stops, 0) == Stop(1, 1)
    assert stepping.out(stops, 0) == Stop(1, 1)
