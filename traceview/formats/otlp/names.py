"""The attribute names under which OTLP fields that our records lack are kept, and our fields travel through OTLP."""

from __future__ import annotations

from typing import Any, Final

# Kept in a span's attributes, so that an export gives the field back.
SPAN_KIND: Final = "otel.span_kind"
TRACE_STATE: Final = "otel.trace_state"
FLAGS: Final = "otel.flags"
DROPPED_ATTRIBUTES: Final = "otel.dropped_attributes_count"
DROPPED_EVENTS: Final = "otel.dropped_events_count"
DROPPED_LINKS: Final = "otel.dropped_links_count"

# Kept in a span's resource.
SCOPE_NAME: Final = "otel.scope.name"
SCOPE_VERSION: Final = "otel.scope.version"
SCOPE_ATTRIBUTES: Final = "otel.scope.attributes"
SCOPE_SCHEMA: Final = "otel.scope.schema_url"
RESOURCE_SCHEMA: Final = "otel.resource.schema_url"

# An exported span lists here which of its attributes are fields of ours; importing puts them back where they were.
FIELDS: Final = "traceview.fields"

SPAN_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")

# W3C flags that say nothing: sampled or not, and "whether the parent is remote is known: it is not".
PLAIN_FLAGS: Final = frozenset({0, 1, 256, 257})

MAX_NS: Final = 2**63 - 1
MAX_DEPTH: Final = 128


def keep_extras(attributes: dict[str, Any], kind: int, trace_state: str, flags: int) -> None:
    """Adds the fields that our records lack to a span's attributes, where they say anything."""
    if kind > 1:
        attributes[SPAN_KIND] = SPAN_KINDS[kind] if kind < len(SPAN_KINDS) else str(kind)
    if trace_state:
        attributes[TRACE_STATE] = trace_state
    if flags not in PLAIN_FLAGS:
        attributes[FLAGS] = flags
