"""Whatever comes together, in whatever form, and whatever fails meanwhile: the store holds what its parts say one by
one, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceview.protocol.records import CANDIDATE_EVENT, LOG_EVENT, Event, Facts, Link, SpanPart, Status, TraceInfo
from traceview.store import Limits, ReadyPart, StoreReader, StoreWriter, make_ready
from traceview.store.blocks import split_entries, unpack

from .conftest import simple_facts, sums_of

TRACES = [bytes([number]) * 16 for number in (1, 2, 3)]
SPANS = [bytes([number]) * 8 for number in (1, 2)]
# Around what a slot may hold, and what is cut into pieces.
SIZES = (0, 1, 300, 1_500, 3_900, 3_980, 4_020, 4_060, 4_100, 70_000)
CHAT = [{"role": "user", "content": f"message {number}: " + "w" * 600} for number in range(12)]


class Stopped(BaseException):
    """What ends a transaction in its midst."""


def any_part(dice: Random) -> SpanPart:
    """A report that says anything of a span; its event tells it from all others, and gives it a time."""

    def size() -> int:
        return dice.choice(SIZES) + dice.randrange(40)

    said: dict[str, Callable[[], Any]] = {
        "parent_id": lambda: dice.choice(SPANS),
        "name": lambda: dice.choice("ab"),
        "kind": lambda: dice.choice(["llm", "tool", "unheard of"]),
        "start_ns": lambda: dice.randrange(1, 10**6),
        "end_ns": lambda: dice.randrange(1, 10**6),
        "status": lambda: dice.choice(list(Status)),
        "input": lambda: dice.choice(["x" * size(), CHAT[: dice.randrange(1, 12)]]),
        "output": lambda: "y" * size(),
        "links": lambda: (Link(TRACES[0], SPANS[0]),),
        "trace": lambda: TraceInfo(user=dice.choice("uv"), metadata=dice.choice([{}, {"k": 1}])),
        "resource": lambda: dice.choice([{"r": 1}, {"s": 2}]),
        "attributes": lambda: {"input_tokens": dice.randrange(9), dice.choice(["model", "other"]): dice.choice("MN")},
    }
    event = Event(dice.randrange(2**40), dice.choice([LOG_EVENT, CANDIDATE_EVENT]), {"pad": "p" * size()})
    fields = {name: said[name]() for name in dice.sample(sorted(said), dice.randrange(5))}
    return SpanPart(dice.choice(TRACES), dice.choice(SPANS), events=(event,), **fields)


def as_sent(part: SpanPart, fields: int) -> ReadyPart:
    """A part as its program sends it: with fields at the end left out, or with one that nobody knows."""
    values = [*msgspec.structs.astuple(part), "unknown"]
    least = 17 if part.resource else 16 if part.trace else 15 if part.links else 14
    return make_ready(part, memoryview(msgspec.msgpack.encode(values[: max(least, fields)])))


@dataclass
class Model:
    """The store under test, and the parts in it."""

    path: Path
    taken: list[ReadyPart] = field(default_factory=list)
    stop_after: int = 0

    def __post_init__(self) -> None:
        self.writer = self.open()

    def understand(self, part: SpanPart) -> Facts:
        self.stop_after -= 1
        if self.stop_after == 0:
            raise Stopped
        return simple_facts(part)

    def open(self) -> StoreWriter:
        return StoreWriter(self.path, self.understand, floor_bytes=0)

    def step(self, dice: Random) -> None:
        steps = (self.take, self.take, self.take, self.stop, self.again, self.reopen, self.forget, self.spoil)
        dice.choice(steps)(dice)

    def take(self, dice: Random) -> None:
        """New parts in one transaction; where it fails in its midst they are sent again."""
        batch = [as_sent(any_part(dice), dice.randrange(14, 19)) for _ in range(dice.choice((1, 2, 5, 20)))]
        with suppress(Stopped):
            self.writer.apply(batch)
        self.stop_after = 0
        self.writer.apply(batch)
        self.taken += batch

    def stop(self, dice: Random) -> None:
        """The next transaction will fail."""
        self.stop_after = dice.randrange(1, 20)
        self.take(dice)

    def again(self, dice: Random) -> None:
        assert self.writer.apply(dice.sample(self.taken, len(self.taken) // 2)) == 0

    def reopen(self, _: Random) -> None:
        self.writer.close()
        self.writer = self.open()

    def forget(self, _: Random) -> None:
        while self.writer.tidy(Limits(max_traces=1), now_ns=10**18):
            pass
        there = {trace_id for (trace_id,) in self.rows("SELECT trace_id FROM trace")}
        self.taken = [each for each in self.taken if each.part.trace_id in there]

    def spoil(self, dice: Random) -> None:
        """Parts of which one can't be stored, so that they are tried by halves."""
        batch = [as_sent(any_part(dice), 17) for _ in range(3)]
        unstorable = make_ready(SpanPart(TRACES[0], b"no id"))
        self.writer.apply([*self.taken[:2], *batch[:2], unstorable, *batch[2:]])
        self.taken += batch

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.writer._open().execute(sql).fetchall()


def contents(path: Path) -> Iterator[tuple[Any, ...]]:
    """What a reader tells of every trace, apart from the numbers of changes."""
    reader = StoreReader(path)
    try:
        for trace in sorted(reader.traces(), key=lambda trace: trace.trace_id):
            rows = [msgspec.structs.replace(row, change=0) for row in reader.spans(trace.trace_id)]
            told = sums_of(rows)
            assert {name: getattr(trace, name) for name in told} == told
            events = sorted((event.span_id, event.time_ns, event.name) for event in reader.events(trace.trace_id))
            yield msgspec.structs.replace(trace, change=0), rows, events, dict(reader.payloads(trace.trace_id))
    finally:
        reader.close()


def check_slots(model: Model) -> None:
    """Every slot that is named is there, and every block is there for some slot that is."""
    named = {locator for (entries,) in model.rows("SELECT locators FROM span") for locator, _ in split_entries(entries)}
    for table in ("span_part", "piece"):
        named |= {locator for (locator,) in model.rows(f"SELECT locator FROM {table}")}
    named.discard(0)
    blocks = {number: len(unpack(data)) for number, data in model.rows("SELECT block_no, data FROM payload_block")}
    assert all(locator & 0xFF < blocks[locator >> 8] for locator in named)
    assert {locator >> 8 for locator in named} == set(blocks)


@pytest.mark.expects_log
@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_however_parts_come_the_store_holds_what_they_say_one_by_one(seed: int) -> None:
    dice = Random(seed)
    with TemporaryDirectory() as folder:
        model = Model(Path(folder) / "model.db")
        for _ in range(10):
            model.step(dice)
        assert model.writer.apply(model.taken) == 0
        check_slots(model)
        model.writer.close()
        plain = StoreWriter(Path(folder) / "plain.db", simple_facts, floor_bytes=0)
        for each in model.taken:
            plain.apply([each.part])
        plain.close()
        assert list(contents(model.path)) == list(contents(Path(folder) / "plain.db"))
