"""The span that the inspectors show: its row, its payload, what the payload means, and where it stands in its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from traceview.analysis.moments import OPENS_AGENT_STEP
from traceview.app.inspectors.judgements import Candidate, Evaluation, read_candidates, read_evaluations
from traceview.app.state.open_run import OpenRun
from traceview.conventions import present
from traceview.conventions.presented import Message, Presented
from traceview.protocol.records import (
    CANDIDATE_EVENT,
    EVALUATION_EVENT,
    Event,
    SpanPayload,
    SpanRow,
    Status,
    hex_id,
)

_STEP_MARKS = bytes(1 if marks & OPENS_AGENT_STEP else 0 for marks in range(256))


@dataclass(frozen=True, slots=True)
class Subject:
    """One span as of now. `run_start_ns` is where its events' times are counted from."""

    trace_id: bytes
    run_start_ns: int
    row: SpanRow
    payload: SpanPayload
    presented: Presented
    evaluations: tuple[Evaluation, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation: what went in, then what came out."""
        return self.presented.messages_in + self.presented.messages_out

    @property
    def failed(self) -> bool:
        """Whether the span ended in an error."""
        return self.row.status is Status.ERROR

    def events(self, name: str) -> tuple[Event, ...]:
        """The span's events of one name."""
        return tuple(event for event in self.payload.events if event.name == name)

    def document(self) -> dict[str, Any]:
        """Everything known of the span, by the names that `traceview show --json` uses."""
        row, payload = self.row, self.payload
        return {
            "trace_id": self.trace_id.hex(),
            "span_id": row.span_id.hex(),
            "parent_span_id": hex_id(row.parent_id),
            "name": row.name,
            "kind": row.kind,
            "status": row.status.word,
            "status_message": row.status_message,
            "start_ns": row.start_ns,
            "end_ns": row.end_ns,
            "model": row.model,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "cache_read_tokens": row.cache_read_tokens,
            "cache_write_tokens": row.cache_write_tokens,
            "reasoning_tokens": row.reasoning_tokens,
            "cost_usd": row.cost_usd,
            "input": payload.input,
            "output": payload.output,
            "reasoning": payload.reasoning,
            "attributes": payload.attributes,
            "events": [{"time_ns": e.time_ns, "name": e.name, "attributes": e.attributes} for e in payload.events],
            "links": [
                {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "attributes": link.attributes}
                for link in payload.links
            ],
            "resource": payload.resource,
        }


def make_subject(trace_id: bytes, run_start_ns: int, row: SpanRow, payload: SpanPayload) -> Subject:
    """Understands a payload: for the jobs' thread, since it may be large."""
    events = payload.events
    return Subject(
        trace_id=trace_id,
        run_start_ns=run_start_ns,
        row=row,
        payload=payload,
        presented=present(row.kind, payload),
        evaluations=read_evaluations(event for event in events if event.name == EVALUATION_EVENT),
        candidates=read_candidates(event for event in events if event.name == CANDIDATE_EVENT),
    )


def step_of(run: OpenRun, span_id: bytes) -> tuple[int, int] | None:
    """Which agent step a span is and of how many; None for spans that are none. 2 ms in a run of a million spans."""
    place = run.tree.index.get(span_id)
    if place is None:
        return None
    marks, opened = run.moments.marks, run.moments.opened[place]
    if not marks[opened] & OPENS_AGENT_STEP:
        return None
    steps = marks.translate(_STEP_MARKS)
    return steps.count(1, 0, opened + 1), steps.count(1)
