"""The writer thread: order within a session, outcomes after the commit, and faults that must not end it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from traceview.conventions import facts
from traceview.protocol.records import SpanPart
from traceview.store import StoreError, StoreReader, make_ready
from traceview.testing import build_trace
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.intake import Intake, Load, Missing, Outcome, Stored, Unstored
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction
from traceview_agent.writer import Settled, Writer

TRACE = build_trace("plan > (search, answer)")


class Bench:
    """A writer whose outcomes are collected here."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "traces.db"
        self.intake, self.meters = Intake(), Meters()
        self.outcomes: list[tuple[int | None, Outcome]] = []
        self._changed = threading.Condition()
        letters = DeadLetters(folder / "rejected.jsonl", Redaction())
        self.writer = Writer(self.path, facts, self.intake, self.meters, letters, self._deliver)

    def _deliver(self, settled: Settled) -> None:
        with self._changed:
            self.outcomes += [(load.seq, outcome) for load, outcome in settled]
            self._changed.notify_all()

    def offer(self, parts: Any, seq: int | None = None, session: bytes | None = None) -> None:
        session = session or (None if seq is None else b"s" * 16)
        assert self.intake.offer(
            Load([make_ready(part) for part in parts], 100, lambda outcome: None, "test", session, seq)
        )

    def wait(self, count: int) -> list[tuple[int | None, Outcome]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, 10)
            return self.outcomes


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.writer.stop(5)


def test_all_that_is_queued_goes_in_one_go(bench: Bench) -> None:
    for seq in (1, 2, 3):
        bench.offer(TRACE.parts[seq - 1 : seq], seq)
    bench.offer(TRACE.parts)
    bench.writer.start()
    assert bench.wait(4) == [(1, Stored(3)), (2, Stored(3)), (3, Stored(3)), (None, Stored(None))]
    assert bench.intake.queued == 0


def test_what_was_taken_from_a_spool_gives_its_room_back(bench: Bench) -> None:
    for _ in range(3):
        bench.offer(TRACE.parts, session=b"d" * 16)  # a session's load without a number
    bench.offer(TRACE.parts, 1, session=b"d" * 16)
    bench.writer.start()
    bench.wait(4)
    assert bench.writer.stop(5)
    assert bench.intake.queued == 0


def test_batches_in_the_wrong_order_are_put_right(bench: Bench) -> None:
    for seq in (3, 1, 2):
        bench.offer(TRACE.parts[seq - 1 : seq], seq)
    bench.writer.start()
    assert dict(bench.wait(3)) == {1: Stored(3), 2: Stored(3), 3: Stored(3)}


def test_old_next_and_too_early_batches_are_told_apart(bench: Bench) -> None:
    bench.writer.start()
    bench.offer(TRACE.parts, 1)
    bench.wait(1)
    for seq in (1, 2, 4):
        bench.offer(TRACE.parts, seq)
    assert dict(bench.wait(4)) == {1: Stored(1), 2: Stored(2), 4: Missing(1)} or bench.outcomes[-1][1] == Missing(2)


def test_a_store_that_cannot_be_opened_is_told_at_the_start(bench: Bench) -> None:
    bench.path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match=r"traces\.db"):
        bench.writer.start()


def test_stop_without_a_start_and_twice(bench: Bench) -> None:
    assert bench.writer.stop(1)
    assert bench.writer.stop(1)


def test_what_is_queued_at_the_stop_is_written(bench: Bench) -> None:
    bench.writer.start()
    bench.offer(TRACE.parts)
    assert bench.writer.stop(5)
    assert bench.wait(1) == [(None, Stored(None))]
    reader = StoreReader(bench.path)
    assert len(reader.traces()) == 1
    reader.close()


@pytest.mark.expects_log
def test_what_cannot_be_written_at_the_stop_is_not_acknowledged(bench: Bench) -> None:
    bench.writer.start()
    bench.path.unlink()
    bench.offer(TRACE.parts, 1)
    bench.offer(TRACE.parts)
    assert bench.writer.stop(0.2)
    assert [outcome for _, outcome in bench.wait(2)] == [Unstored(bench.writer.problem or "")] * 2


@pytest.mark.expects_log
def test_values_that_nothing_can_hold_do_not_stop_the_others(bench: Bench) -> None:
    bench.writer.start()
    good, odd = TRACE.parts[0], TRACE.parts[1]
    bench.offer(
        [good, SpanPart(odd.trace_id, odd.span_id, name="odd\ud800\0", start_ns=2**80, attributes={"x": 1 << 70})]
    )
    assert isinstance(bench.wait(1)[0][1], Stored)
    bench.offer(TRACE.parts)
    bench.wait(2)
    assert bench.writer.problem is None


@pytest.mark.expects_log
def test_a_fault_of_ours_costs_its_batch_and_no_more(bench: Bench) -> None:
    bench.writer.start()
    bench.offer([object()], 1)  # no part at all: what only a fault in the daemon could make
    assert bench.wait(1)[0][1] == Stored(1, rejected=1)
    bench.offer(TRACE.parts, 2)
    assert bench.wait(2)[1] == (2, Stored(2))
    assert bench.meters.rejected == 1


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    moved = path.rename(path.with_name("moved"))
    yield
    moved.rename(path)


@pytest.mark.expects_log
def test_the_problem_is_said_and_taken_back(bench: Bench, until: Any) -> None:
    bench.writer.start()
    with unreadable(bench.path):
        bench.offer(TRACE.parts)
        until(lambda: bench.writer.problem)
    bench.wait(1)
    assert bench.writer.problem is None
