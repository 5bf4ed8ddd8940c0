"""A value as indented JSON text, piece by piece: nothing recurses, and no more is written than is asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

import msgspec

from traceview.app.models.json_values import content_of, entries_of, is_container, plain_scalar

_PIECE: Final = 64 * 1024
_BATCH: Final = 8 * 1024
_INDENT: Final = 2
# Indents stop growing here: a document 5,000 levels deep would else be nothing but blanks.
_DEEPEST_INDENT: Final = 60


def json_pieces(value: Any, *, fit: int = 0) -> Iterator[str]:
    """The text in pieces of at most about 64 kB. Values that JSON lacks are written as strings, bytes in base64.

    Lone surrogates are escaped, so that the text can always be encoded. Objects and lists inside of at most `fit`
    characters stand on one line.
    """
    batch: list[str] = []
    length = 0
    for token in _tokens(_plain(value), fit):
        batch.append(token)
        length += len(token)
        if length > _BATCH:
            yield "".join(batch)
            batch, length = [], 0
    yield "".join(batch)


def json_text(value: Any, limit: int, *, fit: int = 0) -> tuple[str, bool]:
    """The first `limit` characters of the text, and whether that is all of it."""
    found: list[str] = []
    length = 0
    for piece in json_pieces(value, fit=fit):
        found.append(piece)
        length += len(piece)
        if length > limit:
            return "".join(found)[:limit], False
    return "".join(found), True


def _tokens(value: Any, fit: int) -> Iterator[str]:
    """The text bit by bit; each level of nesting is a frame on our own stack."""
    if not is_container(value):
        yield from _scalar(value)
        return
    stack = [(entries_of(value), isinstance(value, dict))]
    first = True
    yield "{" if isinstance(value, dict) else "["
    while stack:
        entries, in_object = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            yield ("" if first else _newline(len(stack))) + ("}" if in_object else "]")
            first = False
            continue
        key, item = entry
        head = ("" if first else ",") + _newline(len(stack))
        if in_object:
            head += _quoted(key if isinstance(key, str) else str(key)) + ": "
        item = _plain(item)
        first = False
        if not is_container(item):
            yield from _headed(head, item)
        elif fit and (inline := _inline(item, fit)) is not None:
            yield head + inline
        else:
            first = True
            yield head + ("{" if isinstance(item, dict) else "[")
            stack.append((entries_of(item), isinstance(item, dict)))


def _newline(depth: int) -> str:
    return "\n" + " " * (_INDENT * min(depth, _DEEPEST_INDENT))


def _plain(value: Any) -> Any:
    return content_of(value) if isinstance(value, set | frozenset) else value


def _headed(head: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) > _PIECE:
        yield head
        yield from _scalar(value)
    else:
        yield head + _short(value)


def _scalar(value: Any) -> Iterator[str]:
    if not isinstance(value, str) or len(value) <= _PIECE:
        yield _short(value)
        return
    yield '"'
    for start in range(0, len(value), _PIECE):
        yield _quoted(value[start : start + _PIECE])[1:-1]
    yield '"'


def _short(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f'"{base64.b64encode(bytes(value)).decode()}"'
    if isinstance(value, datetime | date | time):
        return f'"{value.isoformat()}"'
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() < 1_000):
        return plain_scalar(value)
    return _quoted(plain_scalar(value))


def _inline(value: Any, room: int) -> str | None:
    """An object or list on one line, if it takes no more characters than this; every level takes two."""
    found: list[str] = []
    left = room - 2
    for key, item in entries_of(value):
        head = f"{_quoted(key if isinstance(key, str) else str(key))}: " if isinstance(value, dict) else ""
        item = _plain(item)
        if isinstance(item, str) and len(item) > left:
            return None
        text = _inline(item, left - len(head)) if is_container(item) else _short(item)
        if text is None or len(head) + len(text) > left:
            return None
        found.append(head + text)
        left -= len(head) + len(text) + 2
    inner = ", ".join(found)
    return f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"


def _quoted(text: str) -> str:
    try:
        return msgspec.json.encode(text).decode()
    except UnicodeEncodeError:
        return json.dumps(text)
