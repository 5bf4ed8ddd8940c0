"""From the program to the daemon over a real socket: live, in order, nothing lost, whatever happens to the daemon."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

import traceview as tv
from traceview.protocol.records import SpanPart, Status
from traceview.protocol.wire import Ack, Batch, Busy, Downstream, Hello, Reject, encode_header
from traceview.sdk import recorder
from traceview.sdk.handoff import Handoff
from traceview.sdk.outbox import MemoryOutbox
from traceview.sdk.recorder import Recorder
from traceview.sdk.resource import process_resource
from traceview.sdk.sender import Sender
from traceview.sdk.snapshot import encode_part

from .conftest import Daemon  # isort: skip

MakeDaemon = Callable[..., Daemon]


def record(*names: str) -> None:
    for name in names:
        with tv.span(name):
            pass


def numbers(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


def test_a_span_is_seen_while_it_runs(daemon: Daemon) -> None:
    with tv.span("running", input="q") as span:
        daemon.wait_for(lambda: "running" in daemon.names)
        assert daemon.parts[0].status is Status.RUNNING
        span.set_output("a")
        daemon.wait_for(lambda: any(part.output == "a" for part in daemon.parts))
        assert all(part.end_ns is None for part in daemon.parts)
    daemon.wait_for(lambda: daemon.parts[-1].end_ns is not None)


def test_the_first_word_says_who_speaks(daemon: Daemon) -> None:
    record("s")
    assert tv.flush(10)
    assert daemon.first_words == ["Hello"]
    (hello,) = daemon.hellos
    assert len(hello.session) == 16
    assert hello.resource["process.pid"] == os.getpid()
    assert hello.resource["telemetry.sdk.name"] == "traceview"
    assert {batch.session for batch in daemon.batches} == {hello.session}


def test_flush_waits_until_everything_is_stored(daemon: Daemon) -> None:
    assert tv.flush(0) is True  # nothing was recorded
    record(*numbers(100))
    assert tv.flush(10) is True
    assert daemon.names == numbers(100)


def test_flush_gives_up_in_time() -> None:
    record("s")
    began = time.monotonic()
    assert tv.flush(0.05) is False
    assert time.monotonic() - began < 2


def test_waiting_for_a_daemon_that_does_not_greet_costs_no_computing(endpoint: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(endpoint.removeprefix("ipc://"))
        silent.listen()
        record("s")
        assert tv.flush(0.5) is False  # until all is imported
        began = time.process_time()
        assert tv.flush(1.0) is False
        assert time.process_time() - began < 0.3


def test_a_burst_travels_in_few_batches(daemon: Daemon) -> None:
    record(*numbers(2000))
    assert tv.flush(10)
    assert daemon.names == numbers(2000)
    assert [batch.seq for batch in daemon.batches] == list(range(1, len(daemon.batches) + 1))
    assert len(daemon.batches) <= 100  # 4,000 records
    assert max(batch.count for batch in daemon.batches) <= 512


def test_a_program_that_computes_is_disturbed_rarely_and_a_flush_does_not_wait_for_that(daemon: Daemon) -> None:
    record("first")
    assert tv.flush(10)
    before, began, began_cpu, spans = len(daemon.batches), time.monotonic(), time.process_time(), 0
    while time.process_time() - began_cpu < 0.6:
        sum(range(20_000))
        record("step")
        spans += 1
    if time.monotonic() - began > 0.9:
        pytest.skip("the machine is too busy for one program to be: it got less than two thirds of a core")
    # One in 5 ms would be 120; the first 40 ms are still at that pace.
    assert len(daemon.batches) - before < 40
    assert tv.flush(10)
    assert daemon.names.count("step") == spans


def test_a_span_is_with_the_daemon_soon_after_its_end(daemon: Daemon) -> None:
    record("first")
    assert tv.flush(10)
    taken = []
    for name in numbers(20):
        record(name)
        began = time.perf_counter()
        daemon.wait_for(lambda name=name: name in daemon.names)
        taken.append(time.perf_counter() - began)
    assert sorted(taken)[10] < 0.025  # 6 ms when the machine is quiet


def test_a_daemon_that_starts_later_gets_everything(make_daemon: MakeDaemon) -> None:
    record("early")
    assert tv.flush(0.2) is False
    with make_daemon() as daemon:
        record("late")
        assert tv.flush(10)
        assert daemon.names == ["early", "late"]


def test_a_daemon_that_restarts_loses_nothing(make_daemon: MakeDaemon) -> None:
    with make_daemon() as first:
        record("one")
        assert tv.flush(10)
    record("two")
    with make_daemon() as second:
        record("three")
        assert tv.flush(10)
    assert (first.names, second.names) == (["one"], ["two", "three"])
    assert second.first_words == ["Hello"]
    assert [batch.seq for batch in first.batches + second.batches] == list(
        range(1, len(first.batches) + len(second.batches) + 1)
    )


def test_a_daemon_that_is_there_again_while_nothing_happens_is_found(make_daemon: MakeDaemon) -> None:
    with make_daemon():
        record("one")
        assert tv.flush(10)
        wait_until_asleep()
    with make_daemon() as second:
        record("two")
        assert tv.flush(10)
        assert second.names == ["two"]


def wait_until_asleep() -> None:
    deadline = time.monotonic() + 10
    while not recorder._process._handoff.asleep:
        assert time.monotonic() < deadline, "the sender never sleeps"
        time.sleep(0.005)


def test_what_was_not_acknowledged_is_sent_again_to_the_next_daemon(make_daemon: MakeDaemon) -> None:
    with make_daemon(mute=True) as silent:
        record(*numbers(10))
        silent.wait_for(lambda: len(silent.names) == 10)
    with make_daemon() as daemon:
        assert tv.flush(10)
        assert daemon.names == numbers(10)
    assert set(silent.stored) <= set(daemon.stored)  # the same numbers: the daemon knows what it has already


def test_an_acknowledgement_that_never_comes_is_asked_for_again(endpoint: str, make_daemon: MakeDaemon) -> None:
    handoff = Handoff(MemoryOutbox())
    handoff.outbox.append(encode_part(SpanPart(bytes(16), bytes(8), name="s")))
    thread = threading.Thread(
        target=Sender(handoff, bytes(16), endpoint, encode_header(Hello(bytes(16))), ack_seconds=0.1).run
    )
    with make_daemon(mute=True) as daemon:
        thread.start()
        daemon.wait_for(lambda: len(daemon.hellos) >= 3)
        daemon.mute = False
        assert handoff.wait_until_stored(10)
        assert daemon.names == ["s"]
        handoff.stop(1, 1)
        thread.join()


def test_a_busy_daemon_gets_it_again_after_the_pause(make_daemon: MakeDaemon) -> None:
    refusals = iter([2, 1])

    def busy_at_first(daemon: Daemon, batch: Batch) -> Downstream:
        return Ack(batch.seq) if next(refusals, 0) == 0 else Busy(batch.seq - 1, 20, "not now")

    with make_daemon(busy_at_first) as daemon:
        record("s")
        assert tv.flush(10)
        assert daemon.names == ["s"]
        assert len(daemon.batches) >= 3


@pytest.mark.expects_log
def test_a_refused_batch_is_dropped_counted_and_said_once(
    make_daemon: MakeDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_first(daemon: Daemon, batch: Batch) -> Downstream:
        return Reject(batch.seq, "too odd") if batch.seq == 1 else Ack(batch.seq)

    with make_daemon(refuse_first) as daemon, caplog.at_level(logging.WARNING, logger="traceview"):
        record("lost")
        assert tv.flush(10)
        record("kept")
        assert tv.flush(10)
        daemon.wait_for(lambda: daemon.dropped == 1)
        assert daemon.names[-1] == "kept"
    assert [r.getMessage() for r in caplog.records] == ["the daemon refuses what is recorded: too odd"]


def test_a_refusal_of_what_is_not_under_way_does_no_harm(make_daemon: MakeDaemon) -> None:
    def confused(daemon: Daemon, batch: Batch) -> Downstream:
        return Ack(batch.seq + 100)

    with make_daemon(confused):
        record("s")
        assert tv.flush(10)


@pytest.mark.expects_log
def test_a_full_outbox_drops_the_newest_and_tells_the_daemon(
    make_daemon: MakeDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    small = Recorder(MemoryOutbox(capacity=4_000))
    recorder.redirect(small)
    try:
        with caplog.at_level(logging.WARNING, logger="traceview"):
            for name in numbers(50):
                with tv.span(name) as span:
                    span.set_output("x" * 100)
        with make_daemon() as daemon:
            assert small.flush(10)
            daemon.wait_for(lambda: daemon.dropped)
            # A span counts once, whether it lost all of itself or a part.
            complete = {p.span_id for p in daemon.parts if p.end_ns is not None}
            assert None not in {part.name for part in daemon.parts if part.start_ns is not None}
            assert {part.span_id for part in daemon.parts} == {p.span_id for p in daemon.parts if p.name is not None}
            assert 0 < len(complete) < 50
            assert daemon.dropped == 50 - len(complete)
            record("room again")
            assert small.flush(10)
            assert "room again" in daemon.names
        assert len(caplog.records) == 1
        assert "traceview-agent" in caplog.records[0].getMessage()
    finally:
        recorder.redirect(None)
        small.close(1.0)


@pytest.mark.expects_log
def test_a_loss_with_nothing_after_it_is_reported_too(make_daemon: MakeDaemon) -> None:
    with make_daemon() as daemon:
        record("s")
        assert tv.flush(10)
        recorder.note_dropped()
        record("t")
        daemon.wait_for(lambda: daemon.dropped == 1)


def test_something_else_that_answers_is_not_taken_for_the_daemon(endpoint: str, make_daemon: MakeDaemon) -> None:
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(endpoint)
    record("s")
    identity, *_ = socket.recv_multipart()
    socket.send_multipart([identity, b"\x93spam"])
    socket.recv_multipart()
    socket.close(linger=0)
    context.term()
    with make_daemon() as daemon:
        assert tv.flush(10)
        assert daemon.names == ["s"]


@pytest.mark.expects_log
def test_an_endpoint_that_is_none_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", "carrier-pigeon://loft")
    with caplog.at_level(logging.WARNING, logger="traceview"):
        record("s")
        assert tv.flush(0.3) is False
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info is not None


@pytest.mark.expects_log
def test_a_home_that_cannot_be_found_is_said_and_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_HOME", "~nobody-of-this-name/home")
    record("s")
    assert tv.flush(10) is False


def test_nothing_but_the_spool_is_created_on_disk(home: Path) -> None:
    record("s")
    assert tv.flush(0.2) is False
    assert [path.name for path in home.iterdir()] == ["run"]
    assert [path.name for path in (home / "run").iterdir()] == ["spool"]
    assert (home / "run").stat().st_mode & 0o777 == 0o700


def test_the_thread_ends_when_it_is_closed_and_closing_twice_is_safe(daemon: Daemon) -> None:
    record("s")
    old = recorder.renew()
    old.close(5)
    old.close(5)
    assert daemon.names == ["s"]
    assert not [thread for thread in threading.enumerate() if thread.name == "traceview sender"]
    assert old.append(b"after the end") is True
    assert old.flush(0.01) is False


def test_closing_is_prompt_when_no_daemon_is_there() -> None:
    record("s")
    assert tv.flush(0.2) is False
    began = time.monotonic()
    recorder.renew().close(5)
    assert time.monotonic() - began < 1


def test_closing_gives_up_on_a_silent_daemon(make_daemon: MakeDaemon) -> None:
    with make_daemon(mute=True) as silent:
        record("s")
        silent.wait_for(lambda: silent.names)
        began = time.monotonic()
        recorder.renew().close(0.1)
        assert time.monotonic() - began < 1.5


def test_many_threads_record_at_once(daemon: Daemon) -> None:
    def work(thread: int) -> None:
        record(*(f"{thread}/{number}" for number in range(200)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tv.flush(10)
    assert len(daemon.names) == len(set(daemon.names)) == 800


def test_the_daemon_dies_again_and_again_and_nothing_is_lost(make_daemon: MakeDaemon) -> None:
    stop = threading.Event()
    made = 0

    def program() -> None:
        nonlocal made
        while not stop.is_set():
            record(f"s{made}")
            made += 1
            stop.wait(0.0005)

    stored: dict[tuple[bytes, int], list[str]] = {}
    thread = threading.Thread(target=program)
    thread.start()
    try:
        for attempt in range(5):
            with make_daemon(mute=attempt % 2 == 1) as daemon:
                daemon.wait_for(lambda daemon=daemon: len(daemon.batches) >= 5)
            stored |= {key: [p.name for p in parts if p.name] for key, parts in daemon.stored.items()}
    finally:
        stop.set()
        thread.join()
    with make_daemon() as daemon:
        assert tv.flush(10)
    stored |= {key: [p.name for p in parts if p.name] for key, parts in daemon.stored.items()}
    assert [name for key in sorted(stored) for name in stored[key]] == numbers(made)


def test_a_sender_that_cannot_reach_anyone_ends_when_asked(home: Path) -> None:
    handoff = Handoff(MemoryOutbox())
    handoff.outbox.append(b"x")
    serving = Sender(handoff, bytes(16), f"ipc://{home}/nobody", encode_header(Hello(bytes(16))))
    thread = threading.Thread(target=serving.run)
    thread.start()
    handoff.stop(5, 5)
    thread.join(2)
    assert not thread.is_alive()


def test_the_resource_tells_what_process_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/srv/agents/support.py", "--fast"])
    found = process_resource()
    assert (found["service.name"], found["process.command"]) == ("support", "/srv/agents/support.py")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=search%20team,service.name=x,broken, =y")
    assert process_resource()["team"] == "search team"
    assert process_resource()["service.name"] == "x"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "named")
    assert process_resource()["service.name"] == "named"


@pytest.mark.parametrize(
    ("argv", "name"), [(["/x/agents/__main__.py"], "agents"), (["-c"], "python"), ([""], "python"), ([], "python")]
)
def test_a_program_without_a_file_of_its_own_has_a_name_too(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], name: str
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert process_resource()["service.name"] == name
