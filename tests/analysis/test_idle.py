"""Idle gaps: where nothing happens and nothing runs, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from traceview.analysis.idle import Gap, idle_gaps
from traceview.analysis.moments import find_moments
from traceview.analysis.tree import build_tree
from traceview.testing import build_trace


def _gaps(text: str, times: dict[str, tuple[int, int | None]], least: int) -> list[Gap]:
    rows = [
        msgspec.structs.replace(row, start_ns=times[row.name][0], end_ns=times[row.name][1])
        for row in build_trace(text).rows()
    ]
    return idle_gaps(find_moments(build_tree(rows), []), least)


def test_a_wait_between_two_spans_is_idle_though_their_parent_is_open() -> None:
    times = {"run": (0, 200), "a": (0, 50), "b": (150, 200)}
    for least in (2, 30, 99, 100):
        assert _gaps("run > (a, b)", times, least) == [(50, 150)]
    assert _gaps("run > (a, b)", times, 101) == []


def test_a_long_call_is_not_idle() -> None:
    assert _gaps("run > a", {"run": (0, 200), "a": (0, 200)}, 50) == []
    assert _gaps("run > (a, b)", {"run": (0, 200), "a": (0, None), "b": (150, 200)}, 50) == []


def test_several_gaps_are_found_in_order() -> None:
    times = {"run": (0, 1000), "a": (0, 10), "b": (300, 310), "c": (900, 1000)}
    assert _gaps("run > (a, b, c)", times, 100) == [(10, 300), (310, 900)]


@pytest.mark.parametrize("least", [0, 1])
def test_a_gap_has_a_length(least: int) -> None:
    assert _gaps("a, b", {"a": (0, 1), "b": (9, 10)}, least) == []


def test_a_run_of_one_moment_has_no_gaps() -> None:
    assert _gaps("a", {"a": (0, None)}, 5) == []
