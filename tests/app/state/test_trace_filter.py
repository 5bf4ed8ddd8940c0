"""The filter line: what can be typed, and what each term lets through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from traceview.app.state.filters import Filters
from traceview.app.state.trace_filter import FilterError, field_term, parse_filter, tokens_of
from traceview.protocol.records import Status, TraceSummary

MakeSummary = Callable[..., TraceSummary]

PARCEL: dict[str, Any] = {
    "preview": "Parcel 48213 has not moved",
    "session": "s-42",
    "user": "u-7",
    "project": "support",
    "tags": ("beta", "night run"),
    "models": ("gpt-4o-2024",),
    "input_tokens": 20_000,
    "output_tokens": 1_400,
    "cost_usd": 0.04,
    "takes": 27.8,
}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "text:anything",
        "PARCEL",
        "parcel moved",
        '"has not moved"',
        '"has not',
        "support-agent",
        "-tortoise",
        "status:ok",
        "-status:failed",
        "tag:BETA",
        'tag:"night run"',
        "tag:night*",
        "session:s-42",
        "session:s-*",
        "user:u-7",
        "project:support",
        "model:gpt-4o",
        "name:support",
        "duration > 2 s",
        "duration>2s",
        "duration >= 300ms",
        "duration < 1 min",
        "duration > 2",
        "Tokens > 10k",
        "tokens = 21400",
        "tokens ≤ 1m",
        "cost > 0.01",
        "cost > $0.01",
        "spans >= 34",
        "errors = 0",
        "calls < 6",
        "duration > 2 s parcel",
        "parcel duration > 2 s tag:beta",
        "http://x -nothing".replace("http://x", "parcel"),
    ],
)
def test_a_term_lets_through_what_it_names(summary: MakeSummary, line: str) -> None:
    assert parse_filter(line).matches(summary(**PARCEL))


@pytest.mark.parametrize(
    "line",
    [
        "tortoise",
        "-parcel",
        '"moved has"',
        "status:error",
        "status:running",
        "tag:bet",
        "session:s-4",
        "-session:s-42",
        "model:claude",
        "duration > 1 min",
        "-duration>2s",
        "tokens > 30k",
        "cost > 0.05",
        "errors > 0",
        "parcel tortoise",
        "http://x",
        "id:zz",
    ],
)
def test_a_term_keeps_out_what_it_does_not_name(summary: MakeSummary, line: str) -> None:
    assert not parse_filter(line).matches(summary(**PARCEL))


def test_runs_with_a_handled_error_lost_spans_or_a_sudden_end_can_be_filtered_for(summary: MakeSummary) -> None:
    handled, lossy = summary(errors=1), summary(dropped=3)
    killed = summary(status=Status.INTERRUPTED)
    for line, wanted in (("errors > 0", handled), ("dropped > 0", lossy), ("status:interrupted", killed)):
        assert [trace for trace in (handled, lossy, killed) if parse_filter(line).matches(trace)] == [wanted]


def test_a_trace_is_found_by_the_start_of_its_id(summary: MakeSummary) -> None:
    trace = summary()
    assert parse_filter(f"id:{trace.trace_id.hex()[:6]}").matches(trace)


def test_what_is_unknown_passes_no_comparison(summary: MakeSummary) -> None:
    trace = summary(takes=None)
    assert tokens_of(trace) is None
    for line in ("duration > 0", "duration < 9h", "tokens >= 0", "cost >= 0"):
        assert not parse_filter(line).matches(trace)
    assert parse_filter("status:running").matches(trace)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("duration > soon", "2 s or 300 ms"),
        ("duration >", "2 s or 300 ms"),
        ("tokens > 3 s", "10 or 10k"),
        ("cost < cheap", "0.01"),
        ("status:bad", "running, ok, error or interrupted"),
        ("tag:", "write what to look for"),
        ("text:", "After “text:” write a word"),
        ('-text:"…"', "After “text:” write a word"),
        ("text:" + "a" * 901, "at most 900 characters"),
    ],
)
def test_a_line_that_is_not_understood_says_what_is_expected(line: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        parse_filter(line)


@pytest.mark.parametrize(
    ("line", "typed", "meant"),
    [
        ("statsu:error", "statsu:", "status:"),
        ("parcel -Tags:beta", "tags:", "tag:"),
        ("session_id:s-42", "session_id:", "session:"),
        ("modle:", "modle:", "model:"),
        ("usre:ada", "usre:", "user:"),
        ("durration > 2 s", "durration", "duration >"),
        ("token>=10k", "token", "tokens >"),
        ("duration:2s", "duration:", "duration >"),
        ("status=error", "status", "status:"),
        ("user = ada", "user", "user:"),
    ],
)
def test_a_mistyped_field_is_told_with_the_one_that_is_near(line: str, typed: str, meant: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(line)
    assert str(caught.value) == f"No field “{typed}”: did you mean “{meant}”? In quotes it is looked for as text."


@pytest.mark.parametrize(
    "line",
    [
        '"statsu:error"',
        "http://x",
        "text://x",
        "10:30",
        "zzz:1",
        "order:48213",
        "customer:7",
        "kind:llm",
        "state:idle",
        "count > 3",
        "score > 5",
        "error:timeout",
        "a=b",
        "modle",
        "::",
    ],
)
def test_text_that_resembles_no_field_is_looked_for(summary: MakeSummary, line: str) -> None:
    assert parse_filter(line).matches(summary(preview=f"it said {line}".replace('"', "")))


def test_a_value_may_look_like_a_mistyped_field(summary: MakeSummary) -> None:
    line = field_term("tag", "users:42")
    assert parse_filter(line).matches(summary(tags=("users:42",)))


def test_a_clicked_value_becomes_a_term_that_reads_back(summary: MakeSummary) -> None:
    assert field_term("tag", "beta") == "tag:beta"
    assert field_term("tag", "night run") == 'tag:"night run"'
    assert parse_filter(field_term("tag", "night run")).matches(summary(**PARCEL))


def test_texts_are_left_to_who_has_the_store(summary: MakeSummary) -> None:
    wanted = parse_filter('text:"lost parcel" -text:refun* TEXT:a"b status:ok')
    assert wanted.texts == (("lost parcel", True), ("refun*", False), ("a b", True))
    assert len(wanted.tests) == 1
    assert wanted.both(parse_filter("text:x")).texts[-1] == ("x", True)
    assert parse_filter("text:x")
    assert parse_filter(field_term("text", "lost parcel")).texts == (("lost parcel", True),)


@pytest.mark.parametrize(
    ("line", "everywhere"),
    [
        ("lost parcel", "text:lost text:parcel"),
        ('"lost parcel" -draft', 'text:"lost parcel"'),
        ("… !", ""),
        ("lost status:ok", ""),
        ("text:lost", ""),
        ("", ""),
    ],
)
def test_words_can_be_looked_for_in_everything(line: str, everywhere: str) -> None:
    assert parse_filter(line).in_everything() == everywhere


def test_filters_tell_what_changed_and_clear_in_one_go(qapp: object, summary: MakeSummary) -> None:
    filters = Filters()
    told: list[str] = []
    filters.filter_changed.connect(lambda _: told.append("filter"))
    filters.range_changed.connect(lambda _: told.append("range"))
    filters.error_changed.connect(told.append)
    assert not filters.active
    filters.type("parcel")
    filters.type("parcel")
    filters.add("tag:beta")
    filters.add("tag:beta")
    filters.brush((1, 2))
    filters.brush((1, 2))
    assert (filters.typed, filters.chips, filters.range) == ("parcel", ("tag:beta",), (1, 2))
    assert filters.current().matches(summary(**PARCEL))
    assert told == ["filter", "filter", "range"]
    filters.remove("tag:beta")
    filters.remove("tag:beta")
    filters.type("status:nope")
    filters.clear()
    assert told[3:] == ["filter", filters_error(), "range", "", "filter"]
    assert not filters.active


def filters_error() -> str:
    with pytest.raises(FilterError) as caught:
        parse_filter("status:nope")
    return str(caught.value)


def test_the_last_good_filter_stays_while_one_types(qapp: object, summary: MakeSummary) -> None:
    filters = Filters()
    filters.type("duration > 20")
    filters.type("duration > 20 status:")
    assert filters.error
    assert filters.current().matches(summary(takes=30))
    assert not filters.current().matches(summary(takes=10))
    filters.type("duration > 20 status:ok")
    assert not filters.error
    assert filters.current().matches(summary(status=Status.OK, takes=30))
