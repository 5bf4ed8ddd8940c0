"""The whole run as a small picture: a numpy raster, since at a million spans nothing else is fast enough."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from traceview.app.models.span_columns import Bools, Ints, SpanColumns
from traceview.protocol.records import Status

# Bars wider than this are drawn one by one; of very many, the widest and a sample: others hide beneath them anyway.
_NARROW: Final = 2
_WIDEST: Final = 500
_SAMPLE: Final = 1000
_STEEPEST: Final = 4.0


def draw_minimap(
    columns: SpanColumns, now: int, end: float, size: tuple[int, int], palette: NDArray[np.uint32], thick: int
) -> NDArray[np.uint32]:
    """A picture `size` = (width, height) pixels of all spans from 0 to `end` ns; 0 is "nothing here".

    `palette` has a colour per kind. Spans stand in tree order from top to bottom, `thick` pixels high.
    """
    width, height = size
    picture = np.zeros((height, width), np.uint32)
    count = len(columns)
    if not count or width < 1 or height < thick:
        return picture
    y = _lanes(count, height - thick, thick)
    per_ns = width / end
    left = np.clip((columns.start * per_ns).astype(np.int64), 0, width - 1)
    right = np.clip((np.minimum(columns.end, now) * per_ns).astype(np.int64), left + 1, width)
    color = palette[columns.kind]
    wide = _chosen(right - left)
    for i in wide.tolist():
        picture[y[i] : y[i] + thick, left[i] : right[i]] = color[i]
    narrow = right - left <= _NARROW
    for row in range(thick):
        picture[y[narrow] + row, left[narrow]] = color[narrow]
    return picture


def _lanes(count: int, room: int, thick: int) -> Ints:
    pitch = min(_STEEPEST * thick / 2, room / max(1, count - 1))
    return (np.arange(count) * pitch).astype(np.int64)


def _chosen(widths: Ints) -> Ints:
    wide = np.flatnonzero(widths > _NARROW)
    if len(wide) <= _WIDEST + _SAMPLE:
        return wide
    widest = wide[np.argpartition(widths[wide], len(wide) - _WIDEST)[-_WIDEST:]]
    return np.unique(np.concatenate((widest, wide[:: len(wide) // _SAMPLE])))


def error_marks(columns: SpanColumns, now: int, end: float, width: int) -> list[int]:
    """The pixels, from 0 to `width`, at which spans failed. A failure that was only passed on has none."""
    failed: Bools = columns.status == Status.ERROR
    if not failed.any():
        return []
    first_cause = failed & (columns.sum_inside(failed) == 1)
    x = np.minimum(columns.end[first_cause], now) * (width / end)
    return [int(mark) for mark in np.unique(np.clip(x.astype(np.int64), 0, width))]
