"""Numbers as people read them: durations, tokens, money, ages and sizes, the same in every pane and on the terminal.

Units are joined by a thin space, minus is the real minus sign, and what is rounded up rolls over ("1.00 s", never
"1000 ms").
"""

from __future__ import annotations

from typing import Final

THIN: Final = "\u2009"
MINUS: Final = "\u2212"

_MICROSECOND: Final = 1_000
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def duration(ns: int, *, short: bool = False) -> tuple[str, str]:
    """A duration in ns as (value, unit), for a value column beside a unit column: ("1.84", "s"), ("1 m 12", "s").

    Below 1 µs in ns, below 1 ms in µs, below 1 s in ms, all without decimals; then seconds with two decimals, or with
    three significant digits if `short` (27.8 s); then minutes, hours and days with the next smaller unit.
    """
    if ns < 0:
        value, unit = duration(-ns, short=short)
        return MINUS + value, unit
    if ns < _MICROSECOND:
        return str(ns), "ns" if ns else "µs"
    for unit_ns, unit in ((_MICROSECOND, "µs"), (_MILLISECOND, "ms")):
        whole = (ns + unit_ns // 2) // unit_ns
        if whole < 1_000:
            return str(whole), unit
    seconds = ns / _SECOND
    decimals = 1 if short and seconds >= 9.995 else 2
    text = f"{seconds:.{decimals}f}"
    if float(text) < _MINUTE:
        return text, "s"
    return _long_duration((ns + _SECOND // 2) // _SECOND)


def _long_duration(seconds: int) -> tuple[str, str]:
    if seconds < _HOUR:
        return _two_units(seconds, 60, "m", "s")
    minutes = (seconds + _MINUTE // 2) // _MINUTE
    if minutes < 24 * 60:
        return _two_units(minutes, 60, "h", "m")
    return _two_units((seconds + _HOUR // 2) // _HOUR, 24, "d", "h")


def _two_units(count: int, per_large: int, large: str, small: str) -> tuple[str, str]:
    return f"{count // per_large:,}{THIN}{large}{THIN}{count % per_large}", small


def duration_text(ns: int, *, short: bool = False) -> str:
    """A duration in ns as one text: "1.84 s"."""
    return THIN.join(duration(ns, short=short))


def tokens(n: int) -> str:
    """A count of tokens for a narrow column: 38, 6.9k, 148k, 4.82M."""
    if n < 0:
        return MINUS + tokens(-n)
    if n < 1_000:
        return str(n)
    value, letter = n / 1_000, "k"
    for larger in ("M", "B"):
        if value >= 999.5:
            value, letter = value / 1_000, larger
    return f"{value:,.{_decimals(value, most=1 if letter == 'k' else 2)}f}{letter}"


def _decimals(value: float, most: int) -> int:
    """As many decimals as three significant digits have, and no more than `most`."""
    if value < 9.995:
        return most
    return 1 if value < 99.95 else 0


def tokens_exact(n: int) -> str:
    """A count in full, grouped by thousands: 6,900."""
    return f"{n:,}".replace("-", MINUS)


def money(usd: float, digits: int = 4) -> str:
    """An amount in USD with so many decimals: $0.0150 (4) for one call, $0.040 (3) for a run.

    An amount that is not nothing but would round to it is "<$0.0001".
    """
    if usd < 0:
        return MINUS + money(-usd, digits)
    text = f"{usd:,.{digits}f}"
    if usd > 0 and not text.strip("0.,"):
        return f"<${10**-digits:.{digits}f}"
    return f"${text}"


def age(ns: int, now_ns: int) -> str:
    """How long ago a time was: "now" below a minute, then "4 min", "3 h", "12 d", "2 y". The future is "now"."""
    seconds = (now_ns - ns) // _SECOND
    if seconds < _MINUTE:
        return "now"
    for below, size, unit in ((_HOUR, _MINUTE, "min"), (_DAY, _HOUR, "h"), (365 * _DAY, _DAY, "d")):
        if seconds < below:
            return f"{seconds // size}{THIN}{unit}"
    return f"{seconds // (365 * _DAY)}{THIN}y"


def bytes_text(n: int) -> str:
    """A size in decimal units with three significant digits: 512 B, 1.24 GB, 8 GB."""
    if n < 0:
        return MINUS + bytes_text(-n)
    value, units = float(n), ("B", "kB", "MB", "GB", "TB", "PB")
    for unit in units:
        if value < 999.5 or unit == units[-1]:
            break
        value /= 1_000
    decimals = 0 if unit == "B" else _decimals(value, most=2)
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if decimals else text) + THIN + unit
