"""What can be set of the SDK: in the environment, or by `tv.configure`, which wins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from traceview.sdk import sampling, writing
from traceview.sdk.guard import report, say_once

_VARIABLE: Final = "TRACEVIEW_"
LEAST_VALUE_BYTES: Final = 256


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; see `configure`."""

    head_ratio: float = 1.0
    head_per_second: float | None = None
    record_inputs: bool = True
    record_outputs: bool = True
    max_value_bytes: int | None = None
    redact: bool | dict[str, str] = False


_ALLOWED: Final = {
    "head_ratio": "a number from 0 to 1",
    "head_per_second": "a number above 0",
    "record_inputs": "true or false",
    "record_outputs": "true or false",
    "max_value_bytes": f"a whole number from {LEAST_VALUE_BYTES}",
    "redact": "true, false, or a mapping of names to regular expressions",
}
_settings = Settings()


def configure(
    *,
    head_ratio: float | None = None,
    head_per_second: float | None = None,
    record_inputs: bool | None = None,
    record_outputs: bool | None = None,
    max_value_bytes: int | None = None,
    redact: bool | Mapping[str, str] | None = None,
) -> None:
    """Says what is recorded from now on. What is not given is as the environment says, else as by default: everything.

    Each has an environment variable of its name: `TRACEVIEW_HEAD_RATIO=0.1`, `TRACEVIEW_RECORD_INPUTS=0` …

    - `head_ratio`: the share of traces that is recorded, 0 to 1, decided by trace id when a trace begins (head
      sampling). Programs with the same ratio, and OpenTelemetry's consistent samplers, decide alike. A trace that is
      left out costs nothing more, and what it calls in other processes is left out too; the daemon is told how many
      were. To keep errors and slow traces
      whatever the ratio, sample at the daemon instead (`[sampling]` in config.toml).
    - `head_per_second`: at most so many traces per second begin to be recorded, unused ones saved for a second.
    - `record_inputs`, `record_outputs`: whether spans keep what they are given and what they give back.
    - `max_value_bytes`: longer values are cut, and the span's attribute `traceview.cut.<what>` has the size before.
    - `redact`: takes secrets out before anything leaves the process, as the daemon does by default before anything
      reaches the store; a mapping adds own patterns. Costs some 10 µs a span with `google-re2`, more without.

    A value that can't be is said once in the log `traceview`, and ignored. Never raises.
    """
    given = {
        "head_ratio": head_ratio,
        "head_per_second": head_per_second,
        "record_inputs": record_inputs,
        "record_outputs": record_outputs,
        "max_value_bytes": max_value_bytes,
        "redact": redact,
    }
    try:
        found = _from_environment()
        for name, value in given.items():
            if value is not None:
                found |= _checked(name, value, f"tv.configure({name}=…)")
        _apply(Settings(**found))
    except Exception as error:
        report("configure", error)


def configure_by_environment() -> None:
    """Takes over what the environment says, when the SDK is loaded."""
    if any(_VARIABLE + name.upper() in os.environ for name in _ALLOWED):
        configure()


def _apply(settings: Settings) -> None:
    global _settings
    if settings == _settings:
        return
    shape = None
    if msgspec.structs.replace(settings, head_ratio=1.0, head_per_second=None) != Settings():
        from traceview.sdk.shaping import Shaping

        shape = Shaping(settings)
    all_kept = settings.head_ratio >= 1 and settings.head_per_second is None
    head = None if all_kept else sampling.HeadSampling(settings.head_ratio, settings.head_per_second)
    writing.shape_by(shape)
    sampling.sample_by(head)
    _settings = settings


def _from_environment() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _ALLOWED:
        text = os.environ.get(_VARIABLE + name.upper(), "").strip()
        if text:
            found |= _checked(name, _read(name, text), _VARIABLE + name.upper())
    return found


def _read(name: str, text: str) -> Any:
    """The value that a text stands for; the text itself where it stands for none."""
    if name in ("record_inputs", "record_outputs", "redact"):
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    try:
        return int(text) if name == "max_value_bytes" else float(text)
    except ValueError:
        return text


def _checked(name: str, value: Any, place: str) -> dict[str, Any]:
    """The one setting, or nothing where the value can't be."""
    if _is_allowed(name, value):
        return {name: dict(value) if isinstance(value, Mapping) else value}
    say_once(f"settings:{place}", "%s is ignored: %r is not %s", place, value, _ALLOWED[name])
    return {}


def _is_allowed(name: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "head_ratio":
            return number and 0 <= value <= 1
        case "head_per_second":
            return number and 0 < value < float("inf")
        case "max_value_bytes":
            return isinstance(value, int) and number and value >= LEAST_VALUE_BYTES
        case "redact" if isinstance(value, Mapping):
            return all(isinstance(item, str) for pair in value.items() for item in pair)
    return isinstance(value, bool)
