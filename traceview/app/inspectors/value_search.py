"""Looking for a text in a value or in a long text, in small bites: the caller decides how many at a time.

Each function is an iterator that gives a hit, or None for "a bite of work done, nothing found".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from traceview.app.models.json_tree import Path
from traceview.app.models.json_values import content_of, entries_of, key_text, plain_scalar

# One bite: entries looked at, and characters of one string. Each takes well below a millisecond.
ENTRIES: Final = 500
CHARACTERS: Final = 64 * 1024


def find_in_value(value: Any, wanted: str) -> Iterator[Path | None]:
    """The paths (as `JsonTree.row_at` takes them) of all entries whose key or scalar holds the text, in order.

    Case doesn't matter. JSON inside strings is searched as the text it is.
    """
    needle = wanted.lower()
    content = content_of(value)
    if not needle:
        return
    if content is None:
        yield from _hit_or_bites(value, needle, ())
        return
    places: list[int] = [-1]
    stack = [entries_of(content)]
    looked_at = 0
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            places.pop()
            continue
        places[-1] += 1
        looked_at += 1
        if looked_at % ENTRIES == 0:
            yield None
        key, item = entry
        inner = content_of(item)
        if isinstance(key, str) and needle in key_text(key).lower():
            yield tuple(places)
        elif inner is None:
            if isinstance(item, str) and len(item) <= ENTRIES:
                if needle in item.lower():
                    yield tuple(places)
            else:
                yield from _hit_or_bites(item, needle, tuple(places))
        if inner is not None:
            stack.append(entries_of(inner))
            places.append(-1)


def _hit_or_bites(value: Any, needle: str, path: Path) -> Iterator[Path | None]:
    if not isinstance(value, str):
        text = value.hex(" ", 1) if isinstance(value, bytes) and len(value) <= ENTRIES else _short(value)
        if needle in text.lower():
            yield path
        return
    for start in range(0, len(value), CHARACTERS):
        if needle in value[start : start + CHARACTERS + len(needle) - 1].lower():
            yield path
            return
        yield None


def _short(value: Any) -> str:
    return "" if isinstance(value, bytes | bytearray | memoryview) else plain_scalar(value)


def find_in_text(text: str, wanted: str) -> Iterator[int | None]:
    """The offsets of all places where the text stands, in order; case doesn't matter, places don't overlap."""
    needle = wanted.lower()
    if not needle:
        return
    after = 0
    for start in range(0, len(text), CHARACTERS):
        chunk = text[start : start + CHARACTERS + len(needle) - 1]
        lowered = chunk.lower()
        if len(lowered) != len(chunk):  # İ becomes two letters: then places must be found one by one
            lowered = "".join(letter.lower()[0] for letter in chunk)
        place = lowered.find(needle, max(0, after - start))
        while 0 <= place < CHARACTERS:
            yield start + place
            after = start + place + len(needle)
            place = lowered.find(needle, after - start)
        yield None
