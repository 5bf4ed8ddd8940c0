"""Sampling: which traces a ratio keeps, decided by the trace id alone, and how what was left out is told."""

from __future__ import annotations

from typing import Final

import msgspec

# The key of a trace's metadata that names the rule by which the trace's other spans were left out.
SAMPLED_OUT_KEY: Final = "traceview.sampled_out"

_RANDOM_BYTES: Final = 7
_RANGE: Final = 1 << 8 * _RANDOM_BYTES


class SampledOut(msgspec.Struct, frozen=True):
    """How much a rule has left out of a store so far."""

    rule: str
    traces: int
    spans: int


def keeps(trace_id: bytes, ratio: float) -> bool:
    """Whether a ratio from 0 to 1 keeps the trace.

    The last 7 bytes of a trace id are random; the trace is kept if they are, as a number, at least
    (1 - ratio) * 2**56. So every process comes to the same answer, and what a ratio keeps every higher one keeps too:
    https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
    """
    return int.from_bytes(trace_id[-_RANDOM_BYTES:], "big") >= round((1 - ratio) * _RANGE)
