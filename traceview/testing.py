"""Traces for tests, ours and yours: written as text, recorded without a daemon."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from traceview.protocol.records import KINDS, Event, SpanPart, SpanRow, Status, TraceInfo
from traceview.protocol.wire import decode_part

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


class Captured:
    """What a program recorded while `capture()` was open, read back from the wire's form."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._lock = threading.Lock()

    @property
    def parts(self) -> tuple[SpanPart, ...]:
        """Every report, in the order made: a span's start, whatever was recorded on it, its end."""
        with self._lock:
            return tuple(decode_part(record) for record in self._records)

    @property
    def spans(self) -> tuple[SpanPart, ...]:
        """Every span, in the order of their starts, with all its reports merged into one part."""
        merged: dict[tuple[bytes, bytes], SpanPart] = {}
        for part in self.parts:
            key = (part.trace_id, part.span_id)
            merged[key] = _merged(merged[key], part) if key in merged else part
        return tuple(merged.values())

    def span(self, name: str) -> SpanPart:
        """The first span of this name, merged; raises KeyError."""
        for span in self.spans:
            if span.name == name:
                return span
        raise KeyError(name)

    def children(self, span: SpanPart) -> tuple[SpanPart, ...]:
        """The spans directly under one, in the order of their starts."""
        return tuple(s for s in self.spans if s.trace_id == span.trace_id and s.parent_id == span.span_id)

    # What the SDK asks of the place its records go to

    def append(self, record: bytes) -> bool:
        """Takes one record."""
        with self._lock:
            self._records.append(record)
        return True

    def note_dropped(self) -> None:
        """Nothing is ever dropped here."""

    def flush(self, seconds: float) -> bool:
        """True: whatever was recorded is here."""
        return True


@contextmanager
def capture() -> Iterator[Captured]:
    """Collects all that this process records, on any thread, instead of sending it; no daemon is needed.

        with capture() as captured:
            my_agent("hello")
        assert captured.span("plan").output == "..."

    Raises RuntimeError under TRACEVIEW_DISABLED=1, where nothing is recorded that could be captured.
    """
    import traceview
    from traceview.sdk import disabled, recorder

    if traceview.Span.__module__ == disabled.__name__:
        raise RuntimeError("capture() needs tracing: unset TRACEVIEW_DISABLED for the tests that use it")
    captured = Captured()
    before = recorder.redirect(captured)
    try:
        yield captured
    finally:
        recorder.redirect(before)


def _merged(old: SpanPart, new: SpanPart) -> SpanPart:
    fields = {name: getattr(new, name) for name in SpanPart.__struct_fields__ if getattr(new, name) is not None}
    fields["attributes"] = old.attributes | new.attributes
    fields["resource"] = old.resource | new.resource
    fields["events"] = old.events + new.events
    fields["links"] = old.links + new.links
    fields["trace"] = _merged_info(old.trace, new.trace)
    return msgspec.structs.replace(old, **fields)


def _merged_info(old: TraceInfo | None, new: TraceInfo | None) -> TraceInfo | None:
    if old is None or new is None:
        return new or old
    said = {name: getattr(new, name) for name in TraceInfo.__struct_fields__ if getattr(new, name)}
    return msgspec.structs.replace(old, **said | {"metadata": old.metadata | new.metadata})
