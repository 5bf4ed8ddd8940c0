"""Which traces of a store are wanted, and where a page of them ends, so that the next one can begin there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from traceview.protocol.records import Status, TraceSummary

# The order of a listing: newest start first, ties by id. Stable while traces come in.
ORDER: Final = " ORDER BY start_ns DESC, trace_id DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What must hold of a trace; None asks nothing. `name` may hold `*` for any text; all `tags` must be there.

    Times are those of the start, `until_ns` exclusive. A running trace lasts as long as is known so far.
    """

    name: str | None = None
    status: Status | None = None
    session: str | None = None
    user: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    min_duration_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The last trace of a page: the next page begins behind it."""

    start_ns: int
    trace_id: bytes

    @classmethod
    def of(cls, trace: TraceSummary) -> Place:
        """The place of this trace in any listing."""
        return cls(trace.start_ns, trace.trace_id)


def condition(wanted: TraceFilter, after: Place | None) -> tuple[str, list[Any]]:
    """The WHERE clause ("" for all) and its values."""
    terms: list[str] = []
    values: list[Any] = []

    def add(term: str, *value: Any) -> None:
        terms.append(term)
        values.extend(value)

    if wanted.name is not None:
        add("name GLOB ?", _glob(wanted.name)) if "*" in wanted.name else add("name = ?", wanted.name)
    if wanted.status is not None:
        add("status = ?", int(wanted.status))
    for column in ("session", "user", "project"):
        value = getattr(wanted, column)
        if value is not None:
            add(f'"{column}" = ?', value)
    for tag in wanted.tags:
        add("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", tag)
    if wanted.since_ns is not None:
        add("start_ns >= ?", wanted.since_ns)
    if wanted.until_ns is not None:
        add("start_ns < ?", wanted.until_ns)
    if wanted.min_duration_ns is not None:
        add("last_ns - start_ns >= ?", wanted.min_duration_ns)
    if after is not None:
        add("(start_ns, trace_id) < (?, ?)", after.start_ns, after.trace_id)
    return (" WHERE " + " AND ".join(terms) if terms else ""), values


def _glob(name: str) -> str:
    """SQLite's GLOB with `*` alone special."""
    return name.replace("[", "[[]").replace("?", "[?]")
