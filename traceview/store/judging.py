"""Sampling: a policy judges the traces that have ended and been quiet for a while; what it leaves out is forgotten.

Never judged, hence kept, are running and interrupted traces, and those that are pinned.
Traces are judged in the order of their last change, each once: `judged` in `meta` is how far that went. A trace that
changes later, by a late span, comes up again. Those whose root has not come wait longer, in a second line
(`judged_late`). What was left out is counted in `meta` and its id kept in `decision`, so that a late span makes no half
trace that nobody can explain: it is marked, and goes the same way.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from traceview.protocol.records import TraceSummary
from traceview.protocol.sampling import SAMPLED_OUT_KEY, SampledOut
from traceview.store.columns import SUMMARY_COLUMNS, column_list
from traceview.store.reader import summary_of
from traceview.store.retention import note, noted
from traceview.store.spans import KIND_NUMBERS

# Rows looked at before the time is looked at.
_ROWS: Final = 50
# Ids of traces left out that are remembered for their late spans: some 5 MB.
_REMEMBERED: Final = 100_000
# Of a longer trace only so many spans are asked for their kind, in the order of their random ids.
_SPANS_ASKED: Final = 10_000
_WINDOWS: Final = 100

# The rest of a trace that was left out never gets its root.
_NEXT: Final = (
    "SELECT change, trace_no, root_orphan AND NOT EXISTS"
    " (SELECT 1 FROM decision WHERE decision.trace_id = trace.trace_id AND rule IS NOT NULL),"
    " running OR interrupted OR pinned FROM trace INDEXED BY trace_by_change"
    " WHERE change BETWEEN ? AND ? AND (change > ? OR trace_no > ?) ORDER BY change, trace_no LIMIT ?"
)
_SUMMARY: Final = f"SELECT {column_list(SUMMARY_COLUMNS)} FROM trace WHERE trace_no = ?"  # noqa: S608
_KINDS: Final = "SELECT max(kind = ?) FROM (SELECT kind FROM span WHERE trace_no = ? LIMIT ?)"
# Each decision has a number of its own, also where it was made before: readers ask for what is newer than theirs.
_DECIDE: Final = "INSERT OR REPLACE INTO decision (trace_id, rule) VALUES (?, ?)"
_COUNTS: Final = "SELECT key, value FROM meta WHERE key >= 'out_{0}:' AND key < 'out_{0};'"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a trace: `rule` leaves it out, None keeps it.

    With a `window` it is kept after all while fewer than `most` traces of that window were.
    """

    rule: str | None = None
    window: int | None = None
    most: int = 0


# Asked with the trace, the rule that left out what came of it before (None for a whole trace), and for span kinds.
Judge = Callable[[TraceSummary, str | None, Callable[[str], bool]], Verdict]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Who judges, and up to which change number: `overdue` for traces without a root, `settled` for all others."""

    judge: Judge
    settled: int
    overdue: int


class Judging:
    """One slice's work, inside a transaction of the writer's; `save()` notes how far it went."""

    def __init__(self, connection: sqlite3.Connection, sampling: Sampling) -> None:
        self._connection = connection
        self._judge = sampling.judge
        start_at_head(connection)
        self._lines = (
            _Line(connection, "judged", sampling.settled, orphans=False),
            _Line(connection, "judged_late", sampling.overdue, orphans=True),
        )

    def step(self, forget: Callable[[int], None]) -> bool:
        """Judges some traces, until one is to be forgotten; False when none is left to judge."""
        for line in self._lines:
            for row in line.rows():
                line.pass_by(row)
                if line.concerns(row) and self._leaves_out(row[1]):
                    forget(row[1])
                    return True
            if line.moved:
                line.moved = False
                return True
        return False

    def save(self) -> None:
        """Notes how far it went."""
        for line in self._lines:
            line.save()

    def _leaves_out(self, trace_no: int) -> bool:
        trace = summary_of(self._connection.execute(_SUMMARY, (trace_no,)).fetchone())
        earlier = rule_of(self._connection, trace.trace_id) if SAMPLED_OUT_KEY in trace.metadata else None
        verdict = self._judge(trace, earlier, partial(self._has_kind, trace_no))
        if verdict.rule is None:
            return False
        if verdict.window is not None and self._is_within(verdict.window, verdict.most):
            # For good: judged again, after a late span, it would count twice.
            pin(self._connection, [trace.trace_id])
            return False
        self._add(f"out_spans:{verdict.rule}", trace.spans)
        if earlier is None:
            self._add(f"out_traces:{verdict.rule}", 1)
        decide(self._connection, [trace.trace_id], verdict.rule)
        return True

    def _has_kind(self, trace_no: int, kind: str) -> bool:
        row = self._connection.execute(_KINDS, (KIND_NUMBERS[kind], trace_no, _SPANS_ASKED)).fetchone()
        return bool(row[0])

    def _is_within(self, window: int, most: int) -> bool:
        key = f"window:{window:020}"
        kept = noted(self._connection, key)
        if kept >= most:
            return False
        note(self._connection, key, kept + 1)
        if not kept:
            old = f"window:{max(0, window - _WINDOWS):020}"
            self._connection.execute("DELETE FROM meta WHERE key >= 'window:' AND key < ?", (old,))
        return True

    def _add(self, key: str, count: int) -> None:
        note(self._connection, key, noted(self._connection, key) + count)


class _Line:
    """The traces that one of the two horizons has reached, in the order of their last change."""

    def __init__(self, connection: sqlite3.Connection, key: str, upto: int, *, orphans: bool) -> None:
        self._connection = connection
        self._key, self._upto, self._orphans = key, upto, orphans
        self._before = self._place = (noted(connection, key), noted(connection, f"{key}_trace"))
        self._rows: deque[tuple[Any, ...]] = deque()
        self.moved = False

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The next few; taken out one by one."""
        if not self._rows:
            change, trace_no = self._place
            values = (change, self._upto, change, trace_no, _ROWS)
            self._rows.extend(self._connection.execute(_NEXT, values).fetchall())
        while self._rows:
            yield self._rows.popleft()

    def pass_by(self, row: tuple[Any, ...]) -> None:
        """Notes that this one has been seen to."""
        self._place = (row[0], row[1])
        self.moved = True

    def concerns(self, row: tuple[Any, ...]) -> bool:
        """Whether it is to be judged here: it has ended by itself, is not pinned, and has a root as this line wants."""
        return bool(row[2]) == self._orphans and not row[3]

    def save(self) -> None:
        """Notes the place in `meta`."""
        if self._place != self._before:
            note(self._connection, self._key, self._place[0])
            note(self._connection, f"{self._key}_trace", self._place[1])


def start_at_head(connection: sqlite3.Connection) -> None:
    """Where no policy was in force before: what is there already is not judged, unless it changes."""
    if connection.execute("SELECT 1 FROM meta WHERE key = 'judged'").fetchone() is None:
        for key in ("judged", "judged_late"):
            note(connection, key, noted(connection, "change"))
            note(connection, f"{key}_trace", noted_highest(connection))


def noted_highest(connection: sqlite3.Connection) -> int:
    """The highest number of a trace."""
    return int(connection.execute("SELECT coalesce(max(trace_no), 0) FROM trace").fetchone()[0])


def stop_judging(connection: sqlite3.Connection) -> None:
    """No policy is in force: one that comes later begins with what changes then."""
    connection.execute("DELETE FROM meta WHERE key >= 'judged' AND key < 'judgee'")


def decide(connection: sqlite3.Connection, trace_ids: Iterable[bytes], rule: str | None) -> None:
    """Remembers what is to become of spans of these traces that come later: None keeps them."""
    connection.executemany(_DECIDE, [(trace_id, rule) for trace_id in trace_ids])
    connection.execute("DELETE FROM decision WHERE number <= (SELECT max(number) FROM decision) - ?", (_REMEMBERED,))


def pin(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> None:
    """Keeps these traces from being judged, also those that are yet to come."""
    sql = "UPDATE trace SET pinned = 1 WHERE trace_id = ?"
    decide(connection, [each for each in trace_ids if not connection.execute(sql, (each,)).rowcount], None)


def rule_of(connection: sqlite3.Connection, trace_id: bytes) -> str | None:
    """The rule that left out a trace, None if none is remembered."""
    row = connection.execute("SELECT rule FROM decision WHERE trace_id = ?", (trace_id,)).fetchone()
    return None if row is None else row[0]


def sampled_out(connection: sqlite3.Connection) -> tuple[SampledOut, ...]:
    """What was left out so far, by rule, the most traces first."""
    traces, spans = (dict(connection.execute(_COUNTS.format(what)).fetchall()) for what in ("traces", "spans"))
    found = [
        SampledOut(key.partition(":")[2], traces.get(key.replace("spans", "traces", 1), 0), count)
        for key, count in spans.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.traces, each.rule)))
