"""Which items of two lists belong together, so that a list which lost its first item is not "changed everywhere"."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

# How far ahead an item is looked for where two lists part, and how often in vain before the rest is paired by place.
_WINDOW: Final = 256
_PATIENCE: Final = 64


class BlockKind(enum.Enum):
    """What became of a block of items."""

    KEPT = "kept"
    PAIRED = "paired"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Block:
    """`count` items from `before[old]` and `after[new]` on. PAIRED items differ; GONE and NEW have one side only."""

    kind: BlockKind
    old: int
    new: int
    count: int


def same(before: Any, after: Any) -> bool:
    """Whether two recorded values are equal. Not a number equals itself; true is not 1."""
    if before is after:
        return True
    if isinstance(before, bool) is not isinstance(after, bool):
        return False
    try:
        return bool(before == after) or bool(before != before and after != after)
    except RecursionError:
        return False


def align(before: Sequence[Any], after: Sequence[Any]) -> list[Block]:
    """The blocks that turn one list into the other, in order. Linear in their length, within a bounded look-ahead.

    Greedy: where the lists part, whichever side's next item is found sooner on the other side shows what was dropped or
    put in; where neither is found, the two items are a pair.
    """
    blocks: list[Block] = []
    old = new = 0
    patience = _PATIENCE
    while old < len(before) and new < len(after):
        kept = _run(before, after, old, new)
        if kept:
            blocks.append(Block(BlockKind.KEPT, old, new, kept))
            old, new = old + kept, new + kept
            continue
        gone = _find(before, after[new], old + 1) if patience else 0
        fresh = _find(after, before[old], new + 1) if patience else 0
        if gone and (not fresh or gone <= fresh):
            blocks.append(Block(BlockKind.GONE, old, new, gone))
            old += gone
        elif fresh:
            blocks.append(Block(BlockKind.NEW, old, new, fresh))
            new += fresh
        else:
            patience = max(0, patience - 1)
            blocks.append(Block(BlockKind.PAIRED, old, new, 1))
            old, new = old + 1, new + 1
    if old < len(before):
        blocks.append(Block(BlockKind.GONE, old, new, len(before) - old))
    if new < len(after):
        blocks.append(Block(BlockKind.NEW, old, new, len(after) - new))
    return blocks


def _run(before: Sequence[Any], after: Sequence[Any], old: int, new: int) -> int:
    count = 0
    most = min(len(before) - old, len(after) - new)
    while count < most and same(before[old + count], after[new + count]):
        count += 1
    return count


def _find(items: Sequence[Any], wanted: Any, start: int) -> int:
    """How many items stand before the wanted one, counted from `start - 1`; 0 where it is not in the window."""
    try:
        return items.index(wanted, start, start + _WINDOW) - start + 1
    except (ValueError, RecursionError):
        return 0
