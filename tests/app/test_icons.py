"""Icons: each name has a drawing, is tinted, and is sharp at every pixel ratio."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from traceview.app.icons import draw_icon, icon, icon_names, pixmap
from traceview.protocol.records import KINDS, Status

pytestmark = pytest.mark.usefixtures("qapp")


def test_every_kind_and_status_has_an_icon() -> None:
    assert set(icon_names()) >= {*KINDS, *(status.word for status in Status)}


@pytest.mark.parametrize("name", icon_names())
def test_each_icon_shows_something_in_the_colour_asked_for(name: str) -> None:
    image = pixmap(name, QColor("#ff0000"), 32).toImage()
    inked = [image.pixelColor(x, y) for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() > 200]
    assert inked
    assert name == "mark" or all(ink.red() > 200 and ink.green() < 60 for ink in inked)


def test_an_icon_has_the_pixels_of_its_screen() -> None:
    assert pixmap("tool", QColor("white"), 16, 2.0).width() == 32
    assert (
        icon("tool", QColor("white"))
        .pixmap(
            16,
            16,
        )
        .width()
        >= 16
    )


def test_an_icon_is_drawn_where_it_was_put() -> None:
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("black"))
    painter = QPainter(image)
    draw_icon(painter, 20, 20, "breakpoint", QColor("#ffffff"))
    painter.end()
    assert image.pixelColor(28, 28) == QColor("white")
    assert image.pixelColor(8, 8) == QColor("black")


def test_an_unknown_icon_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match="no icon named 'nope'"):
        pixmap("nope", QColor("white"))
