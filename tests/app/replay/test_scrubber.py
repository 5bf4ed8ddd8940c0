"""The scrubber: shows where things happened, and moves the replay by mouse, wheel and keyboard."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QColor, QEnterEvent, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from traceview.analysis.steps import ERRORS, EVERY_MOMENT, SPANS, Axis, find_moments, walk
from traceview.analysis.tree import build_tree
from traceview.app.replay.density import FOLD
from traceview.app.replay.scrubber import HEIGHT, Scrubber
from traceview.app.state.open_run import OpenRun
from traceview.app.theme import theme

MakeRun = Callable[..., OpenRun]
_MIDDLE = HEIGHT // 2


@pytest.fixture
def scrubber(qtbot: QtBot) -> Scrubber:
    scrubber = Scrubber()
    qtbot.addWidget(scrubber)
    scrubber.resize(700, HEIGHT)
    scrubber.show()
    return scrubber


def _show(scrubber: Scrubber, run: OpenRun, axis: Axis = SPANS) -> None:
    scrubber.set_walk(walk(run.tree, run.moments, axis), run.start_ns)


def _wheel(scrubber: Scrubber, y: int, x: int = 0) -> None:
    place = QPointF(10, 10)
    QApplication.sendEvent(
        scrubber,
        QWheelEvent(
            place,
            place,
            QPoint(),
            QPoint(x, y),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        ),
    )


def _has(image: QImage, color: QColor, y: int) -> bool:
    return any(image.pixelColor(x, y) == color for x in range(image.width()))


def test_clicking_and_dragging_choose_the_nearest_stop(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    _show(scrubber, make_run("a, b, c, d"))  # stops of a, b and c lie at 1/7, 3/7 and 5/7; of d at the end
    chosen: list[int] = []
    scrubber.step_chosen.connect(chosen.append)
    for x in (0, 310, 500, 690):
        qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=QPoint(x, _MIDDLE))
    assert chosen == [1, 2, 3, 4]
    qtbot.mousePress(scrubber, Qt.MouseButton.LeftButton, pos=QPoint(690, _MIDDLE))
    chosen.clear()
    qtbot.mouseMove(scrubber, QPoint(310, _MIDDLE))
    qtbot.mouseClick(scrubber, Qt.MouseButton.RightButton, pos=QPoint(0, _MIDDLE))
    assert 1 not in chosen


def test_the_wheel_goes_on_downward_and_back_upward(scrubber: Scrubber, make_run: MakeRun) -> None:
    _show(scrubber, make_run("a, b, c, d"))
    scrubber.set_moment(3)
    chosen: list[int] = []
    scrubber.step_chosen.connect(chosen.append)
    _wheel(scrubber, -120)
    _wheel(scrubber, 120)
    _wheel(scrubber, 0, x=-120)
    _wheel(scrubber, -60)
    assert chosen == [3, 2, 3]
    _wheel(scrubber, -60)
    assert chosen == [3, 2, 3, 4]


def test_the_keyboard_walks_and_jumps(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    _show(scrubber, make_run("a, b, c, d"))
    chosen: list[int] = []
    scrubber.step_chosen.connect(chosen.append)
    for key in (Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_Right):
        qtbot.keyClick(scrubber, key)
    assert chosen == [4, 3, 1]


def test_before_the_first_stop_there_is_nothing_to_go_to(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    _show(scrubber, make_run("a, b"))
    scrubber.set_moment(1)
    chosen: list[int] = []
    scrubber.step_chosen.connect(chosen.append)
    qtbot.keyClick(scrubber, Qt.Key.Key_Left)
    assert chosen == []
    assert scrubber.value() == 1


def test_showing_a_place_tells_nobody(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(scrubber.step_chosen):
        _show(scrubber, make_run("a, b"))
        scrubber.set_moment(2)
        scrubber.set_moment(-1)
    assert scrubber.value() == 0


def test_screen_readers_know_it_as_a_slider_and_hear_the_step(scrubber: Scrubber, make_run: MakeRun) -> None:
    _show(scrubber, make_run("plan, answer"))
    scrubber.set_moment(3)
    assert scrubber.accessibleName() == "Place in the replay"
    assert scrubber.accessibleDescription() == "step 2 of 2: answer, 3\u2009ms"
    assert QAccessible.queryAccessibleInterface(scrubber).role() is QAccessible.Role.Slider
    scrubber.set_moment(-1)
    assert scrubber.accessibleDescription() == ""


def test_hovering_names_the_stop_letter_by_letter(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    _show(scrubber, make_run("plan&do, answer"))
    QApplication.sendEvent(scrubber, QEnterEvent(QPointF(5, 9), QPointF(5, 9), QPointF(5, 9)))
    qtbot.mouseMove(scrubber, QPoint(3, _MIDDLE))
    qtbot.waitUntil(lambda: "plan&amp;do" in QToolTip.text())
    assert QToolTip.text().startswith("<qt>Step 1 of 2")
    scrubber.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    hovered = scrubber.grab().toImage()
    QApplication.sendEvent(scrubber, QEvent(QEvent.Type.Leave))
    assert hovered != scrubber.grab().toImage()
    QToolTip.hideText()


@pytest.mark.parametrize("dark", [True, False])
def test_the_past_is_bright_the_future_dim_errors_red_and_the_playhead_in_accent(
    scrubber: Scrubber, make_run: MakeRun, dark: bool
) -> None:
    colors = theme(dark)
    scrubber.set_theme(colors)
    _show(scrubber, make_run("a > (b, c!, d, e)"))
    foot = HEIGHT - 8
    whole = scrubber.grab().toImage()
    assert _has(whole, colors.text3, foot)
    assert _has(whole, colors.error, foot)
    assert not _has(whole, colors.disabled, foot)
    assert not _has(whole, colors.accent, 2)
    scrubber.set_moment(2)
    replaying = scrubber.grab().toImage()
    assert _has(replaying, colors.disabled, foot)
    assert not _has(replaying, colors.error, foot)
    assert _has(replaying, colors.accent, 2)
    scrubber.setEnabled(False)
    assert not _has(scrubber.grab().toImage(), colors.text3, foot)


def test_a_folded_gap_is_hatched(scrubber: Scrubber, make_run: MakeRun) -> None:
    late = 1_000_000_000
    rows = make_run("a, b, c").tree.rows
    rows = [*rows[:2], msgspec.structs.replace(rows[2], start_ns=rows[2].start_ns + late, end_ns=rows[2].end_ns + late)]
    tree = build_tree(rows)
    scrubber.set_walk(walk(tree, find_moments(tree, []), EVERY_MOMENT), rows[0].start_ns)
    image = scrubber.grab().toImage()
    hatched = [x for x in range(image.width()) if image.pixelColor(x, 12) == theme(True).disabled]
    assert hatched
    assert max(hatched) - min(hatched) <= FOLD


def test_without_a_run_the_trough_is_empty(scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot) -> None:
    _show(scrubber, make_run("a, b"))
    scrubber.set_walk(None)
    with qtbot.assertNotEmitted(scrubber.step_chosen):
        qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=QPoint(100, _MIDDLE))
        qtbot.mouseMove(scrubber, QPoint(50, _MIDDLE))
        scrubber.set_moment(3)
    assert (scrubber.slices, scrubber.playhead(), scrubber.maximum()) == ([], None, 0)
    scrubber.grab()


def test_an_axis_without_stops_shows_its_moments_and_moves_nothing(
    scrubber: Scrubber, make_run: MakeRun, qtbot: QtBot
) -> None:
    _show(scrubber, make_run("a, b"), ERRORS)
    assert sum(piece.moments for piece in scrubber.slices) == 4
    with qtbot.assertNotEmitted(scrubber.step_chosen):
        qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=QPoint(100, _MIDDLE))


def test_slices_follow_the_width(scrubber: Scrubber, make_run: MakeRun) -> None:
    _show(scrubber, make_run(", ".join(f"s{i}" for i in range(300))))
    wide = len(scrubber.slices)
    scrubber.resize(200, HEIGHT)
    assert 0 < len(scrubber.slices) < wide
    scrubber.setFocus()
    scrubber.grab()
