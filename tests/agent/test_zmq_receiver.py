"""What our SDK may rely on: acknowledged is stored, sent twice is stored once, nothing it sends ends the daemon."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol import wire
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.redaction import Alarms
from traceview.store import StoreReader
from traceview.testing import build_trace
from traceview_agent import redaction, zmq_receiver
from traceview_agent.endpoints import refusal_of
from traceview_agent.intake import Intake
from traceview_agent.zmq_receiver import ZmqReceiver

TRACE = build_trace("plan > (search:tool!, answer:llm~)")


def test_what_is_acknowledged_is_in_the_store(daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert daemon.stored() == ["answer", "plan", "search"]


def test_hello_is_answered_with_what_is_committed(daemon: Any, program: Any) -> None:
    assert program.hello() == wire.Ack(0)
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert program.hello() == wire.Ack(1)


def test_the_process_is_described_on_its_spans(daemon: Any, start_program: Any) -> None:
    program = start_program(resource={"process.pid": 42})
    program.hello()
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    reader = StoreReader(daemon.places.store)
    payload = reader.payload(TRACE.trace_id, TRACE.part("plan").span_id)
    reader.close()
    assert payload is not None
    assert payload.resource == {"process.pid": 42}


def test_a_batch_sent_twice_is_acknowledged_again_and_stored_once(daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert daemon.stored() == ["answer", "plan", "search"]


def test_many_batches_share_acknowledgements(daemon: Any, program: Any) -> None:
    for seq in range(1, 501):
        program.batch(seq, [msgspec.structs.replace(TRACE.parts[0], span_id=seq.to_bytes(8, "big"))])
    program.acknowledged(500)
    assert len(daemon.stored()) == 500
    assert daemon.status.spans == 500


def long_part(name: str) -> SpanPart:
    return msgspec.structs.replace(TRACE.part(name), input="x" * 3_000_000)


def test_what_comes_behind_a_long_batch_waits_for_it(daemon: Any, program: Any) -> None:
    program.batch(1, [long_part("plan")])
    program.batch(2, [TRACE.part("search")])
    program.batch(2, [TRACE.part("search")])
    program.batch(3, [long_part("answer")])
    program.acknowledged(3)
    assert daemon.stored() == ["answer", "plan", "search"]
    refused = daemon.call(lambda: daemon.daemon._meters.figures().refused)
    assert refused == {}


def test_a_long_batch_is_read_while_others_are_answered(
    daemon: Any, start_program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read_on = threading.Event(), threading.Event()
    decode = ZmqReceiver._decode

    def slowly(self: ZmqReceiver, body: memoryview, alarms: Alarms) -> Any:
        if len(body) > 1_000_000:
            reading.set()
            assert read_on.wait(10)
        return decode(self, body, alarms)

    monkeypatch.setattr(ZmqReceiver, "_decode", slowly)
    slow, quick = start_program(), start_program(session=b"q" * 16)
    slow.batch(1, [long_part("plan")])
    assert reading.wait(10)
    for seq in range(2, 67):
        slow.batch(seq, [TRACE.part("search")])
    quick.batch(1, [TRACE.part("answer")])
    quick.acknowledged(1)
    busy = slow.hear()
    assert isinstance(busy, wire.Busy)  # more behind it than any program of ours sends
    read_on.set()
    slow.acknowledged(65)
    assert daemon.stored() == ["answer", "plan", "search"]


def test_a_long_batch_that_finds_no_room_comes_again(
    daemon: Any, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, refusals = Intake.offer, [True]
    monkeypatch.setattr(Intake, "offer", lambda self, load: not refusals.pop() if refusals else offer(self, load))
    program.batch(1, [long_part("plan")])
    program.batch(2, [TRACE.part("search")])
    assert isinstance(program.hear(), wire.Busy)
    program.batch(1, [long_part("plan")])
    program.batch(2, [TRACE.part("search")])
    program.acknowledged(2)
    assert daemon.stored() == ["plan", "search"]


def test_a_batch_that_is_refused_again_and_again_is_not_skipped(daemon: Any, program: Any) -> None:
    writer = daemon.daemon._writer
    for _ in range(2):
        writer.problem = "the disk is full"
        program.batch(1, TRACE.parts[:1])
        answer = program.hear()
        assert isinstance(answer, wire.Busy)
        assert answer.reason == "the disk is full"
        writer.problem = None
        program.batch(2, TRACE.parts[1:])
    assert program.hears_nothing()
    assert daemon.stored() == []
    program.batch(1, TRACE.parts[:1])
    program.batch(2, TRACE.parts[1:])
    program.acknowledged(2)
    assert daemon.stored() == ["answer", "plan", "search"]


def test_a_lost_first_batch_is_asked_for(daemon: Any, program: Any) -> None:
    program.batch(2, TRACE.parts[1:])
    answer = program.hear()
    assert isinstance(answer, wire.Busy)
    assert answer.upto == 0
    program.batch(1, TRACE.parts[:1])
    program.batch(2, TRACE.parts[1:])
    program.acknowledged(2)
    assert len(daemon.stored()) == 3


def test_a_gap_is_asked_for_and_filled(daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts[:1])
    program.acknowledged(1)
    program.batch(3, TRACE.parts[2:])
    answer = program.hear()
    assert isinstance(answer, wire.Busy)
    assert answer.upto == 1
    assert len(daemon.stored()) == 1
    program.batch(2, TRACE.parts[1:2])
    program.batch(3, TRACE.parts[2:])
    program.acknowledged(3)
    assert len(daemon.stored()) == 3


def test_a_program_older_than_the_store_goes_on_where_it_is(daemon: Any, program: Any) -> None:
    program.batch(56, TRACE.parts[:1])
    assert isinstance(program.hear(), wire.Busy)
    program.batch(57, TRACE.parts[1:2])
    assert isinstance(program.hear(), wire.Busy)
    program.batch(56, TRACE.parts[:1])
    program.acknowledged(56)
    program.batch(57, TRACE.parts[1:2])
    program.acknowledged(57)
    assert len(daemon.stored()) == 2


def test_a_program_in_another_language_is_understood(daemon: Any, program: Any) -> None:
    """Plain maps and arrays, as agent/README.md describes them."""
    pack = msgspec.msgpack.encode
    program.send(pack({"type": "hello", "session": program.session, "version": 1, "resource": {"host.name": "h"}}))
    assert program.hear() == wire.Ack(0)
    start = pack([b"t" * 16, b"a" * 8, None, "from elsewhere", "tool", 1_790_000_000_000_000_000])
    end = pack([b"t" * 16, b"a" * 8, None, None, None, None, 1_790_000_001_000_000_000, 1])
    body = b"".join(len(record).to_bytes(4, "big") + record for record in (start, end))
    program.send(pack({"type": "batch", "session": program.session, "seq": 1, "count": 2}), body)
    assert program.hear() == wire.Ack(1)
    assert daemon.stored() == ["from elsewhere"]


@pytest.mark.expects_log
def test_good_records_of_a_batch_with_a_bad_one_are_stored(daemon: Any, program: Any) -> None:
    program.batch(1, [TRACE.parts[0], b"\xc1 no record", TRACE.parts[1]])
    program.acknowledged(1)
    assert daemon.stored() == ["plan", "search"]
    assert daemon.status.rejected == 1
    (letter,) = (daemon.places.home / "rejected.jsonl").read_text().splitlines()
    assert json.loads(letter)["source"] == "ZeroMQ"


@pytest.mark.expects_log
def test_a_batch_that_ends_inside_a_record_keeps_what_came_before(daemon: Any, program: Any) -> None:
    body = wire.join_records([msgspec.msgpack.encode(part) for part in TRACE.parts])
    program.send(wire.encode_header(wire.Batch(program.session, 1, 3)), body[:-5])
    program.acknowledged(1)
    assert daemon.stored() == ["plan", "search"]


@pytest.mark.expects_log
def test_an_undecodable_batch_is_rejected_and_the_next_one_taken(daemon: Any, program: Any) -> None:
    program.send(wire.encode_header(wire.Batch(program.session, 1, 1)), b"\xff\xff\xff\xffnonsense")
    answers = {type(program.hear()), type(program.hear())}
    assert answers == {wire.Reject, wire.Ack}
    program.batch(2, TRACE.parts)
    program.acknowledged(2)
    assert len(daemon.stored()) == 3


@pytest.mark.expects_log
def test_endless_bad_records_are_not_read_to_the_end(daemon: Any, program: Any) -> None:
    program.send(wire.encode_header(wire.Batch(program.session, 1, 1)), b"\0" * 400_000)
    assert isinstance(program.hear(), wire.Reject)
    assert daemon.status.rejected == 1001


def test_an_empty_batch_tells_of_losses_only(daemon: Any, program: Any) -> None:
    program.send(wire.encode_header(wire.Batch(program.session, 1, 0, dropped=7)))
    program.acknowledged(1)
    assert daemon.status.dropped == 7


def test_another_version_is_rejected_with_the_reason(daemon: Any, program: Any) -> None:
    answer = program.hello(version=99)
    assert isinstance(answer, wire.Reject)
    assert "version 99" in answer.reason
    program.batch(1, TRACE.parts)
    assert program.hear() == wire.Reject(1, answer.reason)


@pytest.mark.parametrize("seq", [0, -1])
def test_batches_are_numbered_from_one(daemon: Any, program: Any, seq: int) -> None:
    program.batch(seq, TRACE.parts)
    assert program.hear() == wire.Reject(seq, "a session's batches are numbered from 1")


@pytest.mark.expects_log
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(frames=st.lists(st.binary(max_size=200), min_size=1, max_size=6))
def test_garbage_is_counted_and_survived(daemon: Any, program: Any, frames: list[bytes]) -> None:
    before = daemon.status.rejected
    program.send(*frames)
    program.hello()
    assert daemon.status.rejected == before + 1


@pytest.mark.expects_log
def test_a_bomb_of_many_frames_is_dropped(daemon: Any, program: Any, until: Callable[..., Any]) -> None:
    program.send(*[b"x"] * 50_000)
    until(lambda: daemon.status.rejected == 1)
    program.batch(1, TRACE.parts)
    program.acknowledged(1)


@pytest.mark.expects_log
def test_garbage_is_logged_once_per_kind(
    daemon: Any, program: Any, until: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        program.send(b"garbage")
        program.send(b"a", b"b", b"c", b"d")
    program.send(wire.encode_header(wire.Hello(b"short")))
    until(lambda: daemon.status.rejected == 11)
    assert sum("follow the protocol" in record.getMessage() for record in caplog.records) == 3


@pytest.mark.expects_log
def test_bytes_that_are_no_zeromq_do_no_harm(daemon: Any, program: Any) -> None:
    path = find_places().endpoint.removeprefix("ipc://")
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(path)
            stranger.sendall(os.urandom(200))
    program.batch(1, TRACE.parts)
    program.acknowledged(1)


def test_what_comes_while_the_queue_is_full_waits_and_nobody_has_to_send_it_again(daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts[:1])
    program.acknowledged(1)
    intake = daemon.daemon._intake
    with intake._changed:  # nobody takes anything out while this is held
        intake._spans += 50_000
    program.batch(2, TRACE.parts[1:2])
    program.batch(3, TRACE.parts[2:])
    assert program.hears_nothing()
    with intake._changed:
        intake._spans -= 50_000
    program.acknowledged(3)
    assert len(daemon.stored()) == 3


def test_a_session_survives_a_new_connection(daemon: Any, start_program: Any) -> None:
    first = start_program()
    first.batch(1, TRACE.parts[:1])
    first.acknowledged(1)
    again = start_program()
    assert again.hello() == wire.Ack(1)
    again.batch(2, TRACE.parts[1:])
    again.acknowledged(2)
    assert len(daemon.stored()) == 3


def test_a_new_daemon_knows_what_the_old_one_committed(start_daemon: Any, program: Any) -> None:
    old = start_daemon()
    program.batch(1, TRACE.parts[:2])
    program.acknowledged(1)
    old.stop()
    new = start_daemon()
    program.batch(1, TRACE.parts[:2])
    program.acknowledged(1)
    program.batch(2, TRACE.parts[2:])
    program.acknowledged(2)
    assert len(new.stored()) == 3
    assert new.status.spans == 0  # the last span still runs, the others were stored before


def test_a_program_that_starts_first_is_heard_later(start_daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts)
    daemon = start_daemon()
    program.acknowledged(1)
    assert len(daemon.stored()) == 3


def test_loopback_tcp_may_be_chosen(start_daemon: Any, start_program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", "tcp://127.0.0.1:*")
    daemon = start_daemon()
    (address,) = (receiver.address for receiver in daemon.status.receivers if receiver.name == "zeromq")
    program = start_program(endpoint=address)
    program.batch(1, TRACE.parts)
    program.acknowledged(1)


@pytest.mark.expects_log
@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://0.0.0.0:5555", "others can reach"),
        ("tcp://*:5555", "others can reach"),
        ("ipc://@abstract", "others can reach"),
        ("nonsense", "others can reach"),
        ("ipc:///nowhere/at/all.sock", "does not exist"),
        ("tcp://127.0.0.1:notaport", "TRACEVIEW_ENDPOINT"),
    ],
)
def test_a_place_it_must_not_or_cannot_listen_is_reported(
    start_daemon: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str, why: str
) -> None:
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", endpoint)
    zeromq, otlp = start_daemon().status.receivers[:2]
    assert why in zeromq.error
    assert "TRACEVIEW_ENDPOINT" in zeromq.error
    assert otlp.error is None


def test_a_socket_that_someone_answers_on_is_not_taken_over(home: Any) -> None:
    path = home / "other.sock"
    context = zmq.Context()
    other = context.socket(zmq.ROUTER)
    other.bind(f"ipc://{path}")
    try:
        assert "another process" in str(refusal_of(f"ipc://{path}"))
    finally:
        other.close()
        context.term()
    path.touch()
    assert refusal_of(f"ipc://{path}") is None


def test_a_long_part_of_any_kind_is_stored_as_it_was(daemon: Any, program: Any) -> None:
    text = "".join(f"{number}: — said “so”\n" for number in range(200_000))
    parts = [msgspec.structs.replace(TRACE.part("plan"), input=[{"content": text}, 1.5, None], output=text)]
    program.batch(1, [parts[0], long_part("answer")])
    program.batch(2, [TRACE.part("search")] * 2)
    program.acknowledged(2)
    reader = StoreReader(daemon.places.store)
    payload = reader.payload(parts[0].trace_id, parts[0].span_id)
    reader.close()
    assert payload is not None
    assert (payload.input, payload.output) == (parts[0].input, text)


def test_a_batch_that_we_fail_at_is_refused_and_the_next_one_stored(
    daemon: Any, program: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = msgspec.structs.replace(TRACE.part("search"), input="Basic organizational things")
    with monkeypatch.context() as failing:
        failing.setattr(redaction.Redaction, "cleaned", lambda self, *_, **__: 1 / 0)
        program.batch(1, [TRACE.part("plan"), secret])
        assert program.hear() == wire.Reject(1, "ZeroDivisionError('division by zero')")
        program.acknowledged(1)
    program.batch(2, [TRACE.part("answer")])
    program.acknowledged(2)
    assert daemon.stored() == ["answer"]
    assert daemon.status.rejected == 2
    assert "can't be read" in caplog.text
    caplog.clear()


def test_a_record_that_we_fail_at_is_set_aside_and_the_others_are_stored(
    daemon: Any, program: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = zmq_receiver.make_ready

    def fail(part: SpanPart, *rest: Any, **more: Any) -> Any:
        return 1 / 0 if part.name == "search" else made(part, *rest, **more)

    monkeypatch.setattr(zmq_receiver, "make_ready", fail)
    program.batch(1, [TRACE.part("plan"), TRACE.part("search")])
    program.acknowledged(1)
    assert daemon.stored() == ["plan"]
    assert "can't be made ready" in caplog.text
    assert daemon.status.rejected == 1
    caplog.clear()
