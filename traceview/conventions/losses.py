"""What a program itself left out of a span, as its attributes say: cut output, dropped attributes, events, links."""

from __future__ import annotations

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
