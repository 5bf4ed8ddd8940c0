"""The W3C Trace Context header `traceparent` (https://www.w3.org/TR/trace-context/, level 1): text to ids and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_PATTERN: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def write_traceparent(trace_id: bytes, span_id: bytes) -> str:
    """The header's value for a span. Everything is recorded here, so the sampled flag is always set."""
    return f"00-{trace_id.hex()}-{span_id.hex()}-01"


def read_traceparent(value: object) -> tuple[bytes, bytes] | None:
    """Trace id (16 bytes) and span id (8 bytes) of a header's value; None where it isn't valid."""
    found = _PATTERN.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        return None
    version, trace, span, _, more = found.groups()
    # Version ff is forbidden; version 00 ends after the flags, later ones may go on; ids of zeros are invalid.
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return None
    return bytes.fromhex(trace), bytes.fromhex(span)


def find_traceparent(carrier: Mapping[str, str]) -> tuple[bytes, bytes] | None:
    """The ids in headers or in an environment, where names count in any case; None where there are none."""
    for key in carrier:
        if isinstance(key, str) and key.lower() == "traceparent":
            return read_traceparent(carrier[key])
    return None
