"""Tolerant readings of attribute values: counts, money, text, JSON inside strings. Nothing here raises."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

# A count above this is noise, not tokens, and must not overflow the store's 64-bit columns.
MAX_COUNT: Final = 10**15
MAX_TEXT: Final = 200
MAX_DEPTH: Final = 128
# Values that were encoded twice are common, three times unseen in some 200 real files.
_MAX_DECODINGS: Final = 2


def count_of(value: Any) -> int | None:
    """A count of tokens or documents from an int, a whole float or digits in a string; None for all else."""
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else None
    number = number_of(value)
    return None if number is None or not 0 <= number <= MAX_COUNT else int(number)


def money_of(value: Any) -> float | None:
    """A cost in USD, at least 0; None for all else."""
    number = number_of(value)
    return None if number is None or number < 0 else number


def number_of(value: Any) -> float | None:
    """A finite number from a number or a numeric string; None for all else (booleans too)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def text_of(value: Any) -> str | None:
    """A short name (a model, a session) from a string or number, cut to 200 characters; None where it is empty."""
    if isinstance(value, str):
        return value[:MAX_TEXT].strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:.15g}" if isinstance(value, float) else str(value)[:MAX_TEXT]


def looks_like_json(text: str) -> bool:
    """Whether a string could be a JSON object, array or (encoded twice) string."""
    head = text[:64].lstrip()[:1]
    return head in ("{", "[", '"') and text[-64:].rstrip()[-1:] in ("}", "]", '"')


def decoded(value: Any) -> Any:
    """A string that holds a JSON object or array becomes that value, also when encoded twice; all else stays.

    Structures nested deeper than 128 levels stay text.
    """
    found = value
    for _ in range(_MAX_DECODINGS):
        if not isinstance(found, str) or not looks_like_json(found):
            break
        try:
            found = msgspec.json.decode(found)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            break
    if isinstance(found, dict | list):
        return found if found is value or not is_deep(found) else value
    return value


def decoded_json(value: Any) -> Any:
    """Like `decoded`, for text that is stated to be JSON: numbers, strings and null in it are decoded too."""
    found = decoded(value)
    if isinstance(found, str):
        try:
            found = msgspec.json.decode(found)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return value
        return value if isinstance(found, dict | list) else found  # too deep: `decoded` left it alone
    return found


def decoded_dict(value: Any) -> dict[str, Any]:
    """A dict given as one or as JSON; {} for all else."""
    found = decoded(value)
    return found if isinstance(found, dict) else {}


def decoded_list(value: Any) -> list[Any]:
    """A list given as one or as JSON; [] for all else."""
    found = decoded(value)
    return found if isinstance(found, list) else list(found) if isinstance(found, tuple) else []


def is_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether a structure is nested deeper than `limit` levels."""
    level = [value]
    for _ in range(limit):
        below: list[Any] = []
        for item in level:
            inner = item.values() if isinstance(item, dict) else item
            below.extend(child for child in inner if isinstance(child, dict | list | tuple))
        if not below:
            return False
        level = below
    return True


def compact(value: Any) -> str:
    """A value as one-line JSON; what JSON can't carry as its repr; "" where it is nested deeper than the stack."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError):
        return _shown(value)
    except RecursionError:
        return ""


def _shown(value: Any) -> str:
    try:
        return repr(value)[: 10 * MAX_TEXT]
    except (ValueError, RecursionError):  # an integer of more than 4,300 digits has no repr
        return ""


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """The beginning of a text on one line, runs of white space as one blank, cut with an ellipsis."""
    line = " ".join(text[: limit * 2].split())
    if len(line) <= limit < len(text):  # much white space
        line = " ".join(text[: limit * 8].split())
    return line if len(line) <= limit and len(text) <= limit * 8 else line[: limit - 1].rstrip() + "…"
