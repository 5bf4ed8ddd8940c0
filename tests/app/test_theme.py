"""The theme: text can be read on every ground, both themes are whole, the bundled fonts are there."""

from __future__ import annotations

from dataclasses import fields

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication

from traceview.app.theme import (
    Theme,
    load_fonts,
    mono_font,
    palette,
    resources,
    system_theme,
    theme,
    ui_font,
)
from traceview.protocol.records import KINDS

_THEMES = [theme(True), theme(False)]
_TEXT = ("text1", "text2", "text3", "accent", "ok", "error", "running", "interrupted", "added", "changed", "removed")
_GROUNDS = ("bg0", "bg1", "bg2", "bg3", "selection")


def _luminance(color: QColor) -> float:
    """Relative luminance (WCAG 2.2)."""

    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF())


def _contrast(ink: QColor, ground: QColor) -> float:
    low, high = sorted((_luminance(ink), _luminance(ground)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert _contrast(QColor("#000000"), QColor("#FFFFFF")) == pytest.approx(21)
    assert _contrast(QColor("#777777"), QColor("#FFFFFF")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colors", _THEMES, ids=lambda colors: colors.name)
@pytest.mark.parametrize("ground", _GROUNDS)
def test_text_can_be_read_on_every_ground(colors: Theme, ground: str) -> None:
    inks = {name: getattr(colors, name) for name in _TEXT} | {kind: colors.kind(kind).ink for kind in KINDS}
    faint = {name: _contrast(ink, getattr(colors, ground)) for name, ink in inks.items()}
    assert {name: ratio for name, ratio in faint.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("colors", _THEMES, ids=lambda colors: colors.name)
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("on_accent", "accent"),
        ("added", "added_wash"),
        ("changed", "changed_wash"),
        ("removed", "removed_wash"),
        ("error", "error_wash"),
        ("hit", "hit_wash"),
        ("text1", "added_wash"),
        ("text1", "changed_wash"),
        ("text1", "removed_wash"),
        ("text2", "added_wash"),
        ("text2", "changed_wash"),
        ("text2", "removed_wash"),
        ("text1", "hover"),
        ("text3", "hover"),
    ],
)
def test_text_can_be_read_on_the_wash_it_stands_on(colors: Theme, ink: str, ground: str) -> None:
    assert _contrast(getattr(colors, ink), getattr(colors, ground)) >= 4.5


def test_the_two_themes_differ_in_every_role() -> None:
    dark, light = _THEMES
    same = [f.name for f in fields(Theme) if f.name != "kinds" and getattr(dark, f.name) == getattr(light, f.name)]
    assert same == []
    assert (dark.dark, light.dark) == (True, False)
    assert theme(True) is dark


@pytest.mark.parametrize("colors", _THEMES, ids=lambda colors: colors.name)
def test_every_kind_has_its_own_ink_and_an_unknown_one_looks_like_other(colors: Theme) -> None:
    assert len({colors.kind(kind).ink.name() for kind in KINDS}) == len(KINDS)
    assert colors.kind("something new") == colors.kind("other")


def test_bars_are_outlined_in_light_where_their_fill_is_brighter_than_their_ink() -> None:
    dark, light = _THEMES
    for kind in KINDS:
        assert dark.kind(kind).outline is None
        assert light.kind(kind).outline == light.kind(kind).ink
        for colors in _THEMES:
            bars = colors.kind(kind)
            assert bars.container not in (bars.fill, colors.bg1)


def test_the_system_says_which_theme_and_dark_is_shown_where_it_does_not(qapp: QApplication) -> None:
    hints = qapp.styleHints()
    try:
        hints.setColorScheme(Qt.ColorScheme.Light)
        assert system_theme(qapp).dark is (hints.colorScheme() is not Qt.ColorScheme.Light)
        hints.setColorScheme(Qt.ColorScheme.Dark)
        assert system_theme(qapp).dark
    finally:
        hints.unsetColorScheme()
    if hints.colorScheme() is Qt.ColorScheme.Unknown:
        assert system_theme(qapp).dark


@pytest.mark.parametrize("colors", _THEMES, ids=lambda colors: colors.name)
def test_stock_widgets_get_the_theme_by_palette(colors: Theme) -> None:
    result = palette(colors)
    assert result.color(QPalette.ColorRole.Window) == colors.bg1
    assert result.color(QPalette.ColorRole.Highlight) == colors.selection
    assert result.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text) == colors.disabled
    assert result.color(QPalette.ColorGroup.Active, QPalette.ColorRole.Text) == colors.text1


def test_the_bundled_fonts_are_used(qapp: QApplication) -> None:
    load_fonts()
    assert {"Inter", "JetBrains Mono"} <= set(QFontDatabase.families())
    assert QFontInfo(ui_font()).family() == "Inter"
    assert QFontInfo(mono_font()).family() == "JetBrains Mono"


def test_fonts_come_in_pixels_and_by_weight(qapp: QApplication) -> None:
    font = ui_font(13, 600)
    assert (font.pixelSize(), font.weight()) == (13, QFont.Weight.DemiBold)
    assert ui_font(13, 600) is font
    assert ui_font(20).families()[0] == "Inter Display"
    assert font.featureValue(QFont.Tag("tnum")) == 1
    assert mono_font().featureValue(QFont.Tag("calt")) == 0


def test_fonts_come_with_their_licences() -> None:
    names = {file.name for file in (resources() / "fonts").iterdir()}
    assert {"Inter-LICENSE.txt", "JetBrainsMono-LICENSE.txt"} <= names
