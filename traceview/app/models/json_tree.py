"""Any value as a flat list of visible rows: children are made when opened, long lists in ranges of a thousand.

Rows are nodes; opening one splices its children into the list. So a list of a million numbers costs a thousand rows,
and a document of 100 MB costs what is open of it. JSON inside a string opens like an object, decoded when first needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from traceview.app.models.json_values import (
    content_of,
    decoded_json,
    entries_of,
    is_container,
    key_text,
    looks_like_json,
    path_step,
)

RANGE: Final = 1_000
EXPAND_LIMIT: Final = 5_000
# Strings up to here are decoded at once to know whether they open; longer ones when somebody opens them.
_EAGER: Final = 4_096
_FIRST_LEVELS: Final = 4

DECODED: Final = "|fromjson|"

Path = tuple[int, ...]


class Node:
    """One row: an entry of an object or list, or a range of entries (`start` to `stop`) of one that is long.

    `key` is the entry's key or index, `position` its place among its siblings, `depth` how far it is indented.
    `shown` counts the rows that are visible beneath it.
    """

    __slots__ = (
        "_content",
        "_tried",
        "children",
        "depth",
        "key",
        "parent",
        "position",
        "shown",
        "start",
        "stop",
        "value",
    )

    def __init__(self, parent: Node | None, key: Any, value: Any, position: int, depth: int) -> None:
        self.parent = parent
        self.key = key
        self.value = value
        self.position = position
        self.depth = depth
        self.start = 0
        self.stop = -1
        self.shown = 0
        self.children: list[Node] | None = None
        self._content: Any = None
        self._tried = False

    @property
    def is_range(self) -> bool:
        """Whether this row stands for a range of entries of its parent's value."""
        return self.stop >= 0

    def holds(self, position: int) -> bool:
        """Whether this is the entry at a position, or the range with it."""
        return self.start <= position < self.stop if self.is_range else self.position == position

    @property
    def is_open(self) -> bool:
        """Whether its children are shown."""
        return self.shown > 0

    @property
    def in_string(self) -> bool:
        """Whether the value is a string that holds JSON (as far as is known before it was opened)."""
        return isinstance(self.value, str) and not self.is_range and self.can_open

    @property
    def can_open(self) -> bool:
        """Whether there may be children. For a long string that looks like JSON only opening it tells."""
        if self.is_range:
            return True
        if isinstance(self.value, str) and not self._tried:
            if not looks_like_json(self.value):
                return False
            if len(self.value) > _EAGER:
                return True
        return bool(self.content)

    @property
    def content(self) -> Any:
        """The object or list whose entries are the children, decoded if it stands in a string; None for scalars."""
        if not self._tried:
            self._tried = True
            self._content = decoded_json(self.value) if isinstance(self.value, str) else content_of(self.value)
        return self._content

    def entries(self) -> list[Node]:
        """The children, made when first asked for."""
        if self.children is None:
            self.children = list(self._make())
        return self.children

    def _make(self) -> Iterator[Node]:
        content = self.content
        if not is_container(content):
            return
        start, stop = (self.start, self.stop) if self.is_range else (0, len(content))
        step = _step(stop - start)
        if step == 1:
            for position, (key, value) in enumerate(entries_of(content, start, stop), start):
                yield Node(self, key, value, position, self.depth + 1)
        else:
            for first in range(start, stop, step):
                yield self._range(content, first, min(first + step, stop))

    def _range(self, content: Any, start: int, stop: int) -> Node:
        node = Node(self, None, self.value, start, self.depth + 1)
        node.start, node.stop = start, stop
        node._content, node._tried = content, True
        return node

    @property
    def label(self) -> str:
        """The key as text; "[0 … 999]" for a range."""
        return f"[{self.start:,} … {self.stop - 1:,}]" if self.is_range else key_text(self.key)


def _step(count: int) -> int:
    step = 1
    while count > step * RANGE:
        step *= RANGE
    return step


class JsonTree:
    """The visible rows of a value, which is called `name` in paths. It has no row itself, unless it is a scalar."""

    def __init__(self, value: Any, name: str = "$") -> None:
        self._name = name
        self.root = Node(None, "", value, 0, -1)
        self.rows: list[Node] = []
        if self.root.can_open:
            self._splice(0, self.root)
        else:
            self.root.depth = 0
            self.rows = [self.root]

    def __len__(self) -> int:
        return len(self.rows)

    def expand(self, row: int) -> int:
        """Opens a row; returns how many rows came."""
        node = self.rows[row]
        return 0 if node.is_open else self._splice(row + 1, node)

    def collapse(self, row: int) -> int:
        """Closes a row; returns how many rows went. What was open beneath opens again with it."""
        node = self.rows[row]
        gone = node.shown
        del self.rows[row + 1 : row + 1 + gone]
        self._count(node, -gone)
        return gone

    def toggle(self, row: int) -> None:
        """Opens a closed row, closes an open one."""
        if self.rows[row].is_open:
            self.collapse(row)
        else:
            self.expand(row)

    def _splice(self, place: int, node: Node) -> int:
        fresh: list[Node] = []
        stack = [iter(node.entries())]
        while stack:
            for child in stack[-1]:
                fresh.append(child)
                if child.is_open:
                    stack.append(iter(child.entries()))
                    break
            else:
                stack.pop()
        self.rows[place:place] = fresh
        self._count(node, len(fresh))
        return len(fresh)

    @staticmethod
    def _count(node: Node | None, more: int) -> None:
        """Adds to the visible rows of a node and of all above it that are open."""
        if node is not None:
            node.shown += more
        while node is not None and (node := node.parent) is not None and node.shown:
            node.shown += more

    def row_of(self, node: Node) -> int:
        """The row of a visible node."""
        row = -1
        while node.parent is not None:
            row += 1
            for sibling in node.parent.entries():
                if sibling is node:
                    break
                row += 1 + sibling.shown
            node = node.parent
        return max(0, row)

    def parent_row(self, row: int) -> int:
        """The row of the node above, or -1."""
        parent = self.rows[row].parent
        return -1 if parent is None or parent is self.root else self.row_of(parent)

    def row_at(self, path: Path, *, reveal: bool = False) -> int | None:
        """The row of the entry at this path (positions from the root), or None where it isn't visible or isn't there.

        With `reveal` everything is opened that must be open to see it.
        """
        node, row = self.root, -1
        for position in path:
            while True:
                if not node.is_open and not (reveal and self._splice(row + 1, node)):
                    return None
                row += 1
                for child in node.entries():
                    if child.holds(position):
                        break
                    row += 1 + child.shown
                else:
                    return None
                node = child
                if not child.is_range:
                    break
        return max(0, row)

    def open_first(self, limit: int = 40) -> None:
        """Opens level by level what fits into so many rows, so that a small document is seen whole."""
        level = [self.root]
        for _ in range(_FIRST_LEVELS):
            below: list[Node] = []
            for node in level:
                for child in node.children or ():
                    opens = child.can_open and not child.is_range and not isinstance(child.value, str)
                    if opens and len(self.rows) + len(child.content) <= limit:
                        self._splice(self.row_of(child) + 1, child)
                        below.append(child)
            level = below

    def expand_all(self, limit: int = EXPAND_LIMIT) -> bool:
        """Opens everything from the top, up to about so many rows; whether everything is open."""
        complete = True
        opened: list[Node] = []
        count = len(self.rows)
        stack = [iter(self.root.entries())]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
            elif node.can_open:
                if count >= limit or (isinstance(node.value, str) and not node.is_range and len(node.value) > _EAGER):
                    complete = complete and node.is_open
                    continue
                entries = node.entries()
                count += 0 if node.is_open else len(entries)
                opened.append(node)
                stack.append(iter(entries))
        self._rebuild(opened)
        return complete

    def collapse_all(self) -> None:
        """Closes everything."""
        stack = list(self.root.children or ())
        while stack:
            node = stack.pop()
            stack.extend(node.children or ())
            node.shown = 0
        self._rebuild([])

    def adopt(self, older: JsonTree) -> None:
        """Shows open what was open in an older picture of the same value; entries are known again by their keys."""
        self.collapse_all()
        found: list[Node] = []
        pairs = [(older.root, self.root)]
        while pairs:
            before, after = pairs.pop()
            opened = {_identity(child): child for child in before.children or () if child.is_open}
            if not opened:
                continue
            for child in after.entries():
                match = opened.get(_identity(child))
                if match is not None and child.can_open:
                    found.append(child)
                    pairs.append((match, child))
        self._rebuild(found)

    def _rebuild(self, opened: list[Node]) -> None:
        """Lays the rows out anew with these nodes open, parents before children in the list."""
        for node in reversed(opened):
            node.shown = sum(1 + child.shown for child in node.entries())
        if self.root.children is not None:
            self.rows = []
            self.root.shown = 0
            self._splice(0, self.root)

    def path(self, row: int) -> str:
        """Where a row's value stands in the document: `$.tracking.scans[0]`."""
        steps: list[str] = []
        node: Node | None = self.rows[row]
        while node is not None and node.parent is not None:
            if node.is_range:
                if node is self.rows[row]:
                    steps.append(f"[{node.start}:{node.stop}]")
            else:
                owner = _owner(node)
                inside = DECODED if isinstance(owner.value, str) else ""
                steps.append(inside + path_step(node.key, in_list=not isinstance(owner.content, dict)))
            node = node.parent
        return "".join((self._name, *reversed(steps)))

    def row_like(self, older: Node) -> int | None:
        """The row of the entry that an older picture of the value showed as this node, if it is visible now."""
        steps: list[tuple[bool, Any]] = []
        node: Node | None = older
        while node is not None and node.parent is not None:
            steps.append(_identity(node))
            node = node.parent
        here, row = self.root, -1
        for step in reversed(steps):
            if not here.is_open:
                return None
            row += 1
            for child in here.entries():
                if _identity(child) == step:
                    break
                row += 1 + child.shown
            else:
                return None
            here = child
        return row

    def value_of(self, row: int) -> Any:
        """The value of a row as it was recorded; a list of its entries for a range."""
        node = self.rows[row]
        if not node.is_range:
            return node.value
        picked = entries_of(node.content, node.start, node.stop)
        return dict(picked) if isinstance(node.content, dict) else [value for _, value in picked]


def _owner(node: Node) -> Node:
    """The node whose value holds this entry: its parent, ranges left out."""
    parent = node.parent
    while parent is not None and parent.is_range:
        parent = parent.parent
    return parent or node


def _identity(node: Node) -> tuple[bool, Any]:
    """What makes an entry the same in a newer picture. The last range of a list that grows keeps its start only."""
    return (True, node.start) if node.is_range else (False, node.label)
