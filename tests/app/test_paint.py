"""Painting: text is elided once and centred on its capitals, whatever was recorded is shown and never obeyed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from traceview.app.paint import draw_chip, draw_text, elide, fill_round, metrics, one_line, outline_round, text_width
from traceview.app.theme import CHIP, theme, ui_font

INK, GROUND = QColor("#FFFFFF"), QColor("#000000")


@pytest.fixture
def canvas(qapp: QApplication) -> Iterator[tuple[QImage, QPainter]]:
    image = QImage(200, 40, QImage.Format.Format_RGB32)
    image.fill(GROUND)
    painter = QPainter(image)
    yield image, painter
    if painter.isActive():
        painter.end()


def _inked(image: QImage) -> QRect:
    """The smallest rectangle around what is not ground."""
    places = [(x, y) for x in range(image.width()) for y in range(image.height()) if image.pixelColor(x, y) != GROUND]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    return QRect(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


@pytest.mark.parametrize("size", [11, 12, 13])
def test_capitals_stand_in_the_middle_of_the_row(canvas: tuple[QImage, QPainter], size: int) -> None:
    image, painter = canvas
    width = draw_text(painter, QRect(0, 8, 200, 24), "HEH", ui_font(size), INK)
    painter.end()
    box = _inked(image)
    assert abs(box.center().y() - 20) <= 1
    assert abs(box.width() - width) <= 3


@pytest.mark.parametrize(
    ("align", "left"),
    [(Qt.AlignmentFlag.AlignLeft, 20), (Qt.AlignmentFlag.AlignRight, 155), (Qt.AlignmentFlag.AlignHCenter, 87)],
)
def test_text_keeps_to_its_side(canvas: tuple[QImage, QPainter], align: Qt.AlignmentFlag, left: int) -> None:
    image, painter = canvas
    draw_text(painter, QRect(20, 0, 160, 40), "HHH", ui_font(12), INK, align)
    painter.end()
    assert abs(_inked(image).left() - left) <= 3


def test_text_too_wide_is_cut_with_an_ellipsis(canvas: tuple[QImage, QPainter]) -> None:
    image, painter = canvas
    assert draw_text(painter, QRect(10, 0, 60, 40), "A long line of text", ui_font(12), INK) <= 60
    painter.end()
    assert _inked(image).right() <= 70
    assert elide(ui_font(12), "A long line of text", 60).endswith("…")
    assert elide(ui_font(12), "short", 60) == "short"


def test_one_line_stays_one_line_and_controls_become_pictures() -> None:
    assert one_line("a\nb\r\n\tc") == "a b  c"
    assert one_line("\x00\x1b[31m\x7f") == "␀␛[31m␡"
    assert one_line("a\u202eb\u2066c\u2028d\x85") == "a�b�c d�"
    assert one_line("x" * 5_000) == "x" * 1_000
    assert one_line("x" * 50, 10) == "x" * 10


def test_eliding_a_huge_text_looks_at_its_beginning_only(qapp: QApplication) -> None:
    assert len(elide(ui_font(12), "x" * 5_000_000, 100)) < 40


def test_widths_grow_with_text(qapp: QApplication) -> None:
    font = ui_font(12)
    assert text_width(font, "") == 0
    assert 0 < text_width(font, "i") < text_width(font, "iW")
    assert metrics(font) is metrics(font)


def test_a_chip_is_as_wide_as_its_text_and_says_where_it_ends(canvas: tuple[QImage, QPainter]) -> None:
    image, painter = canvas
    colors = theme(True)
    short = draw_chip(painter, 4, 20, "beta", colors)
    long = draw_chip(painter, short + 6, 20, "session s-42", colors, ink=colors.accent, ground=colors.bg4)
    painter.end()
    assert 4 < short < long
    assert image.pixelColor(6, 20) == colors.bg3
    assert image.pixelColor(short + 8, 20) == colors.bg4
    assert _inked(image).height() == CHIP


def test_small_boxes_are_filled_plain_and_large_ones_have_round_corners(canvas: tuple[QImage, QPainter]) -> None:
    image, painter = canvas
    fill_round(painter, QRect(0, 0, 5, 5), INK, 2)
    fill_round(painter, QRect(20, 0, 30, 30), INK, 6)
    outline_round(painter, QRect(60, 0, 30, 30), INK, 6)
    painter.end()
    assert image.pixelColor(0, 0) == INK
    assert image.pixelColor(20, 0) == GROUND
    assert image.pixelColor(35, 15) == INK
    assert image.pixelColor(60, 0) == GROUND
    assert image.pixelColor(75, 0) == INK
    assert image.pixelColor(75, 15) == GROUND
