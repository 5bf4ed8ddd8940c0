"""The outbox in memory and the window of batches under way: pure bookkeeping."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.wire import Batch, decode_upstream, split_records
from traceview.sdk.outbox import Chunk, MemoryOutbox
from traceview.sdk.window import MAX_BATCHES, MAX_BYTES, Window


def records(chunk: Chunk | None) -> list[bytes]:
    assert chunk is not None
    return [bytes(record) for record in split_records(chunk.body)]


def test_records_come_out_in_order_and_in_chunks() -> None:
    outbox = MemoryOutbox()
    for number in range(5):
        assert outbox.append(b"%d" % number)
    assert outbox.appended == outbox.waiting() > 0
    assert outbox.freed == 0
    assert records(outbox.take(3, 10_000)) == [b"0", b"1", b"2"]
    assert records(outbox.take(3, 10_000)) == [b"3", b"4"]
    assert outbox.take(3, 10_000) is None
    assert outbox.waiting() == 0


def test_a_chunk_is_bounded_by_bytes_but_a_big_record_travels_alone() -> None:
    outbox = MemoryOutbox()
    for record in (b"a" * 500, b"b" * 500, b"c" * 5000, b"d"):
        outbox.append(record)
    sizes = []
    while chunk := outbox.take(100, 1200):
        sizes.append(chunk.records)
    assert sizes == [2, 1, 1]


def test_a_full_outbox_refuses_the_newest_until_something_is_freed() -> None:
    outbox = MemoryOutbox(capacity=3 * 164)
    assert [outbox.append(b"x" * 100) for _ in range(4)] == [True, True, True, False]
    chunk = outbox.take(2, 10_000)
    assert not outbox.append(b"x" * 100)  # taken is not freed
    outbox.free(chunk)
    assert outbox.append(b"x" * 100)
    assert (outbox.appended, outbox.freed, outbox.waiting()) == (4 * 164, 2 * 164, 2 * 164)


def test_dropped_spans_are_reported_once() -> None:
    outbox = MemoryOutbox()
    outbox.note_dropped()
    outbox.note_dropped(3)
    assert (outbox.take_dropped(), outbox.take_dropped()) == (4, 0)


def test_many_threads_lose_nothing_and_count_right() -> None:
    outbox = MemoryOutbox()

    def append(name: int) -> None:
        for number in range(1000):
            outbox.append(b"%d/%04d" % (name, number))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    taken: list[bytes] = []
    while len(taken) < 4000:
        chunk = outbox.take(100, 10_000)
        if chunk is not None:
            taken += records(chunk)
            outbox.free(chunk)
    for thread in threads:
        thread.join()
    assert outbox.appended == outbox.freed > 4000
    for name in range(4):
        assert [r for r in taken if r.startswith(b"%d/" % name)] == [b"%d/%04d" % (name, i) for i in range(1000)]


def chunk_of(size: int) -> Chunk:
    return Chunk(b"", 1, size)


def test_batches_are_numbered_from_one() -> None:
    window = Window(bytes(16))
    window.add(chunk_of(1), dropped=0)
    window.add(None, dropped=7)
    first, second = window.next_unsent(), None
    window.mark_sent()
    second = window.next_unsent()
    assert decode_upstream(first.header) == Batch(bytes(16), 1, 1)
    assert decode_upstream(second.header) == Batch(bytes(16), 2, 0, 7)


def test_the_window_is_bounded_by_batches_and_by_bytes() -> None:
    window = Window(bytes(16))
    for _ in range(MAX_BATCHES):
        assert window.has_room
        window.add(chunk_of(1), 0)
    assert not window.has_room
    window.acknowledge(1)
    assert window.has_room
    window.add(chunk_of(MAX_BYTES), 0)
    window.acknowledge(MAX_BATCHES)
    assert not window.has_room


def test_a_batch_can_be_refused_alone() -> None:
    window = Window(bytes(16))
    for _ in range(3):
        window.add(chunk_of(1), 0)
        window.mark_sent()
    assert window.reject(2).seq == 2
    assert window.reject(2) is None
    assert window.reject(9) is None
    assert (len(window), window.in_flight, window.next_unsent()) == (2, True, None)
    assert [parcel.seq for parcel in window.acknowledge(3)] == [1, 3]
    assert not window.in_flight


@given(st.lists(st.one_of(st.just("add"), st.just("send"), st.just("rewind"), st.integers(0, 40))))
def test_whatever_happens_batches_go_out_in_order_and_none_is_skipped(steps: list[object]) -> None:
    window = Window(bytes(16))
    added = acknowledged = 0
    for step in steps:
        if step == "add":
            window.add(chunk_of(1), 0)
            added += 1
        elif step == "send":
            parcel = window.next_unsent()
            if parcel is not None:
                window.mark_sent()
        elif step == "rewind":
            window.rewind()
            parcel = window.next_unsent()
            assert (parcel.seq if parcel else added + 1) == acknowledged + 1
        else:
            done = window.acknowledge(step)
            assert [parcel.seq for parcel in done] == list(
                range(acknowledged + 1, max(acknowledged, min(step, added)) + 1)
            )
            acknowledged += len(done)
        assert len(window) == added - acknowledged
