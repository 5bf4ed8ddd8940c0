"""The query of a URL: what each parameter may be, and one clear sentence for what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from traceview.protocol.records import Status
from traceview.store import Place, TraceFilter
from traceview_agent.trace_query import BadQuery, cursor_of, read_query

NS_2026 = 1_795_245_244_000_000_000  # 2026-11-21T07:14:04Z


def asked(**given: str) -> Any:
    return read_query({name: [value] for name, value in given.items()})


def test_nothing_asked_is_the_newest_hundred() -> None:
    query = read_query({})
    assert (query.wanted, query.limit, query.after) == (TraceFilter(), 100, None)


def test_everything_asked() -> None:
    texts = {"name": "n*", "session": "s", "user": "u", "project": "p", "status": "error", "limit": "7"}
    query = read_query({**{name: [text] for name, text in texts.items()}, "tag": ["a", "b"]})
    wanted = TraceFilter(name="n*", status=Status.ERROR, session="s", user="u", project="p", tags=("a", "b"))
    assert (query.wanted, query.limit) == (wanted, 7)


@pytest.mark.parametrize(
    "text",
    [
        str(NS_2026),
        "2026-11-21T07:14:04Z",
        "2026-11-21T07:14:04",
        "2026-11-21 07:14:04",
        "2026-11-21T08:14:04+01:00",
        "2026-11-21T08:14:04 01:00",
        "20261121T071404Z",
    ],
)
def test_times(text: str) -> None:
    assert asked(since=text).wanted.since_ns == NS_2026
    assert asked(until=text).wanted.until_ns == NS_2026


def test_a_day_and_a_fraction() -> None:
    assert asked(since="1970-01-02").wanted.since_ns == 86_400_000_000_000
    assert asked(since="1970-01-01T00:00:00.000001Z").wanted.since_ns == 1000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("5", 5),
        ("5ns", 5),
        ("2us", 2_000),
        ("1.5ms", 1_500_000),
        ("2s", 2 * 10**9),
        ("1m", 60 * 10**9),
        ("0.5h", 1800 * 10**9),
    ],
)
def test_durations(text: str, ns: int) -> None:
    assert asked(min_duration=text).wanted.min_duration_ns == ns


@pytest.mark.parametrize("place", [Place(0, b"\0" * 16), Place(2**63 - 1, bytes(range(16)))])
def test_a_cursor_comes_back_as_it_was(place: Place) -> None:
    assert asked(cursor=cursor_of(place)).after == place
    assert set(cursor_of(place)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"statsu": "ok"}, "did you mean status"),
        ({"colour": "red"}, "there are name, status"),
        ({"status": "fine"}, "running, ok, error, interrupted"),
        ({"limit": "0"}, "1 to 1000"),
        ({"limit": "1001"}, "1 to 1000"),
        ({"limit": "9" * 5000}, "1 to 1000"),
        ({"limit": "-1"}, "1 to 1000"),
        ({"limit": "٣"}, "1 to 1000"),
        ({"since": "yesterday"}, "ISO 8601"),
        ({"since": "9" * 5000}, "out of range"),
        ({"until": "1960-01-01"}, "out of range"),
        ({"until": "9999-01-01"}, "out of range"),
        ({"min_duration": "soon"}, "1.5s"),
        ({"min_duration": "-1s"}, "1.5s"),
        ({"min_duration": "9" * 30 + "h"}, "out of range"),
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "MTIz"}, "cursor"),
        ({"cursor": cursor_of(Place(5, b"short"))}, "cursor"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_mistakes_are_named(given: dict[str, str], why: str) -> None:
    with pytest.raises(BadQuery, match=why):
        asked(**given)


def test_only_tags_may_repeat() -> None:
    with pytest.raises(BadQuery, match="name is given 2 times"):
        read_query({"name": ["a", "b"]})
