"""What a program itself left out of a span: as attributes say, and as the marks that our SDK's cuts leave in values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

# OpenTelemetry's counts, as traceview.formats.otlp keeps them, and our SDK's mark.
_COUNTS: Final = (
    ("otel.dropped_attributes_count", "attribute"),
    ("otel.dropped_events_count", "event"),
    ("otel.dropped_links_count", "link"),
)
_ITEMS_CUT: Final = "traceview.items_cut"
_CUT_PREFIX: Final = "traceview.cut."
_FEW: Final = 2
# What traceview.sdk.cutting writes in place of a list's items, of a dict's (under the key `…`), of a text's rest.
CUT_KEY: Final = "…"
_ITEMS_MARK: Final = re.compile(r"… \(cut: (\d[\d,]{0,19}) more\)")
_TEXT_MARK: Final = re.compile(r"… \(cut: \d[\d,]{0,19} characters\)$")
_ANY_MARK: Final = re.compile(r"(?:… )?\(cut: \d[\d,]{0,19} (?:more|characters)\)$")
_BETWEEN: Final = re.compile(r"[\s,]*")
_read_json: Final = json.JSONDecoder().raw_decode


def losses(attributes: Mapping[str, Any]) -> list[str]:
    """What was left out, each in a few words; empty for most spans."""
    found = []
    if attributes.get(_ITEMS_CUT):
        found.append("Output cut: later items were only counted")
    cut = {
        name.removeprefix(_CUT_PREFIX): size
        for name, size in attributes.items()
        if name.startswith(_CUT_PREFIX) and isinstance(size, int)
    }
    if len(cut) > _FEW:
        found.append(f"{len(cut):,} values cut by the program")
    else:
        found += [f"{what[:1].upper()}{what[1:]} cut by the program: it had {cut[what]:,} bytes" for what in cut]
    for name, thing in _COUNTS:
        count = attributes.get(name)
        if isinstance(count, int) and count > 0:
            found.append(f"{count:,} {thing}{'' if count == 1 else 's'} dropped by the program")
    return found


def items_left_out(item: Any) -> int:
    """How many items a list had where this one stands; 0 for an item that is no mark of a cut."""
    match = _ITEMS_MARK.fullmatch(item) if isinstance(item, str) else None
    return 0 if match is None else int(match[1].replace(",", ""))


def ends_cut(value: Any) -> bool:
    """Whether the last thing in a value is the mark of a cut: then only its beginning is there."""
    while isinstance(value, dict | list | tuple) and value:
        value = next(reversed(value.values())) if isinstance(value, dict) else value[-1]
    return isinstance(value, str) and _ANY_MARK.search(value[-40:]) is not None


def whole_items(text: str) -> list[Any]:
    """The items that are whole in the JSON of a list whose rest was cut; [] where a text is none, or not cut."""
    found: list[Any] = []
    if not text.startswith("[") or _TEXT_MARK.search(text[-60:]) is None:
        return found
    place = 1
    while True:
        try:
            item, place = _read_json(text, _BETWEEN.match(text, place).end())  # type: ignore[union-attr]
        except (ValueError, RecursionError):
            return found
        found.append(item)
