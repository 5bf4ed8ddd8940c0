"""The transport's own buttons answer mouse and keyboard, and say what they are."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from traceview.app.replay.buttons import ChoiceButton, FollowButton, PlayButton
from traceview.app.theme import INPUT, theme

DARK = theme(True)


def _has(widget: QWidget, color: QColor) -> bool:
    image = widget.grab().toImage()
    return any(image.pixelColor(x, y) == color for x in range(image.width()) for y in range(image.height()))


def test_the_play_button_is_primary_and_says_what_it_does(qtbot: QtBot) -> None:
    button = PlayButton()
    qtbot.addWidget(button)
    assert _has(button, DARK.accent)
    button.show_playing(True)
    assert button.accessibleName() == "Pause (Space)"
    button.show_playing(False)
    assert button.accessibleName() == "Play (Space)"
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    assert not _has(button, DARK.accent)
    button.setEnabled(False)
    assert _has(button, DARK.bg3)


def test_the_play_button_shows_that_it_has_the_keyboard(qtbot: QtBot) -> None:
    button = PlayButton()
    qtbot.addWidget(button)
    button.show()
    plain = button.grab().toImage()
    button.setFocus()
    qtbot.waitUntil(button.hasFocus)
    assert button.grab().toImage() != plain


def test_follow_live_is_on_or_off_and_narrow_without_words(qtbot: QtBot) -> None:
    button = FollowButton()
    qtbot.addWidget(button)
    wide = button.sizeHint().width()
    off = button.grab().toImage()
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    assert button.grab().toImage() != off
    button.setChecked(True)
    assert _has(button, DARK.accent)
    button.set_narrow(True)
    button.set_narrow(True)
    assert button.sizeHint().width() == INPUT < wide
    button.setChecked(False)
    button.setEnabled(False)
    button.grab()


@pytest.fixture
def choice(qtbot: QtBot) -> ChoiceButton:
    choice = ChoiceButton("Step by", ["Steps", "R&D", "Errors"])
    qtbot.addWidget(choice)
    choice.show()
    return choice


def test_a_choice_shows_its_word_and_what_it_is_about(choice: ChoiceButton) -> None:
    assert (choice.current, choice.shown, choice.accessibleName()) == (0, "Steps", "Step by: Steps")
    narrow = choice.sizeHint().width()
    choice.show_choice(2, "<b>web.fetch</b>")
    assert choice.shown == "Errors: <b>web.fetch</b>"
    assert "&lt;b&gt;" in choice.toolTip()
    assert choice.sizeHint().width() > narrow
    choice.set_theme(theme(False))
    choice.grab()
    choice.setEnabled(False)
    choice.grab()


def test_a_choice_is_made_from_the_menu(choice: ChoiceButton, qtbot: QtBot) -> None:
    menu = choice.menu_of_choices()
    actions = menu.actions()
    assert [action.text() for action in actions] == ["Steps", "R&&D", "Errors"]
    assert [action.isChecked() for action in actions] == [True, False, False]
    with qtbot.waitSignal(choice.chosen) as chosen:
        actions[2].trigger()
    assert chosen.args == [2]
    menu.close()


@pytest.mark.parametrize("how", ["click", "return"])
def test_a_choice_opens_its_menu(choice: ChoiceButton, qtbot: QtBot, how: str) -> None:
    if how == "click":
        qtbot.mouseClick(choice, Qt.MouseButton.LeftButton)
    else:
        qtbot.keyClick(choice, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    popup = QApplication.activePopupWidget()
    assert popup is not None
    popup.close()


def test_up_and_down_choose_the_neighbour(choice: ChoiceButton, qtbot: QtBot) -> None:
    chosen: list[int] = []
    choice.chosen.connect(chosen.append)
    qtbot.keyClick(choice, Qt.Key.Key_Up)
    qtbot.keyClick(choice, Qt.Key.Key_Down)
    choice.show_choice(2)
    qtbot.keyClick(choice, Qt.Key.Key_Down)
    qtbot.keyClick(choice, Qt.Key.Key_Up)
    qtbot.keyClick(choice, Qt.Key.Key_A)
    assert chosen == [1, 1]
