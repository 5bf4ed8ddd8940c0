"""`traceview search`: the spans in which all words stand, newest first."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from traceview.store import Answer, Hit, TextSearch, parse_words
from traceview.terminal import plain

if TYPE_CHECKING:
    from traceview.store.words import Term


# Most searches take a tenth of a second; one that looks through millions of spans in vain takes minutes.
_QUIET_S: Final = 1.0
_TELL_S: Final = 0.2


def read_terms(words: Sequence[str]) -> tuple[Term, ...]:
    """The terms of a command line; what was quoted for the shell is a phrase. Raises WordsError."""
    return parse_words(" ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words))


def find(store: Path, terms: Sequence[Term], limit: int) -> Answer:
    """What is found in a store; Ctrl-C ends the search, not what it has found. Raises StoreError."""
    with Watch() as watch, contextlib.closing(TextSearch(store)) as search:
        return search.spans(terms, limit, watch)


class Watch:
    """Tells a person at the terminal how far a search is, and stops it at Ctrl-C; at the second one, the program."""

    def __init__(self) -> None:
        self._interrupted = False
        self._next = time.monotonic() + _QUIET_S
        self._told = False
        self._before: Any = None

    def __enter__(self) -> Watch:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._told:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, share: float) -> bool:
        """Asked between reads, with the share that was looked at: whether to stop."""
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            text = f"traceview: still searching: {share:.0%} looked through (Ctrl-C shows what was found so far)"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._next, self._told = now + _TELL_S, True
        return self._interrupted

    def _interrupt(self, *_: object) -> None:
        self._interrupted = True
        signal.signal(signal.SIGINT, self._before)


def notice(answer: Answer, spans: int) -> str | None:
    """What is to be said of an answer: it is not whole, or the store, of so many spans, has no index, or one behind."""
    if not answer.complete:
        return "stopped before its end: there may be more to find"
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
