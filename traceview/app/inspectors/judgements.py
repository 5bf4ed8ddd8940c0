"""What a program said of items it filtered and ranked (add_evaluation, add_candidate), read tolerantly. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from traceview.app.models.json_values import scalar_text
from traceview.conventions.values import number_of
from traceview.protocol.records import Event

# Which entry of an item is its name.
_TITLES: Final = ("title", "name", "label", "headline", "text", "content", "url")
_MAX_FILTERS: Final = 200


@dataclass(frozen=True, slots=True)
class FilterResult:
    """One filter's verdict on an item; `passed` is None where it wasn't said."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One item, the filters it went through, and whether it was kept."""

    item_id: str
    title: str
    filters: tuple[FilterResult, ...]
    qualified: bool | None
    reasoning: str

    @property
    def verdict(self) -> str:
        """`qualified`, `removed`, or "" where it wasn't said."""
        return "" if self.qualified is None else "qualified" if self.qualified else "removed"

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the filters that it didn't pass."""
        return tuple(result.name for result in self.filters if result.passed is False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ranked item. `scores` are further numbers that the item carries, by name."""

    item_id: str
    title: str
    rank: int | None
    score: float | None
    reasoning: str
    scores: tuple[tuple[str, float], ...]


def read_evaluations(events: Iterable[Event]) -> tuple[Evaluation, ...]:
    """The evaluations, those that qualified first, else in the order recorded."""
    found = [_evaluation(event.attributes) for event in events]
    return tuple(sorted(found, key=lambda evaluation: evaluation.qualified is not True))


def read_candidates(events: Iterable[Event]) -> tuple[Candidate, ...]:
    """The candidates by rank; those without a rank by falling score, after the ranked ones."""
    found = [_candidate(event.attributes) for event in events]
    return tuple(sorted(found, key=_place))


def filter_names(evaluations: Iterable[Evaluation]) -> tuple[str, ...]:
    """The names of all filters, in the order in which they appear."""
    return tuple(dict.fromkeys(result.name for evaluation in evaluations for result in evaluation.filters))


def removed_by(evaluations: Iterable[Evaluation]) -> list[tuple[str, int]]:
    """How many items each filter removed, most first."""
    return Counter(name for evaluation in evaluations for name in evaluation.failed).most_common()


def _evaluation(attributes: dict[str, Any]) -> Evaluation:
    filters = attributes.get("filters")
    results = filters[:_MAX_FILTERS] if isinstance(filters, list | tuple) else []
    qualified = attributes.get("qualified")
    return Evaluation(
        item_id=_text(attributes.get("item_id")),
        title=_title(attributes.get("item")),
        filters=tuple(_filter(result, place) for place, result in enumerate(results, 1)),
        qualified=qualified if isinstance(qualified, bool) else None,
        reasoning=_text(attributes.get("reasoning")),
    )


def _filter(value: Any, place: int) -> FilterResult:
    if not isinstance(value, dict):
        return FilterResult(_text(value) or f"filter {place}", None, "")
    passed = value.get("passed")
    name = _text(value.get("name")) or f"filter {place}"
    return FilterResult(name[:200], passed if isinstance(passed, bool) else None, _text(value.get("detail")))


def _candidate(attributes: dict[str, Any]) -> Candidate:
    rank = number_of(attributes.get("rank"))
    item = attributes.get("item")
    return Candidate(
        item_id=_text(attributes.get("item_id")),
        title=_title(item),
        rank=None if rank is None else int(rank),
        score=number_of(attributes.get("score")),
        reasoning=_text(attributes.get("reasoning")),
        scores=_scores(item),
    )


def _scores(item: Any) -> tuple[tuple[str, float], ...]:
    if not isinstance(item, dict):
        return ()
    numbers = ((str(key)[:60], value) for key, value in item.items() if isinstance(value, int | float))
    found = [(key, number) for key, value in numbers if (number := number_of(value)) is not None and 0 <= number <= 1]
    return tuple(found[:8])


def _place(candidate: Candidate) -> tuple[float, float]:
    rank = float("inf") if candidate.rank is None else candidate.rank
    return rank, 0.0 if candidate.score is None else -candidate.score


def _title(item: Any) -> str:
    if isinstance(item, dict):
        found = next((item[key] for key in _TITLES if isinstance(item.get(key), str) and item[key]), "")
        return str(found)[:1_000]
    return _text(item)[:1_000]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else scalar_text(value) if not isinstance(value, dict | list) else ""
