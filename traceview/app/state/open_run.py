"""The run that is open: one frozen picture of it, replaced whole whenever the store has more to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from traceview.analysis.anomalies import Anomalies
from traceview.analysis.steps import Moments
from traceview.analysis.tree import SpanTree
from traceview.protocol.records import EventRow, SpanRow, TraceSummary


@dataclass(frozen=True, slots=True)
class Source:
    """Where traces come from: the live store, or a store made from a file that was opened.

    `path` is the SQLite file to read; `title` names the source to the user; `origin` is the file that was opened.
    """

    path: Path
    title: str
    live: bool
    origin: Path | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """One trace as of now: its summary, its spans in tree order, its events by time, its moments.

    `now_ns` is the newest time seen in the run: where bars of running spans end. `anomalies` are what in the tree can't
    be as recorded.
    """

    source: Source
    summary: TraceSummary
    tree: SpanTree
    events: tuple[EventRow, ...]
    moments: Moments
    start_ns: int
    now_ns: int
    anomalies: Anomalies = field(default_factory=Anomalies)

    def row(self, span_id: bytes) -> SpanRow | None:
        """The span with this id, or None."""
        place = self.tree.index.get(span_id)
        return None if place is None else self.tree.rows[place]
