"""The colours of bars, worked out once per theme: solid and tinted, outlined in the light theme, hatched if failed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPixmap

from traceview.app.theme import Theme, theme
from traceview.protocol.records import KINDS

_TINT_DARK: Final = 0.34
_TINT_LIGHT: Final = 0.26
_TILE: Final = 6


@dataclass(frozen=True, slots=True)
class BarColors:
    """Colours of one sort of bar: `solid` for leaves and self time, `tint` for containers, outlines or None."""

    solid: QColor
    tint: QColor
    outline: QColor | None
    tint_outline: QColor | None
    bright: QColor


@dataclass(frozen=True, slots=True)
class TimelineColors:
    """All colours of bars in one theme: by the kind's number in KINDS, and for failed spans."""

    kinds: tuple[BarColors, ...]
    error: BarColors
    hatch: QColor


def blend(color: QColor, share: float, ground: QColor) -> QColor:
    """`share` of a colour over an opaque ground, as one opaque colour."""
    pairs = (color.red(), ground.red()), (color.green(), ground.green()), (color.blue(), ground.blue())
    return QColor(*(round(share * over + (1 - share) * under) for over, under in pairs))


@cache
def timeline_colors(dark: bool) -> TimelineColors:
    """The bar colours of the dark or the light theme."""
    colors = theme(dark)
    kinds = tuple(_bar(colors, *_fills(colors, kind)) for kind in KINDS)
    red = blend(colors.error, 0.9, colors.bg1)
    tint = blend(colors.error, _TINT_DARK if dark else _TINT_LIGHT, colors.bg1)
    error = _bar(colors, red, tint, None if dark else colors.error)
    return TimelineColors(kinds, error, blend(colors.bg1 if dark else QColor("white"), 0.55, red))


def _fills(colors: Theme, kind: str) -> tuple[QColor, QColor, QColor | None]:
    found = colors.kind(kind)
    return found.fill, found.container, found.outline


def _bar(colors: Theme, solid: QColor, tint: QColor, outline: QColor | None) -> BarColors:
    soft = None if outline is None else blend(outline, 0.5, colors.bg1)
    return BarColors(solid, tint, outline, soft, blend(QColor("white"), 0.72, solid))


def hatch_brush(colors: TimelineColors, ratio: float) -> QBrush:
    """Diagonal stripes for failed bars, sharp at the device's pixel ratio."""
    return _hatch(colors.error.solid.rgba(), colors.hatch.rgba(), ratio)


@cache
def _hatch(ground: int, stripe: int, ratio: float) -> QBrush:
    pixels = round(_TILE * ratio)
    tile = QPixmap(pixels, pixels)
    tile.fill(QColor.fromRgba(ground))
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor.fromRgba(stripe), 1.5 * ratio, c=Qt.PenCapStyle.FlatCap))
    for shift in (-pixels, 0, pixels):  # a stripe leaves the tile in one corner and enters in the other
        painter.drawLine(QPointF(shift - 1, pixels + 1), QPointF(shift + pixels + 1, -1))
    painter.end()  # before the pixmap is used
    tile.setDevicePixelRatio(ratio)
    return QBrush(tile)
