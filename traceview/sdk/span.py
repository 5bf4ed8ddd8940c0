"""The open span: what `tv.trace` and `tv.span` give. All that is recorded on it is written at once, as a part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar, Token
from random import Random
from types import TracebackType
from typing import Any, Final, Literal, Self

from traceview.protocol.clock import anchor_ns, steady_ns
from traceview.protocol.records import (
    CANDIDATE_EVENT,
    EVALUATION_EVENT,
    Event,
    Link,
    SpanPart,
    Status,
    TraceInfo,
)
from traceview.sdk import recorder, sampling, writing
from traceview.sdk.failure import exception_event, judge, message_of
from traceview.sdk.genai import llm_attributes
from traceview.sdk.given import KIND_SET, as_dict, odd_kind, trace_info
from traceview.sdk.guard import guarded, report
from traceview.sdk.snapshot import text
from traceview.sdk.w3c import find_remote

_STATUSES: Final = {"ok": Status.OK, "error": Status.ERROR}
# A generator of our own: the program may seed the shared one, and two runs would get the same ids.
_random: Final = Random(os.urandom(32))  # noqa: S311 - ids need to be unique, not secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))

current: Final[ContextVar[Span | None]] = ContextVar("traceview_span", default=None)

_Details = tuple[str | None, Any, "Mapping[str, Any] | None", TraceInfo | None, "Span | None"]


class Span:
    """One span. Opened by `with`, or by `tv.start_span` and `end()`; its methods never raise.

    What is set on it is recorded at once, as it is at that moment. Ids are bytes (16 the trace's, 8 the span's), empty
    until it is opened. After its end it can still be added to.
    """

    __slots__ = (
        "_anchor",
        "_details",
        "_ended",
        "_left_out",
        "_lost",
        "_silent",
        "_skip_to",
        "_status",
        "_token",
        "name",
        "parent_id",
        "span_id",
        "trace_id",
    )

    def __init__(
        self,
        name: str,
        kind: str | None = None,
        input: Any = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        trace: TraceInfo | None = None,
        parent: Span | None = None,
    ) -> None:
        self.name = name if type(name) is str else text(name)
        self.trace_id = self.span_id = b""
        self.parent_id: bytes | None = None
        self._details: _Details | None = (kind, input, attributes, trace, parent)
        self._token: Token[Span | None] | None = None
        self._status: Status | None = None
        # Left out: head sampling records nothing of its trace. Silent: nothing of this span.
        self._ended = self._lost = self._silent = self._left_out = False
        self._skip_to: tuple[Span | None] | None = None
        # The trace's, or its own where that began elsewhere.
        self._anchor: int | None = None

    def __repr__(self) -> str:
        return f"<Span {self.name!r} {self.trace_id.hex()}/{self.span_id.hex()}>"

    # Opening and closing

    def start(self) -> None:
        """Opens the span, if it isn't, without making it the current one."""
        if self._details is None:
            return
        kind, value, attributes, trace, parent = self._details
        self._details = None
        parent = parent or current.get() or inherited_parent
        self.span_id = (_random.getrandbits(64) or 1).to_bytes(8, "big")
        if parent is None or parent is NO_PARENT:
            self.trace_id = (_random.getrandbits(128) or 1).to_bytes(16, "big")
            trace = trace or TraceInfo(name=self.name)
            self._left_out = sampling.leaves_out(self.trace_id)
        else:
            self.trace_id, self.parent_id, self._left_out = parent.trace_id, parent.span_id, parent._left_out
        if self._left_out:
            self._silent = True
            return
        self._anchor = anchor_ns() if parent is None or parent._anchor is None else parent._anchor
        now_ns = steady_ns() + self._anchor
        if kind is not None and kind not in KIND_SET:
            kind, attributes = odd_kind(kind, attributes)
        said = attributes if type(attributes) is dict else as_dict(attributes)
        record = writing.opening(
            self.trace_id, self.span_id, self.parent_id, self.name, kind, now_ns, said, value, trace
        )
        if not recorder.keep(record):
            # What came later would be a span without a name.
            self._silent = True
            self._note_loss()

    def __enter__(self) -> Self:
        try:
            self.start()
        except Exception as error:
            report("Span.__enter__", error)
        self._token = current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._leave()
            if error is None:
                self.end()
            else:
                self._end_by(error)
        except Exception as trouble:
            report("Span.__exit__", trouble)

    def end(self) -> None:
        """Ends the span: status ok, unless another was set. Only the first call counts."""
        if self._ended:
            return
        self._ended = True
        try:
            self._put(writing.closing(self.trace_id, self.span_id, self._now_ns(), self._status or Status.OK))
        except Exception as error:
            report("Span.end", error)

    # What it did

    @guarded
    def set_input(self, value: Any) -> None:
        """What the span was given, in place of what was said before."""
        self._write(input=value)

    def set_output(self, value: Any) -> None:
        """What the span gave back."""
        # Like end(), without what @guarded and _write() cost: every span does these two.
        try:
            if self._details is not None:
                self.start()
            if not self._silent:
                self._put(writing.result(self.trace_id, self.span_id, value))
        except Exception as error:
            report("Span.set_output", error)

    @guarded
    def set_reasoning(self, reasoning: str) -> None:
        """Why: a model's thinking, or the reason for a decision."""
        self._write(reasoning=text(reasoning))

    @guarded
    def set_llm(
        self,
        *,
        model: str | None = None,
        provider: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        temperature: float | None = None,
        cost_usd: float | None = None,
        finish_reason: str | None = None,
        **settings: Any,
    ) -> None:
        """A model call: names as GenAI's conventions have them, tokens as the provider counts them, cost in USD.

        Cached and reasoning tokens are contained in input and output tokens. Settings (`max_tokens`, `top_p` …) are
        those of the request. What is None is not said.
        """
        said = {
            "model": model,
            "provider": provider,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cache_read_tokens": cache_read_tokens,
            "cache_write_tokens": cache_write_tokens,
            "reasoning_tokens": reasoning_tokens,
            "temperature": temperature,
            "cost_usd": cost_usd,
            "finish_reason": finish_reason,
            **settings,
        }
        self._write(attributes=llm_attributes(said))

    @guarded
    def set_attribute(self, key: str, value: Any) -> None:
        """One attribute; a later value of the same key replaces it."""
        self._write(attributes={key: value})

    @guarded
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Several attributes at once, which costs less than one by one."""
        self._write(attributes=as_dict(attributes))

    @guarded
    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Something that happened now."""
        self._add_now(text(name), as_dict(attributes))

    @guarded
    def add_link(self, target: Span | Mapping[str, str], attributes: Mapping[str, Any] | None = None) -> None:
        """A pointer to another span: the span itself, or headers that `tv.inject` filled."""
        if isinstance(target, Span):
            ids: tuple[bytes, bytes] | None = (target.trace_id, target.span_id) if target.span_id else None
        else:
            found = find_remote(target)
            ids = None if found is None else (found.trace_id, found.span_id)
        if ids is not None:
            self._write(links=(Link(*ids, as_dict(attributes)),))

    @guarded
    def add_evaluation(
        self,
        *,
        item_id: Any,
        item: Any = None,
        filters: Any = None,
        qualified: bool | None = None,
        reasoning: str | None = None,
    ) -> None:
        """An item that was tested: `filters` is a list of `{"name", "passed", "detail"}`; `qualified` if it is kept."""
        self._write_event(
            EVALUATION_EVENT, item_id=item_id, item=item, filters=filters, qualified=qualified, reasoning=reasoning
        )

    @guarded
    def add_candidate(
        self,
        *,
        item_id: Any,
        score: float | None = None,
        rank: int | None = None,
        item: Any = None,
        reasoning: str | None = None,
    ) -> None:
        """An item that was ranked; rank 1 is the best."""
        self._write_event(CANDIDATE_EVENT, item_id=item_id, score=score, rank=rank, item=item, reasoning=reasoning)

    # How it went

    @guarded
    def set_status(self, status: Literal["ok", "error"] | Status, message: str | None = None) -> None:
        """How the span went; it keeps that when it ends."""
        self._status = _STATUSES[status.lower()] if isinstance(status, str) else Status(status)
        self._write(status=self._status, status_message=None if message is None else text(message))

    @guarded
    def set_error(self, error: BaseException | str) -> None:
        """The span failed: by an exception, which is recorded, or for a reason in words."""
        self._status = Status.ERROR
        if isinstance(error, BaseException):
            event = exception_event(error, self._now_ns(), escaped=False)
            self._write(status=Status.ERROR, status_message=message_of(error), events=(event,))
        else:
            self._write(status=Status.ERROR, status_message=text(error))

    @guarded
    def record_exception(self, error: BaseException, attributes: Mapping[str, Any] | None = None) -> None:
        """An exception that was met and dealt with: an event; the status stays."""
        self._write(events=(exception_event(error, self._now_ns(), escaped=False, attributes=as_dict(attributes)),))

    @guarded
    def update_trace(
        self,
        *,
        name: str | None = None,
        session: str | None = None,
        user: str | None = None,
        project: str | None = None,
        tags: Any = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Says more of the whole trace; what is left out stays."""
        self._write(trace=trace_info(name, session, user, project, tags, metadata))

    # Writing

    def _now_ns(self) -> int:
        if self._details is not None:
            self.start()
        return steady_ns() + (anchor_ns() if self._anchor is None else self._anchor)

    def _write(self, **said: Any) -> None:
        if self._details is not None:
            self.start()
        if not self._silent:
            self._put(writing.whole(SpanPart(self.trace_id, self.span_id, **said)))

    def _put(self, record: bytes) -> None:
        if not self._silent and not recorder.keep(record):
            self._note_loss()

    def _write_event(self, event: str, **said: Any) -> None:
        self._add_now(event, {key: value for key, value in said.items() if value is not None})

    def _add_now(self, event: str, attributes: dict[str, Any]) -> None:
        self._write(events=(Event(self._now_ns(), event, attributes),))

    def _leave(self) -> None:
        """Makes the span that was current before current again."""
        token, self._token = self._token, None
        if token is None:
            return
        outer = token.old_value if isinstance(token.old_value, Span) else None
        if current.get() is not self:
            # Out of order, as a generator is that was closed inside another span: that one will come back to us.
            self._skip_to = (outer,)
        _reset(token, outer)
        while outer is not None and outer._skip_to is not None:
            (outer,) = outer._skip_to
            current.set(outer)

    def _end_by(self, error: BaseException) -> None:
        if self._ended:
            return
        self._ended = True
        now_ns = self._now_ns()
        ending = judge(error, now_ns)
        if ending.status is Status.ERROR:
            self._status = Status.ERROR
        self._write(
            end_ns=now_ns,
            status=self._status or ending.status,
            status_message=ending.message,
            attributes=ending.attributes,
            events=ending.events,
        )

    def _note_loss(self) -> None:
        if not self._lost:
            self._lost = True
            recorder.note_dropped()


class RemoteSpan(Span):
    """A span of another process or thread, known by its ids: spans under it become its children; it never ends here."""

    __slots__ = ()

    def __init__(self, trace_id: bytes, span_id: bytes, *, left_out: bool = False) -> None:
        super().__init__("remote")
        self.trace_id, self.span_id = trace_id, span_id
        self._left_out = self._silent = left_out
        self._details = None
        self._ended = True

    @classmethod
    def in_headers(cls, carrier: Mapping[str, str]) -> Self | None:
        """The span that `tv.inject` wrote there, or any other tracer that speaks W3C; None where there is none."""
        found = find_remote(carrier)
        return None if found is None else cls(found.trace_id, found.span_id, left_out=found.left_out)


NO_PARENT: Final = RemoteSpan(b"", b"")
"""The parent of a span that shall begin a trace of its own, wherever it is opened."""


inherited_parent: Final[Span | None] = RemoteSpan.in_headers(os.environ)
"""The span of the process that started this one, if that put TRACEPARENT into our environment."""


def _reset(token: Token[Span | None], outer: Span | None) -> None:
    try:
        current.reset(token)
    except (ValueError, RuntimeError):
        # Entered in another context: a copy of it runs us, or the event loop closes an async generator.
        current.set(outer)
