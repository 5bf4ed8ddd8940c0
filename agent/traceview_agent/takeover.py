"""Takes over what dead programs left in their spools, and ends the spans that were open when they died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from traceview.protocol.dead_spool import DeadSpool, find_dead
from traceview.protocol.records import SpanPart
from traceview.protocol.wire import WireError, split_records
from traceview.store import ReadyPart
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.intake import Intake, Load, Outcome, Stored
from traceview_agent.redaction import Redaction

log = logging.getLogger(__name__)

# How late a death may be noticed. A look costs a directory listing and a lock attempt for every program that lives.
LOOK_SECONDS: Final = 1.0
_CHUNK_PARTS: Final = 1_000


class Takeover:
    """Looks for spools under `root` whose process is gone, every second, on a thread; `stop` is safe twice.

    It takes those whose endpoint `is_ours`.

    `open_sessions` are those that had open spans when the daemon started: where a program left no spool (its machine
    was switched off, and the spool lay in memory), its spans end too, at their last sign of life.
    """

    def __init__(
        self,
        root: Path,
        intake: Intake,
        redaction: Redaction,
        letters: DeadLetters,
        is_ours: Callable[[str], bool],
    ) -> None:
        self._root, self._is_ours = root, is_ours
        self._intake, self._redaction, self._letters = intake, redaction, letters
        self._stopped = threading.Event()
        self._looked_ns: int | None = None
        self._told: set[Path] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self, open_sessions: Iterable[bytes] = ()) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(asyncio.to_thread(self._work, tuple(open_sessions)))

    async def stop(self) -> None:
        """Stops looking; a spool that is only half taken over stays for the next start."""
        self._stopped.set()
        task, self._task = self._task, None
        if task is not None:
            await task

    def _work(self, open_sessions: tuple[bytes, ...]) -> None:
        missing = [session for session in open_sessions if not (self._root / session.hex()).exists()]
        while True:
            began = time.time_ns()
            try:
                for session in missing:
                    self._send(Load([], 0, _ignore, "a program that left no spool", session, ended_ns=began))
                missing = []
                for dead in find_dead(self._root, self._is_ours):
                    self._try_to_take(dead)
            except _Stopped:
                return
            except Exception:
                log.exception("the spools under %s can't be looked at", self._root)
            self._looked_ns = began
            if self._stopped.wait(LOOK_SECONDS):
                return

    def _try_to_take(self, dead: DeadSpool) -> None:
        """A fault of ours must not keep the other spools waiting; this one is tried again, and told of once."""
        try:
            self._take(dead)
        except _Stopped:
            raise
        except Exception:
            if dead.folder not in self._told:
                self._told.add(dead.folder)
                log.exception("the spool %s can't be taken over; it is tried again", dead.folder)

    def _take(self, dead: DeadSpool) -> None:
        """One spool into the store; deleted when all is committed."""
        session, seen_ns, last_ns = dead.session, self._looked_ns or dead.touched_ns(), 0
        if len(session) != 16:
            if dead.folder not in self._told:
                log.warning("%s is no spool of ours and is left alone", dead.folder)
                self._told.add(dead.folder)
            dead.release()
            return
        taken = 0
        try:
            for fault, shown in dead.damage():
                self._letters.keep(_name(dead), fault, shown)
            resource = self._redaction.resource(dead.resource())
            for parts, size in self._chunks(dead):
                last_ns = max(last_ns, latest_ns(each.part for each in parts))
                taken += len(parts)
                self._send(Load(parts, size, _ignore, _name(dead), session, resource=resource, receiver="spool"))
            # Its own times come first: the machine's clock may have been set back since.
            self._send(_last_load(dead, max(last_ns, min(seen_ns, time.time_ns()))))
            if dead.is_mere_note():
                log.info("the spool %s never held a record: %s", dead.folder.name, sorted(os.listdir(dead.folder)))
        except BaseException:
            dead.release()
            raise
        dead.remove()
        if taken:
            log.info("took over %d records of a program that is gone (session %s)", taken, dead.folder.name)

    def _chunks(self, dead: DeadSpool) -> Iterator[tuple[list[ReadyPart], int]]:
        for body in dead.bodies():
            parts: list[ReadyPart] = []
            size = 0
            for record in self._records(dead, body):
                with self._kept_aside(dead, record):
                    parts.append(self._redaction.ready(record))
                size += len(record)
                if len(parts) >= _CHUNK_PARTS:
                    yield parts, size
                    parts, size = [], 0
            if parts:
                yield parts, size

    def _records(self, dead: DeadSpool, body: bytes) -> Iterator[memoryview]:
        try:
            for record in split_records(body):
                if not record:  # no program writes that: what follows was never written, or is damaged
                    self._letters.keep(_name(dead), "its records end before its header says so", b"")
                    return
                yield record
        except WireError as error:  # a damaged file: what came before the damage counts
            self._letters.keep(_name(dead), str(error), body[:4096])

    @contextlib.contextmanager
    def _kept_aside(self, dead: DeadSpool, record: memoryview) -> Iterator[None]:
        try:
            yield
        except WireError as error:
            self._letters.keep(_name(dead), str(error), record)

    def _send(self, load: Load) -> None:
        """Queues a load and waits until it is committed; raises _Stopped where the daemon stops first."""
        done = threading.Event()
        outcomes: list[Outcome] = []

        def settle(outcome: Outcome) -> None:
            outcomes.append(outcome)
            done.set()

        if not self._intake.put(replace(load, done=settle), self._stopped.is_set):
            raise _Stopped
        while not done.wait(0.1):
            if self._stopped.is_set():
                raise _Stopped
        if not isinstance(outcomes[0], Stored):
            raise _Stopped


class _Stopped(Exception):
    """The daemon stops before the spool was committed."""


def _ignore(outcome: Outcome) -> None:
    """The outcome is waited for by who sends."""


def _last_load(dead: DeadSpool, ended_ns: int) -> Load:
    """What is to be said of a program once its records are in."""
    load = Load([], 0, _ignore, _name(dead), dead.session, receiver="spool", left_out=dead.left_out())
    if dead.is_mere_note():
        return load
    return replace(load, dropped=dead.dropped(), ended_ns=ended_ns, is_gone=True)


def _name(dead: DeadSpool) -> str:
    return f"the spool {dead.folder.name}"


def latest_ns(parts: Iterable[SpanPart]) -> int:
    """The latest time that these parts tell of, 0 if they tell of none."""
    times = ((part.start_ns or 0, part.end_ns or 0, *(event.time_ns for event in part.events)) for part in parts)
    return max((time for each in times for time in each), default=0)
