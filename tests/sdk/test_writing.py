"""The short forms say the same as the whole part, for whatever a program puts into a span."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.records import SpanPart, Status
from traceview.protocol.wire import decode_part
from traceview.sdk import writing
from traceview.sdk.snapshot import encode_part

TRACE, SPAN, PARENT = b"t" * 16, b"s" * 8, b"p" * 8
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers()),
    max_leaves=8,
)
SURROGATE = "lone \ud800"


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


def as_the_daemon_reads(part: SpanPart) -> SpanPart:
    return decode_part(encode_part(part))


@pytest.mark.parametrize("form", [writing._Opening, writing._Result, writing._Closing])
def test_a_short_form_is_the_beginning_of_a_part(form: type[msgspec.Struct]) -> None:
    fields = form.__struct_fields__
    assert fields == SpanPart.__struct_fields__[: len(fields)]


@given(VALUES, st.dictionaries(st.text(), VALUES, max_size=4))
def test_an_opening_says_what_the_whole_part_says(value: Any, attributes: dict[str, Any]) -> None:
    record = writing.opening(TRACE, SPAN, PARENT, "s", "tool", 5, attributes, value)
    part = SpanPart(TRACE, SPAN, PARENT, "s", "tool", 5, status=Status.RUNNING, attributes=attributes, input=value)
    assert decode_part(record) == as_the_daemon_reads(part)


@given(VALUES)
def test_a_result_says_what_the_whole_part_says(value: Any) -> None:
    assert decode_part(writing.result(TRACE, SPAN, value)) == as_the_daemon_reads(SpanPart(TRACE, SPAN, output=value))


@pytest.mark.parametrize("value", [SURROGATE, 1 << 70, Odd(), {"a": Odd()}, [SURROGATE], {1: 2}, {"a": 1 << 70}])
def test_what_the_short_way_refuses_goes_the_long_way(value: Any) -> None:
    given_ = writing.opening(TRACE, SPAN, None, "s", None, 1, {"a": value}, value)
    part = SpanPart(TRACE, SPAN, None, "s", None, 1, status=Status.RUNNING, attributes={"a": value}, input=value)
    assert decode_part(given_) == as_the_daemon_reads(part)
    assert decode_part(writing.result(TRACE, SPAN, value)) == as_the_daemon_reads(SpanPart(TRACE, SPAN, output=value))


def test_a_closing_holds_the_end_and_nothing_else() -> None:
    record = writing.closing(TRACE, SPAN, 7, Status.ERROR)
    assert decode_part(record) == SpanPart(TRACE, SPAN, end_ns=7, status=Status.ERROR)
    assert len(record) < 60
