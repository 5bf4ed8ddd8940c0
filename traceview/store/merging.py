"""How the parts of one span become the whole span: pure, the same for reading and for finding conflicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from traceview.protocol.records import Event, Link, SpanPart, SpanPayload, Status, TraceInfo
from traceview.store.encoding import encode

CONFLICT_ATTRIBUTE = "traceview.conflict"
_RUNNING: Final = Status.RUNNING


def merge(parts: Iterable[SpanPart]) -> SpanPart:
    """The whole span that these parts of it, in order of arrival, describe; raises ValueError where there is none.

    A later value replaces an earlier one, attributes and resource key by key, events and links add up. RUNNING says
    nothing: a span runs until an end is known. When two parts both report the end (the whole span was sent twice, with
    differences), events and links that were there already are not repeated.
    """
    whole = list(parts)
    if not whole:
        raise ValueError("a span needs at least one part")
    first = whole[0]
    parent_id = name = kind = start_ns = end_ns = status = status_message = None
    given = output = reasoning = trace = None
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[Event] = []
    links: list[Link] = []
    # Field by field, since this is done for every span that is written or read: a loop over names takes twice as long.
    for part in whole:
        parent_id = parent_id if part.parent_id is None else part.parent_id
        name = name if part.name is None else part.name
        kind = kind if part.kind is None else part.kind
        start_ns = start_ns if part.start_ns is None else part.start_ns
        status = status if part.status is None or part.status is _RUNNING else part.status
        status_message = status_message if part.status_message is None else part.status_message
        given = given if part.input is None else part.input
        output = output if part.output is None else part.output
        reasoning = reasoning if part.reasoning is None else part.reasoning
        if part.trace is not None:
            trace = merge_info(trace, part.trace)
        if part.attributes:
            attributes.update(part.attributes)
        if part.resource:
            resource.update(part.resource)
        again = part.end_ns is not None and end_ns is not None
        if part.events:
            events += _unseen(part.events, events) if again else part.events
        if part.links:
            links += _unseen(part.links, links) if again else part.links
        end_ns = end_ns if part.end_ns is None else part.end_ns
    return SpanPart(
        first.trace_id,
        first.span_id,
        parent_id,
        name,
        kind,
        start_ns,
        end_ns,
        Status.OK if status is None and end_ns is not None else status,
        status_message,
        attributes,
        given,
        output,
        reasoning,
        tuple(events),
        tuple(links),
        trace,
        resource,
    )


def merge_info(earlier: TraceInfo | None, later: TraceInfo | None) -> TraceInfo | None:
    """What both say of the trace: later non-empty values win, metadata key by key."""
    if earlier is None or later is None:
        return earlier or later
    return TraceInfo(
        later.name or earlier.name,
        later.session or earlier.session,
        later.user or earlier.user,
        later.project or earlier.project,
        later.tags or earlier.tags,
        {**earlier.metadata, **later.metadata},
    )


def same_span(one: SpanPart, other: SpanPart) -> bool:
    """Whether two whole spans say the same, apart from what they say of their trace."""
    return msgspec.structs.replace(one, trace=None) == msgspec.structs.replace(other, trace=None)


def to_payload(whole: SpanPart, resource: dict[str, Any], *, conflict: bool) -> SpanPayload:
    """The heavy half of a whole span; `resource` is what its process said once for all its spans."""
    attributes = {**whole.attributes, CONFLICT_ATTRIBUTE: True} if conflict else whole.attributes
    return SpanPayload(
        attributes=attributes,
        input=whole.input,
        output=whole.output,
        reasoning=whole.reasoning,
        events=whole.events,
        links=whole.links,
        resource={**resource, **whole.resource},
    )


def _unseen(new: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    left = Counter(encode(item) for item in known)
    found = []
    for item in new:
        key = encode(item)
        if left[key] > 0:
            left[key] -= 1
        else:
            found.append(item)
    return found
