"""What attributes state is read the same whatever their order, their number, and the spans that were read before."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.conventions.stated import COST_KEYS, MODEL_KEYS, PROVIDER_KEYS, TOKEN_KEYS, stated_by
from traceview.conventions.values import count_of, money_of, text_of

SESSION = ("session.id", "gen_ai.conversation.id")
USER = ("user.id", "enduser.id")
SHARES = ("llm.cost.prompt", "llm.cost.completion")
KEYS = (*MODEL_KEYS, *PROVIDER_KEYS, *sum(TOKEN_KEYS.values(), ()), *COST_KEYS, *SHARES, *SESSION, *USER)

readable = st.integers(0, 9) | st.sampled_from(["gpt-4o", "OpenAI", "unknown", "7", " 0.5 ", 1.5])
unreadable = st.sampled_from(["", "  ", -1, True, None, math.nan, math.inf, 10**30, b"5", [1], {"a": 1}])
value = readable | unreadable | st.floats() | st.text(max_size=4)
keys = st.lists(
    st.sampled_from(KEYS) | st.text(max_size=4) | st.sampled_from(["gen_ai.", "llm.cost", "LLM.MODEL_NAME"]),
    unique=True,
    max_size=12,
)


def plainly(attributes: dict[str, Any]) -> dict[str, Any]:
    """The rules as they are told: of each field's attributes, in their order, the first whose value can be read."""

    def first(reading: Callable[[Any], Any], names: tuple[str, ...]) -> Any:
        found = [reading(attributes[name]) for name in names if name in attributes]
        return next((one for one in found if one is not None), None)

    model, provider, total = first(text_of, MODEL_KEYS), first(text_of, PROVIDER_KEYS), first(money_of, COST_KEYS)
    shares = [one for share in SHARES if (one := money_of(attributes.get(share))) is not None]
    found = {
        "model": None if model == "unknown" else model,
        "provider": provider and provider.lower(),
        "cost_usd": sum(shares) if total is None and shares else total,
        "session": first(text_of, SESSION),
        "user": first(text_of, USER),
        **{field: first(count_of, names) for field, names in TOKEN_KEYS.items()},
    }
    return {field: one for field, one in found.items() if one is not None}


def read(attributes: dict[str, Any]) -> dict[str, Any]:
    return {field: one for field, one in stated_by(attributes).items() if field not in ("prompt_usd", "completion_usd")}


@given(
    names=keys,
    values=st.lists(st.lists(value, min_size=12, max_size=12), min_size=2, max_size=3),
    more=st.integers(0, 300),
)
def test_spans_with_the_same_keys_are_each_read_by_their_own_values(
    names: list[str], values: list[list[Any]], more: int
) -> None:
    others = {f"app.attribute.{number}": number for number in range(more)}
    for row in values:
        attributes = dict(zip(names, row, strict=False))
        assert read(attributes) == plainly(attributes)
        assert read({**others, **attributes}) == plainly(attributes)
        assert read(dict(reversed(attributes.items()))) == plainly(attributes)


@pytest.mark.parametrize("field", TOKEN_KEYS)
def test_the_first_attribute_that_can_be_read_counts(field: str) -> None:
    names = TOKEN_KEYS[field]
    for place, name in enumerate(names):
        attributes = {**dict.fromkeys(names[:place], "many"), name: place, **dict.fromkeys(names[place + 1 :], 99)}
        assert stated_by(attributes) == {field: place}


def test_a_total_counts_before_the_sum_of_prompt_and_completion() -> None:
    shares = {"llm.cost.prompt": 0.5, "llm.cost.completion": "0.25"}
    assert stated_by(shares)["cost_usd"] == 0.75
    assert stated_by({**shares, "llm.cost.prompt": -1})["cost_usd"] == 0.25
    assert stated_by({**shares, "gen_ai.usage.cost": 2})["cost_usd"] == 2
    assert stated_by({**shares, "gen_ai.usage.cost": "dear", "traceview.cost_usd": 0})["cost_usd"] == 0


def test_a_model_without_a_name_is_none_although_a_lesser_attribute_has_one() -> None:
    assert stated_by({"llm.model_name": "m", "gen_ai.response.model": "unknown"}) == {}


def test_keys_that_a_program_makes_up_are_not_kept() -> None:
    made_up = "k" * 100_000
    before = sys.getrefcount(made_up)
    assert stated_by({made_up: 1, "llm.model_name": "m"}) == {"model": "m"}
    assert sys.getrefcount(made_up) == before
