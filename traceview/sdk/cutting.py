"""Cuts a value that is longer than wished: the beginning stays, and each place says how much is missing there."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_encode: Final = msgspec.msgpack.Encoder().encode
# What an item costs beside its text: a number, a header.
_ITEM_BYTES: Final = 8


class Cutter:
    """Values of plain types, cut to about `most` bytes of their encoding."""

    def __init__(self, most: int) -> None:
        self._most = most

    def cut(self, value: Any) -> tuple[Any, int]:
        """The value, itself where it is short enough, and the size in bytes of what it was."""
        size = len(_encode(value))
        if size <= self._most:
            return value, size
        return _Walk(self._most).within(value), size


class _Walk:
    """One value, walked from its beginning until the bytes that are left are used up."""

    def __init__(self, left: int) -> None:
        self._left = left

    def within(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return self._binary(value)
        if isinstance(value, dict):
            return self._dict(value)
        if isinstance(value, list | tuple):
            return self._list(value)
        self._left -= _ITEM_BYTES
        return value

    def _text(self, value: str) -> str:
        raw = value.encode()
        room, self._left = max(0, self._left), self._left - len(raw)
        if len(raw) <= room:
            return value
        return f"{raw[:room].decode(errors='ignore')}… (cut: {len(value):,} characters)"

    def _binary(self, value: bytes) -> bytes | str:
        room, self._left = self._left, self._left - len(value)
        return value if len(value) <= room else f"<{len(value):,} bytes>"

    def _list(self, value: list[Any] | tuple[Any, ...]) -> list[Any]:
        kept: list[Any] = []
        for item in value:
            if self._left <= 0:
                kept.append(f"… (cut: {len(value) - len(kept):,} more)")
                break
            kept.append(self.within(item))
        return kept

    def _dict(self, value: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, item in value.items():
            if self._left <= 0:
                kept["…"] = f"(cut: {len(value) - len(kept):,} more)"
                break
            self._left -= len(key) + _ITEM_BYTES
            kept[key] = self.within(item)
        return kept
