"""What comes of a span in one transaction is stored as one record, and is known again part by part."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from traceview.protocol.records import Event, SpanPart, Status, TraceInfo
from traceview.store.blocks import NOWHERE, split_entries
from traceview.store.joining import group_parts

T, A, B = b"t" * 16, b"a" * 8, b"b" * 8
START = SpanPart(T, A, None, "step", "tool", 1, status=Status.RUNNING, attributes={"model": "big"}, input="question")
OUTPUT = SpanPart(T, A, output="answer", events=(Event(2, "log"),))
END = SpanPart(T, A, end_ns=3, status=Status.OK)


def records(store) -> list[int]:
    """Where the records of the only span lie."""
    ((entries,),) = store.writer._connection.execute("SELECT locators FROM span").fetchall()
    return [locator for locator, _ in split_entries(entries) if locator != NOWHERE]


def test_a_fast_span_is_one_record(store):
    store.apply(START, OUTPUT, END)
    assert len(records(store)) == 1
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


@pytest.mark.parametrize(
    "parts",
    [
        (START, SpanPart(T, A, attributes={"model": "small"})),
        (START, SpanPart(T, A, resource={"pid": 1})),
        (START, SpanPart(T, A, trace=TraceInfo(user="u"))),
        (START, SpanPart(T, A, output="x" * 70_000)),
        (END, SpanPart(T, A, end_ns=4)),
        (OUTPUT, OUTPUT),
    ],
)
def test_what_means_something_else_together_is_kept_apart(parts):
    assert [group.parts for group in group_parts(parts)] == [[part] for part in parts]


def test_of_several_spans_each_has_its_own():
    groups = group_parts([START, msgspec.structs.replace(START, span_id=B), OUTPUT, END])
    assert [[part.span_id for part in group.parts] for group in groups] == [[A, A, A], [B]]
    part, _ = groups[0].joined()
    assert (part.input, part.output, part.end_ns, part.status) == ("question", "answer", 3, Status.OK)
