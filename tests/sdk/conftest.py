"""A daemon for the SDK's tests (a real ROUTER socket that speaks the wire protocol), and programs to run against it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import coverage
import pytest
import zmq

from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.protocol.wire import (
    Ack,
    Batch,
    Downstream,
    Hello,
    decode_part,
    decode_upstream,
    encode_header,
    split_records,
)
from traceview.sdk import guard, recorder
from traceview.sdk.snapshot import encode_part

ROOT = Path(__file__).resolve().parents[2]

Answer = Callable[["Daemon", Batch], Downstream | None]


def acknowledge(daemon: Daemon, batch: Batch) -> Downstream:
    """What the daemon does on a good day."""
    return Ack(batch.seq)


class Daemon:
    """Listens while its `with` block is open. What `answer` acknowledges is stored; `mute` says nothing of it."""

    def __init__(self, endpoint: str, answer: Answer = acknowledge, *, mute: bool = False) -> None:
        self.endpoint, self.answer, self.mute = endpoint, answer, mute
        self.hellos: list[Hello] = []
        self.batches: list[Batch] = []
        self.first_words: list[str] = []
        self.stored: dict[tuple[bytes, int], list[SpanPart]] = {}
        self.dropped = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.set(zmq.LINGER, 0)
        self._thread = threading.Thread(target=self._serve, name="test daemon")

    def __enter__(self) -> Self:
        self._socket.bind(self.endpoint)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()
        self._context.term()

    @property
    def parts(self) -> list[SpanPart]:
        """All parts stored, in the order they were recorded, session by session; then what dead programs left."""
        with self._changed:
            stored = [part for key in sorted(self.stored) for part in self.stored[key]]
        # An acknowledgement that a program did not live to hear leaves what it was for.
        known = set(map(encode_part, stored))
        return stored + [part for part in left_behind() if encode_part(part) not in known]

    @property
    def names(self) -> list[str]:
        """The names of the spans that were opened."""
        return [part.name for part in self.parts if part.name is not None]

    def wait_for(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Waits until something is so; fails the test after a while."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), "the daemon waited in vain"

    def _serve(self) -> None:
        seen: set[bytes] = set()
        while not self._stopping:
            if not self._socket.poll(20):
                continue
            identity, header, *body = self._socket.recv_multipart()
            message = decode_upstream(header)
            if identity not in seen:
                seen.add(identity)
                self.first_words.append(type(message).__name__)
            with self._changed:
                answer = self._hear(message, body)
                self._changed.notify_all()
            if answer is not None and not self.mute:
                self._socket.send_multipart([identity, encode_header(answer)])

    def _hear(self, message: Hello | Batch, body: list[bytes]) -> Downstream | None:
        if isinstance(message, Hello):
            self.hellos.append(message)
            return None
        self.batches.append(message)
        answer = self.answer(self, message)
        key = (message.session, message.seq)
        if isinstance(answer, Ack) and key not in self.stored:
            self.stored[key] = [decode_part(record) for record in split_records(body[0])]
            assert len(self.stored[key]) == message.count
            self.dropped += message.dropped
        return answer


def left_behind() -> list[SpanPart]:
    """What dead programs left in the spools of this home, in order; there it stays."""
    parts = []
    for dead in find_dead(find_places().spool):
        parts += [decode_part(record) for body in dead.bodies() for record in split_records(body)]
        dead.release()
    return parts


@pytest.fixture(autouse=True)
def own_recorder() -> Iterator[None]:
    """An outbox and a thread of its own for every test, gone after it; and troubles are told anew."""
    recorder.renew().close(0.0)
    guard._told.clear()
    yield
    recorder.renew().close(1.0)
    guard._told.clear()


@pytest.fixture
def endpoint(home: Path) -> str:
    """Where the SDK looks for the daemon in this test; the folder is there, nobody listens yet."""
    places = find_places()
    places.prepare()
    return places.endpoint


@pytest.fixture
def make_daemon(endpoint: str) -> Callable[..., Daemon]:
    """Makes daemons that listen at this test's endpoint, one after the other."""

    def make(answer: Answer = acknowledge, *, mute: bool = False) -> Daemon:
        return Daemon(endpoint, answer, mute=mute)

    return make


@pytest.fixture
def daemon(make_daemon: Callable[..., Daemon]) -> Iterator[Daemon]:
    """A daemon that listens and acknowledges everything."""
    with make_daemon() as listening:
        yield listening


def child_environment(**changes: str) -> dict[str, str]:
    """The environment of a program that a test runs; its lines count too while coverage is measured."""
    env = {**os.environ, **changes}
    measuring = coverage.Coverage.current()
    if measuring is not None:
        data = os.path.abspath(measuring.config.data_file)
        env |= {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_FILE": data}
    return env


class Finished:
    """A program that ran to its end: what it printed, its exit code, and the seconds it took."""

    def __init__(self, out: str, err: str, code: int, seconds: float) -> None:
        self.out, self.err, self.code, self.seconds = out, err, code, seconds


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., Finished]:
    """Runs Python code as a program of its own and returns when it has ended."""

    def run(code: str, *, code_expected: int = 0, env: dict[str, str] | None = None, **changes: str) -> Finished:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(script)],
            capture_output=True,
            text=True,
            timeout=60,
            env={**(env or child_environment()), **changes},
        )
        assert done.returncode == code_expected, done.stderr
        return Finished(done.stdout, done.stderr, done.returncode, time.monotonic() - began)

    return run
