"""Applies redaction rules to values of any shape and to span parts; fast where there is nothing to find.

What is taken out leaves `[redacted:rule]` behind and can't be brought back: no hash, no length.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from traceview.protocol.records import SPAN_ID_BYTES, TRACE_ID_BYTES, Event, Link, SpanPart, TraceInfo
from traceview.redaction.rules import DEFAULT_RULES, Rules
from traceview.redaction.scanner import MARK, NAME, Alarms, scanner_for

COUNT_ATTRIBUTE: Final = "traceview.redacted"
_MAX_DEPTH: Final = 128
_ID_BYTES: Final = (SPAN_ID_BYTES, TRACE_ID_BYTES)
_TOO_DEEP: Final = f"{MARK}depth]"
_encoder = msgspec.msgpack.Encoder()
_to_json = msgspec.json.Encoder(enc_hook=repr)

_VALUES: Final = ("name", "kind", "status_message", "input", "output", "reasoning", "attributes", "resource")
_SAID_OF_TRACE: Final = ("name", "session", "user", "project", "tags", "metadata")


class Redactor:
    """Takes secrets out. Thread-safe; `counts` says how often each rule found something."""

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self._scanner = scanner_for(rules)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> dict[str, int]:
        """How many secrets each rule has taken out, by the rule's name; `name` is a secret by its key's name."""
        with self._lock:
            return dict(self._counts)

    def suspicious(self, raw: bytes | memoryview) -> bool:
        """Whether encoded records (msgpack, protobuf; not JSON) may hold a secret: False is certain, True is not."""
        return self._scanner.suspicious(raw)

    def alarms(self, raw: bytes | memoryview) -> Alarms:
        """The same for many records that lie one behind the other in a body."""
        return self._scanner.alarms(raw)

    def part(self, part: SpanPart, *, alarmed: bool = False) -> SpanPart:
        """The part without secrets; the same object when there were none. Marks how many were taken out.

        `alarmed`: the record it came as was scanned and may hold one, so that it needn't be encoded to find that out.
        """
        if not alarmed:
            try:
                if not self._scanner.suspicious(_encoder.encode(part)):
                    return part
            except (TypeError, ValueError, OverflowError, RecursionError):
                pass  # what msgpack can't hold is looked at value by value
        found: Counter[str] = Counter()
        changes = self._changes(part, _VALUES, found)
        changes |= _if_changed("parent_id", part.parent_id, self._id(part.parent_id, found))
        changes |= _if_changed("events", part.events, tuple(self._event(event, found) for event in part.events))
        changes |= _if_changed("links", part.links, tuple(self._link(link, found) for link in part.links))
        if part.trace is not None:
            said = self._changes(part.trace, _SAID_OF_TRACE, found)
            if said:
                changes["trace"] = _replaced(part.trace, said)
        if not found:
            return part
        self._count(found)
        attributes = changes.get("attributes", part.attributes)
        changes["attributes"] = {**attributes, COUNT_ATTRIBUTE: sum(found.values())}
        return msgspec.structs.replace(part, **changes)

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """A map without secrets, as the description of a process; the same object when there were none."""
        found: Counter[str] = Counter()
        cleaned: dict[str, Any] = self._value(values, found, 0)
        self._count(found)
        return cleaned

    def text(self, text: str) -> str:
        """Text without secrets; the same object when there were none."""
        found: Counter[str] = Counter()
        cleaned = self._scanner.cleaned(text, found)
        self._count(found)
        return cleaned

    def _count(self, found: Counter[str]) -> None:
        if found:
            with self._lock:
                self._counts.update(found)

    def _changes(self, record: SpanPart | TraceInfo, fields: tuple[str, ...], found: Counter[str]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name in fields:
            before = getattr(record, name)
            changes |= _if_changed(name, before, self._value(before, found, 0))
        return changes

    def _event(self, event: Event, found: Counter[str]) -> Event:
        name, attributes = self._value(event.name, found, 0), self._value(event.attributes, found, 0)
        same = name is event.name and attributes is event.attributes
        return event if same else Event(event.time_ns, name, attributes)

    def _link(self, link: Link, found: Counter[str]) -> Link:
        trace_id, span_id = self._id(link.trace_id, found), self._id(link.span_id, found)
        attributes = self._value(link.attributes, found, 0)
        same = trace_id is link.trace_id and span_id is link.span_id and attributes is link.attributes
        return link if same else Link(trace_id, span_id, attributes)

    def _id(self, value: Any, found: Counter[str]) -> Any:
        """An id, which may be of any length where a program does not keep to the protocol."""
        if value is None or len(value) in _ID_BYTES:
            return value
        cleaned = self._value(value, found, 0)
        return value if cleaned is value else cleaned.encode()

    def _value(self, value: Any, found: Counter[str], depth: int) -> Any:
        if isinstance(value, str):
            return self._scanner.cleaned(value, found)
        if isinstance(value, (dict, list, tuple)):
            if depth > _MAX_DEPTH:
                return self._deep(value, found)
            return self._dict(value, found, depth) if isinstance(value, dict) else self._list(value, found, depth)
        if isinstance(value, bytes):
            text = _as_text(value)
            cleaned = self._scanner.cleaned(text, found)
            return value if cleaned is text else cleaned
        if isinstance(value, msgspec.msgpack.Ext):
            cleaned = self._value(bytes(value.data), found, depth)
            return cleaned if isinstance(cleaned, str) else value
        return value

    def _deep(self, value: Any, found: Counter[str]) -> Any:
        """What lies too deep to be walked becomes its JSON text where that holds a secret."""
        try:
            text = _to_json.encode(value).decode()
        except (TypeError, ValueError, RecursionError):
            found["depth"] += 1
            return _TOO_DEEP
        cleaned = self._scanner.cleaned(text, found)
        return value if cleaned is text else cleaned

    def _list(self, value: list[Any] | tuple[Any, ...], found: Counter[str], depth: int) -> Any:
        items: list[Any] = []
        named = _are_named(value)
        for item in value:
            if named and self._is_secret(*item):
                found[NAME] += 1
                items.append(type(item)((self._value(item[0], found, depth + 1), f"{MARK}{NAME}]")))
            elif items and isinstance(item, str) and self._is_option(items[-1]) and not item.startswith(("-", MARK)):
                found[NAME] += 1
                items.append(f"{MARK}{NAME}]")
            else:
                items.append(self._value(item, found, depth + 1))
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return tuple(items) if isinstance(value, tuple) else items

    def _is_option(self, item: Any) -> bool:
        """Whether this is the `--password` of `["--password", "hunter2"]`."""
        return isinstance(item, str) and item.startswith("-") and self._scanner.secret_name(item)

    def _dict(self, value: dict[Any, Any], found: Counter[str], depth: int) -> dict[Any, Any]:
        items = list(self._items(value, found, depth))
        same = all(old is key and value[old] is item for old, (key, item) in zip(value, items, strict=True))
        return value if same else dict(items)

    def _is_secret(self, name: Any, value: Any) -> bool:
        """Whether a value is a secret by the name that it lies under; keys may be bytes, and lists, in MessagePack."""
        if isinstance(name, bytes):
            name = _as_text(name)
        elif isinstance(name, tuple):
            name = "_".join(map(str, name))
        return isinstance(name, str) and _can_be_secret(value) and self._scanner.secret_name(name)

    def _items(self, value: dict[Any, Any], found: Counter[str], depth: int) -> Iterator[tuple[Any, Any]]:
        named = value.get("name", value.get("key"))  # a header as `{"name": "Cookie", "value": …}`
        for key, item in value.items():
            if self._is_secret(named if key == "value" else key, item):
                found[NAME] += 1
                item = f"{MARK}{NAME}]"
            yield self._value(key, found, depth), self._value(item, found, depth + 1)


def without_values(part: SpanPart) -> SpanPart:
    """Who, when and how of a span, and nothing that a program could have put in: for one that can't be searched."""
    return SpanPart(
        part.trace_id,
        part.span_id,
        part.parent_id,
        start_ns=part.start_ns,
        end_ns=part.end_ns,
        status=part.status,
        attributes={COUNT_ATTRIBUTE: 1},
    )


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _are_named(values: list[Any] | tuple[Any, ...]) -> bool:
    """Whether these are names with their values, as ASGI and httpx have headers: `[[b"cookie", b"…"], …]`."""
    pairs = (isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str | bytes) for pair in values)
    return bool(values) and all(pairs)


def _can_be_secret(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value) and not value.startswith(MARK)
    return isinstance(value, (bytes, dict, list, tuple, msgspec.msgpack.Ext)) and bool(value)


def _if_changed(name: str, before: Any, after: Any) -> dict[str, Any]:
    """The change of one field; a tuple that was only rebuilt is none."""
    if after is before or (type(after) is tuple and all(a is b for a, b in zip(after, before, strict=True))):
        return {}
    return {name: after}


def _replaced(info: TraceInfo, changes: dict[str, Any]) -> TraceInfo:
    return msgspec.structs.replace(info, **changes)
