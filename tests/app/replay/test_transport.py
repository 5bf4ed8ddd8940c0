"""The transport: its buttons move the replay, its words say where it stands, and it gives way in a narrow window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from traceview.analysis.steps import AGENT_STEPS, EVERY_MOMENT, SPANS, AxisKind, Walk, same_name
from traceview.app.replay.transport import Transport
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import TRANSPORT, theme

MakeRun = Callable[..., OpenRun]

# Agent steps: plan 1, search 2, fetch 3, rank 4, answer 5.
_RUN = "run:agent > (plan:llm, gather > (search:tool > fetch:tool!, rank:reranker), answer:llm)"


@pytest.fixture
def transport(selection: Selection, qtbot: QtBot) -> Transport:
    transport = Transport(selection)
    qtbot.addWidget(transport)
    transport.resize(1290, TRANSPORT)
    transport.show()
    return transport


def _button(transport: Transport, words: str) -> QPushButton:
    return next(button for button in transport.findChildren(QPushButton) if button.accessibleName().startswith(words))


def test_without_a_run_it_is_there_and_does_nothing(transport: Transport) -> None:
    assert transport.place_text == "No run"
    assert not any(button.isEnabled() for button in transport.step_buttons)
    assert not transport.play_button.isEnabled()
    for act in (
        transport.first,
        transport.last,
        transport.forward,
        transport.back,
        transport.into,
        transport.back_into,
        transport.out,
        transport.back_out,
        transport.toggle_play,
        transport.follow_live,
        transport.leave,
        lambda: transport.axis_choice.chosen.emit(4),
    ):
        act()
    assert transport.walk is None
    transport.grab()


def test_it_says_how_long_the_way_is_and_then_where_one_stands(
    transport: Transport, selection: Selection, make_run: MakeRun
) -> None:
    selection.show(make_run(_RUN))
    assert transport.place_text == "5 steps 13\u2009ms"
    assert transport.leave_button.isHidden()
    transport.go_to_step(4)
    assert transport.place_text == "Step 4 / 5 10\u2009ms"
    assert not transport.leave_button.isHidden()
    transport.set_axis(EVERY_MOMENT)
    assert transport.place_text == "Moment 11 / 14 10\u2009ms"
    selection.show(make_run("one", name="short"))
    transport.set_axis(SPANS)
    assert transport.place_text == "1 step 1\u2009ms"


@pytest.mark.parametrize(
    ("words", "start", "step"),
    [
        ("First step", 3, 1),
        ("Previous step", 4, 2),
        ("Next step", 2, 4),
        ("Into", 2, 3),
        ("Finish", 3, 4),
        ("Last step", 1, 5),
    ],
)
def test_each_button_steps(
    transport: Transport, selection: Selection, make_run: MakeRun, qtbot: QtBot, words: str, start: int, step: int
) -> None:
    selection.show(make_run(_RUN))
    transport.go_to_step(start)
    qtbot.mouseClick(_button(transport, words), Qt.MouseButton.LeftButton)
    assert transport.player.step == step


def test_its_methods_are_what_keys_do(transport: Transport, selection: Selection, make_run: MakeRun) -> None:
    selection.show(make_run(_RUN))
    steps = []
    for act in (
        transport.first,
        transport.forward,
        transport.into,
        transport.back_out,
        transport.last,
        transport.back,
        transport.back_into,
        transport.out,
    ):
        act()
        steps.append(transport.player.step)
    assert steps == [1, 2, 3, 2, 5, 4, 3, 4]


def test_the_play_button_pauses_while_playing(
    transport: Transport, selection: Selection, make_run: MakeRun, qtbot: QtBot
) -> None:
    selection.show(make_run(_RUN, stretch=1_000_000))
    qtbot.mouseClick(transport.play_button, Qt.MouseButton.LeftButton)
    assert transport.play_button.accessibleName() == "Pause (Space)"
    transport.toggle_play()
    assert transport.play_button.accessibleName() == "Play (Space)"


def test_leaving_takes_the_playhead_away(
    transport: Transport, selection: Selection, make_run: MakeRun, qtbot: QtBot
) -> None:
    selection.show(make_run(_RUN))
    transport.go_to_step(2)
    assert transport.scrubber.playhead() is not None
    qtbot.mouseClick(transport.leave_button, Qt.MouseButton.LeftButton)
    assert transport.scrubber.playhead() is None
    assert selection.moment == -1


def test_scrubbing_moves_the_replay(
    transport: Transport, selection: Selection, make_run: MakeRun, qtbot: QtBot
) -> None:
    selection.show(make_run(_RUN))
    place = QPoint(transport.scrubber.width() - 2, transport.scrubber.height() // 2)
    qtbot.mouseClick(transport.scrubber, Qt.MouseButton.LeftButton, pos=place)
    assert transport.player.step == 5
    assert transport.scrubber.value() == 5


def test_the_axis_is_chosen_and_shown(transport: Transport, selection: Selection, make_run: MakeRun) -> None:
    walks: list[Walk | None] = []
    transport.walk_changed.connect(walks.append)
    run = make_run(_RUN)
    selection.show(run)
    assert transport.axis_choice.shown == "Agent steps"
    for index, kind in enumerate((AxisKind.AGENT_STEPS, AxisKind.SPANS, AxisKind.EVERY_MOMENT, AxisKind.ERRORS)):
        transport.axis_choice.chosen.emit(index)
        assert transport.axis_choice.current == index
        assert walks[-1] is not None
        assert walks[-1].axis.kind is kind
    selection.select_span(run.tree.rows[4].span_id)
    transport.axis_choice.chosen.emit(4)
    assert transport.axis_choice.shown == "Same name: fetch"
    assert transport.player.axis == same_name("fetch")
    transport.axis_choice.chosen.emit(5)
    assert len(transport.walk or ()) == 1
    selection.select_span(None)
    transport.axis_choice.chosen.emit(5)
    assert len(transport.walk or ()) == 1
    transport.set_axis(None)
    assert transport.player.axis == AGENT_STEPS


def test_the_speed_is_chosen_and_shown(transport: Transport) -> None:
    assert transport.speed_choice.shown == "1×"
    transport.speed_choice.chosen.emit(3)
    assert (transport.speed_choice.shown, transport.player.speed) == ("5×", 5.0)


def test_follow_live_is_offered_while_a_run_goes_on(
    transport: Transport, selection: Selection, make_run: MakeRun, qtbot: QtBot
) -> None:
    selection.show(make_run("run:agent~ > plan:llm~", running=True))
    assert not transport.follow_button.isHidden()
    qtbot.mouseClick(transport.follow_button, Qt.MouseButton.LeftButton)
    assert transport.player.following
    assert transport.follow_button.isChecked()
    transport.follow_live(False)
    assert not transport.follow_button.isChecked()
    transport.follow_live()
    selection.show(make_run("run:agent > plan:llm"))
    assert transport.follow_button.isHidden()
    transport.follow_live()
    assert not transport.follow_button.isChecked()


def test_a_narrow_window_drops_hints_then_words_then_choices_but_never_the_place(
    transport: Transport, selection: Selection, make_run: MakeRun
) -> None:
    selection.show(make_run("run:agent~ > (plan:llm, search:tool~)", running=True))
    transport.go_to_step(2)
    seen = []
    for width in (1290, 700, 620, 480):
        transport.resize(width, TRANSPORT)
        seen.append((not transport.axis_choice.isHidden(), not transport.speed_choice.isHidden()))
        assert transport.place_rect.left() > transport.step_buttons[-1].geometry().right()
        assert transport.place_rect.right() < transport.follow_button.x() < width
        transport.grab()
    assert seen[0] == (True, True)
    assert seen[-1] == (False, False)
    assert seen == sorted(seen, reverse=True)
    assert transport.minimumSizeHint().width() <= 480
    assert transport.sizeHint().height() == TRANSPORT


@pytest.mark.parametrize("dark", [True, False])
def test_it_is_painted_in_both_themes(
    transport: Transport, selection: Selection, make_run: MakeRun, dark: bool
) -> None:
    selection.show(make_run(_RUN, running=True))
    transport.go_to_step(3)
    transport.set_theme(theme(dark))
    image = transport.grab().toImage()
    assert image.pixelColor(2, 4) == theme(dark).bg1
    assert image.pixelColor(2, 0) == theme(dark).border


def test_everything_one_can_use_has_a_name(transport: Transport) -> None:
    assert all(button.accessibleName() for button in transport.findChildren(QPushButton))
    assert transport.accessibleName() == "Replay"
