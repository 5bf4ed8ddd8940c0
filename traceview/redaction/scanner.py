"""Finds secrets in text, and says fast of encoded records that they hold none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from traceview.redaction.engine import Pattern, PatternError, Scan, compile_pattern, is_linear
from traceview.redaction.long_text import byte_ranges, character_ranges, cut_out, find_needles
from traceview.redaction.rules import E_MAIL, Rule, Rules

MARK: Final = "[redacted:"
NAME: Final = "name"
_SHORTEST: Final = 8
_SHORTEST_VALUE: Final = 3
# Shorter text is searched faster in its characters.
_LONG: Final = 256 * 1024
_TWO_CHARACTERS: Final = 8  # in UTF-8, at most
_MARK_BYTES: Final = MARK.encode()
_SEPARATORS: Final = re.compile(r"[ \t\r\n._\-]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD_BEFORE: Final = re.compile(r"[A-Za-z0-9._\-]*\Z")
_LONGEST_WORD: Final = 64
# What follows a name: a quoted value; one after `=`; or one after `:` that holds a digit, so that prose stays whole.
# Quotes may be escaped, as in JSON inside of JSON. The look-ahead is bounded: without it long text costs its square.
_VALUE: Final = re.compile(
    r"\\*[\"']?\s*(?:[:=]\s*\\*(?:"
    r"\"(?P<double>[^\"\\]*+(?:\\++[^\"\\]++)*+)|'(?P<single>[^'\\]*+(?:\\++[^'\\]++)*+))"
    r"|=\s*(?P<assigned>[^\s\"',;&}\])<>]{6,})"
    r"|:\s*(?:(?:bearer|basic|digest|token)\s+)?(?P<plain>(?=[^\s\"',;&]{0,256}[0-9])[^\s\"',;&}\])<>]{6,}))",
    re.IGNORECASE,
)
# What follows a name that is a program's option: `--password hunter2`.
_ARGUMENT: Final = re.compile(r"\s+(?:\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)'|(?P<plain>[^\s\"'\-][^\s\"']*))")
_OPTION: Final = re.compile(r"(?:\A|[\s\"'\[,])--?[A-Za-z0-9._\-]*\Z")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Shape:
    rule: Rule
    pattern: Pattern
    group: int


class Alarms:
    """Which of the records in a body may hold a secret; to be asked of one after the other, first to last."""

    def __init__(self, scans: Sequence[Scan], raw: bytes | memoryview) -> None:
        self._scans, self._raw = scans, raw
        self._next = [-1] * len(scans)
        self._quiet = 0

    def look(self) -> None:
        """Finds the first one. Most bodies have none, and other threads run meanwhile."""
        self.within(0, 1)

    def within(self, start: int, end: int) -> bool:
        """Whether the record at start:end may hold one."""
        if end > self._quiet:
            asked = zip(self._scans, self._next, strict=True)
            self._next = [self._first(scan, known, start, end) for scan, known in asked]
            self._quiet = min(self._next, default=end)
        return end > self._quiet

    def _first(self, scan: Scan, known: int, start: int, end: int) -> int:
        """Where the first match from `start` on begins; `known` is what was found for an earlier record."""
        if not scan.linear:
            return start if scan.found_in(self._raw[start:end]) else end
        # A match may run on into the next record and hide one there: hence anew from each record's start.
        return known if known >= start else scan.first_from(self._raw, start)


class Scanner:
    """The compiled form of Rules. Holds no state but caches; thread-safe."""

    def __init__(self, rules: Rules) -> None:
        self._kept = frozenset(_plain_name(name) for name in rules.keep_names)
        self._names = frozenset(rules.names) - self._kept
        self._endings = tuple(name for name in self._names if len(name) >= 6 and "_" not in name)
        self._secret_name = lru_cache(10_000)(self._is_secret)  # keys are few; a hostile program's are not
        shapes = [shape for shape in rules.shapes if _plain_name(shape.name) not in self._kept]
        extra = [*rules.own, *((E_MAIL,) if rules.emails else ())]
        self._shapes = [_compiled(rule) for rule in (*extra, *shapes)]
        self._find_names = compile_pattern(_spelled(self._names, r"[ ._\-]?")).finditer
        ours = "|".join((_spelled(self._names, r"[ \t\r\n._\-]*"), *(_unnamed(shape.pattern) for shape in shapes)))
        self._takes_bytes = is_linear()
        self._scans = tuple(Scan(pattern) for pattern in (ours, *(_loose(rule.pattern) for rule in extra)))
        self._shortest = 1 if extra else _SHORTEST

    def suspicious(self, raw: bytes | memoryview) -> bool:
        """Whether encoded records (msgpack, protobuf) may hold a secret. One linear scan; False is certain.

        Both keep text contiguous in UTF-8. A match never depends on the byte before it, which may be a length. JSON
        doesn't: escapes may tear a secret apart, so its records are looked at once they are decoded.
        """
        return any(scan.found_in(raw) for scan in self._scans)

    def alarms(self, raw: bytes | memoryview) -> Alarms:
        """The same for many records that lie one behind the other: one scan for all of them."""
        return Alarms(self._scans, raw)

    def secret_name(self, key: str) -> bool:
        """Whether a value under this key is a secret by the key's name alone."""
        return self._secret_name(key)

    def cleaned(self, text: str, found: Counter[str]) -> str:
        """Text without secrets; the same object when there were none. Counts what was taken out by rule."""
        if len(text) < self._shortest:
            return text
        try:
            if self._takes_bytes and len(text) > _LONG:
                return self._cleaned_long(text, found)
            raw = text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no pattern can be asked about
            mended = text.encode(errors="replace").decode()
            cleaned = self.cleaned(mended, found)
            return text if cleaned is mended else cleaned
        if not self.suspicious(raw):
            return text
        lower = text.lower()
        cleaned = text
        for shape in self._shapes:
            if shape.rule.needle in lower:
                cleaned = _cut_out(cleaned, shape.rule.name, list(_spans(shape, cleaned)), found)
        named = self._named(cleaned, (match.span() for match in self._find_names(cleaned)))
        return _cut_out(cleaned, NAME, named, found)

    def _cleaned_long(self, text: str, found: Counter[str]) -> str:
        """The same by the text's bytes: RE2 copies none of them, and other threads run while it searches them."""
        raw = text.encode()
        if not self.suspicious(raw):
            return text
        before = found.total()
        needles = find_needles(raw, (shape.rule.needle for shape in self._shapes))
        for shape in self._shapes:
            if shape.rule.needle in needles:
                raw = _cut_out_bytes(raw, shape.rule.name, list(_spans_in_bytes(shape, raw)), found)
        raw = _cut_out_bytes(raw, NAME, self._named_in_bytes(raw, text if found.total() == before else None), found)
        return text if found.total() == before else raw.decode()

    def _named_in_bytes(self, raw: bytes, text: str | None) -> list[Span]:
        """What `_named` finds, in bytes; `text` may be given if it is at hand."""
        text = raw.decode() if text is None else text
        names = character_ranges(raw, text, (match.span() for match in self._find_names(raw)))
        return list(byte_ranges(text, self._named(text, names)))

    def _named(self, text: str, names: Iterable[Span]) -> list[Span]:
        """JSON, query strings, headers and options inside text: `"api_key": "…"`, `password=…`, `--password …`."""
        spans: list[Span] = []
        for start, end in names:
            if spans and start < spans[-1][1]:
                continue  # inside of a value that goes anyway
            span = _value_after(text, start, end)
            if span is not None and not self._kept_name(text, start, end):
                spans.append(span)
        return spans

    def _kept_name(self, text: str, start: int, end: int) -> bool:
        if not self._kept:
            return False
        before = _WORD_BEFORE.search(text, max(0, start - _LONGEST_WORD), start)
        return before is not None and _plain_name(before[0] + text[start:end]) in self._kept

    def _is_secret(self, key: str) -> bool:
        words = _plain_name(key).split("_")
        tails = ["_".join(words[i:]) for i in range(max(0, len(words) - 8), len(words))]
        if any(tail in self._kept for tail in tails):
            return False
        return any(tail in self._names for tail in tails) or words[-1].endswith(self._endings)


@lru_cache(8)
def scanner_for(rules: Rules) -> Scanner:
    """The scanner of these rules, compiled once."""
    return Scanner(rules)


def _compiled(rule: Rule) -> _Shape:
    pattern = compile_pattern(f"{rule.before}(?P<whole>{rule.pattern})")
    index = pattern.groupindex
    return _Shape(rule, pattern, index.get("secret", index["whole"]))


def _spans(shape: _Shape, text: str) -> Iterator[Span]:
    if shape.rule.check == "card":
        raw = text.encode() if is_linear() else None  # RE2 would encode it for each search
        yield from _card_spans(shape, text) if raw is None else character_ranges(raw, text, _card_spans(shape, raw))
        return
    for match in shape.pattern.finditer(text):
        start, end = match.span(shape.group)
        if start < end and _passes(shape.rule.check, text[start:end]):
            yield start, end


def _card_spans(shape: _Shape, whole: Any) -> Iterator[Span]:
    """Card numbers in a text or in its bytes; other digits may stand before one: a date, a quantity, another card."""
    later = _LATER_CARD_IN_BYTES if isinstance(whole, bytes) else _LATER_CARD
    place = 0
    while (match := shape.pattern.search(whole, place)) is not None:
        start, end = match.span(shape.group)
        after = whole[end : end + _TWO_CHARACTERS]
        found = whole[start:end] + after
        length = _card_length(found.decode(errors="ignore") if isinstance(found, bytes) else found, end - start)
        if length:
            place = start + length
            yield start, place
        else:
            following = later.search(whole, start + 1, end + _SHORTEST_CARD)
            place = end if following is None else min(end, following.start())


def _cut_out_bytes(raw: bytes, name: str, spans: list[Span], found: Counter[str]) -> bytes:
    fresh = [span for span in spans if not raw.startswith(_MARK_BYTES, span[0])]
    if not fresh:
        return raw
    found[name] += len(fresh)
    return cut_out(raw, fresh, f"{MARK}{name}]".encode())


def _spans_in_bytes(shape: _Shape, raw: bytes) -> Iterator[Span]:
    if shape.rule.check == "card":
        yield from _card_spans(shape, raw)
        return
    for match in shape.pattern.finditer(raw):
        start, end = match.span(shape.group)
        if start < end and (not shape.rule.check or _passes(shape.rule.check, raw[start:end].decode())):
            yield start, end


def _passes(check: str, found: str) -> bool:
    """Whether what a pattern found passes its rule's check."""
    if check == "digit":
        return any(c.isdigit() for c in found)
    return check != "mixed" or not (found[1:].islower() or found.isupper())


def _value_after(text: str, start: int, end: int) -> Span | None:
    """Where the value lies that belongs to the name at start:end."""
    value = _VALUE.match(text, end)
    if value is None and text[end : end + 1].isspace() and _OPTION.search(text, max(0, start - _LONGEST_WORD), start):
        value = _ARGUMENT.match(text, end)
    if value is None or value.lastgroup is None:
        return None
    first, stop = value.span(value.lastgroup)
    return (first, stop) if stop - first >= _SHORTEST_VALUE else None


def _cut_out(text: str, name: str, spans: list[Span], found: Counter[str]) -> str:
    pieces: list[str] = []
    end = 0
    for start, stop in spans:
        if not text.startswith(MARK, start):
            pieces += (text[end:start], f"{MARK}{name}]")
            end = stop
            found[name] += 1
    return "".join((*pieces, text[end:])) if pieces else text


def _card_length(text: str, most: int) -> int:
    """How much of digits in groups is a card number, 0 if none: issuer's prefix and length, Luhn (ISO/IEC 7812-1)."""
    best = 0
    for place in range(13, most + 1):
        after = text[place : place + 2]
        if (after[:1].isascii() and after[:1].isalnum()) or (after[:1] in ".-_" and after[1:].isalnum()):
            continue
        groups = text[:place].replace("-", " ").split(" ")
        digits = "".join(groups)
        if len(groups) > 1 and (len(groups[0]) != 4 or min(map(len, groups)) < 3):
            continue
        if _CARD.fullmatch(digits) and len(set(digits)) > 1 and _luhn(digits):
            best = place
    return best


_SHORTEST_CARD: Final = 13
# Where one may begin behind other digits. Of groups of four behind a group of four nobody can tell: tables have them.
_LATER_CARD: Final = re.compile(
    r" (?=[2-6][0-9]{12})|(?<![^0-9][0-9]{4})(?<!\A[0-9]{4}) (?=[2-6][0-9]{3}[ \-][0-9]{3})"
)
_LATER_CARD_IN_BYTES: Final = re.compile(_LATER_CARD.pattern.encode())
# Visa; Mastercard; American Express; Diners; Discover, JCB, Maestro and UnionPay.
_CARD: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|(?:35|5[06-9]|6\d)\d{14}|6\d{15,18}"
)


def _luhn(number: str) -> bool:
    digits = [int(c) for c in number]
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def _plain_name(key: str) -> str:
    return "_".join(word for word in _SEPARATORS.split(_CAMEL.sub("_", key[-256:]).lower()) if word)


def _spelled(names: frozenset[str], separator: str) -> str:
    words = sorted((name.replace("_", separator) for name in names), key=len, reverse=True)
    return f"(?i:{'|'.join(words)})"


def _loose(pattern: str) -> str:
    """A pattern of the user's for encoded bytes, where a text has neither begin nor end: without `^`, `$`, `\\b` …

    Where that can't be told for sure it finds everything, so that every span is looked at.
    """
    if _UNCLEAR.search(pattern):
        return ""
    loose = _TOKEN.sub(lambda token: "" if _ASSERTION.fullmatch(token[0]) else token[0], pattern)
    try:
        compile_pattern(loose)
    except PatternError:
        return ""
    return loose


# An escape, a class of characters (`]` may stand first in it), or one character.
_TOKEN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_ASSERTION: Final = re.compile(r"\\[bBAzZ]|[\^$]")
# Quoted text, named classes, and look-around, which only the standard library's engine has.
_UNCLEAR: Final = re.compile(r"\\Q|\[:|\(\?[=!<]")


def _unnamed(pattern: str) -> str:
    """A pattern as a part of a larger one."""
    return f"(?:{pattern.replace('(?P<secret>', '(?:')})"
