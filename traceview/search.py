"""`traceview search`: the spans in which all words stand, newest first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from traceview.store import Answer, Hit, TextSearch, parse_words
from traceview.terminal import plain

if TYPE_CHECKING:
    from traceview.store.words import Term


def read_terms(words: Sequence[str]) -> tuple[Term, ...]:
    """The terms of a command line; what was quoted for the shell is a phrase. Raises WordsError."""
    return parse_words(" ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words))


def find(store: Path, terms: Sequence[Term], limit: int) -> Answer:
    """What is found in a store. Raises StoreError."""
    with contextlib.closing(TextSearch(store)) as search:
        return search.spans(terms, limit)


def notice(answer: Answer, spans: int) -> str | None:
    """What is to be said where the store, of so many spans, has no index, or one that is behind."""
    if not answer.indexed:
        return f"there is no full-text index (yet), with {_count(spans)} to index: all were read one by one"
    if answer.waiting:
        return f"{_count(answer.waiting)} still to index were not searched (see `traceview-agent status`)"
    return None


def lines(hit: Hit) -> tuple[str, str]:
    """A hit as two lines: where it is, and the text around it; with the words in bold where a person reads."""
    before, after = ("\x1b[1m", "\x1b[22m") if sys.stdout.isatty() else ("", "")
    text, place = "", 0
    for start, end in hit.marks:
        text += plain(hit.snippet[place:start]) + before + plain(hit.snippet[start:end]) + after
        place = end
    where = f"{hit.trace.trace_id.hex()[:12]}  {hit.span_id.hex()}  {hit.name}  [{hit.kind}]  {hit.field}"
    return plain(f"{where}  ({hit.trace.name})"), f"    {text}{plain(hit.snippet[place:])}"


def _count(spans: int) -> str:
    return "1 span" if spans == 1 else f"{spans:,} spans"
