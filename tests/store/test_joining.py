"""What comes of a span in one transaction is stored in one slot, and is known again part by part."""

from __future__ import annotations

import itertools
import os
import sys

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import CANDIDATE_EVENT, Event, SpanPart, Status, TraceInfo
from traceview.store.blocks import NOWHERE, split_entries
from traceview.store.joining import split, to_slots
from traceview.store.merging import merge
from traceview.store.readying import ReadyPart, make_ready

T, A, B = b"t" * 16, b"a" * 8, b"b" * 8
START = SpanPart(T, A, None, "step", "tool", 1, status=Status.RUNNING, attributes={"model": "big"}, input="question")
OUTPUT = SpanPart(T, A, output="answer", events=(Event(2, "log"),))
END = SpanPart(T, A, end_ns=3, status=Status.OK)


def places(store) -> list[int]:
    """Where the parts of the only span lie."""
    ((entries,),) = store.writer._connection.execute("SELECT locators FROM span").fetchall()
    return [locator for locator, _ in split_entries(entries) if locator != NOWHERE]


def test_a_fast_span_is_one_slot(store):
    store.apply(START, OUTPUT, END)
    assert len(places(store)) == 1
    payload = store.reader().payload(T, A)
    assert (payload.input, payload.output, payload.attributes) == ("question", "answer", {"model": "big"})
    assert [event.name for event in payload.events] == ["log"]
    row = store.row(START)
    assert (row.name, row.status, row.start_ns, row.end_ns, row.event_count) == ("step", Status.OK, 1, 3, 1)


@pytest.mark.parametrize("again", list(itertools.permutations([START, OUTPUT, END])))
def test_each_of_its_parts_is_known_when_it_comes_again(store, again):
    store.apply(START, OUTPUT, END)
    before = store.row(START), store.reader().payload(T, A)
    assert store.apply(*again[:2]) == store.apply(again[2]) == store.apply(*again) == 0
    assert (store.row(START), store.reader().payload(T, A)) == before


def test_parts_that_come_with_known_ones_count(store):
    store.apply(START)
    assert store.apply(START, OUTPUT, END) == 1
    payload = store.reader().payload(T, A)
    assert (payload.input, payload.output) == ("question", "answer")
    assert len(payload.events) == store.row(START).event_count == 1


def test_what_is_said_of_the_trace_counts_in_the_order_of_its_spans(store):
    said = [msgspec.structs.replace(START, trace=TraceInfo(user="first"))]
    said.append(SpanPart(T, B, A, "child", start_ns=2, trace=TraceInfo(user="second")))
    said.append(SpanPart(T, A, trace=TraceInfo(user="third")))
    store.apply(*said, END)
    assert store.trace(T).user == "third"


def slots(*parts: SpanPart) -> list[list[SpanPart]]:
    """The parts that share a slot, slot by slot."""
    return [split(stored) for stored, _ in to_slots({ready.mark: ready for ready in map(make_ready, parts)})]


def test_parts_that_are_long_together_have_slots_of_their_own():
    lines = [SpanPart(T, A, events=(Event(number, "log", {"line": "x" * 1_500}),)) for number in range(7)]
    long = SpanPart(T, A, output="y" * 5_000)
    given = [*lines[:3], long, *lines[3:]]
    assert slots(*given) == [lines[:2], lines[2:3], [long], lines[3:5], lines[5:]]


def test_many_parts_share_few_slots():
    lines = [SpanPart(T, A, events=(Event(number, "log"),)) for number in range(40)]
    assert slots(*lines) == [lines[:15], lines[15:30], lines[30:]]


def test_a_part_alone_lies_there_as_it_came():
    ready = make_ready(START)
    assert to_slots({ready.mark: ready}) == [(ready.record, [ready.mark])]


def deep(part: SpanPart, levels: int) -> ReadyPart:
    """A part as a program may send it, with an input that is nested so deeply."""
    fields = msgspec.msgpack.encode(msgspec.structs.astuple(part)[:10])
    record = b"\x9b" + fields[1:] + b"\x91" * levels + b"\xc0"
    return make_ready(part, memoryview(record))


def test_a_part_nested_almost_too_deeply_hides_none_beside_it(store):
    """Eight levels less than the limit: so many calls a receiver is in at least when it decodes."""
    nested = deep(END, sys.getrecursionlimit() - 8)
    store.apply(START, OUTPUT, nested)
    payload = store.reader().payload(T, A)
    assert (payload.output, payload.attributes, len(payload.events)) == ("answer", {"model": "big"}, 1)
    assert type(payload.input) is list
    assert places(store) != []


def test_a_second_end_and_a_judgement_beside_such_a_part_are_stored(store):
    judged = SpanPart(T, A, events=(Event(2, CANDIDATE_EVENT),))
    store.apply(judged, deep(END, sys.getrecursionlimit() + 50_000))
    store.apply(SpanPart(T, A, end_ns=4, output="later"))
    row = store.row(START)
    assert (row.end_ns, row.event_count) == (4, 1)
    assert store.writer._connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


def test_the_end_of_a_span_that_judged_is_stored_though_its_block_is_damaged(store):
    store.apply(START, SpanPart(T, A, events=(Event(2, CANDIDATE_EVENT),)))
    store.writer._connection.execute("UPDATE payload_block SET data = x'00'")
    store.writer.close()
    store.writer = store.open_writer()
    assert store.apply(END) == 1
    assert store.row(START).end_ns == 3
    assert store.writer._connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), min_size=1, max_size=30, unique=True),
    st.lists(st.integers(1, 8), min_size=1, max_size=8),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_parts_come_together_the_span_is_the_same(store, lines, cuts):
    """Parts in transactions of any length, each sent twice, are the span that they make one by one."""
    span_id = os.urandom(8)
    parts = [
        SpanPart(T, span_id, events=(Event(number, "log"),), output="z" * size if long else None, start_ns=size)
        for number, (size, long) in enumerate(lines)
    ]
    rest = list(parts)
    for size in itertools.cycle(cuts):
        if not rest:
            break
        store.apply(*rest[:size], *rest[:1])
        rest = rest[size:]
    store.apply(*parts)
    payload = store.reader().payload(T, span_id)
    assert payload.events == tuple(event for part in parts for event in part.events)
    assert payload.output == merge(parts).output


def test_a_slot_that_is_deep_and_damaged_is_damaged():
    record = msgspec.msgpack.encode(msgspec.structs.replace(START, input="#")).replace(b"\xa1#", b"\x91" * 100_000)
    with pytest.raises(msgspec.DecodeError):
        split(record)
