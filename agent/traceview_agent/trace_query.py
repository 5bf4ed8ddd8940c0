"""What a script asks, read from a URL's query: filters of the trace list, a limit, where a page begins; words."""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from traceview.protocol.records import Status
from traceview.store import Place, TraceFilter, WordsError, parse_words
from traceview.store.words import Term
from traceview_agent.durations import nanoseconds

MOST: Final = 1000
_USUAL: Final = 100
_MAX_NS: Final = 2**63 - 1
_NAMES: Final = (
    "name", "status", "session", "user", "project", "tag", "since", "until", "min_duration", "limit", "cursor",
)  # fmt: skip


class BadQuery(ValueError):
    """A parameter that can't be used; the message is one sentence naming it."""


@dataclass(frozen=True, slots=True)
class Query:
    """One page that is asked for."""

    wanted: TraceFilter
    limit: int
    after: Place | None


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """What text is looked for, and how many spans are wanted."""

    terms: tuple[Term, ...]
    limit: int


def read_query(given: Mapping[str, Sequence[str]]) -> Query:
    """Reads the parameters of the trace list, each with all its values; raises BadQuery."""
    one = _single(given, _NAMES, repeated=("tag",))
    wanted = TraceFilter(
        name=one.get("name"),
        status=_status(one.get("status")),
        session=one.get("session"),
        user=one.get("user"),
        project=one.get("project"),
        tags=tuple(given.get("tag", ())),
        since_ns=_time("since", one.get("since")),
        until_ns=_time("until", one.get("until")),
        min_duration_ns=_duration(one.get("min_duration")),
    )
    return Query(wanted, _limit(one.get("limit")), _place(one.get("cursor")))


def read_span_query(given: Mapping[str, Sequence[str]]) -> SpanQuery:
    """Reads the parameters of a search, each with all its values; raises BadQuery."""
    one = _single(given, ("q", "limit"))
    try:
        terms = parse_words(one.get("q", ""))
    except WordsError as error:
        raise BadQuery(f"q: {error}") from None
    return SpanQuery(terms, _limit(one.get("limit")))


def cursor_of(place: Place) -> str:
    """The text by which a script asks for what comes behind this place."""
    return base64.urlsafe_b64encode(b"%d.%b" % (place.start_ns, place.trace_id.hex().encode())).decode().rstrip("=")


def _single(given: Mapping[str, Sequence[str]], names: Sequence[str], repeated: Sequence[str] = ()) -> dict[str, str]:
    """The first value of each parameter, once all are known and only those are repeated that may be."""
    for name, values in given.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise BadQuery(f"{name} is no parameter: {hint}")
        if len(values) > 1 and name not in repeated:
            only = f": only {repeated[0]} may be" if repeated else ""
            raise BadQuery(f"{name} is given {len(values)} times{only}")
    return {name: values[0] for name, values in given.items() if values}


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    for status in Status:
        if status.word == text:
            return status
    raise BadQuery(f"status {text!r} is none of {', '.join(status.word for status in Status)}")


def _time(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return _bounded(name, text, int(text[:20]))
    try:
        # A plus that was not escaped arrives as a space.
        moment = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", text))
    except ValueError:
        message = f"{name} {text!r} is no time: write ns since 1970, or ISO 8601 as 2026-11-21T07:14:04Z (UTC)"
        raise BadQuery(message) from None
    since_epoch = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds
    return _bounded(name, text, micros * 1000)


def _duration(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        length = int(text[:20]) if text.isascii() and text.isdigit() else nanoseconds(text)
    except ValueError:
        raise BadQuery(f"min_duration {text!r} is none: write 1.5s, 200ms or ns as a whole number") from None
    return _bounded("min_duration", text, length)


def _bounded(name: str, text: str, value: int) -> int:
    if not 0 <= value <= _MAX_NS:
        raise BadQuery(f"{name} {text!r} is out of range")
    return value


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise BadQuery(f"limit {text!r} is out of range: 1 to {MOST}")
    return int(text)


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        start, _, trace_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii").partition(".")
        place = Place(int(start), bytes.fromhex(trace_id))
    except (binascii.Error, ValueError):
        place = Place(-1, b"")
    if len(place.trace_id) != 16 or not 0 <= place.start_ns <= _MAX_NS:
        raise BadQuery("cursor is not one that an answer gave")
    return place
