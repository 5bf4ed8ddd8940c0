"""Paints the bars of the timeline: one row at a time, only what is in view, slivers merged and marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPen, QPolygonF

from traceview.app.models.span_columns import Ints, SpanColumns
from traceview.app.models.span_rows import SpanRows
from traceview.app.models.span_search import label_of
from traceview.app.paint import elide, fill_round, metrics, outline_round, text_width
from traceview.app.theme import BAR, MIN_BAR, ROW, Theme, ui_font
from traceview.app.timeline.bar_colors import BarColors, blend, hatch_brush, timeline_colors
from traceview.app.timeline.geometry import (
    LABEL_INSET,
    Dot,
    Label,
    Scale,
    Segments,
    bar_edges,
    find_times,
    merge_bars,
    place_dots,
    place_label,
    uncovered,
)
from traceview.app.timeline.hits import draw_marked_text
from traceview.protocol.records import SpanRow, Status

LABEL_WIDTH: Final = 220
_STATUSES: Final = tuple(Status)
_TOP: Final = (ROW - BAR) // 2
_HEAD: Final = 36
_HEAD_SHARE: Final = 0.75
_OUTSIDE: Final = 16
_TOOTH: Final = 3
_TEAR: Final = 4
_TORN_FROM: Final = 8
# A label can be read over this share of self time.
_SPECKS: Final = 0.08
_DOT: Final = 7
_DOT_RING: Final = 10


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows of one picture share: the scale, the edges of the view, what of it is exposed, the text found."""

    scale: Scale
    left: int
    right: int
    exposed: QRect
    found: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar as it is painted: its span, its edges in pixels (also out of view), what kind of bar it is.

    `failed` says that the span failed and none inside it did: a failure that was only passed on is not painted again.
    """

    span: int
    left: int
    right: int
    status: Status
    container: bool
    failed: bool
    colors: BarColors


@dataclass(frozen=True, slots=True)
class RowLabel:
    """The label of a bar, where the bar begins, where the label goes, and its colour."""

    bar_left: int
    rect: QRect
    text: str
    ink: QColor


class BarPainter:
    """Paints bars, labels and event dots of the rows of a SpanRows."""

    def __init__(self, rows: SpanRows, colors: Theme) -> None:
        self._rows = rows
        self._gaps: dict[int, tuple[Ints, Ints, Ints]] = {}
        self._first_causes: dict[int, bool] = {}
        self.set_theme(colors)

    def set_theme(self, colors: Theme) -> None:
        """Paints in other colours from now on."""
        self._theme = colors
        self._bars = timeline_colors(colors.dark)

    def forget(self) -> None:
        """The run has changed: what was worked out of it no longer holds."""
        self._gaps.clear()
        self._first_causes.clear()

    def bar(self, span: int, scale: Scale) -> Bar:
        """The bar of a span at a scale."""
        columns = self._columns
        left, right = bar_edges(scale, int(columns.start[span]), self._rows.end(span), MIN_BAR)
        status = _STATUSES[int(columns.status[span])]
        failed = status is Status.ERROR and self._failed_first(span)
        colors = self._bars.error if failed else self._bars.kinds[int(columns.kind[span])]
        return Bar(span, left, right, status, columns.is_container(span), failed, colors)

    def _failed_first(self, span: int) -> bool:
        found = self._first_causes.get(span)
        if found is None:
            found = self._first_causes[span] = not self._columns.inside(span, Status.ERROR)
        return found

    @property
    def _columns(self) -> SpanColumns:
        columns = self._rows.columns
        assert columns is not None, "bars are painted only where there is a run"
        return columns

    def self_time(self, span: int) -> int:
        """How much of a span no child covers, in ns, as of now."""
        starts, ends, _ = self._gaps_of(span)
        now = self._rows.end(span)
        return int((np.minimum(ends, now) - np.minimum(starts, now)).sum())

    def label_shows(self, span: int, frame: Frame) -> bool:
        """Whether the span's label has room; if not, the tooltip has to say it."""
        bar = self.bar(span, frame.scale)
        text = elide(ui_font(12), self.label_text(bar, self._rows.record(span), 0), LABEL_WIDTH)
        return not text or self._place(bar, text, [], frame) is not None

    # One row

    def paint(self, painter: QPainter, span: int, top: int, frame: Frame, *, selected: bool) -> RowLabel | None:
        """Paints the bar of a span into the row that begins at `top`; returns its label, which comes over all bars."""
        bar = self.bar(span, frame.scale)
        if bar.right < frame.left or bar.left > frame.right:
            self._paint_pointer(painter, bar, top, frame)
            return None
        reach = LABEL_WIDTH + _OUTSIDE
        if bar.right + reach < frame.exposed.left() or bar.left - reach > frame.exposed.right():
            return None
        record = self._rows.record(span)
        rect = self._seen(bar.left, bar.right, top + _TOP, frame)
        merged = 0
        if bar.container:
            self._paint_block(painter, rect, bar.colors.tint, bar.colors.tint_outline, bar.status)
            if self._rows.is_collapsed(span):
                merged = self._paint_inside(painter, bar, rect, frame)
            else:
                self._paint_self_time(painter, bar, rect, frame)
        else:
            self._paint_leaf(painter, bar, rect)
        if bar.status is Status.RUNNING:
            self._paint_head(painter, bar, rect)
        dots = self._dots(record, bar, frame)
        self._paint_dots(painter, dots, top)
        return self._label(bar, record, merged, dots, top, frame, selected)

    def paint_label(self, painter: QPainter, label: RowLabel, frame: Frame) -> None:
        """Paints a label that `paint` has returned."""
        draw_marked_text(painter, label.rect, label.text, ui_font(12), label.ink, frame.found, self._theme)

    @staticmethod
    def _paint_pointer(painter: QPainter, bar: Bar, top: int, frame: Frame) -> None:
        """A small arrow at the edge behind which the bar lies: an empty row would look as if there were none."""
        middle = top + ROW / 2
        edge, tip = (frame.left + 9, -5) if bar.right < frame.left else (frame.right - 16, 5)
        points = [QPointF(edge, middle - 4), QPointF(edge, middle + 4), QPointF(edge + tip, middle)]
        _fill_polygon(painter, QPolygonF(points), bar.colors.tint_outline or bar.colors.tint, None)

    @staticmethod
    def _seen(left: int, right: int, top: int, frame: Frame) -> QRect:
        """The part of a bar in view, and a little more, so that its ends stay out of sight."""
        left, right = max(left, frame.left - _OUTSIDE), min(right, frame.right + _OUTSIDE)
        return QRect(left, top, max(1, right - left), BAR)

    def _paint_block(
        self, painter: QPainter, rect: QRect, fill: QColor, outline: QColor | None, status: Status
    ) -> None:
        if status is Status.INTERRUPTED and rect.width() >= _TORN_FROM:
            _fill_polygon(painter, _torn(rect), fill, outline)
            return
        fill_round(painter, rect, fill, 2)
        if outline is not None:
            outline_round(painter, rect, outline, 2)

    def _paint_leaf(self, painter: QPainter, bar: Bar, rect: QRect) -> None:
        self._paint_block(painter, rect, bar.colors.solid, bar.colors.outline, bar.status)
        if bar.failed and rect.width() > MIN_BAR:
            inner = rect if self._theme.dark else rect.adjusted(1, 1, -1, -1)
            painter.setBrushOrigin(QPoint(bar.left % 6, rect.top()))
            painter.fillRect(inner, hatch_brush(self._bars, painter.device().devicePixelRatioF()))

    def _paint_self_time(self, painter: QPainter, bar: Bar, rect: QRect, frame: Frame) -> None:
        """Paints what no child covers solid; where such stretches are finer than pixels, by their share."""
        starts, ends, sums = self._gaps_of(bar.span)
        pieces = merge_bars(starts, ends, ends, frame.scale, (rect.left(), rect.right() + 1), 1)
        inset = 0 if bar.colors.outline is None else 1
        torn = bar.status is Status.INTERRUPTED and rect.width() >= _TORN_FROM
        if torn:
            outline = QPainterPath()
            outline.addPolygon(_torn(rect))
            painter.setClipPath(outline)
        for left, right, first, count in _pieces(pieces):
            color = bar.colors.solid
            if count > 1:
                covered = (sums[first + count] - sums[first]) * frame.scale.pixels_per_ns
                color = blend(color, min(1.0, float(covered) / (right - left)), bar.colors.tint)
            left, right = max(left, rect.left()), min(right, rect.left() + rect.width())
            painter.fillRect(left, rect.top() + inset, max(0, right - left), BAR - 2 * inset, color)
        if torn:
            painter.setClipping(False)

    def _gaps_of(self, span: int) -> tuple[Ints, Ints, Ints]:
        """Self time of a span: starts, ends, and the sums of their lengths so far."""
        found = self._gaps.get(span)
        if found is None:
            columns = self._columns
            start, end = int(columns.start[span]), int(columns.end[span])
            children = columns.children(span)
            starts, ends = uncovered(start, end, children.start, children.latest)
            sums = np.concatenate(([0], np.cumsum(ends - starts)))
            found = self._gaps[span] = (starts, ends, sums)
        return found

    def _paint_inside(self, painter: QPainter, bar: Bar, rect: QRect, frame: Frame) -> int:
        """Paints the children of a collapsed span on its bar; returns how many had to be merged."""
        columns = self._columns
        children = columns.children(bar.span)
        if bar.right - bar.left <= 2 * MIN_BAR and len(children.index) > 1:
            color = self._bars.kinds[int(columns.kind[children.index[0]])].solid
            _fill_polygon(painter, _zigzag(rect.adjusted(0, 2, 0, -2)), color, None)
            return len(children.index)
        visible = (rect.left(), rect.left() + rect.width())
        pieces = merge_bars(children.start, children.end, children.latest, frame.scale, visible, MIN_BAR)
        for left, right, first, count in _pieces(pieces):
            child = int(children.index[first])
            kind = self._bars.kinds[int(columns.kind[child])]
            failed = columns.status[child] == Status.ERROR
            color = (self._bars.error if failed else kind).solid
            box = QRect(max(left, visible[0]), rect.top() + 2, 0, BAR - 4)
            box.setWidth(max(2, min(right, bar.right, visible[1]) - box.left() - (1 if right - left > 4 else 0)))
            if count > 1:
                _fill_polygon(painter, _zigzag(box), color, None)
            else:
                painter.fillRect(box, color)
        return pieces.merged

    def _paint_head(self, painter: QPainter, bar: Bar, rect: QRect) -> None:
        """A running bar ends bright, at the now line."""
        width = min(_HEAD, bar.right - bar.left)
        inset = 0 if bar.colors.outline is None else 1
        head = QRect(bar.right - width, rect.top() + inset, width, BAR - 2 * inset)
        fade = QLinearGradient(QPointF(head.left(), 0), QPointF(bar.right, 0))
        for place, share in ((0.0, 0.0), (1.0, _HEAD_SHARE)):
            light = QColor(bar.colors.bright)
            light.setAlphaF(share)  # over whatever the bar shows here, be it tint or self time
            fade.setColorAt(place, light)
        painter.fillRect(head, fade)
        painter.fillRect(bar.right - 1, rect.top() - 2, 2, BAR + 4, self._theme.accent)

    # Events

    def _dots(self, record: SpanRow, bar: Bar, frame: Frame) -> list[Dot]:
        if not record.event_count:
            return []
        xs = frame.scale.xs(self._columns.event_times(bar.span))
        first, stop = np.searchsorted(xs, (frame.left - _OUTSIDE, frame.right + _OUTSIDE))
        return place_dots(xs[first:stop])

    def _paint_dots(self, painter: QPainter, dots: list[Dot], top: int) -> None:
        if not dots:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = top + ROW / 2
        for dot in dots:
            text = "" if dot.count == 1 else str(dot.count) if dot.count < 100 else "99+"
            width = max(14.0, text_width(ui_font(11, 600), text) + 7) if text else float(_DOT)
            height = 14.0 if text else float(_DOT)
            box = QRectF(dot.x - width / 2, middle - height / 2, width, height)
            for rect, color in ((box.adjusted(-1.5, -1.5, 1.5, 1.5), self._theme.bg1), (box, self._theme.text1)):
                painter.setBrush(color)
                painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
            if text:
                _draw_centred(painter, box, text, self._theme.bg1)
                painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    # Labels

    @staticmethod
    def label_text(bar: Bar, record: SpanRow, merged: int) -> str:
        """What stands beside a bar; the tree owns name and figures, so neither is repeated here."""
        passed_on = bar.status is Status.ERROR and not bar.failed
        parts = [record.detail or record.model or "" if passed_on else label_of(record)]
        if bar.status is Status.INTERRUPTED:
            parts = [record.status_message or parts[0], "" if record.status_message else "interrupted"]
        elif bar.status is Status.RUNNING and not bar.container:
            parts.append("running")
        if merged:
            parts.append(f"{merged:,} merged")
        return " · ".join(part for part in parts if part)

    def _place(self, bar: Bar, text: str, dots: list[Dot], frame: Frame) -> Label | None:
        width = text_width(ui_font(12), text)
        right = max([bar.right, *(round(dot.x) + _DOT_RING - 3 for dot in dots)])
        view = (frame.left + 4, frame.right - 4)
        plain = bar.container and self._has_clear_ground(bar, width, frame)
        if bar.status is Status.RUNNING:
            # Nothing stands in the future; where there is no room before the bar, it has to.
            found = place_label((bar.left, right), width, (view[0], min(view[1], right)), container=plain)
            if found is not None:
                return found
        return place_label((bar.left, right), width, view, container=plain)

    def _has_clear_ground(self, bar: Bar, width: float, frame: Frame) -> bool:
        """Whether a label could be read on the begin of a container's bar: neither children nor self time under it."""
        if self._rows.is_collapsed(bar.span):
            return False
        begin = frame.scale.time(max(bar.left, frame.left + 4))
        stop = begin + (width + 2 * LABEL_INSET) / frame.scale.pixels_per_ns
        starts, ends, _ = self._gaps_of(bar.span)
        first, last = find_times(ends, np.array((begin, stop)))
        under = slice(int(first), int(last) + 1)
        solid = np.minimum(ends[under], stop) - np.maximum(starts[under], begin)
        return bool(np.maximum(solid, 0).sum() <= _SPECKS * (stop - begin))

    def _label(
        self, bar: Bar, record: SpanRow, merged: int, dots: list[Dot], top: int, frame: Frame, selected: bool
    ) -> RowLabel | None:
        text = elide(ui_font(12), self.label_text(bar, record, merged), LABEL_WIDTH)
        place = self._place(bar, text, dots, frame) if text else None
        if place is None:
            return None
        colors = self._theme
        ink = colors.text1 if selected or place.inside else colors.text2
        if bar.failed and not place.inside:
            ink = colors.error
        elif bar.status is Status.INTERRUPTED and not place.inside:
            ink = colors.interrupted
        rect = QRect(place.left, top, round(text_width(ui_font(12), text)) + 2, ROW)
        return RowLabel(bar.left, rect, text, ink)


def _pieces(segments: Segments) -> zip[tuple[int, int, int, int]]:
    columns = (segments.left, segments.right, segments.first, segments.count)
    return zip(*(column.tolist() for column in columns), strict=True)


def _draw_centred(painter: QPainter, box: QRectF, text: str, ink: QColor) -> None:
    font = ui_font(11, 600)
    painter.setFont(font)
    painter.setPen(ink)
    x = box.center().x() - text_width(font, text) / 2
    painter.drawText(QPointF(x, box.center().y() + metrics(font).capHeight() / 2), text)


def _fill_polygon(painter: QPainter, polygon: QPolygonF, fill: QColor, outline: QColor | None) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(Qt.PenStyle.NoPen if outline is None else QPen(outline, 1))
    painter.setBrush(fill)
    painter.drawPolygon(polygon)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _torn(rect: QRect) -> QPolygonF:
    """A bar whose right end is torn off."""
    box = QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5)
    teeth = 4
    sway = [(_TEAR if i % 2 else 0, box.top() + box.height() * i / teeth) for i in range(teeth + 1)]
    return QPolygonF([box.topLeft(), *(QPointF(box.right() - x, y) for x, y in sway), box.bottomLeft()])


def _zigzag(rect: QRect) -> QPolygonF:
    """Several bars in one: a ribbon with toothed sides where it is narrow, with a toothed top where it is wide."""
    left, right, top, bottom = rect.left(), rect.left() + rect.width(), rect.top(), rect.top() + rect.height()
    if rect.width() <= 2 * MIN_BAR:
        sway = [(1.5 if i % 2 else -0.5, top + (bottom - top) * i / 4) for i in range(5)]
        return QPolygonF([QPointF(left + x, y) for x, y in sway] + [QPointF(right - 1 + x, y) for x, y in sway[::-1]])
    edge = [QPointF(x, top + (0 if i % 2 else _TOOTH)) for i, x in enumerate(range(left, right, 3))]
    return QPolygonF([*edge, QPointF(right, top + _TOOTH), QPointF(right, bottom), QPointF(left, bottom)])
