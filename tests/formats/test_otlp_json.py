"""OTLP JSON is understood in every spelling met in the wild, and nothing a span says is lost."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.formats import FormatError, decode_request
from traceview.protocol.records import Event, Link, SpanPart, Status

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
START, END = 1_790_000_000_123_456_789, 1_790_000_000_123_456_999


def span(**fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "work",
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(END),
        **fields,
    }


def request(*spans: dict[str, Any], **scope: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{**scope, "spans": list(spans)}]}]}


def decode(document: Any) -> list[SpanPart]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    decoded = decode_request(body, "application/json; charset=utf-8")
    assert (decoded.rejected, decoded.message) == (0, "")
    return decoded.parts


def only(document: Any) -> SpanPart:
    (part,) = decode(document)
    return part


def attribute(value: Any) -> Any:
    return only(request(span(attributes=[{"key": "k", "value": value}]))).attributes["k"]


def test_a_span_keeps_its_ids_name_times_and_status() -> None:
    part = only(request(span(parentSpanId="00F067AA0BA902B7")))
    assert part.trace_id.hex() == TRACE
    assert part.span_id.hex() == SPAN
    assert part.parent_id == bytes.fromhex("00f067aa0ba902b7")
    assert (part.name, part.start_ns, part.end_ns) == ("work", START, END)
    assert part.status is Status.OK
    assert part.kind is None


@pytest.mark.parametrize(
    "wrap",
    [
        lambda request: request,
        lambda request: [request, {"resourceSpans": []}],
        lambda request: [[request]],
        lambda request: {"batches": request["resourceSpans"]},
        lambda request: {"result": request},
        lambda request: {"trace": request},
        lambda request: {"data": [span()]},
        lambda request: span(),
        lambda request: [span()],
    ],
)
def test_every_wrapper_is_opened(wrap: Any) -> None:
    assert only(wrap(request(span()))).span_id.hex() == SPAN


def test_old_instrumentation_libraries_are_scopes() -> None:
    library = {"instrumentationLibrary": {"name": "lib", "version": "1"}, "spans": [span()]}
    part = only({"resourceSpans": [{"instrumentationLibrarySpans": [library]}]})
    assert part.resource == {"otel.scope.name": "lib", "otel.scope.version": "1"}


def test_snake_case_with_nulls_reads_like_camel_case() -> None:
    nothing = dict.fromkeys(("bool_value", "int_value", "array_value", "kvlist_value", "bytes_value", "double_value"))
    part = only(
        {
            "data": [
                {
                    "trace_id": TRACE,
                    "span_id": SPAN,
                    "parent_span_id": None,
                    "name": "work",
                    "kind": "SPAN_KIND_SERVER",
                    "start_time_unix_nano": START,
                    "end_time_unix_nano": END,
                    "status": {"code": "STATUS_CODE_ERROR", "message": None},
                    "attributes": [
                        {"key": "s", "value": {**nothing, "string_value": "text"}},
                        {"key": "i", "value": {**nothing, "int_value": 7, "string_value": None}},
                        {"key": "a", "value": {**nothing, "array_value": {"values": [{"bool_value": True}]}}},
                        {
                            "key": "m",
                            "value": {"kvlist_value": {"values": [{"key": "x", "value": {"double_value": 1}}]}},
                        },
                        {"key": "b", "value": {"bytes_value": "AAE="}},
                        {"key": "nothing", "value": nothing},
                    ],
                    "events": [{"time_unix_nano": START, "name": "e", "attributes": None}],
                    "links": [{"trace_id": TRACE, "span_id": SPAN, "attributes": None, "trace_state": None}],
                    "dropped_attributes_count": None,
                    "dropped_events_count": 3,
                    "flags": None,
                    "trace_state": None,
                }
            ]
        }
    )
    assert part.attributes == {
        "s": "text",
        "i": 7,
        "a": [True],
        "m": {"x": 1.0},
        "b": b"\0\1",
        "nothing": None,
        "otel.span_kind": "server",
        "otel.dropped_events_count": 3,
    }
    assert part.status is Status.ERROR
    assert part.status_message is None
    assert part.events == (Event(START, "e", {}),)
    assert part.links == (Link(bytes.fromhex(TRACE), bytes.fromhex(SPAN), {}),)


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [
        (TRACE, SPAN),
        (TRACE.upper(), SPAN.upper()),
        (base64.b64encode(bytes.fromhex(TRACE)).decode(), base64.b64encode(bytes.fromhex(SPAN)).decode()),
    ],
)
def test_ids_are_the_same_bytes_in_hex_and_base64(trace_id: str, span_id: str) -> None:
    part = only(request(span(traceId=trace_id, spanId=span_id, parentSpanId=span_id)))
    assert (part.trace_id.hex(), part.span_id.hex(), part.parent_id) == (TRACE, SPAN, part.span_id)


def test_short_ids_are_padded_and_odd_ones_still_find_their_parents() -> None:
    short = only(request(span(traceId="8448eb211c80319c", spanId="3b1")))
    assert short.trace_id.hex() == "0" * 16 + "8448eb211c80319c"
    assert short.span_id.hex() == "00000000000003b1"
    child, parent = decode(request(span(spanId="s-2", parentSpanId="s-1"), span(spanId="s-1")))
    assert child.parent_id == parent.span_id
    assert len(parent.span_id) == 8


@pytest.mark.parametrize("parent", ["", None, "0000000000000000"])
def test_no_parent_is_said_in_three_ways(parent: str | None) -> None:
    assert only(request(span(parentSpanId=parent))).parent_id is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "a\u2028b"}, "a\u2028b"),
        ({"boolValue": False}, False),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 9007199254740993}, 9007199254740993),
        ({"intValue": "9223372036854775808"}, "9223372036854775808"),
        ({"doubleValue": 2}, 2.0),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "AAAwOQ=="}, b"\x00\x0009"),
        ({"bytesValue": "not base64"}, "not base64"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}, {"stringValue": ""}]}}, [1, None, ""]),
        ({"arrayValue": {}}, []),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": []}}}]}}, {"a": []}),
        ({"kvlistValue": {"values": [{"key": "a"}]}}, {"a": None}),
        ({}, None),
        (None, None),
        ("plain", "plain"),
        ({"futureValue": 1}, None),
        ({"stringValue": 2**70}, str(2**70)),
        ({"intValue": "many"}, "many"),
        ({"intValue": [1]}, [1]),
        ({"doubleValue": "many"}, "many"),
        ({"bytesValue": 3}, 3),
        ({"arrayValue": {"values": ["plain", 2**70, {"intValue": "1"}]}}, ["plain", str(2**70), 1]),
        ({"kvlistValue": {"values": [{"key": 1, "value": "plain"}]}}, {"1": "plain"}),
        (2**64, str(2**64)),
        ([{"a": 2**64}], [{"a": str(2**64)}]),
    ],
)
def test_attribute_values_become_python_values(value: Any, expected: Any) -> None:
    found = attribute(value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_double_may_be_nan() -> None:
    assert math.isnan(attribute({"doubleValue": "NaN"}))


def test_attributes_given_as_a_plain_map_are_taken_as_they_are() -> None:
    assert only(request(span(attributes={"a": 1, "b": ["x"]}))).attributes == {"a": 1, "b": ["x"]}


def test_what_is_nested_beyond_128_levels_stays_text() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    found = attribute(value)
    depth = 0
    while isinstance(found, list):
        (found,) = found
        depth += 1
    assert 100 < depth <= 128
    assert isinstance(found, str)
    assert "deep" in found


def test_a_bomb_of_brackets_costs_only_its_own_value() -> None:
    bomb = "[" * 100_000 + "]" * 100_000
    body = json.dumps(request(span(attributes=[{"key": "b", "value": {"x": "@"}}]), span(spanId="01" * 8)))
    parts = decode(body.replace('"@"', bomb).encode())
    assert [part.name for part in parts] == ["work", "work"]


def test_scope_resource_and_other_fields_land_where_an_export_finds_them() -> None:
    document = request(
        span(
            kind=3,
            traceState="a=b",
            flags=0x301,
            droppedAttributesCount=1,
            droppedLinksCount=2,
            status={"code": 2, "message": "boom"},
            events=[{"name": "e", "droppedAttributesCount": 4}],
            links=[{"traceId": TRACE, "spanId": SPAN, "traceState": "c=d", "flags": 0x300}],
        ),
        scope={"name": "lib", "version": "2", "attributes": [{"key": "sa", "value": {"intValue": "1"}}]},
        schemaUrl="https://scope",
    )
    document["resourceSpans"][0] |= {
        "resource": {
            "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}],
            "droppedAttributesCount": 5,
        },
        "schemaUrl": "https://resource",
    }
    part = only(document)
    assert part.resource == {
        "service.name": "shop",
        "otel.dropped_attributes_count": 5,
        "otel.resource.schema_url": "https://resource",
        "otel.scope.name": "lib",
        "otel.scope.version": "2",
        "otel.scope.attributes": {"sa": 1},
        "otel.scope.schema_url": "https://scope",
    }
    assert part.attributes == {
        "otel.span_kind": "client",
        "otel.trace_state": "a=b",
        "otel.flags": 0x301,
        "otel.dropped_attributes_count": 1,
        "otel.dropped_links_count": 2,
    }
    assert (part.status, part.status_message) == (Status.ERROR, "boom")
    assert part.events == (Event(0, "e", {"otel.dropped_attributes_count": 4}),)
    assert part.links[0].attributes == {"otel.trace_state": "c=d", "otel.flags": 0x300}


@pytest.mark.parametrize("kind", [None, 0, 1, "SPAN_KIND_INTERNAL", "SPAN_KIND_UNSPECIFIED"])
def test_an_internal_span_says_nothing_of_its_kind(kind: Any) -> None:
    assert only(request(span(kind=kind, flags=257))).attributes == {}


def test_a_kind_of_the_future_is_kept_as_its_number() -> None:
    assert only(request(span(kind=17))).attributes == {"otel.span_kind": "17"}


@pytest.mark.parametrize("end", [None, 0, "0"])
def test_a_span_without_end_is_running(end: Any) -> None:
    part = only(request(span(endTimeUnixNano=end)))
    assert (part.end_ns, part.status) == (None, None)
    assert only(request(span(endTimeUnixNano=end, status={"code": 2}))).status is Status.ERROR


def test_impossible_times_are_kept_within_64_bits() -> None:
    part = only(request(span(startTimeUnixNano=0, endTimeUnixNano=2**64 - 1)))
    assert (part.start_ns, part.end_ns) == (None, 2**63 - 1)
    backwards = only(request(span(startTimeUnixNano=END, endTimeUnixNano=START)))
    assert (backwards.start_ns, backwards.end_ns) == (END, START)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (span(traceId=""), "span 'work' has no trace id"),
        (span(spanId="0" * 16), "span 'work' has no span id"),
        ({"name": "bare"}, "span 'bare' has no trace id"),
        (span(startTimeUnixNano="yesterday"), "a span can't be read: invalid literal for int()"),
        (span(traceId=12), "a span can't be read: 12 is no id"),
        (span(attributes=[3]), "a span can't be read: 'int' object is not subscriptable"),
        ("text", "a span can't be read"),
    ],
)
def test_a_bad_span_is_counted_and_costs_no_other(broken: Any, message: str) -> None:
    decoded = decode_request(json.dumps(request(broken, span(), broken)).encode(), "application/json")
    assert [part.span_id.hex() for part in decoded.parts] == [SPAN]
    assert decoded.rejected == 2
    assert decoded.message.startswith(message)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"cut \ud83d here"', "cut � here"),
        (rb'"pair \ud83e\udd9c \\ud83d"', "pair 🦜 \\ud83d"),
        (b'"latin \xe9"', "latin �"),
    ],
)
def test_text_that_is_not_unicode_is_mended(written: bytes, read: str) -> None:
    body = json.dumps(request(span(attributes=[{"key": "k", "value": {"stringValue": "@"}}]))).encode()
    assert only(body.replace(b'"@"', written)).attributes == {"k": read}


def test_bare_nan_as_python_writes_it_is_a_number() -> None:
    body = json.dumps(request(span(attributes=[{"key": "NaN", "value": {"doubleValue": math.nan}}])))
    assert "NaN}" in body
    assert math.isnan(only(body.encode()).attributes["NaN"])


def test_names_and_counts_of_odd_types_are_made_to_fit() -> None:
    odd = span(name=7, status={"message": 3}, attributes=[{"key": 5, "value": {"boolValue": True}}])
    part = only(request({**odd, "flags": 2**70, "droppedEventsCount": "2", "kind": None}))
    assert (part.name, part.status_message) == ("7", "3")
    assert part.attributes == {"5": True, "otel.flags": 2**63 - 1, "otel.dropped_events_count": 2}


def test_a_bad_resource_or_scope_costs_no_span() -> None:
    document = request(span(), scope={"name": 3, "attributes": [{"no": "key"}]})
    document["resourceSpans"][0] |= {"resource": {"attributes": 3}, "schemaUrl": 5}
    decoded = decode_request(json.dumps(document).encode(), "application/json")
    assert (len(decoded.parts), decoded.rejected) == (1, 0)
    assert "the attributes of a resource or scope can't be read" in decoded.message
    assert decoded.parts[0].resource == {"otel.scope.name": "3", "otel.scope.attributes": {}}
    for odd in ([], "text", None):
        document["resourceSpans"][0] |= {"resource": odd}
        assert len(decode_request(json.dumps(document).encode(), "application/json").parts) == 1


def test_a_resource_that_is_not_utf8_is_mended() -> None:
    document = request(span())
    document["resourceSpans"][0]["resource"] = {"attributes": [{"key": "k", "value": {"stringValue": "@"}}]}
    assert only(json.dumps(document).encode().replace(b"@", b"\xff")).resource == {"k": "�"}


def test_deep_plain_values_stay_text() -> None:
    deep: Any = "x"
    for _ in range(150):
        deep = [deep]
    found = only(request(span(attributes={"a": deep}))).attributes["a"]
    for _ in range(128):
        (found,) = found
    assert isinstance(found, str)


WORDS = [
    *[
        "resourceSpans",
        "scopeSpans",
        "spans",
        "resource",
        "scope",
        "attributes",
        "key",
        "value",
        "stringValue",
        "events",
    ],
    *["arrayValue", "values", "kvlistValue", "intValue", "links", "status", "code", "kind", "name", "data", "result"],
    *[
        "events",
        "batches",
        "resource_spans",
        "scope_spans",
        "trace_id",
        "span_id",
        "start_time_unix_nano",
        "flags",
        "schemaUrl",
    ],
]
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(TRACE) | st.just(SPAN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *["attributes", "events", "links", "status", "kind", "name", "flags", "traceState", "parentSpanId"],
    *["startTimeUnixNano", "endTimeUnixNano", "droppedEventsCount"],
]
ids = {"traceId": st.just(TRACE), "spanId": st.just(SPAN)}
spans = st.fixed_dictionaries(ids, optional=dict.fromkeys(FIELDS, wild))


@given(wild | st.builds(lambda spans, about: request(*spans, scope=about), st.lists(spans, max_size=3), wild))
def test_no_document_however_wild_breaks_it(document: Any) -> None:
    for part in decode_request(json.dumps([document]).encode(), "application/json").parts:
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=SpanPart)
        assert (again.trace_id, again.name, again.start_ns) == (part.trace_id, part.name, part.start_ns)


def test_logs_and_metrics_are_no_spans() -> None:
    assert decode({"resourceLogs": [{}], "resourceMetrics": [{}, {}]}) == []


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"resourceSpans":[}', b"17", b'{"a":' + b"\xff" * 3])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError, match="the body is not OTLP JSON"):
        decode_request(body, "application/json")


def test_other_content_types_are_refused_by_name() -> None:
    with pytest.raises(FormatError, match=r"'text/plain' is not OTLP: send application/x-protobuf"):
        decode_request(b"{}", "text/plain")


@pytest.mark.parametrize(
    "odd", [{"resourceSpans": None}, {"resourceSpans": {}}, {"resourceSpans": [None, 3, {}]}, [], [1]]
)
def test_requests_of_odd_shape_hold_no_spans(odd: Any) -> None:
    assert decode(odd) == []
