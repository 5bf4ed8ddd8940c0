"""What readers promise: each sees what is committed, at once and beside the writer, and only what it asks for."""

from __future__ import annotations

import sys
import threading
from typing import Any

import msgspec
import pytest

from traceview.protocol.records import Event, EventRow, SpanPart, Status, TraceInfo
from traceview.store import StoreCounts, StoreError
from traceview.testing import START_NS, build_trace

T, S = b"t" * 16, b"s" * 8
replace = msgspec.structs.replace


def part(span: bytes = S, **fields: Any) -> SpanPart:
    return SpanPart(T, span, **fields)


def state(at: int, **values: Any) -> Event:
    return Event(at, "traceview.state", values)


def test_a_reader_sees_rows_at_once(store):
    reader = store.reader()
    version = reader.data_version()
    assert (reader.head(), reader.traces()) == (0, [])
    for number in range(1, 20):
        store.apply(part(number.to_bytes(8, "big"), start_ns=number))
        assert reader.data_version() != version
        version = reader.data_version()
        assert reader.head() == number
        assert len(reader.spans(T)) == number
        assert [row.start_ns for row in reader.spans(T, changed_after=number - 1)] == [number]


def test_an_idle_reader_holds_no_transaction_open(store):
    reader = store.reader()
    iterator = reader.payloads(T)
    store.apply(*(part(n.to_bytes(8, "big"), start_ns=n, input="x" * 100) for n in range(100)))
    iterator = reader.payloads(T)
    next(iterator)
    connection = store.writer._connection
    assert connection is not None
    busy, left, moved = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, left, moved) == (0, 0, 0)
    assert len(list(iterator)) == 99


def test_traces_come_newest_first(store):
    for number in range(5):
        store.apply(*build_trace("a", trace=f"run {number}", start_ns=START_NS + number * 1_000).parts)
    reader = store.reader()
    assert [trace.name for trace in reader.traces()] == [f"run {n}" for n in (4, 3, 2, 1, 0)]
    assert [trace.name for trace in reader.traces(limit=2)] == ["run 4", "run 3"]
    assert [trace.name for trace in reader.traces(changed_after=2)] == ["run 4", "run 3", "run 2"]
    assert [trace.name for trace in reader.traces(changed_after=2, limit=1)] == ["run 4"]
    assert reader.traces(limit=0) == []


def test_traces_are_found_by_the_start_of_their_id_or_by_name(store):
    one, two = build_trace("a", trace="one"), build_trace("a", trace="two", start_ns=START_NS + 9_000_000)
    namesake = build_trace("a", trace="another")
    store.apply(*one.parts, *two.parts)
    store.apply(replace(namesake.parts[0], trace=TraceInfo(name=one.trace_id.hex()[:4])))
    reader = store.reader()
    assert [trace.trace_id for trace in reader.find("two")] == [two.trace_id]
    assert [trace.trace_id for trace in reader.find(two.trace_id.hex().upper())] == [two.trace_id]
    assert {trace.trace_id for trace in reader.find(one.trace_id.hex()[:4])} == {one.trace_id, namesake.trace_id}
    assert reader.find("tw") == reader.find("") == reader.find("f" * 33) == []


def test_what_is_not_there_is_none_or_empty(store):
    reader = store.reader()
    assert reader.trace(T) is None
    assert reader.payload(T, S) is None
    assert reader.spans(T) == reader.events(T) == reader.state_events(T) == []
    assert list(reader.payloads(T)) == list(reader.parts(T)) == []
    store.apply(part(start_ns=1))
    assert reader.payload(T, b"x" * 8) is None


def test_events_come_by_time(store):
    store.apply(part(start_ns=1, events=(Event(30, "c"), Event(10, "a"))))
    store.apply(part(b"2" * 8, start_ns=1, events=(Event(20, "b"),)))
    reader = store.reader()
    assert reader.events(T) == [EventRow(S, 10, "a"), EventRow(b"2" * 8, 20, "b"), EventRow(S, 30, "c")]
    assert reader.events(T, changed_after=1) == [EventRow(b"2" * 8, 20, "b")]


def test_state_events_come_by_time_with_what_they_say(store):
    store.apply(part(start_ns=1, events=(state(5, memory={"a": 1}), Event(6, "traceview.log", {"message": "no"}))))
    store.apply(part(b"2" * 8, start_ns=1, events=(state(3, context=["x"]),)))
    store.apply(part(b"3" * 8, start_ns=1))
    assert store.reader().state_events(T) == [(b"2" * 8, state(3, context=["x"])), (S, state(5, memory={"a": 1}))]


def test_payloads_and_parts_come_by_start(store):
    built = build_trace("a:agent > (b:llm, c:tool!)", trace="run")
    store.apply(*reversed(built.parts))
    reader = store.reader()
    assert [span for span, _ in reader.payloads(built.trace_id)] == [item.span_id for item in built.parts]
    parts = list(reader.parts(built.trace_id))
    assert [item.name for item in parts] == ["a", "b", "c"]
    assert [item.trace.name if item.trace else None for item in parts] == ["run", None, None]
    assert [replace(item, trace=None) for item in parts] == [replace(item, trace=None) for item in built.parts]


def test_parts_of_spans_without_an_end_carry_their_status(store):
    store.apply(part(start_ns=1), session=b"s", seq=1)
    (running,) = store.reader().parts(T)
    store.writer.interrupt(b"s")
    (interrupted,) = store.reader().parts(T)
    assert (running.status, interrupted.status, interrupted.end_ns) == (Status.RUNNING, Status.INTERRUPTED, None)


def test_payloads_stay_readable_while_their_block_grows(store):
    reader = store.reader()
    for number in range(1, 100):
        store.apply(part(number.to_bytes(8, "big"), start_ns=number, input=number))
        assert reader.payload(T, number.to_bytes(8, "big")).input == number
        assert reader.payload(T, (1).to_bytes(8, "big")).input == 1
    (blocks,) = store.writer._connection.execute("SELECT count(*) FROM payload_block").fetchone()
    assert blocks == 2  # 64 and 35, not one for each


def test_counts_and_size(store):
    empty = store.reader().size_bytes()
    store.apply(*build_trace("a > (b, c)", trace="1").parts)
    store.apply(*build_trace("a", trace="2").parts, dropped=3)
    reader = store.reader()
    assert reader.counts() == StoreCounts(traces=2, spans=4, dropped=3, dead_letters=0)
    assert reader.size_bytes() > empty > 0


def test_a_reader_can_not_write(store):
    connection = store.reader()._connection
    with pytest.raises(Exception, match="readonly"):
        connection.execute("INSERT INTO meta VALUES ('x', 1)")


def test_closing_twice_is_safe_and_a_closed_reader_says_so(store):
    reader = store.reader()
    reader.close()
    reader.close()
    with pytest.raises(StoreError, match="was closed"):
        reader.traces()
    with pytest.raises(StoreError, match="was closed"):
        list(reader.payloads(T))


def test_a_reader_beside_a_busy_writer_sees_whole_batches(store):
    """Each batch is one trace of three spans: a reader must never see a part of one, nor an error."""
    reader, done = store.reader(), threading.Event()
    built = [build_trace("a > (b:llm, c)", trace=str(number)) for number in range(150)]

    def write() -> None:
        for trace in built:
            store.apply(*trace.parts)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = 0
    try:
        while not (done.is_set() and seen == len(built)):
            found = reader.traces()
            assert all(trace.spans == 3 for trace in found)
            seen = max(seen, len(found))
            for trace in found[:2]:
                assert len(reader.spans(trace.trace_id)) == 3
                assert len(list(reader.payloads(trace.trace_id))) == 3
    finally:
        thread.join()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="how deep msgspec may go depends no more on who calls it")
def test_a_payload_nested_almost_too_deeply_never_hides_its_trace(store):
    deep: Any = "bottom"
    for _ in range(700):
        deep = [deep]
    store.apply(part(start_ns=1, input=deep), part(output="beside it"), part(b"2" * 8, start_ns=2, input="fine"))
    reader = store.reader()

    def read_at(depth: int) -> dict[bytes, Any]:
        return read_at(depth - 1) if depth else dict(reader.payloads(T))

    found = read_at(sys.getrecursionlimit() - 500)
    assert found[b"2" * 8].input == "fine"
    assert "bottom" in str(found[S].input)
    assert found[S].output == "beside it"
    assert reader.payload(T, S).input == deep
