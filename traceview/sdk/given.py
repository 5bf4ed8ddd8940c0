"""What the program gave, brought to the types that a record holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from traceview.protocol.records import KINDS, TraceInfo
from traceview.sdk.snapshot import text

KIND_SET: Final = frozenset(KINDS)


def as_dict(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Attributes as a dict; what is no mapping becomes the one attribute `value`."""
    if attributes is None:
        return {}
    if isinstance(attributes, dict):
        return attributes
    try:
        return dict(attributes)
    except Exception:
        return {"value": attributes}


def odd_kind(kind: object, attributes: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    """A kind in other letters, or one that is no kind of ours: `other`, and the word itself as an attribute."""
    word = text(kind)
    if word.lower() in KIND_SET:
        return word.lower(), as_dict(attributes)
    return "other", {"traceview.kind": word, **as_dict(attributes)}


def trace_info(
    name: object, session: object, user: object, project: object, tags: Any, metadata: Mapping[str, Any] | None
) -> TraceInfo:
    """What is said of a trace. One tag may be given as a string; ids may be numbers."""
    if isinstance(tags, str):
        tags = (tags,)
    elif not isinstance(tags, list | tuple | set | frozenset):
        tags = () if tags is None else (tags,)
    return TraceInfo(
        name=_word(name),
        session=_word(session),
        user=_word(user),
        project=_word(project),
        tags=tuple(text(tag) for tag in tags),
        metadata=as_dict(metadata),
    )


def _word(value: object) -> str | None:
    return None if value is None else text(value)
