"""Finding spans by what their rows show: the name in the tree and the label beside the bar."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import accumulate

from traceview.protocol.records import SpanRow, Status

_END = "\x00"


def label_of(row: SpanRow) -> str:
    """What stands beside a bar: why it failed, what it did, or with which model; "" if there is nothing to say."""
    if row.status is Status.ERROR and row.status_message:
        return row.status_message
    return row.detail or row.model or ""


class SpanSearch:
    """Searches the rows of one tree, upper and lower case alike; what it searches is joined once, when first asked."""

    def __init__(self, rows: Sequence[SpanRow]) -> None:
        self._rows = rows
        self._text = ""
        self._ends: list[int] = []

    def find(self, text: str) -> list[int]:
        """The places of all spans whose name or label contains the text, in order; none for an empty text."""
        wanted = text.casefold().replace(_END, "")
        if not wanted:
            return []
        if not self._ends and self._rows:
            texts = [f"{row.name}{_END}{label_of(row)}{_END}".casefold() for row in self._rows]
            self._ends = list(accumulate(map(len, texts)))
            self._text = "".join(texts)
        found: list[int] = []
        place = self._text.find(wanted)
        while place >= 0:
            i = bisect.bisect_right(self._ends, place, found[-1] + 1 if found else 0)
            found.append(i)
            place = self._text.find(wanted, self._ends[i])
        return found
