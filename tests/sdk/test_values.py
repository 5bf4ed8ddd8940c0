"""Whatever a program puts into a span: it is recorded in some form, can be read back, and never raises."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import math
import types
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import traceview as tv
from traceview.protocol.records import Event, Link, SpanPart, TraceInfo
from traceview.protocol.wire import decode_part
from traceview.sdk.snapshot import MAX_DEPTH, REPR_LIMIT, encode_part, plain, snapshot
from traceview.testing import capture


def recorded(value: Any) -> Any:
    """The value as the daemon reads it."""
    return decode_part(encode_part(SpanPart(bytes(16), bytes(8), input=value))).input


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Model:
    """Quacks like a pydantic model."""

    def model_dump(self) -> dict[str, Any]:
        return {"name": "m", "at": Point(1, 2)}


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class BrokenModel:
    def model_dump(self) -> None:
        raise RuntimeError("no dump")

    def __repr__(self) -> str:
        return "<broken model>"


class BrokenDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


class Headers(Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        return "v"

    def __iter__(self) -> Iterator[str]:
        return iter(["k"])

    def __len__(self) -> int:
        return 1


class Struct(msgspec.Struct):
    a: int
    b: Any = None


NOW = datetime.datetime(2026, 11, 21, 12, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("é", "é"),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset({1}), [1]),
        (collections.deque([1, 2]), [1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (range(10**12), "range(0, 1000000000000)"),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        ({None: 1, (1, 2): 2, b"k": 3, True: 4}, {"None": 1, "(1, 2)": 2, "b'k'": 3, "True": 4}),
        ({Colour.RED: 1}, {"red": 1}),
        (Colour.RED, "red"),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (2**64, "18446744073709551616"),
        ([2**64, Colour.RED], ["18446744073709551616", "red"]),
        ("\ud800", "\\ud800"),
        ({"\udfff": "\ud800"}, {"\\udfff": "\\ud800"}),
        (Point(1, [2]), {"x": 1, "y": [2]}),
        (Point(1, 2**70), {"x": 1, "y": str(2**70)}),
        (Struct(1), {"a": 1, "b": None}),
        (Struct(1, "\ud800"), {"a": 1, "b": "\\ud800"}),
        (Model(), {"name": "m", "at": {"x": 1, "y": 2}}),
        ([Model(), 2**64], [{"name": "m", "at": {"x": 1, "y": 2}}, "18446744073709551616"]),
        (BrokenModel(), "<broken model>"),
        (Headers(), {"k": "v"}),
        ([BrokenDict(a=1), 2**64], ["{'a': 1}", "18446744073709551616"]),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (NOW, "2026-11-21T12:30:00Z"),
        ([NOW, "\ud800"], ["2026-11-21T12:30:00Z", "\\ud800"]),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/tmp/x"), "PosixPath('/tmp/x')"),
        (ValueError("boom"), "ValueError('boom')"),
        (Broken(), "<Broken, whose repr raises RuntimeError>"),
        ([Broken()], ["<Broken, whose repr raises RuntimeError>"]),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array(3), 3),
        (np.array([1, 2]), "array([1, 2])"),
        (np.zeros((100, 100)), "<ndarray shape=(100, 100) dtype=float64>"),
        (np.datetime64("2026-11-21"), "datetime.date(2026, 11, 21)"),
        (array.array("i", [1]), [1]),
        (int, "<class 'int'>"),
    ],
)
def test_values_are_recorded_as_what_they_are(value: Any, expected: Any) -> None:
    assert recorded(value) == expected


def test_what_is_not_a_number_stays_so() -> None:
    assert math.isnan(recorded(math.nan))
    assert recorded([math.inf, 2**64]) == [math.inf, str(2**64)]


def test_long_reprs_are_cut_and_say_so() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 50_000

    said = recorded(Long())
    assert said.startswith("x" * REPR_LIMIT + "…")
    assert said.endswith("(cut: 50,000 characters)")


def test_texts_are_never_cut() -> None:
    assert recorded("x" * 1_000_000) == "x" * 1_000_000


def test_a_circular_structure_ends_where_it_meets_itself() -> None:
    ring: dict[str, Any] = {"name": "ring"}
    ring["self"] = [ring]
    assert recorded(ring) == {"name": "ring", "self": ["<circular: the dict 2 levels up>"]}
    shared = [1]
    assert recorded([shared, shared, ring, 2**64])[:2] == [[1], [1]]


def test_a_deep_structure_is_kept_to_a_depth() -> None:
    deep: Any = "bottom"
    for _ in range(200_000):
        deep = [deep]
    found = recorded(deep)
    depth = 0
    while isinstance(found, list):
        (found,) = found
        depth += 1
    assert depth == MAX_DEPTH
    assert isinstance(found, str)


def test_an_enormous_integer_is_not_spelt_out() -> None:
    assert recorded(1 << 1_000_000) == "<integer of 1,000,001 bits>"


def test_a_mock_is_its_repr() -> None:
    assert recorded(MagicMock(name="client")).startswith("<MagicMock name='client'")


def test_a_stream_is_not_consumed() -> None:
    numbers = iter([1, 2, 3])
    assert "iterator" in recorded(numbers)
    assert list(numbers) == [1, 2, 3]


def test_a_tensor_that_fails_is_its_repr() -> None:
    class Tensor:
        dtype = "float32"
        shape = ()

        def item(self) -> float:
            raise RuntimeError("not on this device")

        def __repr__(self) -> str:
            return "tensor(?)"

    assert recorded(Tensor()) == "tensor(?)"


def test_every_field_of_a_part_is_mended() -> None:
    bad = "\ud800"
    part = SpanPart(
        bytes(16),
        bytes(8),
        name=bad,
        kind=bad,
        status_message=bad,
        attributes={bad: bad},
        input=bad,
        output=2**64,
        reasoning=bad,
        events=(Event(1, bad, {"v": 2**64}),),
        links=(Link(bytes(16), bytes(8), {"v": bad}),),
        trace=TraceInfo(name=bad, session=bad, tags=(bad,), metadata={"v": bad}),
    )
    found = decode_part(encode_part(part))
    mended = "\\ud800"
    assert (found.name, found.kind, found.status_message, found.reasoning) == (mended,) * 4
    assert (found.attributes, found.output) == ({mended: mended}, "18446744073709551616")
    assert found.events == (Event(1, mended, {"v": "18446744073709551616"}),)
    assert found.links[0].attributes == {"v": mended}
    assert found.trace == TraceInfo(name=mended, session=mended, tags=(mended,), metadata={"v": mended})


@pytest.mark.parametrize(
    "part",
    [
        SpanPart(bytes(16), bytes(8), links=(Link(bytes(16), bytes(8), {1: 2}),)),
        SpanPart(bytes(16), bytes(8), trace=TraceInfo(metadata={1: 2})),
        SpanPart(bytes(16), bytes(8), events=(Event(1, "e", {1: 2}),)),
        SpanPart(bytes(16), bytes(8), attributes={1: 2}),
    ],
)
def test_odd_keys_are_mended_wherever_they_are(part: SpanPart) -> None:
    found = decode_part(encode_part(part))
    said = [link.attributes for link in found.links] + [event.attributes for event in found.events]
    assert {"1": 2} in [*said, found.attributes, found.trace and found.trace.metadata]


def test_a_snapshot_is_free_of_the_programs_objects() -> None:
    items = [1]
    copy = snapshot({"items": items})
    items.append(2)
    assert copy == {"items": [1]}
    assert snapshot({"n": 2**64}) == {"n": "18446744073709551616"}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.uuids()
    | st.complex_numbers()
    | st.builds(Broken)
    | st.just(Colour.RED)
    | st.builds(np.float64, st.floats())
)
KEYS = st.text(st.characters(codec=None)) | st.integers() | st.none() | st.tuples(st.integers()) | st.floats()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(KEYS, inner)
        | st.tuples(inner, inner)
        | st.builds(Point, st.integers(), inner)
    ),
    max_leaves=25,
)


@given(VALUES)
def test_any_value_can_be_recorded_and_read_back(value: Any) -> None:
    recorded(value)
    msgspec.json.encode(plain(value))  # JSON-like: its keys are strings and its text is valid


@given(VALUES, VALUES, VALUES)
def test_no_value_anywhere_in_a_span_raises(first: Any, second: Any, third: Any) -> None:
    told = {"session": first, "user": second, "tags": third, "input": third}
    with capture() as captured, tv.trace("run", **told), tv.span("s", input=first, attributes={"k": second}) as span:
        span.set_output(second)
        span.set_reasoning(third)
        span.add_event("e", {"v": first})
        span.add_evaluation(item_id=first, filters=second, qualified=third)
        span.update_trace(metadata={"m": third})
        tv.state(memory=first, context=second)
        tv.log(first, level=second, source=third)
    assert len(captured.spans) == 2
