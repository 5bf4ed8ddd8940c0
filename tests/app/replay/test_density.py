"""The scrubber's geometry: times to pixels and back, idle gaps folded, moments counted by slice."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from traceview.analysis.steps import Moments, find_moments
from traceview.analysis.tree import build_tree
from traceview.app.replay.density import FOLD, SLICE, make_scale, make_slices
from traceview.app.state.open_run import OpenRun

MakeRun = Callable[..., OpenRun]
MS = 1_000_000


def _busy(make_run: MakeRun, idle_ms: int) -> Moments:
    """Ten short steps, a wait in which nothing runs, ten more."""
    run = make_run("run > (" + ", ".join(f"s{i}" for i in range(20)) + ")")
    wait = idle_ms * MS
    rows = []
    for row in run.tree.rows:
        later = row.name != "run" and int(row.name[1:]) >= 10
        end = (row.end_ns or 0) + (wait if later or row.name == "run" else 0)
        rows.append(msgspec.structs.replace(row, start_ns=row.start_ns + wait * later, end_ns=end))
    return find_moments(build_tree(rows), [])


def test_time_runs_evenly_from_end_to_end(make_run: MakeRun) -> None:
    moments = make_run("a, b, c, d").moments
    scale = make_scale(moments, 700)
    start, end = moments.times[0], moments.times[-1]
    assert (scale.x(start), scale.x(end)) == (0.0, 700.0)
    assert scale.x((start + end) // 2) == pytest.approx(350)
    assert (scale.time(0), scale.time(700)) == (start, end)
    assert (scale.x(start - 5), scale.x(end + 5)) == (0.0, 700.0)
    assert (scale.time(-50), scale.time(9_000)) == (start, end)
    assert scale.folds == []


def test_a_long_idle_gap_is_folded_and_leaves_the_room_to_what_happened(make_run: MakeRun) -> None:
    moments = _busy(make_run, idle_ms=2_000)
    scale = make_scale(moments, 1_000)
    (fold,) = scale.folds
    assert fold.end_ns - fold.start_ns > 1_990 * MS
    assert fold.right - fold.left == FOLD
    assert scale.x(fold.start_ns) == pytest.approx(fold.left)
    assert scale.x(fold.end_ns) == pytest.approx(fold.right)
    assert 400 < fold.left < 600
    for time in moments.times:
        assert scale.time(scale.x(time)) == pytest.approx(time, abs=MS)


def test_where_there_is_no_room_nothing_is_folded(make_run: MakeRun) -> None:
    assert make_scale(_busy(make_run, idle_ms=2_000), 60).folds == []


def test_every_moment_lies_in_one_slice(make_run: MakeRun) -> None:
    for moments in (make_run("a > (b, c!, d)").moments, _busy(make_run, 500)):
        slices = make_slices(moments, make_scale(moments, 333), 333)
        assert sum(piece.moments for piece in slices) == len(moments)
        assert all(piece.left % SLICE == 0 and piece.moments > 0 for piece in slices)


def test_a_slice_with_a_failed_span_is_marked(make_run: MakeRun) -> None:
    moments = make_run("a > (b, c!, d)").moments
    scale = make_scale(moments, 700)
    failed = [piece for piece in make_slices(moments, scale, 700) if piece.failed]
    assert [(piece.moments, piece.failed) for piece in failed] == [(1, 1)]
    assert abs(failed[0].left - scale.x(moments.times[moments.closed[2]])) <= SLICE


def test_a_run_of_one_instant_and_a_run_without_moments_have_a_scale(make_run: MakeRun) -> None:
    instant = make_run("a~").moments
    scale = make_scale(instant, 100)
    assert scale.x(instant.times[0]) == 0.0
    assert [piece.moments for piece in make_slices(instant, scale, 100)] == [1]
    nothing = make_run("").moments
    scale = make_scale(nothing, 100)
    assert (scale.x(5), scale.time(50)) == (0.0, 0)
    assert make_slices(nothing, scale, 100) == []
