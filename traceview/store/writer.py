"""The one connection that writes a store: merges span parts into it, a batch a transaction, each part once."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from traceview.protocol.records import SpanPart
from traceview.protocol.sampling import SampledOut
from traceview.store.batch import Batch, Understand
from traceview.store.blocks import BlockPacker
from traceview.store.driver import driver_error
from traceview.store.encoding import clean_part, clean_text, encode
from traceview.store.errors import StoreError, explain, is_environment, is_full, is_uncertain
from traceview.store.judging import Judging, Sampling, pin, sampled_out, stop_judging
from traceview.store.opening import Durability, Journal, open_writable, set_quota
from traceview.store.pieces import Pieces
from traceview.store.readying import ReadyPart, make_ready
from traceview.store.retention import Forgetting, Limits, note, noted
from traceview.store.sources import SourceState, find_source, new_source
from traceview.store.space import DiskSpace

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

_TOTALS: Final = ("change", "traces", "spans", "dropped", "dead_letters")


class StoreWriter:
    """Writes span parts to a store. One thread uses it at a time; a store has one writer.

    `understand` says what a part's attributes mean. `durability` says what a return from `apply()` promises: that the
    batch survives the death of any process ("process"), or loss of power as well ("power"). `journal` "delete" makes a
    file without companions, to hand on. While less than `floor_bytes` of the disk are free, or the file would outgrow
    `max_bytes`, batches are refused with StoreBusy.

    Raises StoreError where the file can't be opened as a store; it is created where there is none, and an older one is
    brought up to date after a backup. After an input/output error every further call fails: what is on the disk is
    then uncertain, so reopen the store, which lets SQLite recover it.
    """

    def __init__(
        self,
        path: Path,
        understand: Understand,
        *,
        durability: Durability = "process",
        journal: Journal = "wal",
        floor_bytes: int = 64 * 1024 * 1024,
        max_bytes: int | None = None,
    ) -> None:
        self._path = path
        self._understand = understand
        connection = open_writable(path, durability, journal)
        self._connection: sqlite3.Connection | None = connection
        self._complained = False
        self._problem: StoreError | None = None
        self._stale = False
        try:
            self._recall()
            last_block = max(self._highest("block_no", "payload_block"), noted(connection, "last_block"))
            self._packer = BlockPacker(last_block + 1)
            self._pieces = Pieces(connection, self._packer)
            if max_bytes is not None:
                set_quota(connection, max_bytes)
        except driver_error() as error:
            connection.close()
            raise explain(error, path) from error
        self._space = DiskSpace(path, floor_bytes)

    def apply(
        self,
        parts: Sequence[SpanPart | ReadyPart],
        *,
        session: bytes | None = None,
        seq: int | None = None,
        dropped: int = 0,
        resource: dict[str, Any] | None = None,
    ) -> int:
        """Stores parts in one transaction; returns how many spans are new or changed. Committed when it returns.

        A part that the store has already changes nothing. With `session` and `seq`, a batch whose number is not above
        the session's last committed one is skipped whole. `dropped` counts spans that the program lost since its last
        batch: they are noted at the trace it was writing to. `resource` describes the session's process and is kept
        once, for the payloads of all its spans. A session that speaks again after `interrupt()` is alive: its open
        spans run again. Parts for which `make_ready` was called elsewhere save its time here.

        A part that can't be stored is set aside (dead letter), the others are stored. Raises StoreBusy where the same
        call may be tried again later, StoreError where that is useless; then nothing of the batch is stored.
        """
        self._space.check()
        return self._transact(lambda: self._apply(parts, session, seq, dropped, resource))

    def interrupt(self, session: bytes | None = None, *, at_ns: int | None = None) -> int:
        """Marks the running spans of a session whose process is gone as interrupted; returns how many.

        `at_ns` is the time of death, if it is known: there the spans end.
        Without a session: running spans that came from none (files, OTLP). If the end of a span arrives later after
        all, it counts.
        """
        return self._transact(lambda: self._interrupt(session, at_ns))

    def tidy(self, limits: Limits, sampling: Sampling | None = None, *, now_ns: int | None = None) -> bool:
        """Does a slice, some 20 ms, of what brings the store within its limits; returns whether there is more to do.

        Whole traces are forgotten: those that sampling leaves out, then those that started first at first, never a
        running one. Only between batches.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        return bool(self._transact(lambda: self._tidy(limits, sampling, now_ns)))

    def pin(self, trace_ids: Iterable[bytes]) -> None:
        """Keeps these traces from being sampled out, also those that are yet to come."""
        self._transact(lambda: self._pin(tuple(trace_ids)))

    def head(self) -> int:
        """The highest change number there is."""
        return int(self._ask(lambda connection: noted(connection, "change")))

    def sampled_out(self) -> tuple[SampledOut, ...]:
        """What sampling has left out so far, by rule."""
        return self._ask(sampled_out)

    def last_seq(self, session: bytes) -> int:
        """The number of the last batch of the session that is committed, -1 if there is none."""
        source = self._ask(lambda connection: find_source(connection, session))
        return -1 if source is None or source.last_seq is None else source.last_seq

    def dropped_by(self, session: bytes) -> int:
        """How many spans of the session are known to be lost."""
        source = self._ask(lambda connection: find_source(connection, session))
        return 0 if source is None else source.dropped

    def open_sessions(self) -> list[bytes]:
        """The sessions that have running spans: after a restart, those whose processes are gone want `interrupt()`."""
        sql = (
            "SELECT session FROM source WHERE NOT interrupted AND EXISTS"
            " (SELECT 1 FROM span WHERE span.source_no = source.source_no AND end_ns IS NULL)"
        )
        return self._ask(lambda connection: [row[0] for row in connection.execute(sql).fetchall()])

    def last_believed_ns(self) -> int:
        """The last time that `believe` was told, in ns since 1970; 0 if it never was."""
        return self._transact(lambda: noted(self._open(), "believed_ns"))

    def believe(self, now_ns: int) -> None:
        """Keeps, for whoever opens the store next, that it is so late at least: clocks may be wrong."""
        self._transact(lambda: note(self._open(), "believed_ns", now_ns))

    def close(self) -> None:
        """Closes the file; safe twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._packer.close()
            connection.close()

    # --- transactions

    def _transact(self, work: Callable[[], int]) -> int:
        connection = self._open()
        if self._problem is not None:
            raise self._problem
        mark = self._packer.mark()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self._stale:
                    self._recall()
                answer = work()
                connection.execute("COMMIT")
            except BaseException:
                self._stale = True
                self._forget(mark)
                if connection.in_transaction:  # SQLite has rolled back by itself where the disk is full
                    connection.execute("ROLLBACK")
                raise
        except driver_error() as error:
            raise self._failed(error) from error
        self._space.replenish()
        return answer

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return question(self._open())
        except driver_error() as error:
            raise explain(error, self._path) from error

    def _recall(self) -> None:
        """Reads what is kept in memory between transactions, at the start and after one that failed."""
        self._totals = self._read_totals()
        self._next_trace = max(self._highest("trace_no", "trace"), noted(self._open(), "last_trace")) + 1
        self._any_decided = self._open().execute("SELECT 1 FROM decision LIMIT 1").fetchone() is not None
        self._stale = False

    def _forget(self, mark: int) -> None:
        self._packer.restore(mark)
        self._pieces.forget()

    def _failed(self, error: Exception) -> StoreError:
        problem = explain(error, self._path)
        if is_full(error):
            self._space.release()
        elif is_uncertain(error):
            self._problem = problem
        return problem

    def _apply(
        self,
        parts: Sequence[SpanPart | ReadyPart],
        session: bytes | None,
        seq: int | None,
        dropped: int,
        resource: dict[str, Any] | None,
    ) -> int:
        connection = self._open()
        before, now_ns = dict(self._totals), time.time_ns()
        source = None
        if session is not None:
            source = find_source(connection, session) or new_source(connection, session, now_ns)
            if seq is not None and source.last_seq is not None and seq <= source.last_seq:
                return 0
        try:
            changed = self._store(parts, source, dropped, now_ns)
        except Exception as error:
            if is_environment(error):
                raise
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            self._forget(self._packer.mark())
            changed = self._salvage(parts, source, dropped, now_ns, error)
        if source is not None:
            source.last_seq = source.last_seq if seq is None else seq
            source.last_ns = now_ns
            source.dropped += dropped
            source.interrupted = False
            if resource:
                source.describe(resource)
            source.save(connection)
        self._totals["dropped"] += dropped
        self._save_totals(before)
        return changed

    def _store(
        self, parts: Sequence[SpanPart | ReadyPart], source: SourceState | None, dropped: int, now_ns: int
    ) -> int:
        ready = [part if isinstance(part, ReadyPart) else make_ready(part) for part in parts]
        batch = self._batch(source, now_ns)
        if source is not None and source.interrupted:
            batch.set_interrupted(source.source_no, False)
        batch.take(ready)
        lost_in = source.trace_no if source is not None else None
        if dropped:
            lost_in = lost_in or batch.last_trace_no(ready)
            if lost_in is not None:
                batch.add_dropped(lost_in, dropped)
        self._finish(batch)
        if source is not None:
            source.trace_no = batch.last_trace_no(ready) or source.trace_no
        return batch.changed_spans

    def _interrupt(self, session: bytes | None, at_ns: int | None) -> int:
        connection = self._open()
        source = None if session is None else find_source(connection, session)
        if session is not None and source is None:
            return 0
        before = dict(self._totals)
        batch = self._batch(source, time.time_ns())
        batch.set_interrupted(None if source is None else source.source_no, True, at_ns)
        self._finish(batch)
        if source is not None:
            source.interrupted = True
            source.save(connection)
        self._save_totals(before)
        return batch.changed_spans

    def _tidy(self, limits: Limits, sampling: Sampling | None, now_ns: int) -> int:
        connection, before = self._open(), dict(self._totals)
        forgetting = Forgetting(connection, self._totals, self._packer)
        judging = None if sampling is None else Judging(connection, sampling)
        if judging is None:
            stop_judging(connection)
        while more := self._forget_some(forgetting, judging, limits, now_ns):
            if not forgetting.in_time:
                break
        if judging is not None:
            judging.save()
        self._save_totals(before)
        return more

    def _forget_some(self, forgetting: Forgetting, judging: Judging | None, limits: Limits, now_ns: int) -> bool:
        if forgetting.finish():
            return True
        if judging is not None and not forgetting.crowded and judging.step(partial(self._leave_out, forgetting)):
            return True
        if forgetting.free():
            return True
        trace_no = forgetting.choose(limits, now_ns)
        if trace_no is None:
            return forgetting.give_back()
        forgetting.begin(trace_no, self._next_trace - 1)
        return True

    def _leave_out(self, forgetting: Forgetting, trace_no: int) -> None:
        self._any_decided = True
        forgetting.begin(trace_no, self._next_trace - 1)

    def _pin(self, trace_ids: Sequence[bytes]) -> int:
        pin(self._open(), trace_ids)
        self._any_decided = True
        return len(trace_ids)

    def _batch(self, source: SourceState | None, now_ns: int) -> Batch:
        return Batch(
            self._open(),
            self._packer,
            self._pieces,
            self._understand,
            change=self._totals["change"] + 1,
            next_trace=self._next_trace,
            now_ns=now_ns,
            source_no=None if source is None else source.source_no,
            any_decided=self._any_decided,
        )

    def _finish(self, batch: Batch) -> None:
        batch.write()
        self._next_trace = batch.next_trace
        self._totals["traces"] += batch.new_traces
        self._totals["spans"] += batch.new_spans
        if batch.wrote:
            self._totals["change"] += 1
        if batch.understanding_failed is not None:
            self._complain("a span's attributes could not be understood", batch.understanding_failed)

    # --- parts that can't be stored

    def _salvage(
        self,
        parts: Sequence[SpanPart | ReadyPart],
        source: SourceState | None,
        dropped: int,
        now_ns: int,
        error: Exception,
    ) -> int:
        """Stores what can be stored of a batch that failed, by halves; what fails alone becomes a dead letter."""
        if len(parts) <= 1:
            for part in parts:
                self._set_aside(part.part if isinstance(part, ReadyPart) else part, error, now_ns)
            return 0
        connection = self._open()
        middle = len(parts) // 2
        changed = 0
        for half, lost in ((parts[:middle], dropped), (parts[middle:], 0)):
            totals, next_trace, mark = dict(self._totals), self._next_trace, self._packer.mark()
            connection.execute("SAVEPOINT half")
            try:
                changed += self._store(half, source, lost, now_ns)
            except Exception as failure:
                if is_environment(failure):
                    raise
                connection.execute("ROLLBACK TO half")
                self._totals, self._next_trace = totals, next_trace
                self._forget(mark)
                changed += self._salvage(half, source, lost, now_ns, failure)
            connection.execute("RELEASE half")
        return changed

    def _set_aside(self, part: SpanPart, error: Exception, now_ns: int) -> None:
        try:
            record = encode(clean_part(part))
        except Exception:
            record = encode(clean_text(repr(part)))
        letter = self._highest("letter_no", "dead_letter") + 1
        self._open().execute(
            "INSERT INTO dead_letter (letter_no, part, reason, time_ns) VALUES (?, ?, ?, ?)",
            (letter, record, clean_text(f"{type(error).__name__}: {error}"), now_ns),
        )
        self._totals["dead_letters"] += 1
        self._complain("a span could not be stored and was set aside as a dead letter", error)

    def _complain(self, what: str, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(
                "%s: %s (%s: %s); further ones are only counted", self._path, what, type(error).__name__, error
            )

    # --- small things

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self._path} was closed")
        return self._connection

    def _read_totals(self) -> dict[str, int]:
        found = dict(self._open().execute("SELECT key, value FROM meta").fetchall())
        return {key: int(found.get(key, 0)) for key in _TOTALS}

    def _save_totals(self, before: dict[str, int]) -> None:
        if self._totals == before:  # nothing new: readers needn't look
            return
        rows = [(value, key) for key, value in self._totals.items()]
        self._open().executemany("UPDATE meta SET value = ? WHERE key = ?", rows)

    def _highest(self, column: str, table: str) -> int:
        (highest,) = self._open().execute(f"SELECT coalesce(max({column}), 0) FROM {table}").fetchone()  # noqa: S608
        return int(highest)
