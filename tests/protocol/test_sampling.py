"""The ratio: one formula that every process follows, so that no trace is torn apart."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.sampling import keeps

IDS = st.binary(min_size=16, max_size=16)
RATIOS = st.floats(0, 1)


@given(IDS)
def test_all_and_nothing(trace_id: bytes) -> None:
    assert keeps(trace_id, 1)
    assert not keeps(trace_id, 0)


@given(IDS, RATIOS, RATIOS)
def test_what_a_ratio_keeps_every_higher_one_keeps_too(trace_id: bytes, one: float, other: float) -> None:
    assert keeps(trace_id, min(one, other)) <= keeps(trace_id, max(one, other))


@given(st.binary(min_size=9, max_size=9), IDS, RATIOS)
def test_only_the_random_part_of_the_id_counts(head: bytes, trace_id: bytes, ratio: float) -> None:
    assert keeps(head + trace_id[-7:], ratio) == keeps(trace_id, ratio)


@pytest.mark.parametrize(
    ("tail", "ratio", "kept"),
    [
        ("80000000000000", 0.5, True),
        ("7fffffffffffff", 0.5, False),
        ("e6666666666668", 0.1, True),  # (1 - 0.1) * 2**56 in double precision
        ("e6666666666667", 0.1, False),
        ("ffffffffffffff", 1e-16, True),
        ("00000000000000", 1.0, True),
    ],
)
def test_the_threshold_is_opentelemetrys(tail: str, ratio: float, kept: bool) -> None:
    """Rejection thresholds of https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/"""
    assert keeps(bytes.fromhex("00" * 9 + tail), ratio) is kept


def test_random_ids_are_kept_in_proportion() -> None:
    ids = [hashlib.sha256(str(number).encode()).digest()[:16] for number in range(20_000)]
    for ratio in (0.01, 0.1, 0.5, 0.9):
        assert sum(keeps(each, ratio) for each in ids) / len(ids) == pytest.approx(ratio, abs=0.01)
