"""The icons: SVG files on a 16 grid, tinted per role and rendered once per name, colour, size and pixel ratio."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from traceview.app.theme import resources


def draw_icon(painter: QPainter, left: int, top: int, name: str, color: QColor, size: int = 16) -> None:
    """Draws an icon `size` logical pixels wide with its top left corner at (left, top)."""
    painter.drawPixmap(left, top, pixmap(name, color, size, painter.device().devicePixelRatioF()))


def icon(name: str, color: QColor, size: int = 16) -> QIcon:
    """The icon as a QIcon for menus and buttons, sharp at pixel ratios 1, 2 and 3."""
    result = QIcon()
    for ratio in (1.0, 2.0, 3.0):
        result.addPixmap(pixmap(name, color, size, ratio))
    return result


def pixmap(name: str, color: QColor, size: int = 16, ratio: float = 1.0) -> QPixmap:
    """The icon as a pixmap of size·ratio device pixels; raises KeyError for a name that has no file."""
    return _render(name, color.rgba(), size, ratio)


def icon_names() -> list[str]:
    """The names of all icons there are."""
    return sorted(file.stem for file in (resources() / "icons").glob("*.svg"))


@cache
def _source(name: str) -> str:
    file = resources() / "icons" / f"{name}.svg"
    if not file.is_file():
        raise KeyError(f"no icon named {name!r} in {file.parent}")
    return file.read_text(encoding="utf-8")


@lru_cache(maxsize=4096)
def _render(name: str, rgba: int, size: int, ratio: float) -> QPixmap:
    color = QColor.fromRgba(rgba)
    svg = QSvgRenderer(QByteArray(_source(name).replace("currentColor", color.name()).encode()))
    pixels = round(size * ratio)
    result = QPixmap(pixels, pixels)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(color.alphaF())
    svg.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()  # before the pixmap is used: painting on a device that is read crashes
    result.setDevicePixelRatio(ratio)
    return result
