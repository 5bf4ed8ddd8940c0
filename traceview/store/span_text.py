"""The text in a span: what its search finds, each piece with the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from traceview.protocol.records import SpanPart

_JSON_STARTS: Final = ("{", "[")
_MAX_JSON_DEPTH: Final = 3
_MAX_DEPTH: Final = 128
# Pictures, audio and keys in text are no words, and would fill an index.
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/=_-]{512,}")
_ENCODED_MIN: Final = 512
# Vectors: lists of nothing but numbers.
_FEW_NUMBERS: Final = 16

_from_json: Final = msgspec.json.Decoder().decode

# A place is its last step and the place it goes on from: (key, place), None at the top.
Place = tuple[Any, Any] | None


def texts(part: SpanPart) -> Iterator[tuple[Place, str]]:
    """Every piece of text in a part, or in a whole span; whole numbers count as text.

    Names, messages, input, output, reasoning, values of attributes and events, and what it says of its trace; not keys,
    numbers with fractions, vectors, and what is encoded in base64. JSON inside text is looked into.
    """
    for field in ("name", "status_message", "reasoning"):
        value = getattr(part, field)
        if value is not None:
            yield (field, None), value
    yield from _texts((("input"), None), part.input, 0, 0)
    yield from _texts((("output"), None), part.output, 0, 0)
    yield from _texts(("attributes", None), part.attributes, 0, 0)
    for event in part.events:
        place = ("events", None)
        yield (event.name, place), event.name
        yield from _texts((event.name, place), event.attributes, 0, 0)
    if part.trace is not None:
        place = ("trace", None)
        for field in ("name", "session", "user", "project", "tags", "metadata"):
            yield from _texts((field, place), getattr(part.trace, field), 0, 0)


def place_text(place: Place) -> str:
    """A place as people read it: `input.messages[2].content`."""
    steps: list[str] = []
    while place is not None:
        step, place = place
        if isinstance(step, int):
            steps.append(f"[{step}]")
        else:
            steps.append(f".{step}" if place is not None else str(step))
    return "".join(reversed(steps))


def _texts(place: Place, value: Any, depth: int, opened: int) -> Iterator[tuple[Place, str]]:
    """`depth` counts levels, `opened` how often JSON inside text was opened on the way."""
    if isinstance(value, str):
        if value.startswith(_JSON_STARTS) and opened < _MAX_JSON_DEPTH:
            inside = _opened(value)
            if inside is not None:
                yield from _texts(place, inside, depth, opened + 1)
                return
        if value:
            yield place, _without_encoded(value)
    elif isinstance(value, dict):
        if depth < _MAX_DEPTH:
            for key, item in value.items():
                yield from _texts((key if isinstance(key, str) else str(key), place), item, depth + 1, opened)
    elif isinstance(value, list | tuple):
        if depth < _MAX_DEPTH and not _is_vector(value):
            for number, item in enumerate(value):
                yield from _texts((number, place), item, depth + 1, opened)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield place, str(value)


def _opened(text: str) -> Any:
    """What the JSON in a text says, None where it is none."""
    try:
        return _from_json(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _without_encoded(text: str) -> str:
    place = 0
    while place + _ENCODED_MIN <= len(text):  # from space to space: a tenth of what the pattern takes
        space = text.rfind(" ", place, place + _ENCODED_MIN)
        if space < 0:
            return _ENCODED.sub(" ", text)
        place = space + 1
    return text


def _is_vector(value: list[Any] | tuple[Any, ...]) -> bool:
    return len(value) > _FEW_NUMBERS and all(isinstance(item, int | float) for item in value)
