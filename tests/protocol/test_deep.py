"""Records nested deeper than the interpreter lets msgspec read: all of them is kept, the depths as text."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.deep import MAX_DEPTH, read_deep
from traceview.protocol.records import SpanPart
from traceview.protocol.wire import WireError, decode_part

encode = msgspec.msgpack.encode
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=20),
)


def nested(levels: int, opening: bytes = b"\x81\xa1x", inside: bytes = encode("bottom")) -> bytes:
    return opening * levels + inside


def record(given: bytes) -> bytes:
    """A span part with this input, as a program writes it."""
    before = encode(SpanPart(b"t" * 16, b"s" * 8, name="deep", start_ns=1, input="#"))
    assert before.count(encode("#")) == 1
    return before.replace(encode("#"), given)


@given(values)
def test_what_is_not_deep_is_read_as_msgspec_reads_it(value: Any) -> None:
    assert read_deep(encode(value)) == msgspec.msgpack.decode(encode(value))


@pytest.mark.parametrize("count", [15, 16, 70_000])
def test_long_arrays_and_maps_are_read(count: int) -> None:
    assert read_deep(encode(list(range(count)))) == list(range(count))
    assert read_deep(encode(dict.fromkeys(range(count), "v"))) == dict.fromkeys(range(count), "v")


@pytest.mark.parametrize("length", [31, 32, 300, 70_000])
def test_long_texts_bytes_and_extensions_are_read(length: int) -> None:
    assert read_deep(encode(["a" * length, b"b" * length])) == ["a" * length, b"b" * length]
    extension = msgspec.msgpack.Ext(5, b"c" * length)
    assert read_deep(encode([extension])) == [extension]


def test_what_lies_too_deep_becomes_its_json() -> None:
    inside = encode({"a": [1, None, {"b": "ü"}, [], {}], "c": 2.5})
    found = read_deep(nested(MAX_DEPTH, inside=inside))
    for _ in range(MAX_DEPTH):
        found = found["x"]
    assert json.loads(found) == {"a": [1, None, {"b": "ü"}, [], {}], "c": 2.5}


@pytest.mark.parametrize("opening", [b"\x81\xa1x", b"\x91", b"\xdc\x00\x01", b"\xdf\x00\x00\x00\x01\x07"])
def test_a_record_of_any_depth_is_kept_whole(opening: bytes) -> None:
    part = decode_part(record(nested(100_000, opening)))
    assert (part.name, part.start_ns) == ("deep", 1)
    value, depth = part.input, 1
    while not isinstance(value, str):
        (value,) = value.values() if isinstance(value, dict) else value
        depth += 1
    assert depth == MAX_DEPTH
    assert value.count("[") + value.count("{") == 100_000 - MAX_DEPTH + 1
    assert '"bottom"' in value


@given(st.binary(max_size=200))
def test_garbage_is_no_value(raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_deep(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\x92\x01", b"\xdd\xff\xff\xff\xff\x01", b"\x81\x90\x01", b"\xd9\x05ab"]
)
def test_what_ends_early_or_is_no_messagepack_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"ends too early|begins nothing|no key"):
        read_deep(raw)


def test_a_deep_record_that_is_cut_is_refused() -> None:
    with pytest.raises(WireError, match="not a span record: it ends too early"):
        decode_part(record(nested(100_000))[:-20])
