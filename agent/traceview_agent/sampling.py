"""The sampling policy: says of a trace that has ended whether it is kept, and by which rule it is not.

The store asks about none that is running, was interrupted, or is pinned.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from traceview.protocol.records import TraceSummary
from traceview.protocol.sampling import keeps
from traceview.store import Verdict
from traceview_agent.durations import nanoseconds
from traceview_agent.sampling_settings import RuleSettings, SamplingSettings

_KEPT: Final = Verdict()
_SECOND_NS: Final = 10**9
_LONGEST_LABEL: Final = 200
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(RuleSettings)}
_CONDITIONS: Final = tuple(name for name in _FIELDS if name != "keep")


class RuleMistake(ValueError):
    """A rule that can't be used: the `number`th, by its `key` (None: as a whole); the message is one sentence."""

    def __init__(self, number: int, key: str | None, message: str) -> None:
        super().__init__(f"sampling.rules, rule {number}{message}")
        self.number, self.key = number, key


class Policy:
    """What the settings say. Raises RuleMistake for a rule that can't be used."""

    def __init__(self, settings: SamplingSettings) -> None:
        self._ratio, self._per_second = settings.ratio, settings.traces_per_second
        self._keep_errors = settings.keep_errors
        self._slow_ns = None if settings.keep_slower_than is None else nanoseconds(settings.keep_slower_than)
        self._rules = [_Rule.read(number, table) for number, table in enumerate(settings.rules, 1)]
        self.settle_s = nanoseconds(settings.settle) / _SECOND_NS
        self.leaves_something_out = (
            self._ratio < 1 or self._per_second is not None or any(rule.keep < 1 for rule in self._rules)
        )

    def judge(self, trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        """What becomes of a trace; of what came late, where `earlier` names the rule that left out what was before."""
        if self._is_always_kept(trace):
            return _KEPT
        if earlier is not None:
            return Verdict(earlier)
        for rule in self._rules:
            if rule.matches(trace, has_kind):
                return _KEPT if keeps(trace.trace_id, rule.keep) else Verdict(rule.label)
        if not keeps(trace.trace_id, self._ratio):
            return Verdict("ratio")
        return _KEPT if self._per_second is None else _limited(trace.start_ns, self._per_second)

    def _is_always_kept(self, trace: TraceSummary) -> bool:
        if self._keep_errors and trace.errors:
            return True
        return self._slow_ns is not None and (trace.duration_ns or 0) > self._slow_ns


def _limited(start_ns: int, per_second: float) -> Verdict:
    """By the second of its start, or the longer time in which one may come: a daemon that gets the traces of hours at
    once, from a spool, decides as one that was there."""
    name = "traces_per_second"
    if per_second < 1:
        return Verdict(name, int(start_ns / _SECOND_NS * per_second), 1)
    second = start_ns // _SECOND_NS
    # 2.5 a second are two in one, three in the next.
    return Verdict(name, second, math.floor((second + 1) * per_second) - math.floor(second * per_second))


@dataclass(frozen=True, slots=True)
class _Rule:
    said: RuleSettings
    keep: float
    label: str
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    slow_ns: int | None

    @classmethod
    def read(cls, number: int, table: Mapping[str, Any]) -> _Rule:
        """The rule that a table of the settings says. Raises RuleMistake."""
        values = {key: _value(number, key, value) for key, value in table.items()}
        said = RuleSettings(**values)
        if said.keep is None:
            raise RuleMistake(number, None, " says no keep: how much of such traces to keep, a ratio from 0 to 1")
        texts = ("name", "project", "session", "user", "tag", "model")
        patterns = tuple((key, _pattern(values[key])) for key in texts if key in values)
        slow_ns = None if said.slower_than is None else nanoseconds(said.slower_than)
        label = " ".join(f"{key}={table[key]}" for key in _CONDITIONS if key in table) or "everything"
        return cls(said, said.keep, label[:_LONGEST_LABEL], patterns, slow_ns)

    def matches(self, trace: TraceSummary, has_kind: Callable[[str], bool]) -> bool:
        """Whether all its conditions hold."""
        said = self.said
        if not all(any(map(pattern.fullmatch, _texts(trace, key))) for key, pattern in self.patterns):
            return False
        if said.status is not None and trace.status.word != said.status:
            return False
        if said.cost_above is not None and (trace.cost_usd or 0) <= said.cost_above:
            return False
        tokens = (trace.input_tokens or 0) + (trace.output_tokens or 0)
        if said.tokens_above is not None and tokens <= said.tokens_above:
            return False
        if self.slow_ns is not None and (trace.duration_ns or 0) <= self.slow_ns:
            return False
        return said.kind is None or has_kind(said.kind)


def _texts(trace: TraceSummary, key: str) -> Iterable[str]:
    if key == "tag":
        return trace.tags
    if key == "model":
        return trace.models
    text = getattr(trace, key)
    return () if text is None else (text,)


def _value(number: int, key: str, value: Any) -> Any:
    field = _FIELDS.get(key)
    if field is None:
        near = difflib.get_close_matches(key, _FIELDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_FIELDS)}"
        raise RuleMistake(number, key, f": {key} is no condition: {hint}")
    try:
        if value is not None:
            return msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        pass
    allowed = field.type.__metadata__[0].title
    shown = json.dumps(value, ensure_ascii=False, default=str)[:80]
    raise RuleMistake(number, key, f": {key} must be {allowed}, not {shown}") from None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
