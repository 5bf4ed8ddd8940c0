"""A value as indented JSON text, piece by piece: nothing recurses, and no more is written than is asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

from traceview.app.models.json_values import content_of, entries_of, is_container, plain_scalar

_PIECE: Final = 64 * 1024
_INDENT: Final = 2
# Indents stop growing here: a document 5,000 levels deep would else be nothing but blanks.
_DEEPEST_INDENT: Final = 60


def json_pieces(value: Any, *, fit: int = 0) -> Iterator[str]:
    """The text in pieces of at most about 64 kB. Values that JSON lacks are written as strings, bytes in base64.

    Lone surrogates are escaped, so that the text can always be encoded. Objects and lists inside of at most `fit`
    characters stand on one line.
    """
    if not is_container(_plain(value)):
        yield from _scalar(value)
        return
    yield from _Writer(fit).write(_plain(value))


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


class _Writer:
    def __init__(self, fit: int) -> None:
        self._fit = fit
        self._line: list[str] = []

    @staticmethod
    def _newline(depth: int) -> str:
        return "\n" + " " * (_INDENT * min(depth, _DEEPEST_INDENT))

    def write(self, value: Any) -> Iterator[str]:
        """Writes an object or list, each level a frame on our own stack."""
        stack = [(entries_of(value), isinstance(value, dict))]
        first = True
        self._line = ["{" if isinstance(value, dict) else "["]
        while stack:
            entries, in_object = stack[-1]
            entry = next(entries, None)
            if entry is None:
                stack.pop()
                self._line.append(("" if first else self._newline(len(stack))) + ("}" if in_object else "]"))
                first = False
                continue
            key, item = entry
            head = ("" if first else ",") + self._newline(len(stack))
            self._line.append(head + (_quoted(key if isinstance(key, str) else str(key)) + ": " if in_object else ""))
            item = _plain(item)
            inline = _inline(item, self._fit) if self._fit and is_container(item) else None
            first = inline is None and is_container(item)
            if inline is not None:
                self._line.append(inline)
            elif first:
                self._line.append("{" if isinstance(item, dict) else "[")
                stack.append((entries_of(item), isinstance(item, dict)))
            else:
                self._line.extend(_scalar(item))
            if len(self._line) > 1_000 or len(self._line[-1]) > _PIECE // 8:
                yield "".join(self._line)
                self._line = []
        yield "".join(self._line)


def _plain(value: Any) -> Any:
    return content_of(value) if isinstance(value, set | frozenset) else value


def _scalar(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) > _PIECE:
        yield '"'
        for start in range(0, len(value), _PIECE):
            yield _quoted(value[start : start + _PIECE])[1:-1]
        yield '"'
    elif isinstance(value, str):
        yield _quoted(value)
    elif isinstance(value, bytes | bytearray | memoryview):
        yield f'"{base64.b64encode(bytes(value)).decode()}"'
    elif isinstance(value, datetime | date | time):
        yield f'"{value.isoformat()}"'
    elif value is None or isinstance(value, bool | float) or (isinstance(value, int) and value.bit_length() < 1_000):
        yield plain_scalar(value)
    else:
        yield _quoted(plain_scalar(value))


def _inline(value: Any, room: int) -> str | None:
    """An object or list on one line, if it takes no more characters than this; every level takes two."""
    found: list[str] = []
    left = room - 2
    for key, item in entries_of(value):
        head = f"{_quoted(key if isinstance(key, str) else str(key))}: " if isinstance(value, dict) else ""
        item = _plain(item)
        if isinstance(item, str) and len(item) > left:
            return None
        text = _inline(item, left - len(head)) if is_container(item) else "".join(_scalar(item))
        if text is None or len(head) + len(text) > left:
            return None
        found.append(head + text)
        left -= len(head) + len(text) + 2
    inner = ", ".join(found)
    return f"{{{inner}}}" if isinstance(value, dict) else f"[{inner}]"


def _quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return written
