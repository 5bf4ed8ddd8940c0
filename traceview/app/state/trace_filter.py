"""The filter line of the trace list: what one can type, and which traces it lets through.

    parcel "lost parcel" -draft          words and phrases anywhere in name, input, session, user, tags, project, model
    status:error  tag:beta  session:s-42 a field that equals the text; `*` stands for anything: user:u-*
    model:gpt-4o                         a model whose name contains the text
    text:refund  text:"lost parcel"      a word or phrase anywhere in what was recorded; text:refun* for beginnings
    duration > 2 s  tokens >= 10k        a figure; also cost, spans, errors, calls, dropped
    -status:ok                           a minus turns any term round

All terms must hold. Case doesn't matter. What looks like a mistyped field is told; in quotes it is text to look for.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from traceview.protocol.records import Status, TraceSummary

Test = Callable[[TraceSummary], bool]


class FilterError(ValueError):
    """The filter line is not understood; the message says which term and what is expected there."""


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What was typed, as tests that all must hold: `words` on the trace's text, `tests` on the trace.

    `texts` are looked for in all that was recorded, which takes the store: whoever has it says which traces have them.
    """

    words: tuple[tuple[str, bool], ...] = ()
    tests: tuple[Test, ...] = ()
    texts: tuple[tuple[str, bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.tests or self.texts)

    def matches(self, trace: TraceSummary) -> bool:
        """Whether the filter lets the trace through, `texts` aside."""
        if self.words:
            text = searchable(trace)
            if not all((word in text) is wanted for word, wanted in self.words):
                return False
        return all(test(trace) for test in self.tests)

    def both(self, other: TraceFilter) -> TraceFilter:
        """A filter that lets through what this one and the other do."""
        return TraceFilter(self.words + other.words, self.tests + other.tests, self.texts + other.texts)

    def in_everything(self) -> str:
        """The filter line that looks for the same words in all that was recorded; "" where it has other terms too."""
        if self.tests or self.texts:
            return ""
        words = [word.replace('"', " ").strip() for word, wanted in self.words if wanted]
        return " ".join(field_term("text", word) for word in words if any(map(str.isalnum, word)))


def searchable(trace: TraceSummary) -> str:
    """All text of a trace that plain words are looked for in, in lower case."""
    parts = (trace.name, trace.preview, trace.session, trace.user, trace.project, *trace.tags, *trace.models)
    return "\n".join(part for part in parts if part).casefold()


def tokens_of(trace: TraceSummary) -> int | None:
    """Input and output tokens of all LLM calls together; None where nothing is known."""
    if trace.input_tokens is None and trace.output_tokens is None:
        return None
    return (trace.input_tokens or 0) + (trace.output_tokens or 0)


def field_term(field: str, value: str) -> str:
    """The term that a click on a value adds: `tag:beta`, quoted where it must be."""
    return f'{field}:"{value}"' if re.search(r"[\s\"]", value) or not value else f"{field}:{value}"


def parse_filter(text: str) -> TraceFilter:
    """Reads the filter line; raises FilterError."""
    words: list[tuple[str, bool]] = []
    tests: list[Test] = []
    texts: list[tuple[str, bool]] = []
    place = 0
    while match := _TERM.match(text, place):
        place = match.end()
        wanted = not match["minus"]
        if match["figure"]:
            tests.append(_turned(_figure(match), wanted))
        elif match["field"]:
            field, value = match["field"].lower(), match["quoted"] if match["quoted"] is not None else match["value"]
            if field == "text":
                texts.append((_text(value or ""), wanted))
            else:
                tests.append(_turned(_field(field, value or ""), wanted))
        else:
            word = match["phrase"] if match["phrase"] is not None else match["word"]
            if match["word"]:
                _check_slip(text, match.start("word"))
            if word:
                words.append((word.casefold(), wanted))
    return TraceFilter(tuple(words), tuple(tests), tuple(texts))


_FIGURES: Final[dict[str, Callable[[TraceSummary], float | None]]] = {
    "duration": lambda trace: trace.duration_ns,
    "tokens": tokens_of,
    "cost": lambda trace: trace.cost_usd,
    "spans": lambda trace: trace.spans,
    "errors": lambda trace: trace.errors,
    "calls": lambda trace: trace.llm_calls,
    "dropped": lambda trace: trace.dropped,
}
_FIELDS: Final[dict[str, Callable[[TraceSummary], tuple[str, ...]]]] = {
    "name": lambda trace: (trace.name,),
    "session": lambda trace: (trace.session or "",),
    "user": lambda trace: (trace.user or "",),
    "project": lambda trace: (trace.project or "",),
    "tag": lambda trace: trace.tags,
    "model": lambda trace: trace.models,
    "id": lambda trace: (trace.trace_id.hex(),),
}
# The fields that a colon follows.
_NAMED: Final = ("status", "text", *_FIELDS)
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "≥": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "≤": operator.le,
    "=": operator.eq,
}
_TIME_UNITS: Final = {
    "ns": 1,
    "us": 1e3,
    "µs": 1e3,
    "ms": 1e6,
    "": 1e9,
    "s": 1e9,
    "m": 60e9,
    "min": 60e9,
    "h": 3600e9,
}
# What the search takes (see store/words.py), its quotes left out.
_LONGEST_TEXT: Final = 900
_COUNT_UNITS: Final = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9}
_TERM: Final = re.compile(
    r"\s*(?P<minus>-(?=\S))?(?:"
    rf"(?P<figure>{'|'.join(_FIGURES)})\s*(?P<compare>>=|<=|[<>=≥≤])\s*"
    r"(?P<amount>\S*?)\s*(?P<unit>(?<=[\d.\s])(?:ns|us|µs|ms|min|[smhkb]))?(?=\s|$)"
    rf"|(?P<field>{'|'.join(_NAMED)}):(?:\"(?P<quoted>[^\"]*)\"?|(?P<value>\S*))"
    r"|\"(?P<phrase>[^\"]*)\"?"
    r"|(?P<word>\S+))",
    re.IGNORECASE,
)
# Lets two letters of `user` change places, and `order:48213` be text although it resembles `model:`.
_NEAR: Final = 0.75
# A word that may be meant as a field: an address such as http://x never is.
_SLIP: Final = re.compile(r"(?P<name>[^\W\d]\w*)(?:(?P<colon>:)(?!//)|\s*[<>=≥≤])")


def _check_slip(text: str, place: int) -> None:
    """Raises FilterError if the word at `place` is a mistyped field, or a field with the other kind's sign."""
    match = _SLIP.match(text, place)
    if match is None:
        return
    name = match["name"].lower()
    fitting, others = (_NAMED, _FIGURES) if match["colon"] else (_FIGURES, _NAMED)
    near = [name] if name in others else difflib.get_close_matches(name, fitting, n=1, cutoff=_NEAR)
    if near:
        meant = f"{near[0]}:" if near[0] in _NAMED else f"{near[0]} >"
        typed = name + (match["colon"] or "")
        raise FilterError(f"No field “{typed}”: did you mean “{meant}”? In quotes it is looked for as text.")


def _turned(test: Test, wanted: bool) -> Test:
    return test if wanted else lambda trace: not test(trace)


def _figure(match: re.Match[str]) -> Test:
    name = match["figure"].lower()
    read = _FIGURES[name]
    compare = _COMPARE[match["compare"]]
    limit = _amount(name, match["amount"].lstrip("$").replace(",", ""), (match["unit"] or "").lower())

    def test(trace: TraceSummary) -> bool:
        value = read(trace)
        return value is not None and compare(value, limit)

    return test


def _amount(name: str, number: str, unit: str) -> float:
    units = _TIME_UNITS if name == "duration" else _COUNT_UNITS
    try:
        return float(number) * units[unit]
    except (ValueError, KeyError):
        example = {"duration": "2 s or 300 ms", "cost": "0.01"}.get(name, "10 or 10k")
        raise FilterError(f"After “{name}” write a figure such as {example}.") from None


def _text(value: str) -> str:
    if not any(map(str.isalnum, value)):
        raise FilterError("After “text:” write a word, or a phrase in quotes.")
    if len(value) > _LONGEST_TEXT:
        raise FilterError(f"After “text:” write less: at most {_LONGEST_TEXT} characters.")
    return value.replace('"', " ")


def _field(name: str, value: str) -> Test:
    if not value:
        raise FilterError(f"After “{name}:” write what to look for.")
    wanted = value.casefold()
    if name == "status":
        return _status(wanted)
    read = _FIELDS[name]
    if "*" in wanted:
        pattern = re.compile(fnmatch.translate(wanted))
        return lambda trace: any(pattern.match(text.casefold()) for text in read(trace))
    if name in ("model", "name"):
        return lambda trace: any(wanted in text.casefold() for text in read(trace))
    if name == "id":
        return lambda trace: trace.trace_id.hex().startswith(wanted)
    return lambda trace: any(wanted == text.casefold() for text in read(trace))


def _status(word: str) -> Test:
    words = {"failed": Status.ERROR} | {status.word: status for status in Status}
    if word not in words:
        raise FilterError("After “status:” write running, ok, error or interrupted.")
    status = words[word]
    return lambda trace: trace.status is status
