"""The state of a run as rows: a tree of keys and values, what the current step changed, when each last changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from traceview.analysis.changes import Change, ChangeKind, Key, Path, changes
from traceview.analysis.state import Stamp, State
from traceview.app.paint import one_line

# A container shows this many entries; what is behind them is counted.
MOST_ENTRIES: Final = 10_000
# What opens by itself: containers no larger than this, at the top or with a change inside.
_OPENS_BY_ITSELF: Final = 60
_TEXT: Final = 300


class StateRow(NamedTuple):
    """One line: a key and its value.

    `value` is the value as of now, of a removed entry the one it had; `before` is the earlier value of a changed one.
    `kind` says what the current step did to it, or None; `changes` counts the places that changed, itself or inside.
    `event` is the index of the report that last changed it. A row with `hidden` stands for so many entries not shown.
    """

    path: Path
    label: str
    value: Any
    kind: ChangeKind | None = None
    before: Any = None
    changes: int = 0
    expandable: bool = False
    expanded: bool = False
    event: int = -1
    hidden: int = 0

    @property
    def depth(self) -> int:
        """How deep it lies; the top-level keys lie at 0."""
        return len(self.path) - 1

    @property
    def text(self) -> str:
        """The value, or "old → new" where it changed, on one line."""
        if self.kind is ChangeKind.CHANGED:
            return f"{value_text(self.before)} → {value_text(self.value)}"
        return value_text(self.value)


class StateTree:
    """Which entries of a state are open, and the rows that are seen."""

    def __init__(self) -> None:
        self.rows: list[StateRow] = []
        self.changed = 0
        self._state: State = {}
        self._change: Change | None = None
        self._stamp = Stamp(-1)
        self._opened: set[Path] = set()
        self._closed: set[Path] = set()

    def show(self, state: State, before: State | None, stamp: Stamp) -> None:
        """Shows a state, and what changed since `before` (None: nothing is marked)."""
        self._state, self._stamp = state, stamp
        self._change = None if before is None else changes(before, state)
        self.changed = self._change.count if self._change is not None else 0
        self._build()

    def toggle(self, row: int) -> None:
        """Opens or closes the entry of a row."""
        self.set_expanded(row, not self.rows[row].expanded)

    def set_expanded(self, row: int, expanded: bool) -> None:
        """Opens or closes the entry of a row, for as long as this run is shown."""
        entry = self.rows[row]
        if not entry.expandable or entry.expanded is expanded:
            return
        (self._opened if expanded else self._closed).add(entry.path)
        (self._closed if expanded else self._opened).discard(entry.path)
        self._build()

    def forget(self) -> None:
        """Forgets what was opened and closed by hand: another run is shown."""
        self._opened.clear()
        self._closed.clear()

    def row_of(self, path: Path) -> int:
        """The row of a path, or -1 where it is not seen."""
        return next((i for i, row in enumerate(self.rows) if row.path == path), -1)

    def parent_row(self, row: int) -> int:
        """The row of the entry that holds this one, or -1 at the top."""
        path = self.rows[row].path[:-1]
        return next((i for i in range(row - 1, -1, -1) if self.rows[i].path == path), -1)

    def _build(self) -> None:
        self.rows = []
        self._entries((), self._state, self._change, self._stamp)

    def _entries(self, above: Path, value: Any, change: Change | None, stamp: Stamp) -> None:
        inside: Mapping[Key, Change] = change.inside if change is not None else {}
        gone: Mapping[Key | None, Sequence[tuple[Key, Change]]] = change.gone if change is not None else {}
        # What stands in an added or removed container was added or removed with it.
        whole = change.kind if change is not None and change.kind in _WITH_THE_WHOLE else None
        self._removed(above, gone.get(None, ()), stamp)
        for key, entry in islice(_items(value), MOST_ENTRIES):
            inner = inside.get(key) or (Change(whole, entry, entry) if whole is not None else None)
            self._entry((*above, key), entry, inner, stamp.at(key))
            if gone:
                self._removed(above, gone.get(key, ()), stamp)
        if len(value) > MOST_ENTRIES:
            left = len(value) - MOST_ENTRIES
            self.rows.append(StateRow((*above, _REST), f"{left:,} more", None, hidden=left))

    def _removed(self, above: Path, entries: Sequence[tuple[Key, Change]], stamp: Stamp) -> None:
        for key, change in entries[:MOST_ENTRIES]:
            self._entry((*above, key), change.before, change, Stamp(stamp.event))

    def _entry(self, path: Path, value: Any, change: Change | None, stamp: Stamp) -> None:
        kind = change.kind if change is not None else None
        expandable = isinstance(value, _CONTAINERS) and len(value) > 0 and len(path) < _DEEPEST
        expanded = expandable and self._is_open(path, value, kind)
        before = count = None
        if change is not None:
            before, count = change.before, change.count
        self.rows.append(
            StateRow(path, str(path[-1]), value, kind, before, count or 0, expandable, expanded, stamp.event)
        )
        if expanded:
            self._entries(path, value, change, stamp)

    def _is_open(self, path: Path, value: Any, kind: ChangeKind | None) -> bool:
        if path in self._opened:
            return True
        if path in self._closed or len(value) > _OPENS_BY_ITSELF:
            return False
        return (len(path) == 1 and isinstance(value, dict)) or kind is ChangeKind.INSIDE


_WITH_THE_WHOLE: Final = (ChangeKind.ADDED, ChangeKind.REMOVED)
_DEEPEST: Final = 100
_CONTAINERS: Final = (dict, list)
_REST: Final = "\0rest"


def _items(value: Any) -> Iterator[tuple[Key, Any]]:
    return iter(value.items()) if isinstance(value, dict) else iter(enumerate(value))


def value_text(value: Any) -> str:
    """A recorded value on one line: “text”, 64.9, true, null, {3} for a dict of three, [2] for a list of two."""
    if isinstance(value, str):
        return f"“{one_line(value, _TEXT)}{'…' if len(value) > _TEXT else ''}”"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"{{{len(value):,}}}"
    if isinstance(value, list):
        return f"[{len(value):,}]"
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    try:
        return one_line(repr(value), _TEXT)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        return "a number of thousands of digits"


def path_text(path: Path) -> str:
    """A path as one writes it: `memory.facts[2].text`, `state["a key"]`."""
    text = ""
    for key in path:
        if not isinstance(key, str):
            text += f"[{key}]"
        elif key.isidentifier():
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key, ensure_ascii=False)}]"
    return text


def copy_text(value: Any) -> str:
    """A value as it is copied: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=repr)
    except (ValueError, TypeError, RecursionError):
        return "(too deep or too large to be written out)"
