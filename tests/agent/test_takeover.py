"""Nothing a program recorded is lost when it dies: the daemon takes its spool over and ends its open spans."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from traceview.conventions import facts
from traceview.protocol.dead_spool import DeadSpool
from traceview.protocol.places import find_places
from traceview.protocol.records import Event, SpanRow, Status, TraceSummary
from traceview.protocol.spool import Spool
from traceview.store import StoreReader, StoreWriter
from traceview.testing import build_trace

PROGRAM = """
import sys, traceview as tv
with tv.trace("doomed"):
    for n in range(50):
        with tv.span(f"step {n}", kind="tool", input={"n": n}) as span:
            span.set_output(n)
    with tv.span("last step", kind="llm"):
        print("now", flush=True)
        sys.stdin.read()
"""

Start = Callable[..., object]
Until = Callable[..., object]
Program = Callable[[], "subprocess.Popen[str]"]


def stored() -> tuple[TraceSummary, list[SpanRow]] | None:
    """The one trace in the store and its spans, if there is one."""
    if not find_places().store.exists():
        return None
    reader = StoreReader(find_places().store)
    try:
        traces = reader.traces()
        return (traces[0], reader.spans(traces[0].trace_id)) if traces else None
    finally:
        reader.close()


def is_interrupted() -> bool:
    found = stored()
    return found is not None and found[0].status is Status.INTERRUPTED


@pytest.fixture
def start_doomed(home: Path) -> Iterator[Program]:
    programs: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "now\n"
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def check_all_there(died_after_ns: int) -> None:
    found = stored()
    assert found is not None
    trace, spans = found
    assert sorted(row.name for row in spans) == sorted(["doomed", "last step", *(f"step {n}" for n in range(50))])
    by_status = {row.name: row.status for row in spans}
    assert by_status.pop("doomed") is by_status.pop("last step") is Status.INTERRUPTED
    assert set(by_status.values()) == {Status.OK}
    assert trace.running == 0
    (last,) = (row for row in spans if row.name == "last step")
    assert last.end_ns is not None
    assert last.start_ns <= last.end_ns
    # A death is noticed within about a second; the machine may be slow on top of that.
    assert died_after_ns - 3_000_000_000 < last.end_ns < time.time_ns()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_program_killed_beside_the_daemon(
    start_daemon: Start, start_doomed: Program, until: Until, how: signal.Signals
) -> None:
    start_daemon()
    program = start_doomed()
    until(lambda: (found := stored()) is not None and len(found[1]) == 52)
    assert not is_interrupted()
    killed = time.time_ns()
    program.send_signal(how)
    until(is_interrupted)
    check_all_there(killed)
    until(lambda: not list(find_places().spool.iterdir()))


def test_a_program_killed_before_any_daemon_ran(start_daemon: Start, start_doomed: Program, until: Until) -> None:
    program = start_doomed()
    killed = time.time_ns()
    program.kill()
    program.wait()
    start_daemon()
    until(is_interrupted)
    check_all_there(killed)
    until(lambda: not list(find_places().spool.iterdir()))


def test_a_program_that_ended_before_any_daemon_ran(home: Path, start_daemon: Start, until: Until) -> None:
    code = "import traceview as tv\nwith tv.trace('early'):\n    tv.log('was here')"
    subprocess.run([sys.executable, "-c", code], check=True)
    start_daemon()
    until(lambda: (found := stored()) is not None and found[0].status is Status.OK)
    until(lambda: not list(find_places().spool.iterdir()))


def test_a_program_that_left_no_spool_is_ended_too(home: Path, start_daemon: Start, until: Until) -> None:
    places = find_places()
    places.prepare()
    writer = StoreWriter(places.store, facts)
    writer.apply(build_trace("gone~").parts, session=b"s" * 16, seq=1)
    writer.close()
    start_daemon()
    until(is_interrupted)


@pytest.mark.expects_log
def test_what_came_over_the_socket_is_known_again_in_the_spool(
    home: Path, start_daemon: Start, start_program: Callable[..., Any], until: Until
) -> None:
    """Of a program that died before it heard that its batch is committed; what it says may look like a secret."""
    session = b"s" * 16
    texts = ("nothing", "Basic organizational things", "hand in sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8")
    start = build_trace("kept").parts[0]
    parts = [
        msgspec.structs.replace(start, start_ns=None, events=(Event(number, "log", {"said": text}),))
        for number, text in enumerate(texts)
    ]
    # Short, as our SDK writes them; of the shortest some look like what the store keeps in a record's stead.
    records = [msgspec.msgpack.encode(start), *(msgspec.msgpack.encode(astuple(part)[:14]) for part in parts)]
    records += [msgspec.msgpack.encode(astuple(start)[:fields]) for fields in (3, 4)]
    # Deeper than any interpreter follows, and cut in the middle of that.
    deep = msgspec.msgpack.encode(msgspec.structs.replace(start, output="#", events=(Event(9, "log"),)))
    records.append(deep.replace(b"\xa1#", b"\x91" * 50_000 + b"\xa6bottom"))
    broken = records[-1][:20_000]
    spool = Spool(find_places().spool / session.hex())
    for record in (broken, *records):
        spool.append(record)
    start_daemon()
    program = start_program(session=session)
    program.batch(1, [broken, *records])
    program.acknowledged(1)
    spool.close()
    until(lambda: not list(find_places().spool.iterdir()))
    reader = StoreReader(find_places().store)
    payload = reader.payload(start.trace_id, start.span_id)
    reader.close()
    assert payload is not None
    assert [event.attributes["said"] for event in payload.events[:2]] == list(texts[:2])
    assert len(payload.events) == 4
    assert "bottom" in str(payload.output)


def test_what_the_program_knew_to_be_lost_is_counted_once(home: Path, start_daemon: Start, until: Until) -> None:
    spool = Spool(find_places().spool / (b"s" * 16).hex())
    for part in build_trace("kept~").parts:
        spool.append(msgspec.msgpack.encode(part))
    spool.note_dropped(7)
    spool.close()
    start_daemon()
    until(is_interrupted)
    found = stored()
    assert found is not None
    assert found[0].dropped == 7


@pytest.mark.expects_log
def test_damage_costs_only_what_is_damaged(home: Path, start_daemon: Start, until: Until) -> None:
    spool = Spool(find_places().spool / (b"s" * 16).hex())
    spool.introduce(b"not a hello")
    (part,) = build_trace("kept~").parts
    for record in (b"garbage", msgspec.msgpack.encode(part), b"\xc1"):
        spool.append(record)
    spool.close()
    stray = Spool(find_places().spool / "stray")
    stray.close()
    start_daemon()
    until(is_interrupted)
    assert (home / "rejected.jsonl").read_text().count("not a span record") == 2
    until(lambda: [path.name for path in find_places().spool.iterdir()] == ["stray"])


def left_by(name: bytes, records: int) -> Path:
    """The folder of a spool with so many spans, and a root to tell it by; its process is gone."""
    folder = find_places().spool / (name * 16).hex()
    spool = Spool(folder)
    for number in range(records):
        spool.append(msgspec.msgpack.encode(build_trace("a", trace=f"{name.decode()}{number}").parts[0]))
    spool.close()
    return folder


def kept_names() -> set[str]:
    if not find_places().store.exists():
        return set()
    reader = StoreReader(find_places().store)
    try:
        return {trace.name for trace in reader.traces()}
    finally:
        reader.close()


HEADER_WORDS = {"tail": 8, "acked": 16, "dropped": 24}


@pytest.mark.expects_log
@pytest.mark.parametrize("word", HEADER_WORDS)
def test_a_damaged_header_is_told_and_costs_the_others_nothing(
    home: Path, start_daemon: Start, until: Until, word: str
) -> None:
    (segment,) = left_by(b"a", 3).glob("*.seg")
    left_by(b"b", 3)
    with segment.open("r+b") as file:
        file.seek(HEADER_WORDS[word] + 7)
        file.write(b"\x7f")  # the highest byte: farther than any file reaches
    start_daemon()
    until(lambda: kept_names() >= {"b0", "b1", "b2"})
    until(lambda: not list(find_places().spool.iterdir()))
    letters = (home / "rejected.jsonl").read_text()
    assert segment.name in letters
    assert ("cut short" if word == "tail" else "damaged header") in letters


@pytest.mark.expects_log
def test_a_segment_that_is_cut_gives_what_is_left_and_is_told(home: Path, start_daemon: Start, until: Until) -> None:
    (segment,) = left_by(b"a", 40).glob("*.seg")
    whole = Spool(find_places().spool / "measured")
    whole.append(msgspec.msgpack.encode(build_trace("a", trace="a0").parts[0]))
    os.truncate(segment, 64 + whole.written)  # at the end of a record: nothing but the header knows of more
    shutil.rmtree(whole.folder)
    whole.close()
    start_daemon()
    until(lambda: kept_names() == {"a0"})
    assert "cut short" in (home / "rejected.jsonl").read_text()


@pytest.mark.expects_log
def test_a_spool_that_fails_does_not_hold_up_the_others(
    start_daemon: Start, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("traceview_agent.takeover.LOOK_SECONDS", 0.01)
    bad = left_by(b"a", 1)
    left_by(b"b", 1)
    true_bodies = DeadSpool.bodies

    def bodies(dead: DeadSpool) -> Iterator[bytes]:
        if dead.folder == bad:
            raise ZeroDivisionError
        return true_bodies(dead)

    monkeypatch.setattr(DeadSpool, "bodies", bodies)
    start_daemon()
    until(lambda: kept_names() == {"b0"})
    assert bad.exists()
    monkeypatch.setattr(DeadSpool, "bodies", true_bodies)
    until(lambda: kept_names() == {"a0", "b0"})
    assert [record.levelname for record in caplog.records if "can't be taken over" in record.message] == ["ERROR"]


def test_spans_of_a_program_do_not_end_before_they_began_where_the_clock_was_set_back(
    start_daemon: Start, until: Until
) -> None:
    spool = Spool(find_places().spool / (b"s" * 16).hex())
    start_ns = time.time_ns() + 3600 * 10**9
    run = build_trace("run~ > (done, open~)", start_ns=start_ns)
    for part in run.parts:
        spool.append(msgspec.msgpack.encode(part))
    spool.close()
    start_daemon()
    until(is_interrupted)
    found = stored()
    assert found is not None
    latest = max(part.end_ns or part.start_ns or 0 for part in run.parts)
    assert {row.end_ns for row in found[1] if row.status is Status.INTERRUPTED} == {latest}
