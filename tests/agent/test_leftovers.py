"""What a program left whose daemon is on another machine is shipped by the next one. Two homes are the machines."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview.protocol import wire
from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanRow, Status, TraceInfo
from traceview.store import StoreReader
from traceview.testing import build_trace
from traceview_agent.keys import load_keys, make_keys

from .test_network import address, port_of, ways  # noqa: F401 - a fixture

# `traceview` and the programs that are killed say "now" when they have recorded what they were to.
DOOMED = """
import sys, traceview as tv
with tv.trace(sys.argv[1]):
    for n in range(int(sys.argv[2])):
        with tv.span(f"step {n}", kind="tool", input={"n": n, "pad": "x" * int(sys.argv[3])}) as span:
            tv.log(f"said {n}")
            span.set_output(n)
    with tv.span("last step", kind="llm"):
        print("now", flush=True)
        sys.stdin.read()
"""
NEXT = """
import sys, traceview as tv
with tv.span("next"):
    tv.log("hello")
print("now", flush=True)
sys.stdin.read()
"""

Start = Callable[..., Any]
Until = Callable[..., Any]


class Machine:
    """The machine that programs run on: a home of its own, which sends to the daemon elsewhere."""

    def __init__(self, home: Path, endpoint: str, **keys: str) -> None:
        self.home = home
        self.environ = {**os.environ, "TRACEVIEW_HOME": str(home), "TRACEVIEW_ENDPOINT": endpoint, **keys}
        self.programs: list[subprocess.Popen[str]] = []

    def start(self, code: str, *arguments: object, **changes: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environ | changes,
        )
        self.programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "now\n"
        return program

    def leave(self, name: str = "doomed", steps: int = 50, pad: int = 10, **changes: str) -> int:
        """Runs a program that records and is killed; returns when, in ns."""
        program = self.start(DOOMED, name, steps, pad, **changes)
        return kill(program)

    def spools(self) -> set[str]:
        folder = self.home / "run" / "spool"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    def close(self) -> None:
        for program in self.programs:
            program.kill()
            program.communicate()


def kill(program: subprocess.Popen[str]) -> int:
    killed = time.time_ns()
    program.send_signal(signal.SIGKILL)
    program.wait()
    return killed


def end(program: subprocess.Popen[str]) -> None:
    program.communicate("")
    assert program.returncode == 0


def spans_of(name: str) -> list[SpanRow]:
    """The spans of the one run of this name that the daemon has."""
    with contextlib.closing(StoreReader(find_places().store)) as reader:
        found = [trace for trace in reader.traces() if trace.name == name]
        assert len(found) <= 1
        return list(reader.spans(found[0].trace_id)) if found else []


def is_interrupted(name: str = "doomed") -> bool:
    return any(row.status is Status.INTERRUPTED for row in spans_of(name))


def check_all_there(killed_ns: int, name: str = "doomed", steps: int = 50) -> None:
    rows = spans_of(name)
    assert sorted(row.name for row in rows) == sorted([name, "last step", *(f"step {n}" for n in range(steps))])
    open_ones = {row.name: row for row in rows if row.status is Status.INTERRUPTED}
    assert open_ones.keys() == {name, "last step"}
    assert {row.status for row in rows if row.name.startswith("step")} == {Status.OK}
    for row in open_ones.values():
        assert row.end_ns is not None
        # What was written last is known to the file system's tick; the pages may have been there a while before.
        assert killed_ns - 3_000_000_000 < row.end_ns <= killed_ns + 50_000_000
    with contextlib.closing(StoreReader(find_places().store)) as reader:
        (trace,) = (each for each in reader.traces() if each.name == name)
        events = [event for row in rows for event in reader.payload(trace.trace_id, row.span_id).events]
        assert sorted(str(event.attributes["message"]) for event in events) == sorted(f"said {n}" for n in range(steps))
        assert trace.dropped == 0


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start_far(start_daemon: Start, port: int, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts the daemon of this test's home where programs of another home reach it; again at the same address."""
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", f"tcp://127.0.0.1:{port}")
    return start_daemon


@pytest.fixture
def machine(port: int, tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "a", f"tcp://127.0.0.1:{port}")
    yield made
    made.close()


def test_the_next_program_ships_what_a_killed_one_left(machine: Machine, start_far: Start, until: Until) -> None:
    killed = machine.leave()
    (left,) = machine.spools()
    start_far()
    following = machine.start(NEXT)
    until(is_interrupted)
    check_all_there(killed)
    until(lambda: left not in machine.spools())
    end(following)
    assert [row.status for row in spans_of("next")] == [Status.OK]


def test_keys_are_used_for_it_too(start_daemon: Start, address: str, home: Path, tmp_path: Path, until: Until) -> None:  # noqa: F811
    make_keys(home / "keys", "laptop")
    daemon = start_daemon(listen=address)
    endpoint = f"tcp://{address}:{port_of(ways(daemon)['zeromq-tcp'])}"
    keys = {
        "TRACEVIEW_SERVER_KEY": load_keys(home / "keys").public.decode(),
        "TRACEVIEW_CLIENT_KEY": str(home / "keys" / "clients" / "laptop.key_secret"),
    }
    with contextlib.closing(Machine(tmp_path / "a", endpoint, **keys)) as machine:
        without = {"TRACEVIEW_SERVER_KEY": ""}  # nobody takes what it sends
        killed = machine.leave(**without)
        machine.start(NEXT)
        until(is_interrupted)
        check_all_there(killed)


def test_what_was_under_way_or_stored_already_is_stored_once(machine: Machine, start_far: Start, until: Until) -> None:
    start_far()
    killed = machine.leave(steps=3000)  # killed while the daemon is taking it
    machine.start(NEXT)
    until(lambda: is_interrupted() and len(spans_of("doomed")) == 3002)
    until(lambda: len(machine.spools()) == 1)
    check_all_there(killed, steps=3000)


def test_several_next_programs_ship_each_spool_once(machine: Machine, start_far: Start, until: Until) -> None:
    names = [f"doomed {n}" for n in range(4)]
    killed = {name: machine.leave(name) for name in names}
    start_far()
    following = [machine.start(NEXT) for _ in range(2)]
    until(lambda: all(is_interrupted(name) for name in names))
    until(lambda: len(machine.spools()) == len(following))
    for name in names:
        check_all_there(killed[name], name)


def test_killed_while_it_ships_the_one_after_it_goes_on(machine: Machine, start_far: Start, until: Until) -> None:
    killed = machine.leave(steps=1000, pad=20_000)
    (left,) = machine.spools()
    before = waiting(machine, left)
    start_far()
    following = machine.start(NEXT)
    until(lambda: len(spans_of("doomed")) > 100)
    kill(following)
    assert not is_interrupted()
    assert 0 < waiting(machine, left) < before  # what was acknowledged is not sent again
    machine.start(NEXT)
    until(is_interrupted, 30)
    check_all_there(killed, steps=1000)


def test_a_daemon_that_is_restarted_meanwhile_gets_the_rest(machine: Machine, start_far: Start, until: Until) -> None:
    killed = machine.leave(steps=1000, pad=20_000)
    (left,) = machine.spools()
    daemon = start_far()
    machine.start(NEXT)
    until(lambda: len(spans_of("doomed")) > 100)
    daemon.stop()
    assert not is_interrupted()
    start_far()
    # The daemon ends open spans of programs that it can't see, until they are heard of again.
    until(lambda: left not in machine.spools(), 30)
    check_all_there(killed, steps=1000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_fork_of_one_that_ships_does_not_keep_it_when_that_is_killed(
    machine: Machine, start_far: Start, until: Until
) -> None:
    forking = NEXT + "import os\nif os.fork() == 0: print('now', flush=True)\nsys.stdin.read()\n"
    forking = forking.replace("sys.stdin.read()\nimport", "sys.stdin.readline()\nimport")
    killed = machine.leave(steps=1000, pad=20_000)
    (left,) = machine.spools()
    start_far()
    following = machine.start(forking)
    until(lambda: len(spans_of("doomed")) > 100)
    assert following.stdin is not None
    assert following.stdout is not None
    following.stdin.write("\n")
    following.stdin.flush()
    assert following.stdout.readline() == "now\n"  # the child lives until its standard input ends
    kill(following)
    machine.start(NEXT)
    until(lambda: left not in machine.spools(), 30)
    check_all_there(killed, steps=1000)


def waiting(machine: Machine, session: str) -> int:
    for dead in find_dead(machine.home / "run" / "spool"):
        dead.release()
        if dead.folder.name == session:
            return dead.waiting()
    return 0


def test_it_ships_only_what_was_meant_for_its_endpoint(machine: Machine, start_far: Start, until: Until) -> None:
    machine.leave("elsewhere", TRACEVIEW_ENDPOINT="tcp://127.0.0.1:1")
    machine.leave("own", TRACEVIEW_ENDPOINT="")
    stay = machine.spools()
    machine.leave()
    start_far()
    machine.start(NEXT)
    until(is_interrupted)
    until(lambda: len(machine.spools()) == 3)
    assert stay < machine.spools()
    assert spans_of("elsewhere") == spans_of("own") == []


def test_a_daemon_takes_over_nothing_that_was_meant_for_another(
    home: Path, start_daemon: Start, tmp_path: Path, until: Until
) -> None:
    (tmp_path / "link").symlink_to(home)
    with contextlib.closing(Machine(home, "tcp://127.0.0.1:1")) as machine:
        machine.leave("far")
        stay = machine.spools()
        machine.leave("near", TRACEVIEW_ENDPOINT="")
        machine.leave("spelled otherwise", TRACEVIEW_ENDPOINT=f"ipc://{tmp_path / 'link'}/run/agent.sock")
        start_daemon()
        until(lambda: is_interrupted("near") and is_interrupted("spelled otherwise"))
        until(lambda: machine.spools() == stay)
        assert spans_of("far") == []


@pytest.mark.expects_log
def test_a_spool_that_is_damaged_costs_only_that(machine: Machine, start_far: Start, until: Until, home: Path) -> None:
    killed = machine.leave()
    (left,) = machine.spools()
    (segment,) = (machine.home / "run" / "spool" / left).glob("*.seg")
    tail = int.from_bytes(segment.read_bytes()[8:16], sys.byteorder)
    with segment.open("r+b") as file:
        file.seek(64 + tail)
        file.write(b"\xff" * 100)
        file.seek(8)
        file.write((tail + 100).to_bytes(8, sys.byteorder))
    (segment.parent / "00000009.seg").write_bytes(b"no segment at all, but some text" * 4)
    start_far()
    machine.start(NEXT)
    until(is_interrupted)
    check_all_there(killed)
    until(lambda: left not in machine.spools())
    letters = (home / "rejected.jsonl").read_text(encoding="utf-8")
    assert letters.count("runs past the end of the body") == 2


def test_what_comes_late_of_a_dead_program_does_not_raise_it(daemon: Any, program: Any) -> None:
    root, *others = build_trace("doomed > (open~, done)").parts
    parts = [msgspec.structs.replace(root, trace=TraceInfo(name="doomed")), *others]
    program.hello()
    left = wire.Left(program.session, 1, 0, dropped=5, ended_ns=time.time_ns())
    program.send(wire.encode_header(left))
    program.acknowledged(1)
    program.batch(1, parts, dropped=2)
    program.acknowledged(1)
    assert {row.name: row.status for row in spans_of("doomed")}["open"] is Status.INTERRUPTED
    again = wire.Left(program.session, 2, len(parts))
    program.send(wire.encode_header(again), wire.join_records(map(msgspec.msgpack.encode, parts)))
    program.acknowledged(2)
    assert {row.name: row.status for row in spans_of("doomed")}["open"] is Status.INTERRUPTED
    assert daemon.status.dropped == 5  # what the batch told of is in what the spool told of in all


def test_who_tells_of_a_time_after_its_death_lives(daemon: Any, program: Any) -> None:
    """Where locks don't work, as on some network drives, another machine may take a program for dead."""
    parts = [
        msgspec.structs.replace(part, trace=TraceInfo(name="alive")) for part in build_trace("alive~ > open~").parts
    ]
    program.hello()
    program.batch(1, parts[:1])
    program.acknowledged(1)
    program.send(wire.encode_header(wire.Left(program.session, 1, 0, ended_ns=parts[0].start_ns)))
    program.acknowledged(1)
    assert [row.status for row in spans_of("alive")] == [Status.INTERRUPTED]
    program.batch(2, parts[1:], dropped=2)
    program.acknowledged(2)
    assert [row.status for row in spans_of("alive")] == [Status.RUNNING, Status.RUNNING]
    assert daemon.status.dropped == 2
