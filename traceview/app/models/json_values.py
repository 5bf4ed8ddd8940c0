"""What any recorded value is to a reader: object, list, scalar, JSON inside a string; and how it stands in one row.

Values come from msgpack, JSON and protobuf, so beside JSON's own there are bytes, dates, sets and integers of any size.
Nothing here recurses (a document may be 5,000 levels deep) or turns a whole long value into text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

# A cell never holds more characters than this: longer ones are cut, with an ellipsis.
ROW_TEXT: Final = 1_000
MAX_DECODED: Final = 2 * 1024 * 1024
_MAX_DECODINGS: Final = 2
_PATIENT: Final = 256 * 1024
_PREVIEWED: Final = 3
_LOOKED_AT: Final = 8
_BIG_INT: Final = 10**300

_IDENTIFIER: Final = re.compile(r"[^\W\d]\w*\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)


def visible(text: str) -> str:
    """Text with what would not be seen made visible: control characters as pictures (␀), bidi overrides and lone
    surrogates as �. Line breaks and tabs stay, and the joiners that emoji and Persian are written with.
    """
    return _INVISIBLE.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def encodable(text: str) -> str:
    """The text as the clipboard and files can carry it: lone surrogates become �."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def is_container(value: Any) -> bool:
    """Whether a value has entries: an object or a list (tuples too)."""
    return isinstance(value, dict | list | tuple)


def content_of(value: Any) -> Any:
    """The entries of a value: itself for objects and lists, a list for sets, None for scalars."""
    if is_container(value):
        return value
    return list(value) if isinstance(value, set | frozenset) else None


def entries_of(content: Any, start: int = 0, stop: int | None = None) -> Iterator[tuple[Any, Any]]:
    """Keys (or indices) and values of the entries from `start` to `stop`. Walks to the place in C."""
    if isinstance(content, dict):
        return islice(content.items(), start, stop)
    return zip(range(start, len(content)), islice(content, start, stop), strict=False)


def looks_like_json(text: str) -> bool:
    """Whether a string could hold a JSON object or list, once or twice encoded; asks its ends only."""
    head = text[:64].lstrip()[:2]
    if head[:1] == '"':
        return head[1:] in ("{", "[", "\\", " ") and text[-64:].rstrip()[-1:] == '"'
    return (head[:1], text[-64:].rstrip()[-1:]) in (("{", "}"), ("[", "]"))


def decoded_json(text: str) -> Any:
    """The object or list that a string holds, decoded at most twice; None where it holds none or is over 2 MB."""
    found: Any = text
    for _ in range(_MAX_DECODINGS):
        if not isinstance(found, str) or len(found) > MAX_DECODED or not looks_like_json(found):
            break
        found = _decode(found)
    return found if is_container(found) else None


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        pass
    if len(text) > _PATIENT:
        return None
    try:
        return json.loads(text)  # slower, but takes NaN and lone surrogates, which Python's own json writes
    except (ValueError, RecursionError):
        return None


def key_text(key: Any) -> str:
    """A key as a cell shows it."""
    return key[:ROW_TEXT] if isinstance(key, str) else str(key)[:ROW_TEXT]


def path_step(key: Any, *, in_list: bool) -> str:
    """One step of a path: `.name`, `["odd key"]` or `[0]`."""
    if in_list:
        return f"[{key}]"
    if isinstance(key, str) and _IDENTIFIER.match(key):
        return f".{key}"
    return f"[{json.dumps(key if isinstance(key, str) else str(key), ensure_ascii=False)}]"


def scalar_text(value: Any) -> str:
    """A value without entries in one row, at most 1,000 characters: strings in quotes, the rest as JSON writes it."""
    if isinstance(value, str):
        cut = len(value) > ROW_TEXT
        return f"“{value[:ROW_TEXT]}…" if cut else f"“{value}”"
    if isinstance(value, bytes | bytearray | memoryview):
        head = bytes(value[:32]).hex(" ")
        return f"{len(value):,} bytes  {head}{'…' if len(value) > 32 else ''}"
    return plain_scalar(value)[:ROW_TEXT]


def plain_scalar(value: Any) -> str:
    """A scalar that is no string and no bytes, as JSON writes it where it can."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to write integers of more than 4,300 digits.
        return str(value) if -_BIG_INT < value < _BIG_INT else hex(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else json.dumps(value)
    return _repr(value)


def _repr(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # whatever a foreign type's own code raises
        return f"<{type(value).__name__}: {type(error).__name__}>"


def count_text(content: Any) -> str:
    """How many entries: {7} for an object, [9] for a list."""
    return f"{{{len(content):,}}}" if isinstance(content, dict) else f"[{len(content):,}]"


def preview_text(content: Any) -> str:
    """The first scalars of a closed object or list, so that one sees which it is."""
    found: list[str] = []
    for key, value in entries_of(content, 0, _LOOKED_AT):
        if is_container(value):
            continue
        cell = scalar_text(value)
        cell = f"{cell[:40]}…" if len(cell) > 40 else cell
        found.append(f"{key_text(key)[:40]}: {cell}" if isinstance(content, dict) else cell)
        if len(found) == _PREVIEWED:
            break
    return ", ".join(found)


def describe(value: Any) -> str:
    """What a value is, in a word or two: "JSON, 7 keys", "list, 1,000,000 items"."""
    content = content_of(value)
    if content is None:
        return type(value).__name__ if value is not None else "null"
    count = len(content)
    if isinstance(content, dict):
        return f"JSON, {count:,} key{'' if count == 1 else 's'}"
    return f"list, {count:,} item{'' if count == 1 else 's'}"
