"""`traceview spools` says what waits, for whom and what to do; `--ship` sends it, and says what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from traceview.cli import main
from traceview.protocol import wire
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.protocol.spool import Spool
from traceview.testing import build_trace

PARTS = build_trace("plan > (search, answer~)").parts
Answer = Callable[[Any], wire.Downstream | None]


def leave(
    session: bytes, endpoint: str, records: list[bytes] | None = None, *, hello: bool = True, dropped: int = 0
) -> Spool:
    """A spool as a program leaves it; close it to have it dead."""
    spool = Spool(find_places().spool / session.hex(), endpoint=endpoint)
    if hello:
        resource = {"service.name": "nightly", "process.pid": 4711, "host.name": "h"}
        spool.introduce(wire.encode_header(wire.Hello(session, resource=resource)))
    for record in [msgspec.msgpack.encode(part) for part in PARTS] if records is None else records:
        assert spool.append(record)
    if dropped:
        spool.note_dropped(dropped)
    return spool


class Listener:
    """A daemon's socket that answers as told, and keeps what it heard."""

    def __init__(self, answer: Answer) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self.port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self.heard: list[Any] = []
        self.bodies: list[bytes] = []
        self._answer, self._stopping = answer, False
        self._thread = threading.Thread(target=self._serve, name="listener")
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping:
            if not self._socket.poll(20):
                continue
            identity, header, *body = self._socket.recv_multipart()
            message = wire.decode_upstream(header)
            self.heard.append(message)
            self.bodies += body
            answer = self._answer(message)
            if answer is not None:
                self._socket.send_multipart([identity, wire.encode_header(answer)])

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()
        self._context.term()

    @property
    def left(self) -> list[wire.Left]:
        return [message for message in self.heard if isinstance(message, wire.Left)]


def acknowledge(message: Any) -> wire.Downstream:
    if isinstance(message, wire.Hello):
        return wire.Ack(0, left=message.left)
    return wire.Ack(message.seq)


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Listener]]:
    """Starts daemons' sockets, and has programs send there."""
    listeners: list[Listener] = []

    def start(answer: Answer = acknowledge) -> Listener:
        listeners.append(Listener(answer))
        monkeypatch.setenv("TRACEVIEW_ENDPOINT", listeners[-1].endpoint)
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_nothing_waits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spools"]) == 0
    assert capsys.readouterr().out == f"nothing waits in {find_places().spool}\n"
    assert main(["spools", "--ship"]) == 0
    assert "nothing waits" in capsys.readouterr().out


def test_it_lists_what_waits_whose_and_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave(b"a" * 16, "tcp://192.0.2.1:4316", [b"x" * 500_000], dropped=3).close()
    leave(b"b" * 16, "").close()
    living = leave(b"c" * 16, find_places().endpoint, hello=False)
    leave(b"d" * 16, "tcp://192.0.2.1:4316", []).close()
    leave(b"e" * 16, "", []).close()
    (find_places().spool / "no spool").mkdir()
    (find_places().spool / "no folder").touch()
    assert main(["spools"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (far,) = (line for line in lines if "lost" in line)
    assert far.replace("\u2009", " ").startswith("   500 kB  nightly (pid 4711), ended ")
    assert far.endswith(" ago, 3 spans lost, for tcp://192.0.2.1:4316")
    assert any("its end  nightly" in line for line in lines)
    assert any("a program, running, for ipc://" in line for line in lines)
    assert any(line.endswith("for this home") for line in lines)
    assert lines[-2].startswith("for tcp://192.0.2.1:4316: the next program that sends there hands it over")
    assert lines[-1].startswith("for this home's daemon:")
    assert main(["spools", "--json"]) == 0
    found = {each["session"][:2]: each for each in answer(capsys)}
    assert found.keys() == {"61", "62", "63", "64"}  # of e, this home's daemon only has to sweep up
    assert found["61"] == {
        "session": "61" * 16,
        "program": "nightly",
        "pid": 4711,
        "host": "h",
        "endpoint": "tcp://192.0.2.1:4316",
        "near": False,
        "running": False,
        "bytes": 500_004,
        "dropped": 3,
        "last_ns": found["61"]["last_ns"],
        "folder": str(find_places().spool / ("61" * 16)),
    }
    assert 0 <= time.time_ns() - found["61"]["last_ns"] < 60_000_000_000
    assert (found["62"]["endpoint"], found["62"]["near"]) == (None, True)
    assert (found["63"]["running"], found["63"]["pid"]) == (True, None)
    living.close()


def test_it_ships_what_is_due_and_that_its_program_ended(
    home: Path, listen: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = listen()
    touched = time.time_ns()
    spool = leave(b"a" * 16, listener.endpoint, dropped=3)
    spool.note_left_out(4)
    spool.close()
    leave(b"b" * 16, listener.endpoint, []).close()
    assert main(["spools", "--ship"]) == 0
    out = capsys.readouterr().out
    assert "nightly (pid 4711): stored" in out
    assert out.endswith(f"2 shipped to {listener.endpoint}; nothing is left\n")
    assert list(find_places().spool.iterdir()) == []
    first, end, empty = listener.left
    assert (first.session, first.seq, first.count) == (b"a" * 16, 1, len(PARTS))
    assert first.resource == {"service.name": "nightly", "process.pid": 4711, "host.name": "h"}
    assert [msgspec.msgpack.decode(each, type=SpanPart) for each in wire.split_records(listener.bodies[0])] == [*PARTS]
    assert (end.session, end.seq, end.count, end.dropped, end.left_out) == (b"a" * 16, 2, 0, 3, 4)
    assert end.ended_ns is not None
    assert touched - 1_000_000_000 < end.ended_ns <= time.time_ns()
    assert (empty.session, empty.seq, empty.count, empty.ended_ns is None) == (b"b" * 16, 1, 0, False)


def test_what_is_for_others_stays_and_is_said(home: Path, listen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    listener = listen()
    leave(b"a" * 16, listener.endpoint).close()
    leave(b"b" * 16, "tcp://192.0.2.1:4316").close()
    leave(b"c" * 16, "").close()
    assert main(["spools", "--ship", "--json"]) == 1
    told = answer(capsys)
    assert (told["endpoint"], told["problem"]) == (listener.endpoint, None)
    (shipped,) = told["shipped"]
    assert (shipped["session"], shipped["refused"]) == ("61" * 16, None)
    assert {each["session"][:2] for each in told["left"]} == {"62", "63"}
    assert main(["spools", "--ship"]) == 1
    out = capsys.readouterr().out
    assert "of 2 programs still here" in out
    assert "with TRACEVIEW_ENDPOINT=tcp://192.0.2.1:4316 (and its keys" in out


def older(message: Any) -> wire.Downstream:
    return wire.Ack(0)


def newer(message: Any) -> wire.Downstream:
    return wire.Reject(0, "the daemon speaks version 2")


@pytest.mark.parametrize(("how", "said"), [(older, "too old"), (newer, "it refuses: the daemon speaks version 2")])
def test_a_daemon_that_can_not_take_it_is_told_and_the_spool_stays(
    home: Path, listen: Any, capsys: pytest.CaptureFixture[str], how: Answer, said: str
) -> None:
    listener = listen(how)
    leave(b"a" * 16, listener.endpoint).close()
    assert main(["spools", "--ship"]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert "of 1 program still here" in told.out
    assert listener.left == []


def test_a_daemon_that_can_not_be_reached_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", "tcp://127.0.0.1:1")
    leave(b"a" * 16, "tcp://127.0.0.1:1").close()
    assert main(["spools", "--ship"]) == 1
    assert "it can't be reached" in capsys.readouterr().err
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", "nowhere")
    assert main(["spools", "--ship"]) == 1
    assert "TRACEVIEW_CLIENT_KEY must be the path of a key file" in capsys.readouterr().err


def test_one_that_is_held_up_goes_on_when_it_can(home: Path, listen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    busy = iter([True, True])

    def hesitant(message: Any) -> wire.Downstream:
        if isinstance(message, wire.Left) and next(busy, False):
            return wire.Busy(0, 1, "the disk is full")
        return acknowledge(message)

    listener = listen(hesitant)
    leave(b"a" * 16, listener.endpoint).close()
    assert main(["spools", "--ship"]) == 0
    assert capsys.readouterr().err.count("the disk is full") == 1
    assert [message.seq for message in listener.left] == [1, 1, 1, 2]


def test_what_the_daemon_can_not_read_is_told_and_costs_only_that(
    home: Path, listen: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def picky(message: Any) -> wire.Downstream:
        if isinstance(message, wire.Left) and message.count == 1:
            return wire.Reject(message.seq, "not a span record")
        return acknowledge(message)

    listener = listen(picky)
    leave(b"a" * 16, listener.endpoint, [b"\xc1" * 600_000, b"r" * 600_000]).close()
    assert main(["spools", "--ship"]) == 0
    assert "rejected.jsonl (not a span record)" in capsys.readouterr().out
    assert [message.seq for message in listener.left] == [1, 2, 3]


def test_a_refused_end_leaves_the_spool(home: Path, listen: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def stubborn(message: Any) -> wire.Downstream:
        last = isinstance(message, wire.Left) and message.ended_ns is not None
        return wire.Reject(message.seq, "no") if last else acknowledge(message)

    listener = listen(stubborn)
    leave(b"a" * 16, listener.endpoint).close()
    assert main(["spools", "--ship"]) == 1
    assert "it refuses: no" in capsys.readouterr().err


def test_a_long_record_travels_alone_and_whole(home: Path, listen: Any) -> None:
    listener = listen()
    long = bytes(range(256)) * 12_000
    leave(b"a" * 16, listener.endpoint, [b"1", long, b"2"]).close()
    assert main(["spools", "--ship"]) == 0
    assert [bytes(each) for body in listener.bodies for each in wire.split_records(body)] == [b"1", long, b"2"]


def test_a_spool_that_can_not_be_read_is_one_clear_error(
    home: Path, listen: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = listen()
    leave(b"a" * 16, listener.endpoint).close()
    (segment,) = find_places().spool.glob("*/*.seg")
    true_open = Path.open

    def broken(path: Path, *arguments: Any, **more: Any) -> Any:
        if path == segment:
            raise OSError(5, "Input/output error", str(path))
        return true_open(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", broken)
    assert main(["spools"]) == 2
    assert capsys.readouterr().err == f"traceview: {segment}: can't be read: Input/output error\n"
    assert main(["spools", "--ship"]) == 2


def test_it_needs_neither_qt_nor_sqlalchemy(home: Path) -> None:
    code = (
        "import sys; from traceview.cli import main; main(['spools', '--ship'])\n"
        "print([name for name in ('PySide6', 'sqlalchemy', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("[]\n")
