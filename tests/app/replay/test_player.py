"""The player: moves the shared selection along an axis, plays, follows what is live, keeps its place in a run."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from traceview.analysis.steps import AGENT_STEPS, ERRORS, EVERY_MOMENT, SPANS, same_name, same_parent
from traceview.app.replay.player import Player
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection

MakeRun = Callable[..., OpenRun]

# Agent steps: plan 1, search 2, fetch 3, rank 4, answer 5.
_RUN = "run:agent > (plan:llm, gather > (search:tool > fetch:tool!, rank:reranker), answer:llm)"


def _selected(selection: Selection) -> str | None:
    row = selection.run.row(selection.span_id) if selection.run and selection.span_id else None
    return row.name if row else None


@pytest.fixture
def player(selection: Selection, make_run: MakeRun) -> Player:
    player = Player(selection)
    selection.show(make_run(_RUN))
    return player


def _span(selection: Selection, name: str) -> bytes:
    assert selection.run is not None
    return next(row.span_id for row in selection.run.tree.rows if row.name == name)


def test_a_run_that_is_opened_is_not_replayed_yet(player: Player, selection: Selection) -> None:
    assert player.walk is not None
    assert (len(player.walk), player.step, player.replaying) == (5, 0, False)
    assert selection.span_id is None


def test_moving_selects_the_span_of_the_step(player: Player, selection: Selection) -> None:
    player.first()
    assert (player.step, _selected(selection)) == (1, "plan")
    player.forward()
    assert (player.step, _selected(selection)) == (2, "search")
    player.into()
    assert (player.step, _selected(selection)) == (3, "fetch")
    player.back_out()
    assert (player.step, _selected(selection)) == (2, "search")
    player.forward()
    assert (player.step, _selected(selection)) == (4, "rank")
    player.back()
    assert _selected(selection) == "search"
    player.into()
    player.out()
    assert _selected(selection) == "rank"
    player.back_into()
    assert _selected(selection) == "fetch"
    player.last()
    assert (player.step, _selected(selection)) == (5, "answer")
    player.forward()
    assert player.step == 5


def test_a_step_is_reached_by_its_number(player: Player) -> None:
    for number, step in ((3, 3), (0, 1), (99, 5)):
        player.go_to_step(number)
        assert player.step == step


def test_leaving_shows_the_run_as_of_now(player: Player, selection: Selection) -> None:
    player.go_to_step(3)
    player.leave()
    assert (selection.moment, player.replaying, player.step) == (-1, False, 0)


def test_a_span_selected_by_hand_takes_the_replay_to_its_step(player: Player, selection: Selection) -> None:
    player.first()
    selection.select_span(_span(selection, "rank"))
    assert player.step == 4
    assert _selected(selection) == "rank"
    assert not player.playing


def test_a_span_that_is_no_step_takes_the_replay_to_where_it_opened(player: Player, selection: Selection) -> None:
    player.last()
    selection.select_span(_span(selection, "gather"))
    assert player.step == 1
    assert _selected(selection) == "gather"
    selection.select_span(_span(selection, "run"))
    assert player.step == 1
    selection.select_span(None)
    assert player.step == 1


def test_without_a_replay_selecting_starts_none(player: Player, selection: Selection) -> None:
    selection.select_span(_span(selection, "rank"))
    assert not player.replaying


def test_a_span_the_run_does_not_have_moves_nothing(player: Player, selection: Selection) -> None:
    player.go_to_step(2)
    selection.select_span(b"nowhere!")
    assert player.step == 2


def test_a_move_from_elsewhere_shows_its_step_where_nothing_is_selected(player: Player, selection: Selection) -> None:
    assert player.walk is not None
    selection.go_to_moment(player.walk.stop(4))
    assert (player.step, _selected(selection)) == (4, "rank")
    selection.go_to_moment(player.walk.stop(2))
    assert (player.step, _selected(selection)) == (2, "rank")


def test_the_axis_can_be_chosen(player: Player) -> None:
    for axis, stops in ((EVERY_MOMENT, 14), (SPANS, 7), (ERRORS, 1), (same_name("rank"), 1), (None, 5)):
        player.set_axis(axis)
        assert player.walk is not None
        assert len(player.walk) == stops
    assert player.axis == AGENT_STEPS


def test_an_axis_about_a_span_ends_with_its_run_and_others_stay(
    player: Player, selection: Selection, make_run: MakeRun
) -> None:
    player.set_axis(same_parent(_span(selection, "gather")))
    selection.show(make_run(_RUN, name="another"))
    assert player.axis == AGENT_STEPS
    player.set_axis(EVERY_MOMENT)
    selection.show(make_run(_RUN, name="a third"))
    assert player.axis == EVERY_MOMENT


def test_a_run_without_agent_steps_is_walked_span_by_span(selection: Selection, make_run: MakeRun) -> None:
    player = Player(selection)
    selection.show(make_run("a > b"))
    assert player.axis == SPANS


def test_a_player_made_for_an_open_run_knows_it(selection: Selection, make_run: MakeRun) -> None:
    selection.show(make_run(_RUN))
    assert len(Player(selection).walk or ()) == 5


def test_without_a_run_nothing_can_be_done(selection: Selection) -> None:
    player = Player(selection)
    for act in (player.first, player.forward, player.toggle_play, player.leave, lambda: player.go_to_step(1)):
        act()
    player.follow(True)
    player.set_axis(ERRORS)
    assert (player.walk, player.axis, player.step) == (None, None, 0)
    assert (player.playing, player.following, player.running) == (False, False, False)


def test_a_run_without_a_stop_on_the_axis_stays_where_it_is(selection: Selection, make_run: MakeRun) -> None:
    player = Player(selection)
    selection.show(make_run("a, b"))
    player.set_axis(ERRORS)
    for act in (player.first, player.last, player.toggle_play, lambda: player.go_to_step(1)):
        act()
    assert not player.replaying
    selection.go_to_moment(1)
    selection.select_span(_span(selection, "a"))
    assert selection.moment == 1


def test_closing_the_run_ends_everything(player: Player, selection: Selection, qtbot: QtBot) -> None:
    player.toggle_play()
    assert player.playing
    with qtbot.waitSignal(player.walk_changed):
        selection.show(None)
    assert not player.playing
    assert player.walk is None


def test_playing_walks_every_step_to_the_end_and_stops(player: Player, selection: Selection, qtbot: QtBot) -> None:
    seen: list[int] = []
    player.moved.connect(lambda: seen.append(player.step))
    player.set_speed(10.0)
    with qtbot.waitSignals([player.playing_changed, player.playing_changed], timeout=5_000):
        player.toggle_play()
    assert seen == [1, 2, 3, 4, 5]
    assert not player.playing
    assert _selected(selection) == "answer"


def test_playing_again_at_the_end_starts_over_and_pauses_on_demand(player: Player) -> None:
    player.last()
    player.toggle_play()
    assert (player.playing, player.step) == (True, 1)
    player.toggle_play()
    assert (player.playing, player.step) == (False, 1)


def test_playing_goes_on_from_where_one_stands(player: Player, qtbot: QtBot) -> None:
    player.go_to_step(4)
    with qtbot.waitSignal(player.moved, timeout=5_000):
        player.toggle_play()
    assert player.step == 5


def test_playing_before_the_first_step_goes_to_it(player: Player, selection: Selection, qtbot: QtBot) -> None:
    selection.go_to_moment(0)
    with qtbot.waitSignal(player.moved, timeout=5_000):
        player.toggle_play()
    assert player.step == 1


def test_the_speed_can_be_changed_while_playing(selection: Selection, make_run: MakeRun, qtbot: QtBot) -> None:
    player = Player(selection)
    selection.show(make_run(_RUN, stretch=1_000_000))
    player.toggle_play()
    with qtbot.waitSignal(player.playing_changed, timeout=900):  # at 1× the first step alone takes a second
        player.set_speed(math.inf)
    assert (player.step, player.speed) == (5, math.inf)


@pytest.mark.parametrize("by_hand", ["span", "moment", "step"])
def test_moving_by_hand_pauses(player: Player, selection: Selection, by_hand: str) -> None:
    player.toggle_play()
    if by_hand == "span":
        selection.select_span(_span(selection, "answer"))
    elif by_hand == "moment":
        selection.go_to_moment(7)
    else:
        player.forward()
    assert not player.playing


def test_following_stays_at_the_newest_step_until_the_run_ends(selection: Selection, make_run: MakeRun) -> None:
    player = Player(selection)
    selection.show(make_run("run:agent~ > plan:llm~", running=True))
    player.follow(True)
    assert (player.following, player.step, _selected(selection)) == (True, 1, "plan")
    selection.show(make_run("run:agent~ > (plan:llm, search:tool~)", running=True))
    assert (player.step, _selected(selection)) == (2, "search")
    selection.show(make_run("run:agent > (plan:llm, search:tool, answer:llm)"))
    assert (player.step, _selected(selection)) == (3, "answer")
    assert not player.following


@pytest.mark.parametrize("by_hand", ["span", "moment", "step", "again"])
def test_moving_by_hand_ends_following(selection: Selection, make_run: MakeRun, by_hand: str) -> None:
    player = Player(selection)
    selection.show(make_run("run:agent~ > (plan:llm, search:tool~)", running=True))
    player.follow(True)
    if by_hand == "span":
        selection.select_span(_span(selection, "plan"))
    elif by_hand == "moment":
        selection.go_to_moment(1)
    elif by_hand == "step":
        player.back()
    else:
        player.follow(False)
    assert not player.following


def test_a_finished_run_is_not_followed(player: Player) -> None:
    player.follow(True)
    assert not player.following
    assert not player.replaying


def test_playing_to_the_newest_step_of_a_running_run_follows_it(
    selection: Selection, make_run: MakeRun, qtbot: QtBot
) -> None:
    player = Player(selection)
    selection.show(make_run("run:agent~ > (plan:llm, search:tool~)", running=True))
    with qtbot.waitSignal(player.following_changed, timeout=5_000):
        player.toggle_play()
    assert (player.following, player.playing, player.step) == (True, False, 2)


def test_playing_goes_on_while_the_run_grows(selection: Selection, make_run: MakeRun, qtbot: QtBot) -> None:
    player = Player(selection)
    selection.show(make_run("run:agent~ > (plan:llm, search:tool~)", running=True))
    player.toggle_play()
    selection.show(make_run("run:agent > (plan:llm, search:tool, answer:llm)"))
    qtbot.waitUntil(lambda: player.step == 3, timeout=5_000)
    qtbot.waitUntil(lambda: not player.playing)


def test_the_place_is_kept_when_earlier_moments_arrive_late(selection: Selection, make_run: MakeRun) -> None:
    player = Player(selection)
    text = "run:agent~ > (plan:llm, search:tool~)"
    selection.show(make_run(text, running=True))
    player.go_to_step(2)
    before = selection.run.moments[selection.moment] if selection.run else None
    selection.show(make_run(text, [("plan", 1_000_100, "late"), ("plan", 1_000_200, "later")], running=True))
    assert selection.run is not None
    assert selection.run.moments[selection.moment] == before
    assert player.step == 2


def test_a_moment_that_is_gone_gives_way_to_the_last_one_by_then(selection: Selection, make_run: MakeRun) -> None:
    player = Player(selection)
    run = make_run("a > b", [("b", 1_500_000, "x")])
    selection.show(run)
    selection.go_to_moment(2)
    selection.show(make_run("a > b"))
    assert selection.moment == 1
    assert player.step == 2


def test_steps_of_spans_that_have_no_moments_yet_are_not_looked_for(selection: Selection, make_run: MakeRun) -> None:
    """A huge run is shown before its moments are worked out."""
    player = Player(selection)
    run = make_run("a, b")
    empty = make_run("").moments
    empty.opened = empty.closed = array("q", [-1, -1])
    selection.show(replace(run, moments=empty))
    player.first()
    assert not player.replaying
    selection.show(run)
    player.first()
    assert player.step == 1
