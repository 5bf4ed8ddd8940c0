"""The figures of a model call: its name and settings, how fast it was, its tokens by type and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from traceview.analysis.figures import THIN, duration_text
from traceview.app.inspectors.subject import Subject
from traceview.conventions.values import count_of, money_of, number_of
from traceview.protocol.records import Event, Status

# How the dialects write the time to the first token, and how many ns one unit of it is.
_FIRST_TOKEN: Final = (
    ("ai.response.msToFirstChunk", 1_000_000),
    ("ai.stream.msToFirstChunk", 1_000_000),
    ("gen_ai.server.time_to_first_token", 1_000_000_000),
    ("gen_ai.client.operation.time_to_first_chunk", 1_000_000_000),
    ("gen_ai.response.time_to_first_chunk", 1_000_000_000),
)
# OpenInference's names of costs by type of token (spec/semantic_conventions.md, "llm.cost").
_COSTS: Final = {
    "cache_read": "llm.cost.prompt_details.cache_read",
    "cache_write": "llm.cost.prompt_details.cache_write",
    "input": "llm.cost.prompt_details.input",
    "reasoning": "llm.cost.completion_details.reasoning",
    "output": "llm.cost.completion_details.output",
}
_TOTALS: Final = ("llm.token_count.total", "gen_ai.usage.total_tokens", "llm.usage.total_tokens")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One type of token: `type` is cache_read, cache_write, input, reasoning or output."""

    type: str
    title: str
    count: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class LlmFigures:
    """What the card of a model call says; what is unknown is absent."""

    model: str
    caption: str
    finished: str
    figures: tuple[tuple[str, str], ...]
    rows: tuple[TokenRow, ...]
    total: int | None
    cost_usd: float | None
    doubt: str

    @property
    def known(self) -> bool:
        """Whether there is more to say than how long it took."""
        return bool(self.caption or self.rows or self.model)


def llm_figures(subject: Subject) -> LlmFigures:
    """The figures of a span that is, or might be, a model call."""
    row, presented = subject.row, subject.presented
    rows = token_rows(subject)
    total = sum(token.count for token in rows) if rows else None
    finish = presented.finish_reason
    return LlmFigures(
        model=row.model or presented.model or ("Model not recorded" if row.kind == "llm" else ""),
        caption=" · ".join(part for part in (presented.provider or "", _temperature(presented.settings)) if part),
        finished=f"finished: {finish}" if finish else "",
        figures=_figures(subject),
        rows=rows,
        total=total,
        cost_usd=row.cost_usd,
        doubt=_doubt(subject, total),
    )


def token_rows(subject: Subject) -> tuple[TokenRow, ...]:
    """Tokens by type, each counted once: cached ones are part of the input, reasoning is part of the output."""
    row = subject.row
    read, write, reasoning = row.cache_read_tokens or 0, row.cache_write_tokens or 0, row.reasoning_tokens or 0
    counts = {
        "cache_read": ("Cache read", read),
        "cache_write": ("Cache write", write),
        "input": ("Input", None if row.input_tokens is None else max(0, row.input_tokens - read - write)),
        "reasoning": ("Reasoning", reasoning),
        "output": ("Output", None if row.output_tokens is None else max(0, row.output_tokens - reasoning)),
    }
    costs = {name: money_of(subject.payload.attributes.get(key)) for name, key in _COSTS.items()}
    return tuple(
        TokenRow(name, title, count, costs[name])
        for name, (title, count) in counts.items()
        if count is not None and (count or name in ("input", "output"))
    )


def first_token_ns(subject: Subject) -> int | None:
    """How long after its start the first token came, where the span tells: by an attribute or by an event."""
    attributes = subject.payload.attributes
    for key, unit in _FIRST_TOKEN:
        number = number_of(attributes.get(key))
        if number is not None and number >= 0:
            return round(number * unit)
    for event in subject.payload.events:
        if _is_first_token(event):
            return max(0, event.time_ns - subject.row.start_ns)
    return None


def _is_first_token(event: Event) -> bool:
    name = event.name[:100].lower().replace("_", " ").replace(".", " ").replace("firstchunk", "first chunk")
    return "first token" in name or "first chunk" in name


def _figures(subject: Subject) -> tuple[tuple[str, str], ...]:
    row = subject.row
    first = first_token_ns(subject)
    found = []
    if row.end_ns is not None:
        found.append(("Duration", duration_text(row.end_ns - row.start_ns)))
    elif row.status is Status.RUNNING:
        found.append(("Duration", "running"))
    if first is not None:
        found.append(("First token", duration_text(first)))
    if row.end_ns is not None and row.output_tokens and row.kind == "llm":
        writing = row.end_ns - row.start_ns - (first or 0)
        if writing > 0:
            found.append(("Speed", f"{row.output_tokens * 1e9 / writing:,.0f}{THIN}tok/s"))
    return tuple(found)


def _temperature(settings: dict[str, Any]) -> str:
    value = number_of(settings.get("temperature"))
    return "" if value is None else f"temperature {value:g}"


def _doubt(subject: Subject, total: int | None) -> str:
    """What doesn't add up in the recorded counts."""
    row, attributes = subject.row, subject.payload.attributes
    cached = (row.cache_read_tokens or 0) + (row.cache_write_tokens or 0)
    if row.input_tokens is not None and cached > row.input_tokens:
        return f"{cached:,} cached tokens of {row.input_tokens:,} input tokens: they don't add up"
    if row.output_tokens is not None and (row.reasoning_tokens or 0) > row.output_tokens:
        return f"{row.reasoning_tokens:,} reasoning tokens of {row.output_tokens:,} output tokens: they don't add up"
    stated = next((count for key in _TOTALS if (count := count_of(attributes.get(key))) is not None), None)
    if stated is not None and total is not None and stated != total:
        return f"The call states {stated:,} tokens in all, its parts make {total:,}"
    return ""
