"""Runs to look at and to test with: a support agent with everything in it, and trees of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from traceview.analysis.anomalies import find_anomalies
from traceview.analysis.moments import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.state.open_run import OpenRun, Source
from traceview.protocol.records import EventRow, SpanRow, Status, TraceSummary

START_NS = 1_790_000_000_000_000_000
LIVE = Source(Path("store.sqlite"), "Live", live=True)
FILE = Source(Path("opened.sqlite"), "opened.traceview", live=False)


def span_id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def make_row(
    number: int,
    parent: int | None,
    start: int,
    end: int | None,
    *,
    name: str = "",
    kind: str = "tool",
    status: Status = Status.OK,
    message: str | None = None,
    detail: str | None = None,
    tokens: tuple[int, int] | None = None,
    events: int = 0,
    base_ns: int = START_NS,
) -> SpanRow:
    """One span; times in ns since the run's start."""
    return SpanRow(
        span_id=span_id(number),
        parent_id=None if parent is None else span_id(parent),
        name=name or f"span {number}",
        kind=kind,
        status=Status.RUNNING if end is None else status,
        status_message=message,
        start_ns=base_ns + start,
        end_ns=None if end is None else base_ns + end,
        model=None,
        input_tokens=tokens[0] if tokens else None,
        output_tokens=tokens[1] if tokens else None,
        cache_read_tokens=None,
        cache_write_tokens=None,
        reasoning_tokens=None,
        cost_usd=None,
        detail=detail,
        event_count=events,
        change=number,
    )


def make_run(
    rows: Iterable[SpanRow],
    events: Sequence[EventRow] = (),
    *,
    source: Source = FILE,
    now_ns: int | None = None,
    trace_id: bytes = b"t" * 16,
) -> OpenRun:
    """The run of these spans, as the app's reader makes it."""
    tree = build_tree(rows)
    start = min((row.start_ns for row in tree.rows), default=START_NS)
    newest = max((row.end_ns or row.start_ns for row in tree.rows), default=start)
    running = sum(row.status is Status.RUNNING for row in tree.rows)
    summary = TraceSummary(
        trace_id=trace_id,
        name=tree.rows[0].name if len(tree) else "empty",
        status=Status.RUNNING if running else Status.OK,
        start_ns=start,
        end_ns=None if running else newest,
        spans=len(tree),
        errors=sum(row.status is Status.ERROR for row in tree.rows),
        running=running,
        llm_calls=0,
        session=None,
        user=None,
        project=None,
        tags=(),
        metadata={},
        models=(),
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        preview=None,
        dropped=0,
        change=1,
    )
    events = tuple(sorted(events, key=lambda event: event.time_ns))
    moments, now = find_moments(tree, events), max(now_ns or 0, newest)
    return OpenRun(source, summary, tree, events, moments, start, now, find_anomalies(tree))


@dataclass
class _Story:
    """Writes spans down one after another, times in ms."""

    rows: list[SpanRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)

    def add(
        self,
        parent: int | None,
        name: str,
        kind: str,
        start: int,
        took: int | None,
        detail: str | None = None,
        tokens: tuple[int, int] | None = None,
        events: Sequence[int] = (),
        status: Status = Status.OK,
        message: str | None = None,
    ) -> int:
        number = len(self.rows) + 1
        self.rows.append(
            make_row(
                number,
                parent,
                start * 1_000_000,
                None if took is None else (start + took) * 1_000_000,
                name=name,
                kind=kind,
                status=status,
                message=message,
                detail=detail,
                tokens=tokens,
                events=len(events),
            )
        )
        self.events += [EventRow(span_id(number), START_NS + at * 1_000_000, "traceview.log") for at in events]
        return number


def support_agent(*, live: bool = True) -> OpenRun:
    """A support agent that tracks a parcel, reads policies, asks a human and answers: 34 spans in 27.84 s."""
    story = _Story()
    add = story.add
    root = add(None, "support-agent", "agent", 0, None if live else 27_840)
    add(root, "guard.input", "guardrail", 0, 40)
    add(root, "memory.load", "retriever", 40, 40, "3 records")
    add(root, "plan", "llm", 80, 1_840, "gpt-4o", (2_000, 100), [900])
    gather = add(root, "gather", "chain", 1_970, 4_950, "4 in parallel")
    add(gather, "orders.get", "tool", 1_970, 750)
    track = add(gather, "carrier.track", "tool", 1_970, 3_020, "2 attempts", events=[3_450])
    message = "504 timeout"
    add(track, "GET /v2/shipments", "tool", 1_970, 1_500, None, None, [3_460], Status.ERROR, message)
    add(track, "backoff", "other", 3_470, 500, "attempt 2 of 3")
    add(track, "GET /v2/shipments", "tool", 3_970, 1_000, "200")
    search = add(gather, "policy.search", "retriever", 1_970, 3_450, "40 → 4")
    add(search, "embed query", "embedding", 1_970, 160, "3-small", (38, 0))
    add(search, "vector search", "retriever", 2_130, 780, "k=40")
    add(search, "bm25", "retriever", 2_910, 100, "k=40")
    add(search, "rerank", "reranker", 3_010, 1_280, "bge-v2-m3")
    add(search, "filter.policies", "chain", 4_300, 1_080, "12 → 4", events=[4_500, 4_600, 4_700])
    research = add(gather, "research-agent", "agent", 1_990, 4_880)
    add(research, "choose sources", "llm", 1_990, 1_600, "gpt-4o-mini", (1_200, 100))
    add(research, "web.fetch", "tool", 3_600, 780, "carrier.example")
    add(research, "web.fetch", "tool", 3_600, 1_580, "status.example", events=[4_100])
    add(research, "summarise", "llm", 5_200, 1_610, "gpt-4o-mini", (3_600, 200))
    for i in range(3):
        add(gather, "log.flush", "other", 6_880 + 10 * i, 4)
    add(root, "draft decision", "llm", 6_930, 2_180, "gpt-4o", (6_512, 388), [7_632])
    add(root, "policy check", "evaluator", 9_110, 70, "4 of 4")
    add(root, "approval.request", "tool", 9_180, 70, "human", events=[9_230])
    add(root, "refunds.create", "tool", 21_310, 940, "$64.90")
    update = add(root, "memory.update", "chain", 22_250, 70)
    for i in range(3):
        add(update, "memory.write", "tool", 22_255 + 20 * i, 15)
    add(root, "render prompt", "prompt", 22_330, 15, "reply.v7")
    add(root, "answer", "llm", 22_400, None if live else 5_440, "gpt-4o", (7_000, 200), [23_100])
    return make_run(story.rows, story.events, source=LIVE if live else FILE, now_ns=START_NS + 27_840_000_000)


def loops(count: int, *, live: bool = False, errors: int = 7) -> OpenRun:
    """An agent of `count` spans that loops: steps of a plan, three tools and an answer, every so many failing."""
    kinds = ("llm", "tool", "retriever", "tool", "llm")
    rows = [make_row(0, None, 0, None if live else count * 1_200_000, name="agent", kind="agent")]
    clock = 100_000
    while len(rows) < count:
        step = len(rows)
        begin = clock
        rows.append(make_row(step, 0, begin, begin + 1))
        for i, kind in enumerate(kinds[: count - len(rows)]):
            number = len(rows)
            took = 200_000 + (number * 7_919) % 1_500_000
            failed = Status.ERROR if number % (97 * errors) == 0 else Status.OK
            name = f"{kind} {number}"
            detail = ("gpt-4o", "200", "k=40", "404 not found", "gpt-4o-mini")[i]
            rows.append(make_row(number, step, clock, clock + took, name=name, kind=kind, status=failed, detail=detail))
            clock += took + 20_000
        rows[step] = make_row(step, 0, begin, clock, name=f"step {step}", kind="chain")
        clock += 50_000
    rows[0] = make_row(0, None, 0, None if live else clock, name="agent", kind="agent")
    return make_run(rows, source=LIVE if live else FILE, now_ns=START_NS + clock)
