"""The records of a trace: frozen, free of Qt and SQL, the same in the SDK, on the wire, in the store and in the app.

Times are integer nanoseconds since the Unix epoch, UTC. Ids are OpenTelemetry's: 16 bytes a trace, 8 bytes a span.
"""

from __future__ import annotations

import enum
from typing import Any, Final

import msgspec

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

# OpenInference's span kinds in lower case, and `other` for everything else.
KINDS: Final = (
    "agent",
    "chain",
    "llm",
    "tool",
    "retriever",
    "reranker",
    "embedding",
    "guardrail",
    "evaluator",
    "prompt",
    "other",
)

# What our SDK records as an event of the span it happened in. Any other name is the user's or OpenTelemetry's.
STATE_EVENT: Final = "traceview.state"
LOG_EVENT: Final = "traceview.log"
EVALUATION_EVENT: Final = "traceview.evaluation"
CANDIDATE_EVENT: Final = "traceview.candidate"
EXCEPTION_EVENT: Final = "exception"


class Status(enum.IntEnum):
    """How a span or trace stands. OpenTelemetry's *unset* is OK once the span has ended."""

    RUNNING = 0
    OK = 1
    ERROR = 2
    INTERRUPTED = 3

    @property
    def word(self) -> str:
        """The lower-case word that people and JSON read: `running`, `ok`, `error`, `interrupted`."""
        return self.name.lower()


class Event(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened at one instant inside a span (OpenTelemetry's span event)."""

    time_ns: int
    name: str
    attributes: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True, array_like=True):
    """A pointer to a span of this or another trace (OpenTelemetry's span link)."""

    trace_id: bytes
    span_id: bytes
    attributes: dict[str, Any] = {}


class TraceInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of a whole trace; any span may say it, later non-empty values win."""

    name: str | None = None
    session: str | None = None
    user: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class SpanPart(msgspec.Struct, frozen=True, array_like=True):
    """What one report says of a span. Parts of one (trace_id, span_id) merge, in any order, into the span.

    None means "this report does not say". Scalars: a later non-None value replaces an earlier one; attributes merge
    key by key; events and links add up. The SDK sends a part when a span starts, whenever something is recorded on it,
    and when it ends; OTLP and files give a whole span in one part.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes | None = None
    name: str | None = None
    kind: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    status: Status | None = None
    status_message: str | None = None
    attributes: dict[str, Any] = {}
    input: Any = None
    output: Any = None
    reasoning: str | None = None
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    trace: TraceInfo | None = None
    resource: dict[str, Any] = {}


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a part's attributes mean, in one normal form: the columns that lists and waterfalls read without payloads.

    Token counts are the call's own (cached and reasoning tokens are contained in input and output, never added to
    them). `cost_usd` is None when nobody stated a price. `detail` is the short text beside a bar (a model, `40 → 4`).
    `preview` is one line of the span's input, for the trace list, which shows the root's.
    """

    kind: str | None = None
    model: str | None = None
    provider: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    detail: str | None = None
    preview: str | None = None
    trace: TraceInfo | None = None


# What most of the parts mean that only bring an output or an end.
NO_FACTS: Final = Facts()


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One trace as the list shows it: its own fields and the sums over its spans.

    Token and cost sums count leaf LLM calls only, since agent spans repeat their children's totals. `change` is the
    store's change number at which this row last changed. `dropped` counts spans known to be lost. A list of 100,000 is
    nothing that the garbage collector should walk.
    """

    trace_id: bytes
    name: str
    status: Status
    start_ns: int
    end_ns: int | None
    spans: int
    errors: int
    running: int
    llm_calls: int
    session: str | None
    user: str | None
    project: str | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    models: tuple[str, ...]
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    preview: str | None
    dropped: int
    change: int

    @property
    def duration_ns(self) -> int | None:
        """End minus start in ns; None while the trace runs."""
        return None if self.end_ns is None else self.end_ns - self.start_ns


class SpanRow(msgspec.Struct, frozen=True, gc=False):
    """One span without its payload: all that a tree and a timeline need. 100,000 of them are read at once."""

    span_id: bytes
    parent_id: bytes | None
    name: str
    kind: str
    status: Status
    status_message: str | None
    start_ns: int
    end_ns: int | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    detail: str | None
    event_count: int
    change: int


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """When and where an event happened, without its attributes: dots on bars, moments of a replay."""

    span_id: bytes
    time_ns: int
    name: str


class SpanPayload(msgspec.Struct, frozen=True, kw_only=True):
    """The heavy half of a span, read one at a time: what went in and out, and everything said about it."""

    attributes: dict[str, Any] = {}
    input: Any = None
    output: Any = None
    reasoning: str | None = None
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    resource: dict[str, Any] = {}


def hex_id(value: bytes | None) -> str | None:
    """The lower-case hex form that people read and type; None stays None."""
    return None if value is None else value.hex()
