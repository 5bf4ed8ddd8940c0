"""Whatever is appended, cut, freed and prepared in whatever order: a kill at any point leaves all that is not freed."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from traceview.protocol.dead_spool import DeadSpool
from traceview.protocol.spool import Cut, Spool
from traceview.protocol.wire import split_records

SEGMENT = 2048
LIMIT = 5 * SEGMENT


class SpoolModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.spool = Spool(self.root / ("ab" * 16), segment=SEGMENT, limit=LIMIT)
        self.number = 0
        self.kept: deque[bytes] = deque()  # not freed, oldest first
        self.uncut: deque[bytes] = deque()
        self.cuts: deque[Cut] = deque()

    @rule(size=st.integers(0, 700) | st.integers(2000, 4000))
    def append(self, size: int) -> None:
        record = b"%06d" % self.number + b"x" * size
        self.number += 1
        if self.spool.append(record):
            self.kept.append(record)
            self.uncut.append(record)
        else:
            self.spool.note_dropped(1)

    @rule(records=st.integers(1, 5))
    def cut(self, records: int) -> None:
        cut = self.spool.cut(records, 3000)
        if cut is None:
            assert not self.uncut
            return
        found = [bytes(record) for record in split_records(cut.body)]
        assert found == [self.uncut.popleft() for _ in range(cut.count)]
        self.cuts.append(cut)

    @precondition(lambda self: self.cuts)
    @rule()
    def free(self) -> None:
        cut = self.cuts.popleft()
        self.spool.free(cut.upto)
        for _ in range(cut.count):
            self.kept.popleft()

    @rule()
    def prepare(self) -> None:
        self.spool.prepare()

    @invariant()
    def a_kill_here_leaves_what_is_not_freed(self) -> None:
        dead = DeadSpool(self.spool.folder, lock=-1)
        left = [bytes(record) for body in dead.bodies() for record in split_records(body)]
        assert left == list(self.kept)
        assert dead.dropped() == self.spool.dropped

    @invariant()
    def it_stays_within_its_limit(self) -> None:
        size = sum(path.stat().st_size for path in self.spool.folder.iterdir())
        # Headers, and one record larger than a segment, come on top.
        assert size <= LIMIT + 10 * 64 + 4096

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.root)


TestSpoolModel = SpoolModel.TestCase
TestSpoolModel.settings = settings(max_examples=60, stateful_step_count=40)
