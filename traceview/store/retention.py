"""Keeps a store within limits: forgets whole traces, oldest first, in slices of some 20 ms, each a transaction.

A trace vanishes for readers at once, with its row; its spans, parts, pieces and events follow. What a payload block
holds may belong to several traces. Each part in it names its span, each piece of a conversation its trace, so a block
is freed exactly when no span refers to any of its parts, and no trace to its pieces, any more. What is begun is noted
in `meta` and goes on after any end of the process: `forgetting` has the trace's number, a key `doubt:N` each block to
look at; `forgotten` counts traces, `last_trace` and `last_block` keep numbers from being given again (readers may still
know the old ones); `believed_ns` is the last time by which ages were counted.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from traceview.store.blocks import NOWHERE, BlockDamaged, BlockPacker, split_entries, unpack
from traceview.store.columns import SPILLED
from traceview.store.pieces import owner_of

_SLICE_S: Final = 0.02
_ROWS: Final = 200
_VACUUM_PAGES: Final = 256
# Free pages are used again by what is written next: only what goes far beyond that is given back to the disk.
_FREE_PAGES: Final = 1024
_FREE_SHARE: Final = 10

# OpenTelemetry reports spans when they end, hence the root last: without one, a trace may still be running.
_ROOT_TO_COME_NS: Final = 3600 * 10**9

_DOUBTS: Final = "SELECT {} FROM meta WHERE key >= 'doubt:' AND key < 'doubt;' LIMIT 1"
# Traces that share a block often go together: it is looked at once, not for each of them.
_MANY_DOUBTS: Final = 64
_OLDEST: Final = (
    "SELECT trace_no FROM trace WHERE running = 0 AND (NOT root_orphan OR last_ns < ?){}"
    " ORDER BY start_ns, trace_no LIMIT 1"
)
_EVENTS: Final = (
    "DELETE FROM event WHERE trace_no = ? AND (change, span_id, ordinal) IN"
    " (SELECT change, span_id, ordinal FROM event WHERE trace_no = ? LIMIT ?)"
)


class _Owner(msgspec.Struct, frozen=True, array_like=True):
    """The head of an encoded span part: whose it is, without reading the rest."""

    trace_id: bytes
    span_id: bytes


_owner: Final = msgspec.msgpack.Decoder(_Owner).decode


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a store keeps; None sets no limit.

    Running traces are kept whatever the limits are, and for an hour those whose root has not come yet.
    `max_age_ns` counts from a trace's last sign of life, `max_bytes` what is in use in the file.
    """

    max_age_ns: int | None = None
    max_bytes: int | None = None
    max_traces: int | None = None


class Forgetting:
    """One slice's work, inside a transaction of the writer's; `totals` are the writer's and follow what is deleted.

    `packer` is the writer's too: the block it still fills is closed where some of it is forgotten, or it would be
    written again with that.

    Call `begin()` only when `finish()` has nothing more to do, and `choose()` when `free()` has not.
    """

    def __init__(self, connection: sqlite3.Connection, totals: dict[str, int], packer: BlockPacker) -> None:
        self._connection = connection
        self._totals = totals
        self._packer = packer
        self._deadline = time.perf_counter() + _SLICE_S
        self._doubts = int(connection.execute(_DOUBTS.format("count(*)")).fetchone()[0])
        self._crowded = False

    @property
    def in_time(self) -> bool:
        """Whether the slice has time left."""
        return time.perf_counter() < self._deadline

    def choose(self, limits: Limits, now_ns: int) -> int | None:
        """The number of the trace to forget next, None where the store is within its limits."""
        found, recent = None, now_ns - _ROOT_TO_COME_NS
        if limits.max_age_ns is not None:
            cutoff = now_ns - limits.max_age_ns
            sql = _OLDEST.format(" AND start_ns < ? AND last_ns < ?")
            found = self._connection.execute(sql, (recent, cutoff, cutoff)).fetchone()
        if found is None and self._beyond(limits):
            found = self._connection.execute(_OLDEST.format(""), (recent,)).fetchone()
        return None if found is None else int(found[0])

    def begin(self, trace_no: int, last_trace: int) -> None:
        """Takes the trace away from readers and notes that its rest is to follow."""
        (spans,) = self._connection.execute("SELECT spans FROM trace WHERE trace_no = ?", (trace_no,)).fetchone()
        self._connection.execute("DELETE FROM trace WHERE trace_no = ?", (trace_no,))
        self._totals["traces"] -= 1
        self._totals["spans"] -= spans
        note(self._connection, "forgotten", self._noted("forgotten") + 1)
        note(self._connection, "forgetting", trace_no)
        note(self._connection, "last_trace", last_trace)
        note(self._connection, "last_block", self._packer.mark())

    @property
    def crowded(self) -> bool:
        """Whether so many blocks are in doubt that `free()` should have its turn."""
        self._crowded = self._doubts >= _MANY_DOUBTS or (self._crowded and self._doubts > 0)
        return self._crowded

    def finish(self) -> bool:
        """Deletes some of what is left of the trace being forgotten; False when nothing is."""
        trace_no = self._noted("forgetting")
        if not trace_no:
            return False
        drops = (self._drop_parts, self._drop_spans, self._drop_pieces, self._drop_events)
        if not any(drop(trace_no) for drop in drops):
            note(self._connection, "forgetting", 0)
        return True

    def free(self) -> bool:
        """Deletes a block in doubt, unless it is still needed; False when there is none."""
        doubt = self._connection.execute(_DOUBTS.format("value")).fetchone()
        if doubt is None:
            return False
        if not self._is_needed(doubt[0]):
            self._connection.execute("DELETE FROM payload_block WHERE block_no = ?", (doubt[0],))
        self._connection.execute("DELETE FROM meta WHERE key = ?", (f"doubt:{doubt[0]}",))
        self._doubts -= 1
        return True

    def give_back(self) -> bool:
        """Shortens the file where much of it is free; False when there is no need."""
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        if free <= max(_FREE_PAGES, pages // _FREE_SHARE):
            return False
        self._connection.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        return True

    def _beyond(self, limits: Limits) -> bool:
        if limits.max_traces is not None and self._totals["traces"] > limits.max_traces:
            return True
        if limits.max_bytes is None:
            return False
        used = self._pragma("page_count") - self._pragma("freelist_count")
        return used * self._pragma("page_size") > limits.max_bytes

    def _drop_parts(self, trace_no: int) -> bool:
        sql = "SELECT span_id, digest, locator FROM span_part WHERE trace_no = ? LIMIT ?"
        rows = self._connection.execute(sql, (trace_no, _ROWS)).fetchall()
        self._doubt(locator for _, _, locator in rows)
        sql = "DELETE FROM span_part WHERE trace_no = ? AND span_id = ? AND digest = ?"
        self._connection.executemany(sql, [(trace_no, span_id, digest) for span_id, digest, _ in rows])
        return bool(rows)

    def _drop_spans(self, trace_no: int) -> bool:
        sql = "SELECT span_id, locators FROM span WHERE trace_no = ? LIMIT ?"
        rows = self._connection.execute(sql, (trace_no, _ROWS)).fetchall()
        for _, entries in rows:
            self._doubt(locator for locator, _ in split_entries(entries))
        sql = "DELETE FROM span WHERE trace_no = ? AND span_id = ?"
        self._connection.executemany(sql, [(trace_no, span_id) for span_id, _ in rows])
        return bool(rows)

    def _drop_pieces(self, trace_no: int) -> bool:
        sql = "SELECT digest, locator FROM piece WHERE trace_no = ? LIMIT ?"
        rows = self._connection.execute(sql, (trace_no, _ROWS)).fetchall()
        self._doubt(locator for _, locator in rows)
        sql = "DELETE FROM piece WHERE trace_no = ? AND digest = ?"
        self._connection.executemany(sql, [(trace_no, digest) for digest, _ in rows])
        return bool(rows)

    def _drop_events(self, trace_no: int) -> bool:
        return self._connection.execute(_EVENTS, (trace_no, trace_no, _ROWS)).rowcount > 0

    def _doubt(self, locators: Iterable[int]) -> None:
        blocks = {locator >> 8 for locator in locators if locator != NOWHERE}
        if self._packer.mark() in blocks:
            self._packer.restore(self._packer.mark())
        rows = [(f"doubt:{block}", block) for block in blocks]
        made = self._connection.executemany("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", rows)
        self._doubts += max(0, made.rowcount)

    def _is_needed(self, block: int) -> bool:
        row = self._connection.execute("SELECT data FROM payload_block WHERE block_no = ?", (block,)).fetchone()
        if row is None:
            return False
        try:
            slots = unpack(row[0])
            owners = [None if owner_of(record) is not None else _owner(record) for record in slots]
        except (BlockDamaged, msgspec.DecodeError):
            return True  # nobody can tell whose it is
        if any(self._is_there(trace_no) for trace_no in {owner_of(record) for record in slots}):
            return True
        return any(self._is_referred(part, block << 8 | slot) for slot, part in enumerate(owners) if part is not None)

    def _is_there(self, trace_no: int | None) -> bool:
        return bool(self._connection.execute("SELECT 1 FROM trace WHERE trace_no = ?", (trace_no,)).fetchone())

    def _is_referred(self, part: _Owner, locator: int) -> bool:
        sql = (
            "SELECT span.trace_no, flags, locators FROM span JOIN trace USING (trace_no)"
            " WHERE trace_id = ? AND span_id = ?"
        )
        row = self._connection.execute(sql, (part.trace_id, part.span_id)).fetchone()
        if row is None:
            return False
        if any(place == locator for place, _ in split_entries(row[2])):
            return True
        sql = "SELECT 1 FROM span_part WHERE trace_no = ? AND span_id = ? AND locator = ?"
        spilled = row[1] & SPILLED and self._connection.execute(sql, (row[0], part.span_id, locator)).fetchone()
        return bool(spilled)

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _noted(self, key: str) -> int:
        return noted(self._connection, key)


def noted(connection: sqlite3.Connection, key: str) -> int:
    """What `meta` says under this key, 0 where it says nothing."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return 0 if row is None else int(row[0])


def note(connection: sqlite3.Connection, key: str, value: int) -> int:
    """Has `meta` say this under the key, and returns it."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
    return value
