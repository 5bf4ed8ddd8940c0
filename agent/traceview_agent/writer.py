"""The one thread that writes: takes what is queued, commits it, and only then has it acknowledged."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, Literal, TypeVar

from traceview.protocol.records import Facts, SpanPart
from traceview.protocol.sampling import SampledOut
from traceview.store import Limits, StoreBusy, StoreError, StoreWriter
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.intake import Intake, Load, Missing, Outcome, Stored, Unstored
from traceview_agent.meters import Meters
from traceview_agent.sampling import Policy
from traceview_agent.takeover import latest_ns
from traceview_agent.upkeep import NO_LIMITS, Upkeep

log = logging.getLogger(__name__)

# 5,000 spans are about 50 ms of writing: the longest a transaction should take.
MAX_SPANS: Final = 5_000
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
_GONE_REMEMBERED: Final = 4096

Durability = Literal["process", "power"]
Settled = list[tuple[Load, Outcome]]
_Answer = TypeVar("_Answer")


class Writer:
    """Owns the store. `deliver` is called on the writer's thread with what is decided, after each commit."""

    def __init__(
        self,
        path: Path,
        understand: Callable[[SpanPart], Facts],
        intake: Intake,
        meters: Meters,
        dead_letters: DeadLetters,
        deliver: Callable[[Settled], None],
        *,
        durability: Durability = "power",
        limits: Limits = NO_LIMITS,
        sampling: Policy | None = None,
    ) -> None:
        self._path = path
        self._understand = understand
        self._intake, self._meters, self._dead_letters = intake, meters, dead_letters
        self._deliver = deliver
        self._durability = durability
        self._upkeep = Upkeep(limits, sampling)
        self._asked: dict[bytes, int] = {}
        # Sessions whose processes are gone for sure, and when they died: the latest of them.
        self._gone: OrderedDict[bytes, int] = OrderedDict()
        self._give_up = threading.Event()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.problem: str | None = None
        # The sessions that had open spans when the store was opened: their programs may have died meanwhile.
        self.open_sessions: tuple[bytes, ...] = ()

    @property
    def sampled_out(self) -> tuple[SampledOut, ...]:
        """What sampling has left out of the store so far, by rule."""
        return self._upkeep.sampled_out

    def start(self) -> None:
        """Opens the store on the writer's thread; raises StoreError (or OSError) where that fails."""
        self._thread.start()
        self._opened.result()

    def stop(self, timeout: float) -> bool:
        """Writes what is queued, for `timeout` seconds at most, and closes the store. Safe twice; False if it hangs."""
        self._intake.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
            self._give_up.set()
            self._thread.join(1.0)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            store = _Store(self._path, self._understand, self._durability)
            self.open_sessions = tuple(store.writer().open_sessions())
            self._upkeep.run_if_due(store.writer)
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        try:
            while self._serve(store):
                self._upkeep.run_if_due(store.writer, busy=self._intake.queued > 0)
        finally:
            store.close()

    def _serve(self, store: _Store) -> bool:
        """Writes what comes in before upkeep is due; False once there is no more to come."""
        if not self._intake.wait(self._upkeep.seconds_left):
            return True
        loads = self._intake.take(MAX_SPANS)
        for group in _by_session(loads):
            settled = self._settle(store, list(group))  # it takes its list apart
            self._intake.settle(group)
            for load in group:
                load.parts = ()  # freed here, where they were made
            self._deliver(settled)
        return bool(loads)

    def _settle(self, store: _Store, loads: list[Load]) -> Settled:
        """Commits the loads of one session that are next in order; asks for those that are missing between them."""
        settled: list[tuple[Load, Outcome]] = []
        try:
            session = loads[0].session
            for load in [load for load in loads if session is not None and load.seq is None]:
                loads.remove(load)
                settled.append((load, self._patiently(store, partial(self._take_over, load=load))))
            if session is not None and loads:
                # A session that the store does not know has -1; its first batch has number 1.
                last = max(0, self._patiently(store, lambda writer: writer.last_seq(session)))
                loads, decided = self._in_order(session, last, loads)
                settled += decided
            if loads:
                settled += self._patiently(store, lambda writer: self._apply(writer, loads))
        except _GaveUp:
            settled += [(load, Unstored(self.problem or "the daemon stops")) for load in loads]
        return settled

    def _patiently(self, store: _Store, call: Callable[[StoreWriter], _Answer]) -> _Answer:
        """Calls until the store can be used, however long that takes; raises _GaveUp when the daemon stops."""
        pause = _FIRST_PAUSE
        while True:
            try:
                answer = call(store.writer())
            except StoreBusy as error:
                self._say(str(error))
            except Exception as error:
                # The thread must outlive any fault: without it nothing is stored, and nobody is told. After an
                # input/output error only a store opened anew can be trusted.
                store.close()
                self._say(str(error) if isinstance(error, StoreError) else f"{self._path} can't be written: {error!r}")
            else:
                self._say(None)
                return answer
            if self._give_up.wait(pause):
                raise _GaveUp
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _say(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        if problem is None:
            log.info("the store can be written again")
        else:
            log.warning("nothing is acknowledged: %s", problem)
        self.problem = problem

    def _in_order(self, session: bytes, last: int, loads: list[Load]) -> tuple[list[Load], list[tuple[Load, Outcome]]]:
        """The loads that continue the session without a gap, and what is decided for the others."""
        run: list[Load] = []
        settled: list[tuple[Load, Outcome]] = []
        for load in sorted(loads, key=_seq):
            expected = (_seq(run[-1]) if run else last) + 1
            if _seq(load) < expected:
                settled.append((load, Stored(last)))
            elif _seq(load) == expected or self._has_no_more(session, _seq(load)):
                self._asked.pop(session, None)
                run.append(load)
            else:
                settled.append((load, Missing(last)))
        return run, settled

    def _has_no_more(self, session: bytes, seq: int) -> bool:
        """Whether the program was asked for what lies before `seq` and begins there again: it has nothing older.

        That happens when the store is new and the program is not: what was acknowledged before is gone on both sides.
        """
        asked = self._asked.get(session)
        if asked == seq:
            return True
        self._asked[session] = seq if asked is None else min(asked, seq)
        return False

    def _apply(self, writer: StoreWriter, loads: list[Load]) -> Settled:
        """Commits loads of one session in one transaction. Raises StoreError."""
        # Decoded here, in one go with storing: on another thread the two would only take turns, and fetch what the
        # other has made from its processor's caches.
        parts = list(chain.from_iterable(load.read() for load in loads))
        session, upto = loads[0].session, loads[-1].seq
        gone_ns = None if session is None else self._death_of(session, loads)
        # What was under way when its process died comes late, and the spool has told of all losses.
        lost = [load.dropped if gone_ns is None else 0 for load in loads]
        dropped = sum(lost)
        resource = loads[-1].resource or None
        try:
            finished = [_finished(load) for load in loads]
            if keep := frozenset[bytes]().union(*(load.keep for load in loads)):
                writer.pin(keep)
            began = time.perf_counter()
            writer.apply(parts, session=session, seq=upto, dropped=dropped, resource=resource)
            if gone_ns is not None:
                writer.interrupt(session, at_ns=gone_ns)
            self._upkeep.noticed(writer)
        except StoreError:
            raise
        except Exception as error:
            # The store sets bad values aside by itself, so this is a fault of ours. It must not be met again for ever.
            log.exception("a batch from %s can't be stored; the daemon goes on without it", loads[0].source)
            writer.apply((), session=session, seq=upto, dropped=dropped)
            self._bury(loads, error)
            return [(load, Stored(upto, rejected=len(load.parts))) for load in loads]
        self._meters.add_commit(time.perf_counter() - began)
        for load, count, losses in zip(loads, finished, lost, strict=True):
            if load.parts or losses:
                self._meters.add_stored(load.receiver, count, losses)
            self._note_left_out(load)
        return [(load, Stored(upto)) for load in loads]

    def _death_of(self, session: bytes, loads: list[Load]) -> int | None:
        """When the session's process died, if it did. Whoever tells of a later time lives: what was under way then was
        in the spool as well, whose latest time counted."""
        gone_ns = self._gone.get(session)
        if gone_ns is not None and latest_ns(each.part for load in loads for each in load.parts) > gone_ns:
            del self._gone[session]
            return None
        return gone_ns

    def _take_over(self, writer: StoreWriter, load: Load) -> Outcome:
        """Commits what a dead process left; last, the end of its open spans. Raises StoreError."""
        assert load.session is not None
        finished = _finished(load)
        if not load.parts and load.ended_ns is None:
            self._note_left_out(load)
            return Stored()
        try:
            writer.apply(load.parts, session=load.session, resource=load.resource or None)
        except StoreError:
            raise
        except Exception as error:  # as in _apply: a fault of ours must not be met for ever
            log.exception("what %s has left can't be stored; the daemon goes on without it", load.source)
            self._bury([load], error)
            finished = 0
        if load.ended_ns is not None:
            lost = max(0, load.dropped - writer.dropped_by(load.session))
            writer.apply((), session=load.session, dropped=lost)
            self._meters.add_stored(load.receiver, 0, lost)
            if load.is_gone:
                self._gone[load.session] = load.ended_ns
                if len(self._gone) > _GONE_REMEMBERED:
                    self._gone.popitem(last=False)
        # What is shipped once more, by one that may not come to the end of it, raises nothing.
        ended_ns = self._gone.get(load.session) if load.ended_ns is None else load.ended_ns
        if ended_ns is not None:
            writer.interrupt(load.session, at_ns=ended_ns)
        self._upkeep.noticed(writer)
        self._meters.add_stored(load.receiver, finished, 0)
        self._note_left_out(load)
        return Stored()

    def _note_left_out(self, load: Load) -> None:
        if load.left_out and load.session is not None:
            self._meters.note_left_out(load.session, load.left_out)

    def _bury(self, loads: list[Load], error: Exception) -> None:
        for load in loads:
            self._meters.add_rejected(load.receiver, "unstorable", len(load.parts))
            for each in load.parts:
                self._dead_letters.keep(load.source, repr(error), repr(each.part).encode(errors="backslashreplace"))


class _GaveUp(Exception):
    """The daemon stops and the store still can't be written."""


class _Store:
    """The open store, and the file it is in: what is written to a file that was deleted or replaced would be lost."""

    def __init__(self, path: Path, understand: Callable[[SpanPart], Facts], durability: Durability) -> None:
        self._path, self._understand, self._durability = path, understand, durability
        self._writer: StoreWriter | None = self._open()
        self._file = _file_at(path)

    def writer(self) -> StoreWriter:
        """The writer, opened anew if it was closed; raises StoreError, also when the file is not what it was."""
        found = _file_at(self._path)
        if found != self._file:
            fate = "was deleted" if found is None else "was replaced by another file"
            raise StoreError(
                f"{self._path} {fate} while the daemon runs: "
                "put it back, or go on with what is there by `traceview-agent stop` and `start`"
            )
        if self._writer is None:
            self._writer = self._open()
        return self._writer

    def _open(self) -> StoreWriter:
        return StoreWriter(self._path, self._understand, durability=self._durability)

    def close(self) -> None:
        """Closes the store; safe twice."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _file_at(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _by_session(loads: list[Load]) -> list[list[Load]]:
    groups: dict[bytes | None, list[Load]] = {}
    for load in loads:
        groups.setdefault(load.session, []).append(load)
    return list(groups.values())


def _finished(load: Load) -> int:
    ends = [each.part.end_ns for each in load.parts]
    return len(ends) - ends.count(None)


def _seq(load: Load) -> int:
    return load.seq or 0
