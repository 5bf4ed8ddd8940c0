"""W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1): `traceparent` and our word in `tracestate`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_PATTERN: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LEFT_OUT: Final = "traceview=left-out"


class Remote(msgspec.Struct, frozen=True):
    """A span of elsewhere: its ids, and whether head sampling left its trace out there."""

    trace_id: bytes
    span_id: bytes
    left_out: bool = False


def write_traceparent(trace_id: bytes, span_id: bytes, *, left_out: bool = False) -> str:
    """The header `traceparent` for a span; its sampled flag is set unless the trace is left out."""
    return f"00-{trace_id.hex()}-{span_id.hex()}-{'00' if left_out else '01'}"


def write_tracestate(before: str | None) -> str:
    """The header `tracestate` that says that a trace is left out, before what others said in it.

    The sampled flag alone can't say it: gateways clear it for reasons of their own, and their traces are wanted here.
    """
    others = [word for word in (before or "").split(",") if word.strip() and not word.strip().startswith("traceview=")]
    return ",".join([_LEFT_OUT, *others[:31]])


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


def find_remote(carrier: Mapping[str, str]) -> Remote | None:
    """The span in headers or in an environment, where names count in any case; None where there is none."""
    ids = read_traceparent(_named("traceparent", carrier))
    if ids is None:
        return None
    state = _named("tracestate", carrier)
    words = state.split(",") if isinstance(state, str) else []
    return Remote(*ids, left_out=any(word.strip() == _LEFT_OUT for word in words))


def _named(name: str, carrier: Mapping[str, str]) -> object:
    return next((carrier[key] for key in carrier if isinstance(key, str) and key.lower() == name), None)
