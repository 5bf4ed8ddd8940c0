"""The traces of one source as a list: newest start first, filtered, with sums; changed in place as runs go on.

A hundred thousand traces take a fifth of a second to filter: that is done in slices between events, and what is shown
changes when it is done. A few thousand are done at once.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from traceview.app.models.trace_stats import Histogram, TraceStats
from traceview.app.sliced import Sliced
from traceview.app.state.trace_filter import TraceFilter, searchable
from traceview.protocol.records import Status, TraceSummary

# More changed traces than this at once are cheaper as one reset than as single insertions.
_MANY = 200
# Traces that are handled between two looks at the clock, and such pieces that are done at once.
_PIECE = 500
_AT_ONCE = 12

_Key = tuple[int, bytes]
_Item = TypeVar("_Item")
_NO_INDEX = QModelIndex()


class TraceRole(IntEnum):
    """What the model answers besides the display text (the input, else the name)."""

    SUMMARY = Qt.ItemDataRole.UserRole + 1
    TRACE_ID = Qt.ItemDataRole.UserRole + 2
    NAME = Qt.ItemDataRole.UserRole + 3
    STATUS = Qt.ItemDataRole.UserRole + 4


class TraceListModel(QAbstractListModel):
    """All traces of a source, of which the rows are those that the filter and the range let through.

    Signals:
        stats_changed(): counters or histogram differ.
        settled(): all that was asked for is shown (also where that was at once).
        texts_wanted(object): the texts (frozenset of str) that the filter looks for in all that was recorded: whoever
            reads the store says by `add_found` which traces have them. Until all are known the filter before stays.
    """

    stats_changed = Signal()
    settled = Signal()
    texts_wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[bytes, TraceSummary] = {}
        self._texts: dict[bytes, str] = {}
        self._filter = TraceFilter()
        self._wanted = self._asked = self._filter
        self._found: dict[str, set[bytes]] = {}
        self._range: tuple[int, int] | None = None
        self._sliced = Sliced(self)
        # What came while many were being handled; None is gone.
        self._waiting: dict[bytes, TraceSummary | None] = {}
        # Start and id of all traces, ascending.
        self._order: list[_Key] = []
        # Start and id of what the filter lets through, ascending; rows are keys[low:high], newest first.
        self._keys: list[_Key] = []
        self._low = 0
        self._high = 0
        self._failed: list[_Key] = []
        self._shown_range: tuple[int, int] | None = None
        self.stats = TraceStats()

    @property
    def total(self) -> int:
        """How many traces the source has, shown or not."""
        return len(self._all)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        """How many traces are shown."""
        return 0 if parent.isValid() else self._high - self._low

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The display text, or what TraceRole says."""
        if not index.isValid() or index.row() >= self.rowCount():
            return None
        trace = self.trace(index.row())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return trace.preview or trace.name
        if role == TraceRole.SUMMARY:
            return trace
        if role == TraceRole.TRACE_ID:
            return trace.trace_id
        if role == TraceRole.NAME:
            return trace.name
        return trace.status if role == TraceRole.STATUS else None

    def roleNames(self) -> dict[int, Any]:
        """The names of the roles beside Qt's own."""
        return super().roleNames() | {int(role): role.name.lower().encode() for role in TraceRole}

    def trace(self, row: int) -> TraceSummary:
        """The trace in a row; raises IndexError."""
        if not 0 <= row < self.rowCount():
            raise IndexError(row)
        return self._all[self._keys[self._high - 1 - row][1]]

    def find(self, trace_id: bytes) -> TraceSummary | None:
        """A trace of the source, shown or not."""
        return self._all.get(trace_id)

    def row_of(self, trace_id: bytes) -> int:
        """The row of a trace, or -1 where it is not shown."""
        trace = self._all.get(trace_id)
        if trace is None:
            return -1
        place = self._place((trace.start_ns, trace_id))
        return self._high - 1 - place if self._low <= place < self._high else -1

    def newest(self) -> TraceSummary | None:
        """The trace in the first row."""
        return self.trace(0) if self.rowCount() else None

    def recent(self, count: int) -> list[TraceSummary]:
        """The newest traces that the filter lets through."""
        return [self._all[key[1]] for key in self._keys[: -count - 1 : -1]]

    def running(self) -> bool:
        """Whether any trace shown is still running."""
        return self.stats.running > 0

    @property
    def busy(self) -> bool:
        """Whether something else is about to be shown."""
        return self._sliced.running

    def replace(self, traces: Sequence[TraceSummary]) -> None:
        """Shows the traces of another source."""
        self._waiting = {}
        self._texts.clear()
        self._begin({}, [], traces)

    def update(self, traces: Sequence[TraceSummary]) -> None:
        """Takes over traces that are new or changed."""
        if self.busy:
            self._waiting |= {trace.trace_id: trace for trace in traces}
        elif len(traces) > _MANY:
            self._begin(self._all, self._order, traces)
        else:
            for trace in traces:
                self._update_one(trace)
            if traces:
                self.stats_changed.emit()
            self.settled.emit()

    def remove(self, trace_ids: Sequence[bytes]) -> None:
        """Lets go of traces that are no longer in the source."""
        if self.busy:
            self._waiting |= dict.fromkeys(trace_ids)
            return
        found = [trace for trace_id in dict.fromkeys(trace_ids) if (trace := self._all.get(trace_id)) is not None]
        if len(found) > _MANY:
            gone = {trace.trace_id for trace in found}
            self.replace([trace for trace_id, trace in self._all.items() if trace_id not in gone])
            return
        for trace in found:
            place = self._place((trace.start_ns, trace.trace_id))
            if place >= 0:
                self._remove(trace, place)
            del self._all[trace.trace_id]
            del self._order[bisect_left(self._order, (trace.start_ns, trace.trace_id))]
            self._texts.pop(trace.trace_id, None)
        if found:
            self.stats_changed.emit()

    def set_filter(self, wanted: TraceFilter) -> None:
        """Shows what this filter lets through, as soon as that is known."""
        self._asked = wanted
        texts = _texts_of(wanted)
        needed = texts | _texts_of(self._wanted) | _texts_of(self._filter)
        self._found = {text: ids for text, ids in self._found.items() if text in needed}
        self.texts_wanted.emit(texts)
        if self.searching:
            self.stats_changed.emit()
        else:
            self._take_up(wanted)

    @property
    def searching(self) -> bool:
        """Whether it is not known yet which traces the filter lets through."""
        return not _texts_of(self._asked) <= self._found.keys()

    def add_found(self, text: str, trace_ids: Iterable[bytes]) -> None:
        """These traces have the text; those that were told before do too."""
        searched = self.searching
        new = set(trace_ids) - self._found.get(text, set())
        self._found.setdefault(text, set()).update(new)
        if self._asked is not self._wanted:
            if not self.searching:
                self._take_up(self._asked)
        elif again := [self._all[trace_id] for trace_id in new if trace_id in self._all]:
            self.update(again)
        if searched and not self.searching:
            self.stats_changed.emit()

    def forget_found(self) -> None:
        """Another source is shown: what was found in the last one is not so there."""
        self._found.clear()
        self.texts_wanted.emit(_texts_of(self._asked))

    def _take_up(self, wanted: TraceFilter) -> None:
        self._wanted = wanted
        if not self.busy:
            self._begin(self._all, self._order, ())

    def set_range(self, range_ns: tuple[int, int] | None) -> None:
        """Shows only traces that started between two times in ns, both included; None shows all."""
        self._range = range_ns
        if not self.busy:
            self._begin(self._all, self._order, ())

    def histogram(self, bins: int) -> Histogram | None:
        """All traces that the filter lets through, in the range or not, by start; None where there are none."""
        if not self._keys:
            return None
        start, end = self._keys[0][0], self._keys[-1][0]
        width = max(1, -(-(end - start + 1) // bins))
        edges = [start + width * i for i in range(bins + 1)]
        return Histogram(start, edges[-1], _counts(self._keys, edges), _counts(self._failed, edges))

    def _place(self, key: _Key) -> int:
        """Where a key stands among the keys, or -1."""
        place = bisect_left(self._keys, key)
        return place if place < len(self._keys) and self._keys[place] == key else -1

    def _lets_through(self, trace: TraceSummary, wanted: TraceFilter) -> bool:
        if wanted.words:
            text = self._texts.get(trace.trace_id)
            if text is None:
                text = self._texts[trace.trace_id] = searchable(trace)
            for word, there in wanted.words:
                if (word in text) is not there:
                    return False
        if any((trace.trace_id in self._found.get(text, ())) is not there for text, there in wanted.texts):
            return False
        return all(test(trace) for test in wanted.tests)

    # Many at once: each step handles a piece; what is shown changes in the last one

    def _begin(self, everything: dict[bytes, TraceSummary], order: list[_Key], traces: Sequence[TraceSummary]) -> None:
        work = self._work(everything, order, traces)
        self._sliced.start(work, lambda _: None, self._after_slice, at_once=_AT_ONCE)

    def _after_slice(self, ended: bool) -> None:
        if not ended:
            return
        waiting, self._waiting = self._waiting, {}
        self.remove([trace_id for trace_id, trace in waiting.items() if trace is None])
        traces = [trace for trace in waiting.values() if trace is not None]
        if not self.busy and (self._wanted is not self._filter or self._range != self._shown_range):
            self._begin(self._all, self._order, traces)
        else:
            self.update(traces)

    def _work(
        self, everything: dict[bytes, TraceSummary], order: list[_Key], traces: Sequence[TraceSummary]
    ) -> Iterator[None]:
        yield from self._take_in(everything, order, traces)
        wanted: TraceFilter | None = None
        keys, failed = self._keys, self._failed
        if not traces and everything is self._all:  # another range, perhaps: what is let through stands
            wanted = self._filter
        while wanted is not self._wanted:  # another filter while this one is applied: begin again
            wanted, keys, failed = self._wanted, [], []
            for piece in _pieces(order):
                shown = [key for key in piece if self._lets_through(everything[key[1]], wanted)] if wanted else piece
                keys += shown
                failed += [key for key in shown if everything[key[1]].status is Status.ERROR]
                yield
                if wanted is not self._wanted:
                    break
        range_ns = self._range
        low, high = _bounds(keys, range_ns)
        stats = TraceStats()
        for piece in _pieces(keys[low:high]):
            stats.add_many(everything[key[1]] for key in piece)
            yield
        stats.finish()
        yield
        self.beginResetModel()
        self._all, self._order, self._filter, self._shown_range = everything, order, wanted, range_ns
        self._keys, self._failed, self._low, self._high, self.stats = keys, failed, low, high, stats
        self.endResetModel()
        self.stats_changed.emit()

    def _take_in(
        self, everything: dict[bytes, TraceSummary], order: list[_Key], traces: Sequence[TraceSummary]
    ) -> Iterator[None]:
        fresh: dict[_Key, None] = {}  # ordered, so that sorting finds its runs
        stale: dict[_Key, None] = {}
        for piece in _pieces(traces):
            for trace in piece:
                key, before = (trace.start_ns, trace.trace_id), everything.get(trace.trace_id)
                everything[trace.trace_id] = trace
                self._texts.pop(trace.trace_id, None)
                if before is not None and before.start_ns != trace.start_ns:
                    _move((before.start_ns, trace.trace_id), stale, fresh)
                if before is None or before.start_ns != trace.start_ns:
                    _move(key, fresh, stale)
            yield
        if stale:
            order[:] = [key for key in order if key not in stale]
            yield
        if fresh:
            order.extend(fresh)
            order.sort()  # mostly one run that falls after one that rises: linear
            yield

    def _update_one(self, trace: TraceSummary) -> None:
        before = self._all.get(trace.trace_id)
        place = -1 if before is None else self._place((before.start_ns, trace.trace_id))
        self._texts.pop(trace.trace_id, None)
        stays = self._lets_through(trace, self._filter)
        if before is None or before.start_ns != trace.start_ns:
            if before is not None:
                del self._order[bisect_left(self._order, (before.start_ns, trace.trace_id))]
            insort(self._order, (trace.start_ns, trace.trace_id))
        if before is not None and place >= 0 and not (stays and trace.start_ns == before.start_ns):
            self._remove(before, place)
            place = -1
        self._all[trace.trace_id] = trace
        if not stays:
            return
        if before is not None and place >= 0:
            self._change(before, trace, place)
        else:
            self._insert(trace)

    def _insert(self, trace: TraceSummary) -> None:
        key = (trace.start_ns, trace.trace_id)
        place = bisect_left(self._keys, key)
        if trace.status is Status.ERROR:
            insort(self._failed, key)
        if not self._in_range(trace.start_ns):
            self._keys.insert(place, key)
            if place < self._low or (place == self._low and self._range and trace.start_ns < self._range[0]):
                self._low += 1
                self._high += 1
            return
        row = self._high - place
        self.beginInsertRows(_NO_INDEX, row, row)
        self._keys.insert(place, key)
        self._high += 1
        self.stats.add(trace)
        self.endInsertRows()

    def _remove(self, trace: TraceSummary, place: int) -> None:
        key = self._keys[place]
        if trace.status is Status.ERROR:
            del self._failed[bisect_left(self._failed, key)]
        if not self._low <= place < self._high:
            del self._keys[place]
            if place < self._low:
                self._low -= 1
                self._high -= 1
            return
        row = self._high - 1 - place
        self.beginRemoveRows(_NO_INDEX, row, row)
        del self._keys[place]
        self._high -= 1
        self.stats.take(trace)
        self.endRemoveRows()

    def _change(self, before: TraceSummary, trace: TraceSummary, place: int) -> None:
        if trace.status is not before.status:
            key = self._keys[place]
            if before.status is Status.ERROR:
                del self._failed[bisect_left(self._failed, key)]
            elif trace.status is Status.ERROR:
                insort(self._failed, key)
        if self._low <= place < self._high:
            self.stats.take(before)
            self.stats.add(trace)
            index = self.index(self._high - 1 - place)
            self.dataChanged.emit(index, index)

    def _in_range(self, start_ns: int) -> bool:
        return self._range is None or self._range[0] <= start_ns <= self._range[1]


def _texts_of(wanted: TraceFilter) -> frozenset[str]:
    return frozenset(text for text, _ in wanted.texts)


def _counts(keys: list[_Key], edges: list[int]) -> tuple[int, ...]:
    places = [bisect_left(keys, (edge, b"")) for edge in edges]
    return tuple(after - before for before, after in itertools.pairwise(places))


def _bounds(keys: list[_Key], range_ns: tuple[int, int] | None) -> tuple[int, int]:
    """From where to where the keys lie in a range of starts."""
    if range_ns is None:
        return 0, len(keys)
    low = bisect_left(keys, (range_ns[0], b""))
    return low, max(low, bisect_right(keys, (range_ns[1] + 1, b"")))


def _move(key: _Key, to: dict[_Key, None], away: dict[_Key, None]) -> None:
    """A key goes into one of two sets, unless that only takes back what the other says."""
    if key in away:
        del away[key]
    else:
        to[key] = None


def _pieces(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[begin : begin + _PIECE] for begin in range(0, len(items), _PIECE))
