"""Live runs: bars grow by the clock, news of huge runs leave the window time to breathe."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.timeline import update_pacer
from traceview.app.timeline.live_clock import LiveClock
from traceview.app.timeline.ruler import Ruler
from traceview.app.timeline.update_pacer import UpdatePacer
from traceview.app.timeline.waterfall import Waterfall

Show = Callable[[OpenRun], Waterfall]


def test_running_bars_grow_by_the_clock(show: Show, runs: ModuleType, clock: Any, qtbot: QtBot) -> None:
    pane = show(runs.support_agent(live=True))
    assert pane.rows.duration(0) == 27_840_000_000
    clock.now += 1_500_000_000
    qtbot.waitUntil(lambda: pane.rows.duration(0) == 29_340_000_000)
    assert pane.window_of_time.shows_whole
    assert pane.window_of_time.whole.end == 29_340_000_000


def test_a_finished_run_stands_still(show: Show, runs: ModuleType, clock: Any, selection: Selection) -> None:
    pane = show(runs.support_agent(live=True))
    clock.now += 5_000_000_000
    selection.show(runs.support_agent(live=False))
    assert pane.rows.duration(0) == 27_840_000_000
    assert pane.window_of_time.whole.end == 27_840_000_000


def test_news_do_not_make_the_present_jump_back(show: Show, runs: ModuleType, clock: Any, selection: Selection) -> None:
    pane = show(runs.support_agent(live=True))
    clock.now += 2_000_000_000
    selection.show(runs.support_agent(live=True))
    assert pane.rows.now == 29_840_000_000


@pytest.mark.parametrize("hours", [2, -2])
def test_a_run_from_another_time_does_not_grow(runs: ModuleType, clock: Any, qtbot: QtBot, hours: int) -> None:
    live = LiveClock(clock)
    clock.now += hours * 3_600_000_000_000
    live.follow(runs.support_agent(live=True))
    assert not live.live
    assert live.now() == 27_840_000_000


def test_a_run_that_is_watched_keeps_growing_however_long(runs: ModuleType, clock: Any, qtbot: QtBot) -> None:
    live = LiveClock(clock)
    run = runs.support_agent(live=True)
    live.follow(run)
    assert live.live
    clock.now += 2 * 3_600_000_000_000
    live.follow(run)
    assert live.live
    live.follow(None)
    assert not live.live
    assert live.now() == 0


def test_runs_of_files_and_finished_ones_do_not_grow(runs: ModuleType, clock: Any, qtbot: QtBot) -> None:
    live = LiveClock(clock)
    live.follow(runs.support_agent(live=False))
    assert not live.live
    live.follow(runs.loops(10, live=True))
    assert live.live
    other = msgspec.structs.replace(runs.loops(10).summary, trace_id=b"o" * 16)
    run = runs.loops(10)
    live.follow(OpenRun(runs.LIVE, other, run.tree, (), run.moments, run.start_ns, run.now_ns))
    assert not live.live


def test_the_ruler_says_how_long_a_live_run_has_been_going(
    show: Show, runs: ModuleType, selection: Selection, mouse: Callable[..., Any]
) -> None:
    pane = show(runs.support_agent(live=True))
    assert pills(pane.ruler) == ["27.84\u2009s"]
    selection.go_to_moment(10)
    assert len(pills(pane.ruler)) == 2
    mouse(pane.timeline.viewport()).move(250, 100)
    assert len(pills(pane.ruler)) == 3
    x = pane.timeline.scale.x(27_840_000_000)
    mouse(pane.timeline.viewport()).move(x - 3, 100)
    assert "27.84\u2009s" not in pills(pane.ruler)
    pane.window_of_time.zoom(0.1, 0)
    pane.ruler.grab()


def pills(ruler: Ruler) -> list[str]:
    return [pill[1] for pill in ruler._pills()]


def test_cheap_news_are_taken_at_once(runs: ModuleType, qapp: object) -> None:
    taken: list[object] = []
    pacer = UpdatePacer(taken.append)
    first, second = runs.loops(10), runs.loops(11)
    pacer.offer(first)
    pacer.offer(second)
    assert taken == [first, second]


def test_dear_news_wait_and_only_the_newest_is_taken(
    runs: ModuleType, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_pacer, "_CHEAP_S", -1.0)
    monkeypatch.setattr(update_pacer, "_REST_PER_WORK", 100_000.0)
    taken: list[object] = []
    pacer = UpdatePacer(taken.append)
    pictures = [runs.loops(size) for size in (10, 11, 12)]
    pacer.offer(pictures[0])
    pacer.offer(pictures[1])
    pacer.offer(pictures[2])
    assert taken == pictures[:1]
    qtbot.waitUntil(lambda: len(taken) == 2)
    assert taken[1] is pictures[2]


def test_news_of_a_run_that_was_left_are_not_taken(
    runs: ModuleType, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_pacer, "_CHEAP_S", -1.0)
    monkeypatch.setattr(update_pacer, "_REST_PER_WORK", 1e9)
    taken: list[object] = []
    pacer = UpdatePacer(taken.append)
    pacer.offer(runs.loops(10))
    pacer.offer(runs.loops(11))
    pacer.forget()
    pacer._take_waiting()
    assert len(taken) == 1
    pacer.offer(runs.loops(12))
    assert len(taken) == 2
