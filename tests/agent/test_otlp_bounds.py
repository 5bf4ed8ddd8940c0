"""Requests that would be huge as objects are refused before they are decoded, and no real ones."""

from __future__ import annotations

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from traceview_agent import otlp_bounds
from traceview_agent.otlp_bounds import TooDense, check_density


def request(value: AnyValue) -> bytes:
    made = ExportTraceServiceRequest()
    span = made.resource_spans.add().scope_spans.add().spans.add()
    span.events.add().attributes.add(key="k").value.CopyFrom(value)
    return made.SerializeToString()


def array(*values: AnyValue) -> AnyValue:
    return AnyValue(array_value={"values": values})


@pytest.mark.parametrize("one", [AnyValue(), AnyValue(bool_value=False)])
def test_a_list_of_millions_of_tiny_values_is_refused(one: AnyValue) -> None:
    body = request(array(*[one] * 2_000_001))
    assert len(body) < 20 * 1024 * 1024
    with pytest.raises(TooDense, match="more than 2000000 values"):
        check_density(body)


def test_maps_in_lists_in_maps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = AnyValue(kvlist_value={"values": [{"key": "k" * 1_000, "value": array(*[AnyValue(int_value=1)] * 20)}] * 50})
    body = request(array(deep, deep))
    check_density(body)
    monkeypatch.setattr(otlp_bounds, "MOST_VALUES", 2_000)
    with pytest.raises(TooDense, match="more than 2000 values"):
        check_density(body)


def test_vectors_that_fill_a_request_are_let_in() -> None:
    body = request(array(*[AnyValue(double_value=0.5)] * 1_800_000))
    assert len(body) > 19_000_000
    check_density(body)


def test_what_is_nested_beyond_the_decoder_is_left_to_it() -> None:
    value = b""
    for tag in [b"\x0a", b"\x2a"] * 10_000:  # a list in a list …
        value = tag + _VarintBytes(len(value)) + value
    body = b"\x12" + _VarintBytes(len(value)) + value
    for tag in (b"\x4a", b"\x12", b"\x12", b"\x0a"):  # in an attribute of a span
        body = tag + _VarintBytes(len(body)) + body
    check_density(body)
