"""Keys become commands: by combination, or by the sign they write, whatever the keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent

from traceview.app.actions import Action, Actions, keys_text

pytestmark = pytest.mark.usefixtures("qapp")
NONE, SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)


def press(key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, text: str = "") -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text)


def _registry(done: list[str]) -> Actions:
    actions = Actions()
    for name, keys in (
        ("palette", ("Ctrl+K",)),
        ("error", ("E",)),
        ("previous error", ("Shift+E",)),
        ("back", ("Alt+F10",)),
        ("keys", ("?",)),
        ("collapse", ("[",)),
        ("silent", ()),
    ):
        actions.add(Action(name, name.capitalize(), keys, lambda name=name: done.append(name)))
    return actions


@pytest.mark.parametrize(
    ("event", "does"),
    [
        (lambda: press(Qt.Key.Key_K, CTRL), "palette"),
        (lambda: press(Qt.Key.Key_E, NONE, "e"), "error"),
        (lambda: press(Qt.Key.Key_E, SHIFT, "E"), "previous error"),
        (lambda: press(Qt.Key.Key_F10, ALT), "back"),
        (lambda: press(Qt.Key.Key_F10, ALT | Qt.KeyboardModifier.KeypadModifier), "back"),
        (lambda: press(Qt.Key.Key_Question, SHIFT, "?"), "keys"),
        (lambda: press(Qt.Key.Key_Slash, SHIFT, "?"), "keys"),
        (lambda: press(Qt.Key.Key_BracketLeft, NONE, "["), "collapse"),
    ],
)
def test_a_key_does_its_action(event: object, does: str) -> None:
    done: list[str] = []
    assert _registry(done).handle(event())  # type: ignore[operator]
    assert done == [does]


@pytest.mark.parametrize(
    "event",
    [
        lambda: press(Qt.Key.Key_K, NONE, "k"),
        lambda: press(Qt.Key.Key_E, CTRL),
        lambda: press(Qt.Key.Key_Question, CTRL, "?"),
        lambda: press(Qt.Key.Key_F9),
    ],
)
def test_other_keys_do_nothing(event: object) -> None:
    done: list[str] = []
    assert not _registry(done).handle(event())  # type: ignore[operator]
    assert done == []


def test_what_cannot_be_done_now_is_not_done() -> None:
    actions, done = Actions(), []
    actions.add(Action("zoom", "Zoom in", ("W",), lambda: done.append(1), enabled=lambda: False))
    assert not actions.handle(press(Qt.Key.Key_W, NONE, "w"))
    actions.run("zoom")
    assert done == []


def test_an_action_can_be_done_by_name() -> None:
    done: list[str] = []
    actions = _registry(done)
    actions.run("silent")
    assert done == ["silent"]
    assert actions.get("silent").text == "Silent"


def test_two_actions_cannot_share_a_name_or_a_key() -> None:
    actions = _registry([])
    with pytest.raises(ValueError, match="two actions are named 'keys'"):
        actions.add(Action("keys", "Keys", (), lambda: None))
    with pytest.raises(ValueError, match=r"Ctrl\+K is taken by 'palette'"):
        actions.add(Action("other", "Other", ("Ctrl+K",), lambda: None))


def test_the_key_sheet_lists_what_has_keys_by_group() -> None:
    groups = _registry([]).groups()
    assert [action.id for action in groups["General"]] == [
        "palette", "error", "previous error", "back", "keys", "collapse",
    ]  # fmt: skip


def test_keys_read_as_they_are_printed() -> None:
    assert (keys_text("Ctrl+K"), keys_text("Shift+F11"), keys_text("?"), keys_text("W")) == (
        "Ctrl K", "Shift F11", "?", "W",
    )  # fmt: skip
