"""Traces for tests, ours and yours: written as text, recorded without a daemon."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from traceview.protocol.records import KINDS, Event, SpanPart, SpanRow, Status, TraceInfo

_TOKEN = re.compile(r"\s*(?:(?P<op>[>(),])|(?P<span>[^\s>(),][^>(),]*))")
START_NS = 1_790_000_000_000_000_000
STEP_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class BuiltTrace:
    """A trace built from text: one complete SpanPart per span, in the order written."""

    parts: tuple[SpanPart, ...]

    @property
    def trace_id(self) -> bytes:
        """The 16 bytes of the trace's id."""
        return self.parts[0].trace_id

    def part(self, name: str) -> SpanPart:
        """The first span of this name; raises KeyError."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def rows(self) -> list[SpanRow]:
        """The spans as the store's reader gives them, without payloads."""
        return [_row(part, change) for change, part in enumerate(self.parts, 1)]


def build_trace(text: str, *, trace: str = "test", start_ns: int = START_NS) -> BuiltTrace:
    """A trace from text such as `"plan > (search:tool!, answer:llm~)"`.

    `a > b` makes b a child of a; `a > (b, c)` two children; `a, b` siblings. After a name may stand `:kind` and a
    mark: `!` error, `~` still running, `?` interrupted. Every span opens 1 ms after the one written before it; a parent
    closes 1 ms after its last child. Ids derive from `trace` and the place in the text, so that they never vary.
    Raises ValueError where the text doesn't parse.
    """
    builder = _Builder(text, trace, start_ns)
    builder.siblings(None)
    if builder.here is not None:
        raise ValueError(f"unexpected {builder.here!r} in {text!r}")
    return BuiltTrace(tuple(builder.parts))


class _Builder:
    def __init__(self, text: str, trace: str, start_ns: int) -> None:
        self._tokens = self._split(text)
        self.here = next(self._tokens, None)
        self.parts: list[SpanPart] = []
        self._trace = trace
        self._trace_id = hashlib.sha256(trace.encode()).digest()[:16]
        self._clock = start_ns

    @staticmethod
    def _split(text: str) -> Iterator[str]:
        place, text = 0, text.strip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise ValueError(f"can't read {text[place:]!r}")
            place = match.end()
            yield match["op"] or match["span"].strip()

    def _next(self) -> str | None:
        word, self.here = self.here, next(self._tokens, None)
        return word

    def siblings(self, parent: bytes | None) -> None:
        self._chain(parent)
        while self.here == ",":
            self._next()
            self._chain(parent)

    def _chain(self, parent: bytes | None) -> None:
        word = self._next()
        if word is None or word in ">(),":
            raise ValueError(f"a span name was expected, not {word!r}")
        place = len(self.parts)
        part = self._open(word, parent)
        self.parts.append(part)
        if self.here == ">":
            self._next()
            if self.here == "(":
                self._next()
                self.siblings(part.span_id)
                if self._next() != ")":
                    raise ValueError("a ) is missing")
            else:
                self._chain(part.span_id)
        self._clock += STEP_NS
        if part.status is not Status.RUNNING:
            self.parts[place] = msgspec.structs.replace(part, end_ns=self._clock)

    def _open(self, word: str, parent: bytes | None) -> SpanPart:
        marks = {"!": Status.ERROR, "~": Status.RUNNING, "?": Status.INTERRUPTED}
        status = marks.get(word[-1], Status.OK)
        name, _, kind = word.rstrip("!~?").partition(":")
        if kind and kind not in KINDS:
            raise ValueError(f"{kind!r} is no span kind")
        self._clock += STEP_NS
        events: tuple[Event, ...] = ()
        if status is Status.ERROR:
            events = (Event(self._clock, "exception", {"exception.type": "ValueError", "exception.message": "boom"}),)
        return SpanPart(
            trace_id=self._trace_id,
            span_id=hashlib.sha256(f"{self._trace}/{len(self.parts)}".encode()).digest()[:8],
            parent_id=parent,
            name=name,
            kind=kind or None,
            start_ns=self._clock,
            status=status,
            status_message="boom" if status is Status.ERROR else None,
            input={"for": name},
            output=None if status is Status.RUNNING else {"from": name},
            events=events,
            trace=TraceInfo(name=self._trace) if parent is None else None,
        )


def _row(part: SpanPart, change: int) -> SpanRow:
    return SpanRow(
        span_id=part.span_id,
        parent_id=part.parent_id,
        name=part.name or "",
        kind=part.kind or "other",
        status=part.status or Status.RUNNING,
        status_message=part.status_message,
        start_ns=part.start_ns or 0,
        end_ns=part.end_ns,
        model=None,
        input_tokens=None,
        output_tokens=None,
        cache_read_tokens=None,
        cache_write_tokens=None,
        reasoning_tokens=None,
        cost_usd=None,
        detail=None,
        event_count=len(part.events),
        change=change,
    )
