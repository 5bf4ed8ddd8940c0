"""What the writer promises of spans and traces: parts merge in any order, each once, and the sums are honest."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import msgspec
import pytest

from traceview.protocol.records import Event, Facts, Link, SpanPart, Status, TraceInfo
from traceview.store import StoreError
from traceview.testing import START_NS, build_trace

T, S = b"t" * 16, b"s" * 8
replace = msgspec.structs.replace


def part(span: bytes = S, **fields: Any) -> SpanPart:
    return SpanPart(T, span, **fields)


def test_a_built_trace_reads_back_as_built(store):
    built = build_trace("plan:agent > (search:tool!, answer:llm~, gone:tool?)")
    assert store.apply(*built.parts) == 4
    rows = {row.span_id: replace(row, change=0) for row in store.reader().spans(built.trace_id)}
    assert rows == {row.span_id: replace(row, change=0) for row in built.rows()}


def test_a_trace_is_summed_up(store):
    built = build_trace("plan:agent > (search:tool!, answer:llm)", trace="support")
    store.apply(*built.parts)
    trace = store.trace(built.trace_id)
    assert (trace.name, trace.status, trace.spans, trace.errors, trace.llm_calls) == ("support", Status.OK, 3, 1, 1)
    assert trace.start_ns == built.part("plan").start_ns
    assert trace.end_ns == built.part("plan").end_ns
    assert trace.duration_ns == trace.end_ns - trace.start_ns


# Parts


def test_start_and_end_merge_into_one_span(store):
    store.apply(part(name="search", kind="tool", start_ns=10, status=Status.RUNNING, input="q"))
    row = store.row(part())
    assert (row.status, row.end_ns) == (Status.RUNNING, None)
    store.apply(part(end_ns=20, status=Status.OK, output="found"))
    row = store.row(part())
    assert (row.name, row.kind, row.start_ns, row.end_ns, row.status) == ("search", "tool", 10, 20, Status.OK)
    payload = store.reader().payload(T, S)
    assert (payload.input, payload.output) == ("q", "found")


def test_an_end_that_comes_first_waits_for_its_start(store):
    store.apply(part(end_ns=20, events=(Event(15, "log"),)))
    assert store.row(part()).start_ns == 15  # the first time known of it
    store.apply(part(events=(Event(12, "log"),)))
    assert store.row(part()).start_ns == 12
    store.apply(part(name="late", start_ns=18, status=Status.RUNNING))
    row = store.row(part())
    assert (row.name, row.start_ns, row.end_ns, row.status) == ("late", 18, 20, Status.OK)


def test_a_span_of_which_no_time_is_known_starts_when_it_arrives(store):
    before = time.time_ns()
    store.apply(part(attributes={"a": 1}))
    arrived = store.row(part()).start_ns
    assert before <= arrived <= time.time_ns()
    store.apply(part(attributes={"a": 2}))
    assert store.row(part()).start_ns == arrived
    store.apply(part(end_ns=7))
    assert store.row(part()).start_ns == 7


def test_later_values_win_and_attributes_merge_by_key(store):
    store.apply(part(name="a", start_ns=1, attributes={"x": 1, "y": 1}, resource={"pid": 1}))
    store.apply(part(name="b", attributes={"y": 2}, reasoning="why", links=(Link(T, S),), resource={"host": "h"}))
    payload = store.reader().payload(T, S)
    assert store.row(part()).name == "b"
    assert payload.attributes == {"x": 1, "y": 2}
    assert payload.resource == {"pid": 1, "host": "h"}
    assert (payload.reasoning, payload.links) == ("why", (Link(T, S),))


def test_events_add_up(store):
    store.apply(part(start_ns=1, events=(Event(2, "traceview.log", {"message": "one"}),)))
    store.apply(part(events=(Event(3, "traceview.log", {"message": "two"}),), end_ns=4))
    assert store.row(part()).event_count == 2
    assert [event.time_ns for event in store.reader().events(T)] == [2, 3]
    assert [event.attributes["message"] for event in store.reader().payload(T, S).events] == ["one", "two"]


def test_a_running_span_that_failed_is_an_error_once_it_ends(store):
    store.apply(part(start_ns=1, status=Status.ERROR, status_message="boom"))
    assert store.row(part()).status is Status.RUNNING
    store.apply(part(end_ns=2))
    row = store.row(part())
    assert (row.status, row.status_message) == (Status.ERROR, "boom")


def test_a_delayed_start_does_not_reopen_a_span(store):
    store.apply(part(start_ns=1, end_ns=2, status=Status.ERROR))
    store.apply(part(start_ns=1, status=Status.RUNNING, name="n"))
    assert store.row(part()).status is Status.ERROR


def test_a_kind_that_was_said_beats_one_that_attributes_suggest(store):
    store.apply(part(start_ns=1, kind="TOOL"))
    store.apply(part(end_ns=2, attributes={"kind": "llm"}))
    assert store.row(part()).kind == "tool"
    other = part(b"o" * 8, start_ns=1, attributes={"kind": "llm"})
    store.apply(other)
    assert store.row(other).kind == "llm"
    store.apply(part(b"o" * 8, kind="no such kind"))
    assert store.row(other).kind == "other"


def test_facts_fill_the_row(store):
    said = {
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 812,
        "output_tokens": 90,
        "cache_read_tokens": 700,
        "cache_write_tokens": 5,
        "reasoning_tokens": 30,
        "cost_usd": 0.0021,
        "detail": "gpt-4o",
    }
    store.apply(part(kind="llm", start_ns=1, end_ns=2, attributes=said))
    row = store.row(part())
    assert {name: getattr(row, name) for name in said if name != "provider"} == {
        name: value for name, value in said.items() if name != "provider"
    }


@pytest.mark.parametrize("nonsense", [-1, 2**60, 2**70])
def test_impossible_token_counts_are_unknown(store, nonsense):
    store.apply(part(kind="llm", start_ns=1, end_ns=2, attributes={"input_tokens": nonsense, "cost_usd": float("inf")}))
    row = store.row(part())
    assert (row.input_tokens, row.cost_usd) == (None, None)


def test_long_texts_are_cut_in_rows_and_whole_in_parts(store):
    store.apply(part(name="n" * 10_000, start_ns=1, end_ns=2, status_message="m" * 10_000))
    row = store.row(part())
    assert len(row.name) == len(row.status_message) == 4_000
    assert row.name.endswith("…")
    (whole,) = store.reader().parts(T)
    assert whole.name == "n" * 10_000


# Once


def test_the_same_part_again_changes_nothing(store):
    built = build_trace("plan > (search!, answer~)")
    store.apply(*built.parts)
    reader = store.reader()
    before, version, head = reader.traces(), reader.data_version(), reader.head()
    assert store.apply(*built.parts) == 0
    assert store.apply(*reversed(built.parts), *built.parts) == 0
    assert (reader.traces(), reader.data_version(), reader.head()) == (before, version, head)


def test_a_batch_that_was_committed_is_skipped_whole(store):
    built = build_trace("a, b")
    assert store.writer.last_seq(b"session") == -1
    assert store.apply(built.parts[0], session=b"session", seq=1) == 1
    assert store.apply(*built.parts, session=b"session", seq=1, dropped=5) == 0
    assert store.writer.last_seq(b"session") == 1
    assert store.reader().counts().dropped == 0
    assert store.apply(built.parts[1], session=b"session", seq=2) == 1
    assert store.apply(session=b"session", seq=3) == 0
    assert store.writer.last_seq(b"session") == 3


def test_a_whole_span_sent_twice_with_differences_is_a_conflict(store):
    first = part(name="a", start_ns=1, end_ns=5, attributes={"x": 1}, events=(Event(2, "e"), Event(2, "e")))
    store.apply(first)
    assert store.apply(replace(first, name="b", events=(Event(2, "e"), Event(3, "f")))) == 1
    payload = store.reader().payload(T, S)
    assert store.row(first).name == "b"
    assert payload.attributes == {"x": 1, "traceview.conflict": True}
    assert payload.events == (Event(2, "e"), Event(2, "e"), Event(3, "f"))
    assert store.row(first).event_count == 3
    assert len(store.reader().events(T)) == 3


def test_a_conflict_within_one_batch_is_seen_too(store):
    first = part(name="a", start_ns=1, end_ns=5)
    assert store.apply(first, replace(first, end_ns=6), first) == 1
    assert store.reader().payload(T, S).attributes == {"traceview.conflict": True}


def test_an_imported_copy_of_what_is_there_is_no_conflict(store):
    store.apply(
        part(name="a", start_ns=1, input=("x", 1), resource={"host": "h"}),
        session=b"s",
        seq=1,
        resource={"service.name": "shop"},
    )
    store.apply(part(end_ns=3, events=(Event(2, "e"),), output="o"), session=b"s", seq=2)
    copy, head = list(store.reader().parts(T)), store.reader().head()
    assert store.apply(*copy) == 0
    assert store.apply(*copy) == 0
    assert store.reader().head() == head
    assert "traceview.conflict" not in store.reader().payload(T, S).attributes


def test_a_span_of_thousands_of_parts_keeps_each_once(store):
    parts = [part(start_ns=1, events=(Event(i + 2, "traceview.log", {"n": i}),)) for i in range(1_000)]
    for begin in range(0, len(parts), 90):
        store.apply(*parts[begin : begin + 90])
    assert store.apply(*parts[:500]) == 0
    again = part(end_ns=5_000)
    assert store.apply(again) == 1
    assert store.apply(replace(again, end_ns=5_001), parts[7]) == 1
    assert store.row(parts[0]).event_count == 1_000
    payload = store.reader().payload(T, S)
    assert [event.attributes["n"] for event in payload.events] == list(range(1_000))
    assert payload.attributes == {"traceview.conflict": True}


# Traces


def test_the_root_names_the_trace_until_somebody_says_a_name(store):
    built = build_trace("root > child")
    child, root = (replace(built.part(name), trace=None) for name in ("child", "root"))
    store.apply(replace(child, input="of the child"))
    trace = store.trace(built.trace_id)
    assert (trace.name, trace.preview) == ("child", "of the child")
    store.apply(replace(root, input="of the root"))
    trace = store.trace(built.trace_id)
    assert (trace.name, trace.preview) == ("root", "of the root")
    store.apply(replace(child, end_ns=None, status=None, trace=TraceInfo(name="support", tags=("beta",))))
    trace = store.trace(built.trace_id)
    assert (trace.name, trace.tags, trace.preview) == ("support", ("beta",), "of the root")


def test_the_root_is_elected_again_when_it_turns_out_to_be_a_child(store):
    first, second = b"1" * 8, b"2" * 8
    store.apply(part(first, name="first", start_ns=10, end_ns=11, input="one"))
    store.apply(part(second, name="second", start_ns=20, end_ns=21, status=Status.ERROR, input="two"))
    assert store.trace(T).name == "first"
    store.apply(part(first, parent_id=second))
    trace = store.trace(T)
    assert (trace.name, trace.preview, trace.status, trace.start_ns) == ("second", "two", Status.ERROR, 10)


def test_later_values_of_the_trace_win_and_metadata_merges(store):
    info = TraceInfo(session="a", user="u", project="p", tags=("x",), metadata={"a": 1, "b": 1})
    store.apply(part(start_ns=1, trace=info))
    store.apply(part(trace=TraceInfo(session="b", metadata={"b": 2}), attributes={"session": "from attributes"}))
    trace = store.trace(T)
    assert (trace.session, trace.user, trace.project, trace.tags) == ("b", "u", "p", ("x",))
    assert trace.metadata == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("root > (a, b)", Status.OK),
        ("root > (a!, b)", Status.OK),
        ("root! > (a, b)", Status.ERROR),
        ("root! > (a, b~)", Status.RUNNING),
        ("root > (a?, b)", Status.INTERRUPTED),
        ("root! > a?", Status.ERROR),
    ],
)
def test_the_status_of_a_trace_is_honest(store, text, status):
    built = build_trace(text)
    store.apply(*built.parts)
    assert store.trace(built.trace_id).status is status


def test_without_a_root_any_failed_span_makes_the_trace_fail(store):
    built = build_trace("root > (a, b!)")
    store.apply(*built.parts[1:])
    assert store.trace(built.trace_id).status is Status.ERROR
    store.apply(built.parts[0])
    assert store.trace(built.trace_id).status is Status.OK


def test_a_late_span_reopens_its_trace(store):
    built = build_trace("root > (a, b~)")
    store.apply(*built.parts[:2])
    assert store.trace(built.trace_id).end_ns is not None
    store.apply(built.part("b"))
    trace = store.trace(built.trace_id)
    assert (trace.status, trace.end_ns, trace.running, trace.spans) == (Status.RUNNING, None, 1, 3)


def test_sums_follow_corrections(store, assert_sums_exact):
    llm = {"kind": "llm", "start_ns": 5, "end_ns": 9}
    store.apply(part(b"1" * 8, **llm, attributes={"model": "big", "input_tokens": 10, "cost_usd": 0.1}))
    store.apply(part(b"2" * 8, **llm, attributes={"model": "small", "input_tokens": 1, "cost_usd": 0.2}))
    trace = store.trace(T)
    assert (trace.models, trace.input_tokens, trace.cost_usd, trace.output_tokens) == (("big", "small"), 11, 0.3, None)
    store.apply(part(b"1" * 8, start_ns=6, attributes={"model": "small", "input_tokens": 20}))
    store.apply(part(b"2" * 8, start_ns=7, end_ns=8))
    store.apply(part(b"1" * 8, end_ns=7))
    trace = store.trace(T)
    assert (trace.models, trace.input_tokens, trace.start_ns, trace.end_ns) == (("small",), 21, 6, 8)
    assert_sums_exact(store.reader(), T)


def test_wrappers_of_model_calls_are_not_counted_twice(store, assert_sums_exact):
    def call(span: bytes, parent: bytes | None, **usage: Any) -> SpanPart:
        return part(span * 8, parent_id=parent and parent * 8, kind="llm", start_ns=1, end_ns=2, attributes=usage)

    wrapper = call(b"w", None, input_tokens=100, cost_usd=1.0)
    store.apply(wrapper)
    assert (store.trace(T).llm_calls, store.trace(T).input_tokens) == (1, 100)
    # The inner call reports nothing: it is the call, the wrapper's figures are all there is.
    store.apply(call(b"a", b"w"))
    assert (store.trace(T).llm_calls, store.trace(T).input_tokens) == (1, 100)
    store.apply(call(b"b", b"w", input_tokens=60, cost_usd=0.5))
    trace = store.trace(T)
    assert (trace.llm_calls, trace.input_tokens, trace.cost_usd) == (2, 60, 0.5)
    # It turns out to belong elsewhere.
    store.apply(replace(call(b"b", b"x"), end_ns=None))
    assert (store.trace(T).llm_calls, store.trace(T).input_tokens) == (2, 160)
    assert_sums_exact(store.reader(), T)


def test_a_parent_that_comes_after_its_child_is_not_counted_twice(store, assert_sums_exact):
    usage = {"input_tokens": 5}
    store.apply(part(b"c" * 8, parent_id=b"p" * 8, kind="llm", start_ns=2, end_ns=3, attributes=usage))
    store.apply(part(b"p" * 8, kind="llm", start_ns=1, end_ns=4, attributes=usage))
    assert store.trace(T).input_tokens == 5
    assert_sums_exact(store.reader(), T)


def test_agents_repeat_their_calls_and_never_count(store):
    store.apply(part(b"a" * 8, kind="agent", start_ns=1, end_ns=9, attributes={"input_tokens": 50, "model": "m"}))
    trace = store.trace(T)
    assert (trace.input_tokens, trace.llm_calls, trace.models) == (None, 0, ("m",))


# Sessions


def test_spans_of_a_dead_process_are_interrupted(store):
    built = build_trace("root~ > (a, b~)")
    other = build_trace("elsewhere~", trace="other")
    store.apply(*built.parts, session=b"dead", seq=1)
    store.apply(*other.parts, session=b"alive", seq=1)
    assert sorted(store.writer.open_sessions()) == [b"alive", b"dead"]
    assert store.writer.interrupt(b"dead") == 2
    assert store.writer.interrupt(b"dead") == 0
    assert store.writer.open_sessions() == [b"alive"]
    trace = store.trace(built.trace_id)
    assert (trace.status, trace.running, trace.end_ns) == (Status.INTERRUPTED, 0, built.part("b").start_ns)
    assert store.row(built.part("b")).status is Status.INTERRUPTED
    assert store.trace(other.trace_id).status is Status.RUNNING


def test_an_end_that_arrives_after_all_counts(store):
    store.apply(part(start_ns=1), session=b"dead", seq=1)
    store.writer.interrupt(b"dead")
    store.apply(part(end_ns=2))
    assert store.trace(T).status is Status.OK


def test_a_session_that_speaks_again_was_alive(store):
    other = build_trace("x")
    store.apply(part(start_ns=1), session=b"asleep", seq=1)
    store.writer.interrupt(b"asleep")
    assert store.apply(*other.parts, session=b"asleep", seq=2) == 2
    assert store.row(part()).status is Status.RUNNING
    assert store.writer.open_sessions() == [b"asleep"]


def test_spans_without_a_session_can_be_interrupted_too(store):
    store.apply(part(start_ns=1))
    assert store.writer.interrupt() == 1
    assert store.row(part()).status is Status.INTERRUPTED
    assert store.writer.interrupt(b"unknown") == 0


def test_lost_spans_are_noted_at_the_trace_that_was_being_written(store):
    a, b = build_trace("x~", trace="a"), build_trace("y", trace="b")
    store.apply(*a.parts, session=b"s", seq=1)
    store.apply(*b.parts, session=b"s", seq=2, dropped=7)
    assert (store.trace(a.trace_id).dropped, store.trace(b.trace_id).dropped) == (7, 0)
    store.apply(*b.parts, session=b"s", seq=3, dropped=1)
    store.apply(session=b"new", seq=1, dropped=2)
    store.apply(*b.parts, dropped=3)
    assert store.trace(b.trace_id).dropped == 4
    assert store.reader().counts().dropped == 13


def test_what_a_process_says_of_itself_is_in_every_payload(store):
    store.apply(part(start_ns=1), session=b"s", seq=1, resource={"service.name": "shop", "pid": 1})
    reader = store.reader()
    assert reader.payload(T, S).resource == {"service.name": "shop", "pid": 1}
    store.apply(part(end_ns=2), session=b"s", seq=2, resource={"host": "h"})
    assert reader.payload(T, S).resource == {"service.name": "shop", "pid": 1, "host": "h"}


# Bad parts


@pytest.mark.expects_log
def test_one_bad_part_does_not_fail_a_batch(store, caplog):
    built = build_trace("a > (b, c, d, e, f, g)")
    bad = [
        SpanPart(T, b"short"),
        SpanPart(b"short", S),
        part(b"2" * 8, start_ns=2**63),
        part(b"3" * 8, end_ns=1.5),  # type: ignore[arg-type]
        part(b"4" * 8, events=(Event("soon", "e"),)),  # type: ignore[arg-type]
        SpanPart(bytearray(T), S),  # type: ignore[arg-type]
        part(b"5" * 8, events=5),  # type: ignore[arg-type]
    ]
    mixed = [item for pair in zip(built.parts, bad, strict=True) for item in pair]
    with caplog.at_level(logging.WARNING):
        assert store.apply(*mixed, session=b"s", seq=1) == len(built.parts)
    assert store.reader().counts().dead_letters == len(bad)
    assert len(caplog.records) == 1
    assert "dead letter" in caplog.text
    assert {row.span_id for row in store.reader().spans(built.trace_id)} == {item.span_id for item in built.parts}
    assert [trace.trace_id for trace in store.reader().traces()] == [built.trace_id]
    assert store.apply(*mixed, session=b"s", seq=1) == 0
    assert store.apply(part(start_ns=1)) == 1  # and it goes on


@pytest.mark.expects_log
def test_a_part_whose_attributes_cannot_be_understood_is_kept_whole(store, caplog):
    def understand(_: SpanPart) -> Facts:
        raise ZeroDivisionError("our fault")

    store.writer.close()
    store.writer = store.open_writer(understand=understand)
    store.apply(part(start_ns=1, end_ns=2, kind="tool", input="kept"), part(b"2" * 8, start_ns=1))
    assert store.row(part()).kind == "tool"
    assert store.reader().payload(T, S).input == "kept"
    assert [record.getMessage() for record in caplog.records if "our fault" in record.getMessage()]


# Closing


def test_closing_twice_is_safe_and_a_closed_writer_says_so(store):
    store.writer.close()
    store.writer.close()
    with pytest.raises(StoreError, match="was closed"):
        store.apply(part(start_ns=1))
    with pytest.raises(StoreError, match="was closed"):
        store.writer.last_seq(b"s")
    with pytest.raises(StoreError, match="was closed"):
        store.writer.open_sessions()


def test_numbers_go_on_after_reopening(store):
    store.apply(*build_trace("a", trace="1").parts)
    store.writer.close()
    store.writer = store.open_writer(durability="power")
    store.apply(*build_trace("a", trace="2").parts)
    reader = store.reader()
    assert [trace.change for trace in reader.traces()] in ([2, 1], [1, 2])
    assert {trace.name for trace in reader.traces()} == {"1", "2"}
    assert [payload.input for trace in reader.traces() for _, payload in reader.payloads(trace.trace_id)] == [
        {"for": "a"},
        {"for": "a"},
    ]


def test_the_store_is_for_its_user_only(store):
    if os.name == "posix":
        assert store.path.stat().st_mode & 0o777 == 0o600


def test_times_before_the_epoch_and_reversed_times_are_kept(store):
    store.apply(part(start_ns=-5, end_ns=-9))
    row = store.row(part())
    assert (row.start_ns, row.end_ns) == (-5, -9)
    assert (store.trace(T).start_ns, store.trace(T).end_ns) == (-5, -5)
    assert START_NS > 0


def test_an_end_told_twice_may_say_something_new_of_the_trace(store):
    whole = SpanPart(b"t" * 16, b"s" * 8, None, "step", start_ns=1, end_ns=2)
    store.apply(whole)
    before = store.reader().head()
    assert store.apply(msgspec.structs.replace(whole, trace=TraceInfo(user="ada"))) == 0
    assert (store.trace(whole.trace_id).user, store.reader().head()) == ("ada", before + 1)
    assert "traceview.conflict" not in store.reader().payload(whole.trace_id, whole.span_id).attributes
