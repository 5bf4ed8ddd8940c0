"""Builds the picture of one run from the store, again and again, reading only what changed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from traceview.analysis.anomalies import find_anomalies
from traceview.analysis.moments import Moments, find_moments
from traceview.analysis.tree import build_tree
from traceview.app.state.open_run import OpenRun, Source
from traceview.protocol.records import EventRow, SpanRow

if TYPE_CHECKING:
    from traceview.store import StoreReader

# Above this many spans the moments take noticeably longer than the tree: the tree is shown first.
_HUGE: Final = 20_000
_EVENT_COUNT = attrgetter("event_count")


class RunReader:
    """One run of one source. Parts merge in the store, so a changed span comes again as a whole row."""

    def __init__(self, source: Source, trace_id: bytes) -> None:
        self._source = source
        self._trace_id = trace_id
        self._spans: dict[bytes, SpanRow] = {}
        self._events: list[EventRow] = []
        self._change = 0
        self._summary_change = -1
        self._shown = False

    def read(self, reader: StoreReader) -> Iterator[OpenRun]:
        """The run as of now, if anything of it changed; of a huge run first a picture without moments."""
        head = reader.head()
        summary = reader.trace(self._trace_id)
        if summary is None or summary.change == self._summary_change:
            return
        self._spans.update((row.span_id, row) for row in reader.spans(self._trace_id, changed_after=self._change))
        self._read_events(reader)
        self._change, self._summary_change = head, summary.change
        tree = build_tree(self._spans.values())
        events = tuple(self._events)
        start = min(summary.start_ns, tree.rows[0].start_ns) if len(tree) else summary.start_ns
        now = self._newest(start) if summary.end_ns is None else summary.end_ns
        if len(tree) > _HUGE and not self._shown:
            yield OpenRun(self._source, summary, tree, events, _no_moments(len(tree)), start, now)
        self._shown = True
        moments, anomalies = find_moments(tree, events), find_anomalies(tree)
        yield OpenRun(self._source, summary, tree, events, moments, start, now, anomalies)

    def _read_events(self, reader: StoreReader) -> None:
        fresh = reader.events(self._trace_id, changed_after=self._change)
        if fresh:
            in_order = not self._events or self._events[-1].time_ns <= fresh[0].time_ns
            self._events.extend(fresh)
            if not in_order:
                self._events.sort(key=lambda event: event.time_ns)
        # A read that overlaps a write hands some events out twice: the spans say how many there must be.
        if len(self._events) != sum(map(_EVENT_COUNT, self._spans.values())):
            self._events = reader.events(self._trace_id)

    def _newest(self, at_least: int) -> int:
        newest = max((row.end_ns or row.start_ns for row in self._spans.values()), default=at_least)
        if self._events:
            newest = max(newest, self._events[-1].time_ns)
        return max(newest, at_least)


def _no_moments(spans: int) -> Moments:
    """The moments of a run of so many spans, none of which has been worked out."""
    moments = find_moments(build_tree(()), ())
    moments.opened = moments.closed = array("q", [-1]) * spans
    return moments
