"""A daemon running in this process, and a program that speaks to it over bare ZeroMQ."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
import zmq

from traceview.protocol import control, wire
from traceview.protocol.control import AgentStatus
from traceview.protocol.places import Places, find_places
from traceview.protocol.records import SpanPart
from traceview.store import StoreReader
from traceview_agent.daemon import Daemon, Options


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Returns the condition's first true answer; fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
    return answer


class Running:
    """A daemon on an event loop of its own in a thread."""

    def __init__(self, places: Places, options: Options) -> None:
        self.places = places
        self._options = options
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="daemon under test")
        self._thread.start()
        assert self._ready.wait(20)
        if self._error is not None:
            self._thread.join()
            raise self._error

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.daemon = Daemon(self.places, self._options)
        try:
            await self.daemon.start()
        except BaseException as error:
            self._error = error
            return
        finally:
            self._ready.set()
        await self.daemon.run()

    def call(self, function: Callable[[], Any]) -> Any:
        """Runs a function on the daemon's loop and returns its answer."""

        async def run() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    @property
    def status(self) -> AgentStatus:
        return control.status(self.places)

    @property
    def url(self) -> str:
        return next(receiver.address for receiver in self.status.receivers if receiver.name == "otlp-http")

    def stop(self) -> None:
        if self._thread.is_alive():
            # It may have been asked before, and its loop be about to end.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.daemon.ask_to_stop)
            self._thread.join(10)
        assert not self._thread.is_alive()

    def stored(self) -> list[str]:
        """The names of all spans in the store, sorted."""
        reader = StoreReader(self.places.store)
        try:
            return sorted(span.name for trace in reader.traces() for span in reader.spans(trace.trace_id))
        finally:
            reader.close()


@dataclass
class Program:
    """A traced program: a DEALER that says Hello and sends batches by hand."""

    endpoint: str
    session: bytes = b"s" * 16
    resource: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.reconnect_ivl = 10
        self._socket.connect(self.endpoint)

    def hello(self, version: int = wire.VERSION) -> wire.Downstream:
        self.send(wire.encode_header(wire.Hello(self.session, version, self.resource)))
        return self.hear()

    def batch(self, seq: int, parts: Sequence[SpanPart | bytes], dropped: int = 0) -> None:
        records = [part if isinstance(part, bytes) else msgspec.msgpack.encode(part) for part in parts]
        header = wire.Batch(self.session, seq, len(records), dropped)
        self.send(wire.encode_header(header), wire.join_records(records))

    def send(self, *frames: bytes) -> None:
        self._socket.send_multipart(list(frames))

    def hear(self, seconds: float = 10.0) -> wire.Downstream:
        """The daemon's next answer."""
        assert self._socket.poll(int(seconds * 1000)), "the daemon did not answer"
        (frame,) = self._socket.recv_multipart()
        return wire.decode_downstream(frame)

    def hears_nothing(self, seconds: float = 0.2) -> bool:
        return not self._socket.poll(int(seconds * 1000))

    def acknowledged(self, upto: int) -> None:
        """Waits for the acknowledgement of a batch; other answers on the way fail the test."""
        while True:
            answer = self.hear()
            assert isinstance(answer, wire.Ack), answer
            if answer.upto >= upto:
                return

    def close(self) -> None:
        self._socket.close()
        self._context.term()  # safe twice


@pytest.fixture
def start_daemon(home: object) -> Iterator[Callable[..., Running]]:
    """Starts daemons of this test's home, on any free OTLP port, and stops them afterwards."""
    running: list[Running] = []

    def start(places: Places | None = None, **options: Any) -> Running:
        running.append(Running(places or find_places(), Options(**{"otlp_port": 0, **options})))
        return running[-1]

    yield start
    for daemon in running:
        daemon.stop()


@pytest.fixture
def daemon(start_daemon: Callable[..., Running]) -> Running:
    return start_daemon()


@pytest.fixture
def start_program(home: object) -> Iterator[Callable[..., Program]]:
    """Makes programs that speak to this home's daemon."""
    programs: list[Program] = []

    def start(**settings: Any) -> Program:
        programs.append(Program(**{"endpoint": find_places().endpoint, **settings}))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


@pytest.fixture
def program(start_program: Callable[..., Program]) -> Program:
    return start_program()


@pytest.fixture
def until() -> Callable[..., Any]:
    return wait_until
