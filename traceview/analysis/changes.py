"""What differs between two recorded values: added, removed and changed places, as a tree. Bounded and pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from traceview.analysis.alignment import BlockKind, align, same

Key = str | int
Path = tuple[Key, ...]

# Deeper places are compared whole; so are the containers left when this many places have been compared.
MAX_DEPTH: Final = 64
MAX_PLACES: Final = 200_000


class ChangeKind(enum.Enum):
    """What happened to a place. INSIDE: it is still there, something in it changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True)
class Change:
    """One place that differs. `before` and `after` are its values (None where it was not, or is no longer, there).

    `inside` holds the changed entries of a container by their key in `after`. `gone` holds what was removed from it, as
    (key in `before`, change), by the key of `after` that it stood behind; None: it stood in front of all.
    `count` is the number of places added, removed or changed; an added container counts as one.
    """

    kind: ChangeKind
    before: Any = None
    after: Any = None
    inside: Mapping[Key, Change] = field(default_factory=dict)
    gone: Mapping[Key | None, tuple[tuple[Key, Change], ...]] = field(default_factory=dict)
    count: int = 1


def changes(before: Any, after: Any) -> Change | None:
    """The difference between two values, or None where there is none.

    Dicts are compared by key. Lists are aligned, so that dropping the first message and adding a last one are two
    changes and not as many as there are messages.
    """
    return _Comparison().compare(before, after, 0)


def paths(change: Change | None, above: Path = ()) -> Iterator[tuple[Path, ChangeKind]]:
    """The places that were added, changed or removed, each with its path; removed ones by their path in `before`."""
    if change is None:
        return
    if change.kind is not ChangeKind.INSIDE:
        yield above, change.kind
        return
    for key, inner in change.inside.items():
        yield from paths(inner, (*above, key))
    for group in change.gone.values():
        for key, inner in group:
            yield from paths(inner, (*above, key))


class _Comparison:
    def __init__(self) -> None:
        self._left = MAX_PLACES

    def compare(self, before: Any, after: Any, depth: int) -> Change | None:
        if same(before, after):
            return None
        self._left -= 1
        if depth < MAX_DEPTH and self._left > 0:
            if isinstance(before, dict) and isinstance(after, dict):
                return self._dicts(before, after, depth)
            if isinstance(before, list) and isinstance(after, list):
                return self._lists(before, after, depth)
        return Change(ChangeKind.CHANGED, before, after)

    def _dicts(self, before: dict[Any, Any], after: dict[Any, Any], depth: int) -> Change | None:
        inside: dict[Key, Change] = {}
        for key, value in after.items():
            if key not in before:
                inside[key] = Change(ChangeKind.ADDED, after=value)
            elif (change := self.compare(before[key], value, depth + 1)) is not None:
                inside[key] = change
        gone: dict[Key | None, list[tuple[Key, Change]]] = {}
        last = None
        for key, value in before.items():
            if key in after:
                last = key
            else:
                gone.setdefault(last, []).append((key, Change(ChangeKind.REMOVED, before=value)))
        return _within(before, after, inside, gone)

    def _lists(self, before: list[Any], after: list[Any], depth: int) -> Change | None:
        inside: dict[Key, Change] = {}
        gone: dict[Key | None, list[tuple[Key, Change]]] = {}
        for block in align(before, after):
            old, new = block.old, block.new
            if block.kind is BlockKind.PAIRED:
                change = self.compare(before[old], after[new], depth + 1)
                if change is not None:
                    inside[new] = change
            elif block.kind is BlockKind.NEW:
                for i in range(new, new + block.count):
                    inside[i] = Change(ChangeKind.ADDED, after=after[i])
            elif block.kind is BlockKind.GONE:
                lost = [(i, Change(ChangeKind.REMOVED, before=before[i])) for i in range(old, old + block.count)]
                gone.setdefault(new - 1 if new else None, []).extend(lost)
        return _within(before, after, inside, gone)


def _within(
    before: Any, after: Any, inside: dict[Key, Change], gone: dict[Key | None, list[tuple[Key, Change]]]
) -> Change | None:
    count = sum(change.count for change in inside.values()) + sum(map(len, gone.values()))
    if not count:  # they differ only in what `same` calls equal, deep inside
        return None
    return Change(ChangeKind.INSIDE, before, after, inside, {key: tuple(group) for key, group in gone.items()}, count)
