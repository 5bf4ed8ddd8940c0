"""What of a program's values is recorded: no inputs, no outputs, no secrets, nothing longer than wished, if so set."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from traceview.protocol.records import Event, SpanPart
from traceview.protocol.wire import decode_part
from traceview.redaction import DEFAULT_RULES, Redactor, RuleError, without_values
from traceview.sdk.cutting import Cutter
from traceview.sdk.guard import report, say_once
from traceview.sdk.settings import Settings
from traceview.sdk.snapshot import encode_part

CUT_PREFIX: Final = "traceview.cut."


class Shaping:
    """Applied to every part before it is encoded."""

    def __init__(self, settings: Settings) -> None:
        self._inputs, self._outputs = settings.record_inputs, settings.record_outputs
        self._cutter = None if settings.max_value_bytes is None else Cutter(settings.max_value_bytes)
        self._redactor = _redactor(settings.redact)

    def __call__(self, part: SpanPart) -> SpanPart:
        """The part as it may be recorded. Should we fail at one, its values are given up, not its secrets."""
        try:
            part = self._without_hidden(part)
            if self._redactor is None and self._cutter is None:
                return part
            # As the daemon will read it: only plain values can be searched and cut.
            part = decode_part(encode_part(part))
            if self._redactor is not None:
                part = self._redactor.part(part)
            return part if self._cutter is None else _cut(part, self._cutter)
        except Exception as error:
            report("shaping", error)
            return without_values(part)

    def _without_hidden(self, part: SpanPart) -> SpanPart:
        hidden: dict[str, None] = {}
        if not self._inputs and part.input is not None:
            hidden["input"] = None
        if not self._outputs and part.output is not None:
            hidden["output"] = None
        return msgspec.structs.replace(part, **hidden) if hidden else part


def _redactor(wish: bool | dict[str, str]) -> Redactor | None:
    if wish is False:
        return None
    rules = DEFAULT_RULES
    for name, pattern in ({} if wish is True else wish).items():
        try:
            rules = rules.with_patterns({name: pattern})
        except RuleError as error:
            say_once(f"redact:{name}", "tv.configure(redact=…): %s; it is ignored", error)
    return Redactor(rules)


def _cut(part: SpanPart, cutter: Cutter) -> SpanPart:
    """The part with its long values cut; the attribute `traceview.cut.<what>` has the size of each before, in bytes."""
    sizes: dict[str, int] = {}

    def short(what: str, value: Any) -> Any:
        kept, size = cutter.cut(value)
        if kept is not value:
            sizes[CUT_PREFIX + what] = size
        return kept

    said: dict[str, Any] = {name: short(name, getattr(part, name)) for name in ("input", "output", "reasoning")}
    said["attributes"] = {key: short(key, value) for key, value in part.attributes.items()}
    said["events"] = tuple(
        Event(event.time_ns, event.name, {key: short(f"{event.name}.{key}", v) for key, v in event.attributes.items()})
        for event in part.events
    )
    if not sizes:
        return part
    said["attributes"] |= sizes
    return msgspec.structs.replace(part, **said)
