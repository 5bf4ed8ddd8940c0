"""What the floating cards say: the times of a span, the sums of an area."""

from __future__ import annotations

import numpy as np

from traceview.analysis import figures
from traceview.analysis.anomalies import span_notes
from traceview.app.models.span_rows import SpanRows
from traceview.app.models.span_search import label_of
from traceview.app.theme import Theme
from traceview.app.timeline.bars import BarPainter, Frame
from traceview.app.timeline.card import Card
from traceview.app.timeline.timeline_view import Area
from traceview.protocol.records import Status

_STATUS_ICONS = {Status.ERROR: "error", Status.INTERRUPTED: "interrupted"}


def span_card(rows: SpanRows, bars: BarPainter, span: int, frame: Frame, colors: Theme) -> Card:
    """The card of a span: start, duration, self time with its share; and the label where the bar has no room for it."""
    columns = rows.columns
    assert columns is not None, "no run has spans"
    record = rows.record(span)
    took = rows.duration(span)
    lines = [
        ("Start", figures.duration_text(int(columns.start[span]))),
        ("Running for" if record.status is Status.RUNNING else "Duration", figures.duration_text(took)),
    ]
    if columns.is_container(span):
        own = bars.self_time(span)
        share = f", {100 * own / took:.1f}{figures.THIN}%" if took > 0 else ""
        lines.append(("Self", figures.duration_text(own) + share))
    failed = record.status is Status.ERROR and record.status_message
    if not failed and label_of(record) and not bars.label_shows(span, frame):
        lines.append(("Detail", label_of(record)))
    if record.event_count:
        lines.append(("Events", f"{record.event_count:,}"))
    kind = record.kind if record.kind in colors.kinds else "other"
    ink = {Status.ERROR: colors.error, Status.INTERRUPTED: colors.interrupted}.get(record.status, colors.kind(kind).ink)
    icon = _STATUS_ICONS.get(record.status, kind)
    caption = record.kind if record.status is Status.OK else f"{record.kind}, {record.status.word}"
    warnings = () if rows.run is None else tuple(span_notes(rows.run.anomalies, span))
    return Card(icon, ink, record.name or "(no name)", caption, tuple(lines), record.status_message or "", warnings)


def area_card(rows: SpanRows, area: Area, colors: Theme) -> Card:
    """The card of an area: how long it is; how many spans of its rows it touches, their time in it, how many failed."""
    columns = rows.columns
    assert columns is not None, "no run has spans"
    spans = rows.spans_between(area.first, area.last)
    begin, stop = area.times.start, area.times.end
    starts, ends = columns.start[spans], np.minimum(columns.end[spans], rows.now)
    touched = (starts <= stop) & (ends >= begin)
    inside = np.minimum(ends[touched], stop) - np.maximum(starts[touched], begin)
    errors = int(np.count_nonzero(columns.status[spans[touched]] == Status.ERROR))
    lines = (
        ("From", figures.duration_text(round(begin))),
        ("To", figures.duration_text(round(stop))),
        ("Total in spans", figures.duration_text(round(float(inside.sum())))),
        ("Errors", f"{errors:,}"),
    )
    count = int(np.count_nonzero(touched))
    caption = "1 span" if count == 1 else f"{count:,} spans"
    return Card("waterfall", colors.accent, figures.duration_text(round(area.times.length)), caption, lines)
