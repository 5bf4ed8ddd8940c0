"""Everything one can do by key, in one registry: the window's keys, the command palette and the sheet behind `?`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

_IGNORED = Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.GroupSwitchModifier


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: `keys` as QKeySequence reads them ("Ctrl+K", "?"); hidden from palette and sheet if no text.

    `enabled` says whether it can be done now.
    """

    id: str
    text: str
    keys: tuple[str, ...]
    slot: Callable[[], object]
    group: str = "General"
    enabled: Callable[[], bool] = lambda: True


class Actions:
    """Finds the action of a key.

    Keys come from the window's keyPressEvent, that is after the focused widget has declined them: so letters are
    typed into fields, arrows walk lists, and only what nobody wanted becomes a command.
    """

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        # By key combination, and by what a key writes (signs lie elsewhere on other keyboards).
        self._by_key: dict[int | str, Action] = {}

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def add(self, action: Action) -> None:
        """Registers an action; raises ValueError where its id or one of its keys is taken."""
        if action.id in self._actions:
            raise ValueError(f"two actions are named {action.id!r}")
        self._actions[action.id] = action
        for keys in action.keys:
            key = _key(keys)
            if key in self._by_key:
                raise ValueError(f"{keys} is taken by {self._by_key[key].id!r}")
            self._by_key[key] = action

    def get(self, action_id: str) -> Action:
        """The action with this id; raises KeyError."""
        return self._actions[action_id]

    def run(self, action_id: str) -> None:
        """Does it, if it can be done now."""
        action = self._actions[action_id]
        if action.enabled():
            action.slot()

    def handle(self, event: QKeyEvent) -> bool:
        """Does what the key stands for; returns whether it stands for anything that can be done now."""
        modifiers = event.modifiers() & ~_IGNORED
        action = self._by_key.get(QKeyCombination(modifiers, Qt.Key(event.key())).toCombined())
        if action is None and not modifiers & ~Qt.KeyboardModifier.ShiftModifier:
            action = self._by_key.get(event.text())
        if action is None or not action.enabled():
            return False
        action.slot()
        return True

    def groups(self) -> dict[str, list[Action]]:
        """The actions that have both words and keys, by group, in the order added."""
        groups: dict[str, list[Action]] = {}
        for action in self:
            if action.keys and action.text:
                groups.setdefault(action.group, []).append(action)
        return groups


def _key(keys: str) -> int | str:
    if len(keys) == 1 and not keys.isalnum():
        return keys
    sequence: Any = QKeySequence.fromString(keys)
    combination: QKeyCombination = sequence[0]
    return combination.toCombined()


def keys_text(keys: str) -> str:
    """Keys as one reads them: "Ctrl K", "Shift F11"; the platform's names and signs on macOS."""
    if len(keys) == 1:
        return keys.upper()
    return QKeySequence.fromString(keys).toString(QKeySequence.SequenceFormat.NativeText).replace("+", " ").strip()
