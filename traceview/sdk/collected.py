"""What a generator has yielded so far: the output of its span, kept within bounds."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from traceview.sdk.snapshot import snapshot

MAX_ITEMS: Final = 10_000
MAX_BYTES: Final = 1_000_000

_encode: Final = msgspec.msgpack.Encoder().encode


class Collected:
    """Snapshots of the items; beyond 10,000 or 1 MB they are only counted."""

    def __init__(self) -> None:
        self.count = 0
        self._items: list[Any] = []
        self._bytes = 0

    def add(self, item: Any) -> None:
        """One more item, as it is now."""
        self.count += 1
        if self._bytes >= MAX_BYTES or len(self._items) >= MAX_ITEMS:
            return
        copy = snapshot(item)
        self._bytes += len(copy) if isinstance(copy, str) else len(_encode(copy))
        self._items.append(copy)

    @property
    def is_cut(self) -> bool:
        """Whether some items were only counted."""
        return self.count > len(self._items)

    def output(self) -> Any:
        """The items as a list, a stream of text as one text; None if there was none."""
        if not self._items:
            return None
        if all(isinstance(item, str) for item in self._items):
            return "".join(self._items)
        return self._items
