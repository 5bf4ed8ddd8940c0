"""Puts the daemon together: what starts in which order, what stops in the opposite one, and what it says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from functools import partial
from typing import Any, Final

import msgspec

from traceview.conventions import facts
from traceview.protocol.control import AgentFile, AgentStatus, Receiver
from traceview.protocol.places import Places, is_same
from traceview.protocol.version import VERSION
from traceview.store import StoreError
from traceview_agent.control_server import ControlServer
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.importer import Importer
from traceview_agent.indexer import Indexer, drop_index
from traceview_agent.instance import AlreadyRunningError, locks_for, write_agent_file
from traceview_agent.intake import Intake
from traceview_agent.keeping import keep
from traceview_agent.meters import Meters
from traceview_agent.opening import NotOpened
from traceview_agent.options import Options
from traceview_agent.redaction import Redaction
from traceview_agent.takeover import Takeover
from traceview_agent.ways import Common, Way, absent_ways, make_ways
from traceview_agent.writer import Settled, Writer

log = logging.getLogger(__name__)

_DRAIN_SECONDS: Final = 2.0
_INDEXER_SECONDS: Final = 1.0


class CannotStart(Exception):
    """The daemon can't run; the message is one sentence, `code` the exit code: 1 another runs, 2 place or store."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


class Daemon:
    """One daemon. `start` and `stop` belong to one event loop; `stop` is safe twice and takes at most five seconds."""

    def __init__(self, places: Places, options: Options) -> None:
        self._places, self._options = places, options
        self._started_ns = time.time_ns()
        self._meters = Meters()
        self._intake = Intake()
        self._redaction = Redaction(options.redaction)
        letters = DeadLetters(places.home / "rejected.jsonl", self._redaction)
        self._writer = Writer(
            places.store,
            facts,
            self._intake,
            self._meters,
            letters,
            self._deliver,
            durability=options.durability,
            limits=options.limits,
            sampling=options.sampling,
        )
        self._indexer = Indexer(places.store, self._intake) if options.index_text else None
        self._common = Common(self._intake, self._meters, self._redaction, letters, self._problem, self.status)
        self._ways: tuple[Way, ...] = ()
        self._takeover = Takeover(places.spool, self._intake, self._redaction, letters, self._is_ours)
        self._importer = Importer(self._intake, self._redaction, places.store)
        verbs = {"status": self._obey_status, "stop": self._obey_stop, "import": self._importer.obey}
        verbs["keep"] = partial(keep, self._intake)
        self._control = ControlServer(places, verbs)
        self._stop_asked = asyncio.Event()
        self._started = contextlib.AsyncExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Starts everything, or nothing: raises CannotStart."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._start()
        except AlreadyRunningError as error:
            await self.stop()
            raise CannotStart(str(error), 1) from error
        except StoreError as error:
            await self.stop()
            raise CannotStart(str(error)) from error
        except NotOpened as error:
            await self.stop()
            raise CannotStart(str(error)) from error
        except OSError as error:
            await self.stop()
            where = error.filename or self._places.home
            message = f"{where} can't be used ({error.strerror or error}): choose another folder with TRACEVIEW_HOME"
            raise CannotStart(message) from error

    async def _start(self) -> None:
        # What is registered first stops last. Ways in are closed only after the writer has had everything
        # acknowledged, but take nothing more before it drains: hence pause and stop.
        self._places.prepare()
        self._places.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for lock in locks_for(self._places):
            lock.acquire()
            self._started.callback(lock.release)
        self._ways = make_ways(self._places, self._options, self._common)
        for way in self._ways:
            self._started.push_async_callback(way.stop)
        self._started.push_async_callback(self._drain)
        self._writer.start()
        for way in self._ways:
            await way.start()
            self._started.push_async_callback(way.pause)
            self._tell(way.receiver)
        await self._takeover.start(self._writer.open_sessions)
        self._started.push_async_callback(self._takeover.stop)
        await self._control.start()
        self._started.push_async_callback(self._control.stop)
        self._started.callback(self._importer.cancel)
        about = AgentFile(pid=os.getpid(), version=VERSION, control_port=self._control.port, token=self._control.token)
        write_agent_file(self._places.agent_file, about)
        self._started.callback(self._places.agent_file.unlink, missing_ok=True)
        log.info("started (pid %d, store %s)", os.getpid(), self._places.store)
        if self._indexer is None:
            drop_index(self._places.store)
        else:
            self._indexer.start()
            self._started.push_async_callback(asyncio.to_thread, self._indexer.stop, _INDEXER_SECONDS)

    async def run(self) -> None:
        """Serves until someone asks it to stop."""
        try:
            await self._stop_asked.wait()
        finally:
            await self.stop()

    def ask_to_stop(self) -> None:
        """Makes `run` end; to be called on the event loop."""
        self._stop_asked.set()

    async def stop(self) -> None:
        """Stops what was started, in the opposite order; what is queued is written first."""
        stack = self._started.pop_all()
        await stack.aclose()

    def status(self) -> AgentStatus:
        """What the daemon says of itself."""
        store = self._places.store
        return AgentStatus(
            pid=os.getpid(),
            version=VERSION,
            started_ns=self._started_ns,
            store=str(store),
            store_bytes=sum(_size(store.with_name(store.name + end)) for end in ("", "-wal")),
            spans=self._meters.spans,
            rejected=self._meters.rejected,
            dropped=self._meters.dropped,
            left_out=self._meters.left_out,
            redacted=sum(self._redaction.counts.values()),
            queued=self._intake.queued,
            spans_per_second=self._meters.spans_per_second,
            receivers=tuple(way.receiver for way in self._ways),
            problem=self._problem(),
            absent=absent_ways(),
            sampling=self._options.sampling is not None and self._options.sampling.leaves_something_out,
            sampled_out=self._writer.sampled_out,
            search=None if self._indexer is None else self._indexer.state,
        )

    def _is_ours(self, endpoint: str) -> bool:
        """Whether what was meant for this endpoint is for this daemon; what notes none is for whoever finds it."""
        own = (self._places.own_endpoint, self._places.endpoint, *(way.receiver.address for way in self._ways))
        return not endpoint or any(is_same(endpoint, each) for each in own)

    def _problem(self) -> str | None:
        return self._writer.problem

    async def _drain(self) -> None:
        # In a thread, since the acknowledgements of what is written run on the loop.
        if not await asyncio.to_thread(self._writer.stop, _DRAIN_SECONDS):
            log.error("the store did not answer in time; what was not acknowledged will be sent again")

    def _deliver(self, settled: Settled) -> None:
        """Called on the writer's thread."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the outcome any more
            self._loop.call_soon_threadsafe(_tell_outcomes, settled)

    def _tell(self, receiver: Receiver) -> None:
        if receiver.error is None:
            log.info("%s listens on %s", receiver.name, receiver.address)
        else:
            log.warning("%s: %s", receiver.name, receiver.error)

    async def _obey_status(self, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = msgspec.to_builtins(self.status())
        return answer

    async def _obey_stop(self, request: dict[str, Any]) -> dict[str, Any]:
        self.ask_to_stop()
        return {"stopping": os.getpid()}


def _tell_outcomes(settled: Settled) -> None:
    for load, outcome in settled:
        load.done(outcome)


def _size(path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
