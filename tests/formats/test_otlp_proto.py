"""OTLP protobuf gives the same spans as OTLP JSON; a damaged span costs only itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from traceview.formats import FormatError, decode_request
from traceview.formats.otlp.fields import WireDamage, read_fields, read_varint
from traceview.protocol.records import SpanPart, Status

PROTOBUF = "application/x-protobuf"


def a_span(number: int = 1, **fields: object) -> Span:
    return Span(trace_id=bytes([number]) * 16, span_id=bytes([number]) * 8, name=f"s{number}", **fields)  # type: ignore[arg-type]


def a_request(*spans: Span) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])


def full_request() -> ExportTraceServiceRequest:
    """A request that sets every field we know of."""
    text = """{"resourceSpans": [{"schemaUrl": "r", "resource": {"droppedAttributesCount": 1, "attributes": [
      {"key": "service.name", "value": {"stringValue": "shop"}}]},
      "scopeSpans": [{"schemaUrl": "s", "scope": {"name": "lib", "version": "1",
        "attributes": [{"key": "x", "value": {"boolValue": true}}]}, "spans": [{
          "traceId": "AQEBAQEBAQEBAQEBAQEBAQ==", "spanId": "AgICAgICAgI=", "parentSpanId": "AwMDAwMDAwM=",
          "name": "full", "kind": "SPAN_KIND_CONSUMER", "traceState": "a=b", "flags": 768,
          "startTimeUnixNano": "1790000000000000001", "endTimeUnixNano": "1790000000000000002",
          "droppedAttributesCount": 1, "droppedEventsCount": 2, "droppedLinksCount": 3,
          "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
          "attributes": [
            {"key": "int", "value": {"intValue": "-5"}}, {"key": "float", "value": {"doubleValue": "Infinity"}},
            {"key": "bytes", "value": {"bytesValue": "AAE="}}, {"key": "none", "value": {}},
            {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "1"}}]}}}],
          "events": [{"timeUnixNano": "5", "name": "e", "droppedAttributesCount": 6,
            "attributes": [{"key": "a", "value": {"stringValue": "b"}}]}],
          "links": [{"traceId": "BAQEBAQEBAQEBAQEBAQEBA==", "spanId": "BQUFBQUFBQU=", "traceState": "c=d",
            "droppedAttributesCount": 7, "flags": 768}]}]}]}]}"""
    return json_format.Parse(text, ExportTraceServiceRequest())


def test_protobuf_and_json_say_the_same() -> None:
    request = full_request()
    as_json = json_format.MessageToJson(request).encode()  # plain protojson: base64 ids, enum names
    (part,) = decode_request(request.SerializeToString(), PROTOBUF).parts
    assert [part] == decode_request(as_json, "application/json").parts
    assert part.attributes["float"] == float("inf")
    assert part.attributes["otel.span_kind"] == "consumer"
    assert part.resource["otel.scope.attributes"] == {"x": True}
    assert part.links[0].attributes == {
        "otel.dropped_attributes_count": 7,
        "otel.trace_state": "c=d",
        "otel.flags": 768,
    }


def test_real_files_read_the_same_in_both(shared: Path) -> None:
    for name in ("pydantic-ai-v2", "langchain-agent", "shop-small", "smolagents"):
        live = shared / "data" / "live"
        from_proto = decode_request((live / f"{name}.pb").read_bytes(), PROTOBUF).parts
        from_json = decode_request((live / f"{name}.json").read_bytes(), "application/json").parts
        assert from_proto == from_json


def test_concatenated_requests_are_one_request() -> None:
    body = a_request(a_span(1)).SerializeToString() + a_request(a_span(2), a_span(3)).SerializeToString()
    assert [part.name for part in decode_request(body, PROTOBUF).parts] == ["s1", "s2", "s3"]


def test_an_empty_request_is_fine() -> None:
    assert decode_request(b"", PROTOBUF).parts == []


def test_a_span_without_end_runs_and_unset_is_ok_once_ended() -> None:
    parts = decode_request(a_request(a_span(1), a_span(2, end_time_unix_nano=9)).SerializeToString(), PROTOBUF).parts
    assert [(part.start_ns, part.end_ns, part.status) for part in parts] == [(None, None, None), (None, 9, Status.OK)]


def test_ids_of_wrong_size_are_padded_and_missing_ones_rejected() -> None:
    odd = Span(trace_id=b"\1" * 8, span_id=b"\2" * 16, name="odd")
    request = a_request(odd, Span(name="none"), Span(trace_id=b"\1" * 16, span_id=bytes(8), name="zero"))
    decoded = decode_request(request.SerializeToString(), PROTOBUF)
    (part,) = decoded.parts
    assert part.trace_id == bytes(8) + b"\1" * 8
    assert len(part.span_id) == 8
    assert (decoded.rejected, decoded.message) == (2, "span 'none' has no trace id")


def test_a_span_that_protobuf_refuses_costs_only_itself() -> None:
    body = full_request().SerializeToString()
    other = full_request()
    other.resource_spans[0].scope_spans[0].spans.append(a_span(7))
    broken = other.SerializeToString().replace(b"full", b"fu\xff\xfe")
    assert len(broken) > len(body)
    decoded = decode_request(broken, PROTOBUF)
    (part,) = decoded.parts
    assert part.name == "s7"
    assert part.resource["service.name"] == "shop"
    assert part.resource["otel.scope.name"] == "lib"
    assert decoded.rejected == 1
    assert "not UTF-8" in decoded.message


def test_a_resource_that_protobuf_refuses_loses_itself_only() -> None:
    broken = full_request().SerializeToString().replace(b"shop", b"sh\xff\xfe")
    (part,) = decode_request(broken, PROTOBUF).parts
    assert part.name == "full"
    assert "service.name" not in part.resource
    assert part.resource["otel.scope.name"] == "lib"


def test_a_long_resource_survives_the_salvage() -> None:
    request = full_request()
    request.resource_spans[0].resource.attributes[0].value.string_value = "x" * 70_000
    broken = request.SerializeToString().replace(b"boom", b"bo\xff\xfe")
    decoded = decode_request(broken, PROTOBUF)
    assert (decoded.parts, decoded.rejected) == ([], 1)


@given(st.data())
def test_no_damage_to_a_request_breaks_it(data: st.DataObject) -> None:
    body = bytearray(full_request().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        body.append(0x0A)
    try:
        decoded = decode_request(bytes(body), PROTOBUF)
    except FormatError:
        return
    for part in decoded.parts:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=SpanPart)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x0a\xff", "inside a number at byte 1"),
        (b"\x0a\x10short", "a field of 16 bytes runs past the end at byte 0"),
        (b'{"resourceSpans":[]}', "wire type 3"),
        (b"\x00", "a field has number 0"),
        (b"\x09\x01", "inside a fixed number"),
        (b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        (b"\x0a\x03\x12\x05\x01", "runs past the end"),
    ],
)
def test_a_body_that_is_no_protobuf_is_refused_with_its_place(body: bytes, why: str) -> None:
    with pytest.raises(FormatError, match="not OTLP protobuf") as failure:
        decode_request(body, PROTOBUF)
    assert why in str(failure.value)


def test_the_grammar_reads_all_wire_types() -> None:
    data = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\x01\x00\x00\x00" + b"\x21" + b"\x02" + bytes(7)
    assert list(read_fields(data)) == [(1, 0, 150), (2, 2, b"hi"), (3, 5, 1), (4, 1, 2)]
    assert read_varint(b"\x00\x05", 1) == (5, 2)
    with pytest.raises(WireDamage):
        list(read_fields(b"\x0b"))


def test_protobuf_is_imported_only_when_it_arrives() -> None:
    code = (
        "import sys, traceview.formats\n"
        "heavy = [name for name in sys.modules if name.startswith(('google', 'opentelemetry', 'zstandard'))]\n"
        "assert not heavy, heavy\n"
        "traceview.formats.decode_request(b'{}', 'application/json')\n"
        "assert 'google.protobuf' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
