"""The rows that the waterfall shows: the tree of a run less what is collapsed or filtered, in an array of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from traceview.analysis import figures
from traceview.app.models.span_columns import Bools, Ints, SpanColumns, read_columns
from traceview.app.models.span_search import SpanSearch
from traceview.app.state.open_run import OpenRun
from traceview.protocol.records import SpanRow, Status

SPAN_ID_ROLE: Final = Qt.ItemDataRole.UserRole
DEPTH_ROLE: Final = Qt.ItemDataRole.UserRole + 1
_HEADERS: Final = ("Span", "Tokens", "Duration")
_NO_INDEX = QModelIndex()
# Spans that repeat their children's sums show no tokens: the sum would be read as theirs.
_COUNTING_KINDS: Final = frozenset({"llm", "embedding", "reranker"})


@dataclass(frozen=True, slots=True)
class HiddenLine:
    """A row that stands for spans the filter hides below `parent` (-1: roots)."""

    parent: int
    depth: int
    count: int
    errors: int

    @property
    def text(self) -> str:
        """What the row says, before its "Show"."""
        errors = "1 error" if self.errors == 1 else f"{self.errors:,} errors"
        return f"{self.count:,} hidden by filter, {errors}"


def tokens_of(row: SpanRow, *, leaf: bool) -> int | None:
    """The tokens a row shows: what went in and out of this very call; None where a call is not what the span is."""
    if row.input_tokens is None and row.output_tokens is None:
        return None
    if not leaf and row.kind not in _COUNTING_KINDS:
        return None
    return (row.input_tokens or 0) + (row.output_tokens or 0)


class SpanRows(QAbstractTableModel):
    """The visible rows of a run. Rows are numbered from 0 down the screen, spans by their place in the tree.

    `modelReset` says that rows came, went or changed. A newer picture of the run keeps what is collapsed.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._run: OpenRun | None = None
        self._columns: SpanColumns | None = None
        self._search = SpanSearch(())
        self._now = 0
        self._collapsed: Bools = np.zeros(0, np.bool_)
        self._shown: set[bytes | None] = set()
        self._min_duration = 0
        self._entries: Ints = np.zeros(0, np.int64)
        self._row_of: Ints = np.zeros(0, np.int64)
        self._roots: Ints = np.zeros(0, np.int64)
        self._lines: list[HiddenLine] = []
        self._hidden_spans = 0

    # What there is

    @property
    def run(self) -> OpenRun | None:
        """The run, or None."""
        return self._run

    @property
    def columns(self) -> SpanColumns | None:
        """All spans of the run as columns, or None."""
        return self._columns

    @property
    def span_count(self) -> int:
        """How many spans the run has, shown or not."""
        return 0 if self._columns is None else len(self._columns)

    @property
    def now(self) -> int:
        """Where running spans end, in ns since the run's start."""
        return self._now

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self._entries)

    @property
    def hidden_spans(self) -> int:
        """How many spans the filter hides."""
        return self._hidden_spans

    def span_at(self, row: int) -> int:
        """The place of a row's span in the tree; -1 for a line that stands for hidden spans, or no row."""
        return max(-1, int(self._entries[row])) if 0 <= row < len(self._entries) else -1

    def spans_between(self, first: int, last: int) -> Ints:
        """The places of the spans of rows `first` to `last`, both included."""
        entries = self._entries[max(0, first) : last + 1]
        return entries[entries >= 0]

    def hidden_line(self, row: int) -> HiddenLine | None:
        """The line of hidden spans at a row, or None where a span stands."""
        if not 0 <= row < len(self._entries) or self._entries[row] >= 0:
            return None
        return self._lines[-1 - int(self._entries[row])]

    def record(self, span: int) -> SpanRow:
        """The record of a span; raises IndexError."""
        assert self._run is not None, "no run has spans"
        return self._run.tree.rows[span]

    def record_at(self, row: int) -> SpanRow | None:
        """The record of a row's span, or None."""
        span = self.span_at(row)
        return None if span < 0 else self.record(span)

    def row_of(self, span: int) -> int:
        """The row of a span, or -1 where it is collapsed or filtered away."""
        return int(self._row_of[span]) if 0 <= span < len(self._row_of) else -1

    def row_of_id(self, span_id: bytes | None) -> int:
        """The row of a span id, or -1."""
        return self.row_of(self.place(span_id))

    def place(self, span_id: bytes | None) -> int:
        """The place of a span id in the tree, or -1."""
        return -1 if self._run is None or span_id is None else self._run.tree.index.get(span_id, -1)

    def root_row(self, row: int) -> int:
        """The row of the root above (or at) a row; -1 without rows."""
        place = int(np.searchsorted(self._roots, row, side="right")) - 1
        return int(self._roots[place]) if place >= 0 else -1

    def end(self, span: int) -> int:
        """The end of a span as of now, in ns since the run's start."""
        assert self._columns is not None, "no run has spans"
        return max(min(int(self._columns.end[span]), self._now), int(self._columns.start[span]))

    def duration(self, span: int) -> int:
        """How long a span took as recorded (below 0 where it ends before it begins), or has been running, in ns."""
        assert self._columns is not None, "no run has spans"
        backwards = {} if self._run is None else self._run.anomalies.backwards
        if span in backwards:
            return -backwards[span]
        return self.end(span) - int(self._columns.start[span])

    def worst_inside(self, span: int) -> Status:
        """The worst status below a span, so that a collapsed one can show what it hides."""
        assert self._columns is not None, "no run has spans"
        for status in (Status.ERROR, Status.INTERRUPTED, Status.RUNNING):
            if self._columns.inside(span, status):
                return status
        return Status.OK

    def errors(self) -> Ints:
        """The places of all failed spans, in tree order."""
        if self._columns is None:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self._columns.status == Status.ERROR)

    def find(self, text: str) -> list[int]:
        """The places of the spans whose name or label contains the text."""
        return self._search.find(text)

    # What changes

    def set_run(self, run: OpenRun | None) -> None:
        """Shows another run, everything expanded; the filter stays."""
        columns = None if run is None else read_columns(run)
        with self._changing():
            self._run, self._columns = run, columns
            self._shown = set()
            self._collapsed = np.zeros(self.span_count, np.bool_)
            self._take_over()

    def update_run(self, run: OpenRun) -> None:
        """Takes a newer picture of the run that is shown: what is collapsed stays so."""
        before, old = self._columns, self._collapsed
        collapsed = [] if before is None else [before.tree.rows[i].span_id for i in np.flatnonzero(old).tolist()]
        columns = read_columns(run, before)
        with self._changing():
            self._run, self._columns = run, columns
            self._collapsed = np.zeros(self.span_count, np.bool_)
            places = [place for span in collapsed if (place := run.tree.index.get(span)) is not None]
            self._collapsed[places] = True
            self._take_over()

    def _take_over(self) -> None:
        run = self._run
        self._search = SpanSearch(() if run is None else run.tree.rows)
        self._now = 0 if run is None or self._columns is None else run.now_ns - run.start_ns
        if self._columns is not None:
            self._now = max(self._now, self._columns.latest_end())

    def set_now(self, now: int) -> None:
        """Lets running spans end at a later time, in ns since the run's start; rows stay."""
        self._now = max(self._now, now)

    def is_collapsed(self, span: int) -> bool:
        """Whether a span's children are folded away."""
        return bool(self._collapsed[span])

    def set_collapsed(self, span: int, collapsed: bool) -> None:
        """Folds a span's children away, or shows them; nothing happens to a leaf."""
        if self._columns is not None and self._columns.is_container(span) and self._collapsed[span] != collapsed:
            with self._changing():
                self._collapsed[span] = collapsed

    def collapse_all(self) -> None:
        """Folds every span but the roots, so that the run's outline is left."""
        if self._columns is not None:
            with self._changing():
                self._collapsed = self._columns.container & (self._columns.depth > 0)

    def expand_all(self) -> None:
        """Shows everything that was folded."""
        with self._changing():
            self._collapsed = np.zeros(self.span_count, np.bool_)

    def reveal(self, span: int) -> int:
        """Makes sure that a span has a row, whatever is collapsed or filtered; returns the row."""
        if self._run is None or not 0 <= span < self.span_count:
            return -1
        if self._row_of[span] < 0:
            above = self._run.tree.ancestors(span)
            with self._changing():
                self._collapsed[above] = False
                if not self._kept()[span]:
                    self._shown.add(self._id_or_none(self._nearest(above)))
        return self.row_of(span)

    def _nearest(self, above: list[int]) -> int:
        kept = self._kept()
        return next((i for i in above if kept[i]), -1)

    def _id_or_none(self, span: int) -> bytes | None:
        return None if span < 0 else self.record(span).span_id

    @property
    def min_duration(self) -> int:
        """Spans shorter than so many ns are hidden, unless something longer is inside; 0 hides nothing."""
        return self._min_duration

    def set_min_duration(self, ns: int) -> None:
        """Hides spans that took less than so many ns; hidden ones that were shown again are hidden again."""
        if ns != self._min_duration or self._shown:
            with self._changing():
                self._min_duration = ns
                self._shown = set()

    def show_hidden(self, row: int) -> None:
        """Shows the spans that a line of hidden spans stands for."""
        line = self.hidden_line(row)
        if line is not None:
            with self._changing():
                self._shown.add(self._id_or_none(line.parent))

    # How rows come about

    def _kept(self) -> Bools:
        """Which spans the filter leaves: with a span its ancestors, so that the tree holds together."""
        columns = self._columns
        assert columns is not None, "no run has spans"
        if not self._min_duration or not len(columns):
            return np.ones(len(columns), np.bool_)
        kept = columns.sum_inside(columns.end - columns.start >= self._min_duration) > 0
        for span_id in self._shown:
            parent = self.place(span_id)
            if parent >= 0 or span_id is None:
                self._keep_below(kept, parent)
        return kept

    def _keep_below(self, kept: Bools, parent: int) -> None:
        columns = self._columns
        assert columns is not None, "no run has spans"
        begin, stop = (0, len(columns)) if parent < 0 else (parent + 1, int(columns.subtree_end[parent]))
        tops = begin + np.flatnonzero(~kept[begin:stop] & (columns.parent[begin:stop] == parent))
        for top in tops:
            kept[top : int(columns.subtree_end[top])] = True

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What shows rows hears before anything changes, and when the rows have been worked out anew."""
        self.beginResetModel()
        yield
        self._rebuild()
        self.endResetModel()

    def _rebuild(self) -> None:
        columns = self._columns
        self._lines, self._hidden_spans = [], 0
        if columns is None:
            self._entries = self._row_of = self._roots = np.zeros(0, np.int64)
        else:
            kept = self._kept()
            folded = self._folded(columns)
            self._entries = np.flatnonzero(kept & ~folded)
            if not kept.all():
                self._insert_lines(columns, kept, folded)
            self._row_of = np.full(len(columns), -1, np.int64)
            spans = np.flatnonzero(self._entries >= 0)
            self._row_of[self._entries[spans]] = spans
            self._roots = spans[columns.depth[self._entries[spans]] == 0]

    def _folded(self, columns: SpanColumns) -> Bools:
        """Which spans lie below a collapsed one."""
        tops = np.flatnonzero(self._collapsed & columns.container)
        size = len(columns) + 1
        steps = np.bincount(tops + 1, minlength=size) - np.bincount(columns.subtree_end[tops], minlength=size)
        return np.asarray(np.cumsum(steps[: len(columns)]) > 0)

    def _insert_lines(self, columns: SpanColumns, kept: Bools, folded: Bools) -> None:
        """Puts a line after the rows of every span some of whose spans the filter hides."""
        failed = np.concatenate(([0], np.cumsum(columns.status == Status.ERROR)))
        parent = columns.parent
        tops = np.flatnonzero(~kept & ((parent < 0) | kept[np.maximum(parent, 0)]))
        self._hidden_spans = int(np.count_nonzero(~kept))
        parents, group = np.unique(parent[tops], return_inverse=True)
        stops = columns.subtree_end[tops]
        counts = np.bincount(group, weights=stops - tops).astype(np.int64)
        errors = np.bincount(group, weights=failed[stops] - failed[tops]).astype(np.int64)
        visible = (parents < 0) | ~(folded | self._collapsed)[np.maximum(parents, 0)]
        parents, counts, errors = parents[visible], counts[visible], errors[visible]
        depths = np.where(parents < 0, 0, columns.depth[np.maximum(parents, 0)] + 1)
        after = np.where(parents < 0, len(columns), columns.subtree_end[np.maximum(parents, 0)])
        order = np.lexsort((-depths, after))
        self._lines = [HiddenLine(int(parents[i]), int(depths[i]), int(counts[i]), int(errors[i])) for i in order]
        places = np.searchsorted(self._entries, after[order])
        self._entries = np.insert(self._entries, places, -1 - np.arange(len(order)))

    # What Qt asks

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(_HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADERS[section]
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = index.row()
        line = self.hidden_line(row)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._cell(row, index.column(), line)
        if role == SPAN_ID_ROLE:
            return None if line else self.record(self.span_at(row)).span_id
        if role == DEPTH_ROLE:
            return line.depth if line else self.depth(row)
        return None

    def depth(self, row: int) -> int:
        """How deep the row's span stands in the tree; 0 is a root."""
        line = self.hidden_line(row)
        if line is not None:
            return line.depth
        assert self._columns is not None, "no run has rows"
        return int(self._columns.depth[self.span_at(row)])

    def _cell(self, row: int, column: int, line: HiddenLine | None) -> str:
        if line is not None:
            return line.text if column == 0 else ""
        span = self.span_at(row)
        record = self.record(span)
        if column == 0:
            return record.name
        if column == 1:
            tokens = tokens_of(record, leaf=self._run is not None and self._run.tree.is_leaf(span))
            return "" if tokens is None else figures.tokens(tokens)
        return figures.duration_text(self.duration(span))

    def row_text(self, row: int) -> str:
        """A row in one sentence, for screen readers and for copying."""
        line = self.hidden_line(row)
        if line is not None:
            return line.text
        record = self.record_at(row)
        if record is None:
            return ""
        took = figures.duration_text(self.duration(self.span_at(row)))
        return f"{record.name}, {record.kind}, {record.status.word}, {took}"
