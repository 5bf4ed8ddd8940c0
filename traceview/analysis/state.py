"""The state of a run as of any moment, and which report last changed each value in it.

A program reports state by `tv.state(memory=…, context=…)`; a later report replaces the keys it names. Reports are
indexed by key, so that the state as of any of ten thousand of them costs one binary search per key.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from traceview.analysis.alignment import BlockKind, align, same
from traceview.analysis.changes import MAX_DEPTH, Key, Path
from traceview.analysis.moments import MomentKind, Moments
from traceview.protocol.records import Event

State = dict[str, Any]
StateEvents = Sequence[tuple[bytes, Event]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a value last changed: `event` is the index of the report that last changed it or anything inside it.

    `inside` mirrors a dict or list; None: everything inside has this stamp too.
    """

    event: int
    inside: dict[Key, Stamp] | list[Stamp] | None = None

    def at(self, key: Key) -> Stamp:
        """The stamp of an entry of a dict or list."""
        inside = self.inside
        if isinstance(inside, dict):
            return inside.get(key, self)
        if inside is not None and isinstance(key, int) and key < len(inside):
            return inside[key]
        return self


class StateHistory:
    """All reports of state of one run, by time. Never changed once made; the states it returns must not be either."""

    def __init__(self, events: StateEvents) -> None:
        self.events = sorted(events, key=lambda pair: pair[1].time_ns)
        self.times = [event.time_ns for _, event in self.events]
        self._reports: dict[str, list[int]] = {}
        self._stamps: dict[str, list[Stamp]] = {}
        for i, (_, event) in enumerate(self.events):
            for key, value in event.attributes.items():
                self._report(key, value, i)

    def __len__(self) -> int:
        return len(self.events)

    def _report(self, key: str, value: Any, event: int) -> None:
        reports = self._reports.setdefault(key, [])
        stamps = self._stamps.setdefault(key, [])
        if reports:
            before = self.events[reports[-1]][1].attributes[key]
            stamps.append(_restamp(stamps[-1], before, value, event, 0))
        else:
            stamps.append(Stamp(event))
        reports.append(event)

    def at(self, count: int) -> State:
        """The state after the first `count` reports."""
        found: State = {}
        for key, reports in self._reports.items():
            place = bisect_left(reports, count)
            if place:
                found[key] = self.events[reports[place - 1]][1].attributes[key]
        return found

    def stamp(self, count: int) -> Stamp:
        """The stamps that mirror `at(count)`."""
        found: dict[Key, Stamp] = {}
        for key, reports in self._reports.items():
            place = bisect_left(reports, count)
            if place:
                found[key] = self._stamps[key][place - 1]
        return Stamp(count - 1, found)

    def count_at(self, moments: Moments, moment: int) -> int:
        """How many reports had been made as of a moment; with -1, not replaying, all of them."""
        if moment < 0 or moment >= len(moments):
            return len(self.events)
        time = moments.times[moment]
        low, high = bisect_left(self.times, time), bisect_right(self.times, time)
        if low == high:
            return low
        # Of reports made in this very nanosecond, those that the moments up to here tell of.
        return min(high, low + moments.kinds.count(MomentKind.STATE, bisect_left(moments.times, time), moment + 1))

    def moment_of(self, moments: Moments, event: int) -> int:
        """The moment at which a report (its index) was made: the last one at or before its time; 0 at the earliest."""
        time = self.times[event]
        moment = bisect_left(moments.times, time) - 1
        for _ in range(event - bisect_left(self.times, time) + 1):
            found = moments.kinds.find(MomentKind.STATE, moment + 1)
            if found < 0 or moments.times[found] > time:
                break
            moment = found
        return max(0, moment)

    def last_changed(self, path: Path, count: int | None = None) -> int | None:
        """Which report (its index) last changed the value at a path, or None where there is no such key."""
        stamp = self.stamp(len(self.events) if count is None else count)
        value: Any = self.at(len(self.events) if count is None else count)
        for key in path:
            if not _has(value, key):
                return None
            value = value[key]
            stamp = stamp.at(key)
        return stamp.event if path else None


def _has(value: Any, key: Key) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and 0 <= key < len(value)
    return isinstance(value, dict) and key in value


def state_at(events: StateEvents, time_ns: int) -> State:
    """The state as of a time (inclusive): the reports so far, key by key, a later value replacing an earlier one."""
    state: State = {}
    for _, event in events:
        if event.time_ns > time_ns:
            break
        state |= event.attributes
    return state


def last_changed(events: StateEvents, path: Path) -> int | None:
    """Which report (its index by time) last changed the value at a path, or None where there is no such key."""
    return StateHistory(events).last_changed(path)


def _restamp(stamp: Stamp, before: Any, after: Any, event: int, depth: int) -> Stamp:
    """The stamps of `after`, given those of `before`; what did not change keeps its stamp."""
    if same(before, after):
        return stamp
    if depth < MAX_DEPTH:
        if isinstance(before, dict) and isinstance(after, dict):
            return _restamp_dict(stamp, before, after, event, depth)
        if isinstance(before, list) and isinstance(after, list):
            return _restamp_list(stamp, before, after, event, depth)
    return Stamp(event)


def _restamp_dict(stamp: Stamp, before: dict[Any, Any], after: dict[Any, Any], event: int, depth: int) -> Stamp:
    fresh = Stamp(event)
    inside: dict[Key, Stamp] = {}
    for key, value in after.items():
        inside[key] = _restamp(stamp.at(key), before[key], value, event, depth + 1) if key in before else fresh
    return Stamp(event, inside)


def _restamp_list(stamp: Stamp, before: list[Any], after: list[Any], event: int, depth: int) -> Stamp:
    kept = stamp.inside if isinstance(stamp.inside, list) else [stamp] * len(before)
    inside: list[Stamp] = []
    for block in align(before, after):
        old, new = block.old, block.new
        if block.kind is BlockKind.KEPT:
            inside += kept[old : old + block.count]
        elif block.kind is BlockKind.PAIRED:
            inside.append(_restamp(kept[old], before[old], after[new], event, depth + 1))
        elif block.kind is BlockKind.NEW:
            inside += [Stamp(event)] * block.count
    return Stamp(event, inside)
