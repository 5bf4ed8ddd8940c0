"""Order and repetition don't matter: any way of sending the parts of a trace gives the same rows, sums and payloads."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import Event, SpanPart, SpanPayload, SpanRow, Status, TraceInfo
from traceview.store import StoreReader, StoreWriter
from traceview.store.merging import merge, merge_info

replace = msgspec.structs.replace
TRACE = b"t" * 16
_numbers = itertools.count()
# One store serves all examples of a test: each has a trace of its own.
_examples = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def span_id(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()[:8]


@st.composite
def whole_spans(draw: st.DrawFn) -> list[SpanPart]:
    """The spans of one trace, each whole; parents may be missing, running, of any kind."""
    spans = []
    for number in range(draw(st.integers(1, 7))):
        parent = draw(st.none() | st.integers(0, 8).filter(lambda other, number=number: other != number))
        start = draw(st.integers(1, 20))
        end = draw(st.none() | st.integers(0, 30))
        usage = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "model": st.sampled_from(["big", "small"]),
                    "input_tokens": st.integers(0, 1_000),
                    "output_tokens": st.integers(0, 1_000),
                    "cost_usd": st.sampled_from([0.1, 0.2, 0.3, 1e-9, 7.77]),
                },
            )
        )
        failed = end is not None and draw(st.booleans())
        times = draw(st.lists(st.integers(1, 30), max_size=3, unique=True))
        spans.append(
            SpanPart(
                TRACE,
                span_id(number),
                None if parent is None else span_id(parent),
                f"span {number}",
                draw(st.sampled_from(["agent", "llm", "llm", "tool", "other"])),
                start,
                end,
                Status.ERROR if failed else None if end is None else Status.OK,
                "boom" if failed else None,
                {"always": number, **usage},
                draw(st.sampled_from([None, "a question", {"q": 1}])),
                None if end is None else draw(st.sampled_from([None, ["answer"]])),
                events=tuple(Event(at, f"event {at}") for at in times),
                trace=TraceInfo(name="said", session="s") if number == 0 and draw(st.booleans()) else None,
            )
        )
    return spans


def pieces(whole: SpanPart) -> list[SpanPart]:
    """Start, updates and end of a span, as an SDK sends them; together they say what the whole says."""
    start = SpanPart(
        whole.trace_id,
        whole.span_id,
        whole.parent_id,
        whole.name,
        whole.kind,
        whole.start_ns,
        status=Status.RUNNING,
        attributes={"always": whole.attributes["always"]},
        input=whole.input,
        trace=whole.trace,
    )
    updates = [SpanPart(whole.trace_id, whole.span_id, events=(event,)) for event in whole.events]
    rest = {key: value for key, value in whole.attributes.items() if key != "always"}
    updates.append(SpanPart(whole.trace_id, whole.span_id, attributes=rest))
    if whole.end_ns is not None:
        updates.append(
            SpanPart(
                whole.trace_id,
                whole.span_id,
                end_ns=whole.end_ns,
                status=whole.status,
                status_message=whole.status_message,
                output=whole.output,
            )
        )
    return [start, *updates]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[SpanPart], list[list[SpanPart]]]:
    """Whole spans, and batches in which their pieces arrive: in any order, some more than once."""
    spans = draw(whole_spans())
    parts = [piece for whole in spans for piece in (pieces(whole) if draw(st.booleans()) else [whole])]
    repeated = draw(st.lists(st.sampled_from(parts), max_size=4))
    shuffled = draw(st.permutations(parts + repeated))
    return spans, draw(cuts(shuffled))


@st.composite
def cuts(draw: st.DrawFn, parts: list[SpanPart]) -> list[list[SpanPart]]:
    places = sorted(draw(st.sets(st.integers(0, len(parts)), max_size=3)))
    return [list(parts[a:b]) for a, b in itertools.pairwise([0, *places, len(parts)])]


@st.composite
def contradictions(draw: st.DrawFn) -> list[list[SpanPart]]:
    """Batches of parts of a few spans that say all sorts of things, one after another."""
    maybe = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    parts = []
    for _ in range(draw(st.integers(1, 14))):
        usage = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "kind": st.sampled_from(["llm", "tool"]),
                    "model": st.sampled_from(["big", "small"]),
                    "input_tokens": st.integers(0, 9),
                    "cost_usd": st.sampled_from([0.1, 0.2, 0.7]),
                },
            )
        )
        parts.append(
            SpanPart(
                TRACE,
                span_id(draw(st.integers(0, 4))),
                maybe(st.integers(0, 5).map(span_id)),
                maybe(st.sampled_from("abc")),
                maybe(st.sampled_from(["llm", "agent"])),
                maybe(st.integers(1, 9)),
                maybe(st.integers(1, 9)),
                maybe(st.sampled_from(Status)),
                attributes=usage,
                input=maybe(st.sampled_from(["one", "two"])),
                events=tuple(Event(at, "e") for at in draw(st.lists(st.integers(1, 5), max_size=2))),
            )
        )
    return draw(cuts(parts))


@pytest.fixture
def place(store) -> Place:
    return Place(store.writer, store.reader())


class Place:
    """Where examples put their traces: each under an id of its own."""

    def __init__(self, writer: StoreWriter, reader: StoreReader) -> None:
        self.writer, self.reader = writer, reader

    def put(self, batches: list[list[SpanPart]]) -> bytes:
        trace_id = b"trace" + next(_numbers).to_bytes(11, "big")
        for batch in batches:
            self.writer.apply([replace(part, trace_id=trace_id) for part in batch])
        return trace_id

    def rows(self, trace_id: bytes) -> set[SpanRow]:
        return {replace(row, change=0) for row in self.reader.spans(trace_id)}

    def events(self, trace_id: bytes) -> set[tuple[bytes, int, str]]:
        return {(event.span_id, event.time_ns, event.name) for event in self.reader.events(trace_id)}

    def payloads(self, trace_id: bytes) -> dict[bytes, SpanPayload]:
        return {
            span: replace(payload, events=tuple(sorted(payload.events, key=lambda event: event.time_ns)))
            for span, payload in self.reader.payloads(trace_id)
        }


@_examples
@given(deliveries())
def test_order_and_repetition_do_not_matter(place, assert_sums_exact, delivery):
    spans, batches = delivery
    expected, found = place.put([spans]), place.put(batches)
    assert place.rows(found) == place.rows(expected)
    assert place.payloads(found) == place.payloads(expected)
    assert place.events(found) == place.events(expected)
    summary, other = place.reader.trace(found), place.reader.trace(expected)
    assert replace(summary, trace_id=b"", change=0, preview=None) == replace(
        other, trace_id=b"", change=0, preview=None
    )
    if summary.name != "said":
        assert_sums_exact(place.reader, found)


@_examples
@given(contradictions())
def test_sums_stay_exact_whatever_is_said(place, assert_sums_exact, batches):
    trace_id = b""
    whole = [part for batch in batches for part in batch]
    for end in range(1, len(batches) + 1):
        trace_id = place.put(batches[:end])
        if any(batches[:end]):
            assert_sums_exact(place.reader, trace_id)
    rows, payloads = place.rows(trace_id), place.payloads(trace_id)
    assert set(payloads) == {row.span_id for row in rows} == {part.span_id for part in whole}
    assert sum(row.event_count for row in rows) == len(place.reader.events(trace_id))
    assert {row.span_id: row.event_count for row in rows} == {
        span: len(payload.events) for span, payload in payloads.items()
    }


@_examples
@given(contradictions())
def test_what_was_sent_can_be_sent_again(place, batches):
    trace_id = place.put(batches)
    before = place.rows(trace_id), place.payloads(trace_id), place.reader.trace(trace_id)
    for batch in batches:
        assert place.writer.apply([replace(part, trace_id=trace_id) for part in batch]) == 0
    assert (place.rows(trace_id), place.payloads(trace_id), place.reader.trace(trace_id)) == before


@_examples
@given(contradictions())
def test_an_export_reads_back_the_same(place, tmp_path: Path, batches):
    trace_id = place.put(batches)
    parts = list(place.reader.parts(trace_id))
    copy = place.put([parts])
    assert place.rows(copy) == place.rows(trace_id)
    mine, theirs = place.reader.trace(copy), place.reader.trace(trace_id)
    if mine is not None:
        assert replace(mine, trace_id=b"", change=0) == replace(theirs, trace_id=b"", change=0)


def test_a_span_needs_a_part():
    with pytest.raises(ValueError, match="at least one part"):
        merge([])


def test_what_is_said_of_a_trace_merges():
    info = TraceInfo(name="a", metadata={"x": 1})
    assert merge_info(None, info) == merge_info(info, None) == info
    assert merge_info(info, TraceInfo(user="u")) == TraceInfo(name="a", user="u", metadata={"x": 1})
