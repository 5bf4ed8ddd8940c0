"""Figures read the same everywhere: units, thin spaces, the real minus, and no "1000 ms"."""

from __future__ import annotations

import pytest

from traceview.analysis import figures

S = 1_000_000_000
MS = 1_000_000


@pytest.mark.parametrize(
    ("ns", "value", "unit"),
    [
        (0, "0", "µs"),
        (420, "420", "ns"),
        (1_000, "1", "µs"),
        (999_400, "999", "µs"),
        (999_600, "1", "ms"),
        (40 * MS, "40", "ms"),
        (999_499_999, "999", "ms"),
        (999_500_000, "1.00", "s"),
        (1_840 * MS, "1.84", "s"),
        (27_840 * MS, "27.84", "s"),
        (59_994 * MS, "59.99", "s"),
        (59_996 * MS, "1\u2009m\u20090", "s"),
        (72 * S, "1\u2009m\u200912", "s"),
        (3_599 * S, "59\u2009m\u200959", "s"),
        (3_600 * S, "1\u2009h\u20090", "m"),
        (86_399 * S, "1\u2009d\u20090", "h"),
        (90_000 * S, "1\u2009d\u20091", "h"),
        (1_000 * 86_400 * S, "1,000\u2009d\u20090", "h"),
        (-1_840 * MS, "\u22121.84", "s"),
    ],
)
def test_durations_have_a_value_and_a_unit(ns: int, value: str, unit: str) -> None:
    assert figures.duration(ns) == (value, unit)


def test_a_short_duration_keeps_three_significant_digits() -> None:
    assert figures.duration_text(27_840 * MS, short=True) == "27.8\u2009s"
    assert figures.duration_text(8_420 * MS, short=True) == "8.42\u2009s"
    assert figures.duration_text(9_996 * MS, short=True) == "10.0\u2009s"
    assert figures.duration_text(59_960 * MS, short=True) == "1\u2009m\u20090\u2009s"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0"),
        (38, "38"),
        (999, "999"),
        (1_000, "1.0k"),
        (6_900, "6.9k"),
        (21_400, "21.4k"),
        (148_000, "148k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (4_820_000, "4.82M"),
        (123_400_000, "123M"),
        (2_500_000_000_000, "2,500B"),
        (-1_070, "\u22121.1k"),
    ],
)
def test_tokens_fit_a_narrow_column(n: int, text: str) -> None:
    assert figures.tokens(n) == text


def test_tokens_in_full_are_grouped() -> None:
    assert figures.tokens_exact(6_900) == "6,900"
    assert figures.tokens_exact(-1_070) == "\u22121,070"


@pytest.mark.parametrize(
    ("usd", "digits", "text"),
    [
        (0.015, 4, "$0.0150"),
        (0.04, 3, "$0.040"),
        (13.07, 2, "$13.07"),
        (1234.5, 2, "$1,234.50"),
        (0.0, 4, "$0.0000"),
        (0.00001, 4, "<$0.0001"),
        (-0.5, 2, "\u2212$0.50"),
    ],
)
def test_money_has_its_sign_and_decimals(usd: float, digits: int, text: str) -> None:
    assert figures.money(usd, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (59, "now"),
        (60, "1\u2009min"),
        (19 * 60, "19\u2009min"),
        (3_600, "1\u2009h"),
        (2 * 86_400, "2\u2009d"),
        (800 * 86_400, "2\u2009y"),
    ],
)
def test_an_age_is_one_figure(seconds: int, text: str) -> None:
    now = 1_790_000_000 * S
    assert figures.age(now - seconds * S, now) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0\u2009B"),
        (999, "999\u2009B"),
        (1_000, "1\u2009kB"),
        (999_600, "1\u2009MB"),
        (1_240_000_000, "1.24\u2009GB"),
        (8_000_000_000, "8\u2009GB"),
        (100_000_000, "100\u2009MB"),
        (3 * 10**18, "3,000\u2009PB"),
        (-2_500, "\u22122.5\u2009kB"),
    ],
)
def test_sizes_have_three_significant_digits(n: int, text: str) -> None:
    assert figures.bytes_text(n) == text
