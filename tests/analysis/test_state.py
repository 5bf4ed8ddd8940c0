"""State: what a run knew at any moment, and which report last changed each value."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.analysis.moments import find_moments
from traceview.analysis.state import Stamp, StateHistory, last_changed, state_at
from traceview.analysis.tree import build_tree
from traceview.protocol.records import STATE_EVENT, Event, EventRow
from traceview.testing import START_NS, STEP_NS, build_trace

_SPAN = b"12345678"


def _events(*reports: dict[str, Any]) -> list[tuple[bytes, Event]]:
    return [(_SPAN, Event(n, STATE_EVENT, report)) for n, report in enumerate(reports)]


def test_a_later_report_replaces_the_keys_it_names() -> None:
    events = _events({"memory": {"a": 1}, "context": []}, {"context": ["hi"]}, {"memory": {"b": 2}})
    history = StateHistory(events)
    assert history.at(0) == {}
    assert history.at(2) == {"memory": {"a": 1}, "context": ["hi"]}
    assert history.at(3) == state_at(events, 2) == {"memory": {"b": 2}, "context": ["hi"]}
    assert state_at(events, 1) == history.at(2)
    assert len(history) == 3


def test_reports_are_put_in_order_of_time() -> None:
    late, early = _events({"a": 1}, {"a": 2})[::-1]
    assert StateHistory([late, early]).at(2) == {"a": 2}


def test_each_value_knows_the_report_that_last_changed_it() -> None:
    events = _events(
        {"state": {"order": 1, "decision": None}},
        {"state": {"order": 1, "decision": "refund"}},
        {"state": {"order": 1, "decision": "refund"}, "memory": {"tone": "cross"}},
    )
    assert last_changed(events, ("state", "order")) == 0
    assert last_changed(events, ("state", "decision")) == 1
    assert last_changed(events, ("state",)) == 1
    assert last_changed(events, ("memory", "tone")) == 2
    assert StateHistory(events).last_changed(("state", "decision"), 1) == 0


@pytest.mark.parametrize("path", [(), ("nothing",), ("state", "order", "deeper"), ("items", 7), ("items", "x")])
def test_a_path_that_leads_nowhere_was_never_changed(path: tuple[str | int, ...]) -> None:
    assert last_changed(_events({"state": {"order": 1}, "items": [1]}), path) is None


def test_items_of_a_list_keep_their_stamp_while_the_list_moves_on() -> None:
    history = StateHistory(
        _events(
            {"c": ["a", "b", "c"]}, {"c": ["b", "c", "d"]}, {"c": ["b", {"x": 1}, "d"]}, {"c": ["b", {"x": 2}, "d"]}
        )
    )
    assert [history.last_changed(("c", i), 2) for i in range(3)] == [0, 0, 1]
    assert [history.last_changed(("c", i)) for i in range(3)] == [0, 3, 1]
    assert history.last_changed(("c", 1, "x")) == 3


def test_values_of_another_type_or_great_depth_are_stamped_whole() -> None:
    deep: Any = 1
    deeper: Any = 2
    for _ in range(80):
        deep, deeper = {"k": deep}, {"k": deeper}
    history = StateHistory(_events({"a": {"b": 1}, "d": deep}, {"a": [1], "d": deeper}))
    assert history.last_changed(("a", 0)) == 1
    assert history.last_changed(("d", *["k"] * 80)) == 1


def test_an_unknown_entry_has_the_stamp_of_what_holds_it() -> None:
    assert Stamp(3).at("x") == Stamp(3)
    assert Stamp(3, {"a": Stamp(1)}).at("b").event == 3
    assert Stamp(3, [Stamp(1)]).at(4).event == 3


def test_a_moment_sees_the_reports_made_by_then_even_within_one_nanosecond() -> None:
    trace = build_trace("a > b")
    tree = build_tree(trace.rows())
    span = trace.part("b").span_id
    when = START_NS + 2 * STEP_NS  # b opens
    times = [when - 5, when, when, when + 7]
    moments = find_moments(tree, [EventRow(span, at, STATE_EVENT) for at in times])
    history = StateHistory([(span, Event(at, STATE_EVENT, {"n": n})) for n, at in enumerate(times, 1)])
    # +a *1 +b *2 *3 *4 -b -a
    assert [history.count_at(moments, moment) for moment in range(8)] == [0, 1, 1, 2, 3, 4, 4, 4]
    assert [history.moment_of(moments, report) for report in range(4)] == [1, 3, 4, 5]
    assert history.count_at(moments, -1) == 4
    assert history.count_at(moments, 99) == 4


def test_reports_the_moments_do_not_know_yet_count_by_time() -> None:
    tree = build_tree(build_trace("a").rows())
    moments = find_moments(tree, [])
    history = StateHistory([(_SPAN, Event(START_NS + STEP_NS, STATE_EVENT, {"n": 1}))])
    assert history.count_at(moments, 1) == 1
    assert history.moment_of(moments, 0) == 0
    assert StateHistory([(_SPAN, Event(START_NS * 2, STATE_EVENT, {}))]).moment_of(moments, 0) == 1


_reports = st.dictionaries(st.sampled_from("ab"), st.lists(st.integers(0, 3), max_size=5), max_size=2)


@given(st.lists(_reports, max_size=8))
def test_the_history_says_what_folding_says_and_stamps_mirror_values(reports: list[dict[str, Any]]) -> None:
    history = StateHistory(_events(*reports))
    folded: dict[str, Any] = {}
    for count, report in enumerate(reports, 1):
        folded = folded | report
        assert history.at(count) == folded
        for key, items in folded.items():
            stamp = history.stamp(count).at(key)
            assert stamp.event < count
            assert stamp.inside is None or len(stamp.inside) == len(items)
            for i in range(len(items)):
                assert stamp.at(i).event <= stamp.event


def test_ten_thousand_reports_are_scrubbed_without_folding_them_anew() -> None:
    history = StateHistory(_events(*({"n": n, "k": {str(n % 50): n}} for n in range(10_000))))
    started = time.perf_counter()
    for count in range(0, 10_000, 10):
        history.at(count)
        history.stamp(count)
    assert time.perf_counter() - started < 1.0
