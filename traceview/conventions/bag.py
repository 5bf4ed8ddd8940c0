"""A span's attributes while they are being understood: whoever reads one takes it out, what is left is the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from traceview.conventions.values import decoded_list

T = TypeVar("T")

# Longer indices are nobody's list and would only cost time to read.
_MAX_DIGITS = 9


class Bag:
    """Attributes by name, and which of them have been understood."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        self._taken: set[str] = set()

    @property
    def rest(self) -> dict[str, Any]:
        """The attributes nobody has taken."""
        return {key: value for key, value in self.attributes.items() if key not in self._taken}

    def take(self, *keys: str) -> Any:
        """The first of these that says anything (not None, not ""); all that are there count as understood."""
        found = None
        for key in keys:
            if key in self.attributes:
                self._taken.add(key)
                if found is None and self.attributes[key] != "":
                    found = self.attributes[key]
        return found

    def read(self, key: str, reader: Callable[[Any], T]) -> T | None:
        """What `reader` makes of an attribute, which counts as understood only if that is something."""
        if key not in self.attributes:
            return None
        found = reader(self.attributes[key])
        if found:
            self._taken.add(key)
        return found

    def mark(self, keys: Iterable[str]) -> None:
        """Counts attributes as understood that were read without the bag."""
        self._taken.update(keys)

    def take_prefixed(self, prefix: str) -> dict[str, Any]:
        """All attributes `<prefix><rest>` by their rest."""
        found = {key[len(prefix) :]: value for key, value in self.attributes.items() if key.startswith(prefix)}
        self._taken.update(prefix + key for key in found)
        return found

    def take_list(self, name: str, wrapper: str = "") -> list[dict[str, Any]]:
        """The items of a list that was flattened as `<name>.<i>.<rest>`, in numeric order, each by its rest.

        Also reads the list un-flattened (as Phoenix exports it). With `wrapper`, keys start with `<wrapper>.` and
        items that lack it get it.
        """
        items = grouped(self.attributes, name + ".")
        for index, item in items:
            self._taken.update(f"{name}.{index}.{key}" for key in item)
        if not items and name in self.attributes:
            whole = decoded_list(self.attributes[name])
            found = [flattened(item, wrapper) for item in whole if isinstance(item, dict)]
            if found:
                self._taken.add(name)
            return found
        return [item for _, item in items]


def grouped(attributes: dict[str, Any], prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """Attributes `<prefix><i>.<rest>` by index, in numeric order; gaps are fine."""
    groups: dict[str, dict[str, Any]] = {}
    start = len(prefix)
    for key, value in attributes.items():
        if key.startswith(prefix):
            index, dot, rest = key[start:].partition(".")
            if dot and index.isascii() and index.isdigit() and len(index) <= _MAX_DIGITS:
                groups.setdefault(index, {})[rest] = value
    return sorted(groups.items(), key=lambda pair: int(pair[0]))


def flattened(item: dict[Any, Any], wrapper: str) -> dict[str, Any]:
    """One item of an un-flattened list as dotted keys, at most six levels down."""
    found: dict[str, Any] = {}
    level: list[tuple[str, Any]] = [(str(key), value) for key, value in item.items()]
    for _ in range(6):
        below: list[tuple[str, Any]] = []
        for key, value in level:
            if isinstance(value, dict) and value:
                below.extend((f"{key}.{inner}", deeper) for inner, deeper in value.items())
            elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
                below.extend((f"{key}.{i}", entry) for i, entry in enumerate(value))
            else:
                found[key] = value
        level = below
    found.update(level)
    if wrapper and not any(key.startswith(wrapper + ".") for key in found):
        found = {f"{wrapper}.{key}": value for key, value in found.items()}
    return found
