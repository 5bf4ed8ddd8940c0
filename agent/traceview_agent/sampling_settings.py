"""What can be set of sampling: the section's settings, and what a rule may say."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from traceview_agent.durations import PATTERN

_A_DURATION: Final = 'a length of time such as "5s" or "200ms"'
Duration = Annotated[str, Meta(pattern=PATTERN)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Pattern = Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(title="text, where `*` stands for anything")]
KindName = Literal[
    "agent", "chain", "llm", "tool", "retriever", "reranker", "embedding", "guardrail", "evaluator", "prompt", "other"
]


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[sampling.rules]]`: conditions that must all hold, and how much of such traces to keep."""

    keep: Annotated[Ratio | None, Meta(title="a ratio from 0 to 1")] = None
    name: Pattern = None
    project: Pattern = None
    session: Pattern = None
    user: Pattern = None
    tag: Pattern = None
    model: Pattern = None
    kind: Annotated[KindName | None, Meta(title="a span kind such as llm or tool")] = None
    status: Annotated[Literal["ok", "error"] | None, Meta(title='"ok" or "error"')] = None
    cost_above: Annotated[Annotated[float, Meta(ge=0)] | None, Meta(title="a number of USD from 0")] = None
    tokens_above: Annotated[Annotated[int, Meta(ge=0)] | None, Meta(title="a number of tokens from 0")] = None
    slower_than: Annotated[Duration | None, Meta(title=_A_DURATION)] = None


class SamplingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces are kept once they have ended; all of them, unless something is set."""

    ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            title="a ratio from 0 to 1",
            description="How much is kept of what no rule decides. By the trace's id, so that all programs agree.",
        ),
    ] = 1.0
    traces_per_second: Annotated[
        Annotated[float, Meta(gt=0, le=1_000_000)] | None,
        Meta(
            title="a number above 0, at most 1000000",
            description="Of what `ratio` keeps, at most so many that started in the same second.",
        ),
    ] = None
    keep_errors: Annotated[
        bool,
        Meta(title="true or false", description="Keep every trace with a failed span, whatever else is set."),
    ] = True
    keep_slower_than: Annotated[
        Duration | None,
        Meta(title=_A_DURATION, description="Keep every trace that took longer, whatever else is set."),
    ] = None
    settle: Annotated[
        str,
        Meta(
            pattern=PATTERN,
            title=_A_DURATION,
            description="How long a trace that has ended must be quiet before it is decided on.",
        ),
    ] = "10s"
    rules: Annotated[
        list[dict[str, Any]],
        Meta(
            title="an array of tables",
            description="Your own: see Sampling below. In the environment: a JSON array of objects.",
        ),
    ] = msgspec.field(default_factory=list)
