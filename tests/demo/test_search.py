"""The demo really searches: the policy on lost parcels comes first, by vector, by words and after the rerank."""

from __future__ import annotations

import math

from traceview.demo import search
from traceview.demo.world import POLICIES, price


def test_words_are_lower_case_and_singular() -> None:
    assert search.words("Lost PARCELS, no scans!") == ["lost", "parcel", "scan"]


def test_an_embedding_has_length_one_and_an_empty_text_none() -> None:
    assert math.isclose(sum(x * x for x in search.embed("lost parcel")), 1.0)
    assert not any(search.embed(""))


def test_lost_parcel_finds_the_lost_parcel_policies_first() -> None:
    near = search.by_vector(search.embed("lost parcel"), POLICIES, 12)
    exact = search.by_bm25("lost parcel", POLICIES, 8)
    ranked = search.rerank(near, exact)
    assert {policy.policy_id for policy, _, _ in ranked} == {policy.policy_id for policy in POLICIES}
    assert all("Lost parcel" in policy.title for policy, _, _ in ranked[:3])
    scores = [score for _, score, _ in ranked]
    assert scores == sorted(scores, reverse=True)


def test_cached_tokens_cost_half() -> None:
    assert math.isclose(price("gpt-4o", 6512, 4096, 388), 0.0060400 + 0.00512 + 0.00388)
