"""One span as the writer sees it during a transaction: its row, and what the parts of this batch add to it."""

from __future__ import annotations

import math
from typing import Any, Final

from traceview.protocol.records import KINDS, NO_FACTS, Facts, SpanPart, Status
from traceview.store.columns import (
    CALL,
    INTERRUPTED,
    KIND_SAID,
    NULL,
    PICO,
    START_ARRIVAL,
    START_GUESSED,
    USAGE,
)
from traceview.store.readying import ReadyPart

KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
LLM: Final = KIND_NUMBERS["llm"]
_OTHER: Final = KIND_NUMBERS["other"]
_RUNNING, _OK, _ERROR, _INTERRUPTED = (int(status) for status in Status)
# A row is for lists and timelines; the whole text stays in the span's parts.
_MAX_TEXT: Final = 4_000
_MAX_TOKENS: Final = 2**53
_MAX_COST_USD: Final = 1e6

# What a span adds to its trace: status, start, last, model, is a call, input tokens, output tokens, cost in pico-USD.
Share = tuple[int, int, int, str | None, bool, int | None, int | None, int | None]


class SpanState:
    """A span's row, mutable while a batch is merged. `old` is what it added to its trace before, None if it is new."""

    # As the class's own they cost nothing where a span doesn't set them: most set half of them.
    parent_id: bytes | None = None
    name = ""
    kind = _OTHER
    status = _RUNNING
    status_message: str | None = None
    start_ns = 0
    end_ns: int | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    detail: str | None = None
    event_count = 0
    change = 0
    provider: str | None = None
    said_status: int | None = None
    flags = START_GUESSED | START_ARRIVAL
    entries = b""
    preview: str | None = None
    old: Share | None = None
    old_kind: int | None = None
    old_parent: bytes | None = None
    dirty = rewrite = False

    def __init__(self, span_id: bytes, source_no: int | None) -> None:
        self.span_id = span_id
        self.source_no = source_no
        # This batch's parts of it, by digest, in order of arrival.
        self.news: dict[bytes, ReadyPart] = {}

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> SpanState:
        """The span as the store has it; `row` follows SPAN_COLUMNS."""
        state = cls.__new__(cls)
        state.news = {}
        (
            _,
            state.span_id,
            state.parent_id,
            state.name,
            state.kind,
            state.status,
            state.status_message,
            state.start_ns,
            state.end_ns,
            state.model,
            state.input_tokens,
            state.output_tokens,
            state.cache_read_tokens,
            state.cache_write_tokens,
            state.reasoning_tokens,
            state.cost_usd,
            state.detail,
            state.event_count,
            state.change,
            state.provider,
            state.said_status,
            state.flags,
            state.source_no,
            state.entries,
        ) = row
        state.old = state.share()
        state.old_kind = state.kind
        state.old_parent = state.parent_id
        return state

    def row(self, trace_no: int) -> tuple[Any, ...]:
        """The row to write, in the order of SPAN_COLUMNS."""
        return (
            trace_no,
            bytearray(self.span_id),
            NULL if self.parent_id is None else bytearray(self.parent_id),
            self.name,
            self.kind,
            self.status,
            NULL if self.status_message is None else self.status_message,
            self.start_ns,
            NULL if self.end_ns is None else self.end_ns,
            NULL if self.model is None else self.model,
            NULL if self.input_tokens is None else self.input_tokens,
            NULL if self.output_tokens is None else self.output_tokens,
            NULL if self.cache_read_tokens is None else self.cache_read_tokens,
            NULL if self.cache_write_tokens is None else self.cache_write_tokens,
            NULL if self.reasoning_tokens is None else self.reasoning_tokens,
            NULL if self.cost_usd is None else self.cost_usd,
            NULL if self.detail is None else self.detail,
            self.event_count,
            self.change,
            NULL if self.provider is None else self.provider,
            NULL if self.said_status is None else self.said_status,
            self.flags,
            NULL if self.source_no is None else self.source_no,
            bytearray(self.entries),
        )

    def share(self) -> Share:
        """What the span adds to its trace as it is now."""
        start, end = self.start_ns, self.end_ns
        last = start if end is None or end < start else end
        call = bool(self.flags & CALL)
        if not self.flags & USAGE:
            return self.status, start, last, self.model, call, None, None, None
        cost = None if self.cost_usd is None else round(self.cost_usd * PICO)
        return self.status, start, last, self.model, call, self.input_tokens, self.output_tokens, cost

    def has_usage(self) -> bool:
        """Whether it reports tokens or a price."""
        return self.input_tokens is not None or self.output_tokens is not None or self.cost_usd is not None

    def absorb(self, part: SpanPart, facts: Facts, now_ns: int) -> None:
        """Takes over what a part says. `now_ns` is the time of arrival.

        Its events are counted by the caller, who has the status settled once all parts are in.
        """
        if part.parent_id is not None:
            self.parent_id = part.parent_id
        if part.name is not None:
            self.name = _short(part.name)
        if part.end_ns is not None:
            self.end_ns = part.end_ns
            self.flags &= ~INTERRUPTED
        if part.start_ns is not None:
            self.start_ns = part.start_ns
            self.flags &= ~(START_GUESSED | START_ARRIVAL)
        elif self.flags & START_GUESSED:
            self._guess_start(part, now_ns)
        if part.status_message is not None:
            self.status_message = _short(part.status_message)
        if part.status is not None and part.status != _RUNNING:
            self.said_status = int(part.status)
        if part.kind is not None:
            self.flags |= KIND_SAID
            self.kind = KIND_NUMBERS.get(facts.kind or part.kind.lower(), _OTHER)
        elif facts.kind is not None and not self.flags & KIND_SAID:
            self.kind = KIND_NUMBERS.get(facts.kind, _OTHER)
        if facts is not NO_FACTS:
            self._absorb_facts(facts)
        self.dirty = True

    @property
    def has_ended(self) -> bool:
        """Whether a part reported its end; the death of its process is none."""
        return self.end_ns is not None and not self.flags & INTERRUPTED

    def set_interrupted(self, interrupted: bool, at_ns: int | None) -> None:
        """Its process is gone, at a time if that is known, or was not after all. What has ended stays as it is."""
        if self.has_ended:
            return
        self.end_ns = max(at_ns, self.start_ns) if interrupted and at_ns is not None else None
        self.flags = self.flags | INTERRUPTED if interrupted else self.flags & ~INTERRUPTED
        self.settle_status()

    def settle_status(self) -> None:
        """Derives the status: a span runs until its end is known; unset counts as ok."""
        if self.has_ended:
            self.status = _OK if self.said_status is None else self.said_status
        elif self.flags & INTERRUPTED or self.said_status == _INTERRUPTED:
            self.status = _INTERRUPTED
        else:
            self.status = _RUNNING

    def _guess_start(self, part: SpanPart, now_ns: int) -> None:
        """The earliest time that is known stands in for the start, and the time of arrival while there is none."""
        times = [event.time_ns for event in part.events]
        if part.end_ns is not None:
            times.append(part.end_ns)
        if not self.flags & START_ARRIVAL:
            times.append(self.start_ns)
        if times:
            self.start_ns = min(times)
            self.flags &= ~START_ARRIVAL
        elif not self.start_ns:
            self.start_ns = now_ns

    def _absorb_facts(self, facts: Facts) -> None:
        if facts.model is not None:
            self.model = _short(facts.model)
        if facts.provider is not None:
            self.provider = _short(facts.provider)
        if facts.input_tokens is not None:
            self.input_tokens = _tokens(facts.input_tokens)
        if facts.output_tokens is not None:
            self.output_tokens = _tokens(facts.output_tokens)
        if facts.cache_read_tokens is not None:
            self.cache_read_tokens = _tokens(facts.cache_read_tokens)
        if facts.cache_write_tokens is not None:
            self.cache_write_tokens = _tokens(facts.cache_write_tokens)
        if facts.reasoning_tokens is not None:
            self.reasoning_tokens = _tokens(facts.reasoning_tokens)
        if facts.cost_usd is not None:
            self.cost_usd = _cost(facts.cost_usd)
        if facts.detail is not None:
            self.detail = _short(facts.detail)
        if facts.preview is not None:
            self.preview = _short(facts.preview)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _tokens(count: int) -> int | None:
    return count if isinstance(count, int) and 0 <= count <= _MAX_TOKENS else None


def _cost(usd: float) -> float | None:
    return usd if isinstance(usd, float | int) and math.isfinite(usd) and abs(usd) <= _MAX_COST_USD else None
