"""What is exported as OTLP JSON and imported again is the same; other tools find the fields where they look."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traceview.formats import decode_request, encode_json, open_parts, write_json
from traceview.protocol.records import KINDS, Event, Link, SpanPart, Status, TraceInfo
from traceview.testing import build_trace

OWN = Path(__file__).parents[1] / "data" / "traces"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = text.filter(lambda name: name != "traceview.fields" and not name.startswith("otel."))
times = st.integers(1, 2**63 - 1)
floats = st.floats().map(lambda number: math.nan if math.isnan(number) else number)  # one NaN out of many
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | floats | text | st.binary(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
attribute_names = names | st.sampled_from(
    ["input.value", "metadata", "session.id", "tag.tags", "openinference.span.kind"]
)
attributes = st.dictionaries(attribute_names, values, max_size=4)
small = st.dictionaries(names, values, max_size=2)
some = st.none() | text
traces = st.none() | st.builds(
    TraceInfo,
    name=some,
    session=some,
    user=some,
    project=some,
    tags=st.lists(text, max_size=3).map(tuple),
    metadata=small,
)
ids8, ids16 = st.binary(min_size=8, max_size=8).filter(any), st.binary(min_size=16, max_size=16).filter(any)
resources = small | st.just(
    {"service.name": "x", "otel.scope.name": "s", "otel.scope.attributes": {"a": 1}, "otel.resource.schema_url": "u"}
)


@st.composite
def whole_spans(draw: st.DrawFn) -> SpanPart:
    end = draw(st.none() | times)
    ended = st.sampled_from([Status.OK, Status.ERROR, Status.INTERRUPTED])
    return SpanPart(
        trace_id=draw(ids16),
        span_id=draw(ids8),
        parent_id=draw(st.none() | ids8),
        name=draw(text) or None,
        kind=draw(st.none() | st.sampled_from(KINDS)),
        start_ns=draw(st.none() | times),
        end_ns=end,
        status=draw(ended if end else st.sampled_from([None, Status.ERROR, Status.INTERRUPTED])),
        status_message=draw(text) or None,
        attributes=draw(attributes),
        input=draw(values),
        output=draw(values),
        reasoning=draw(some),
        events=tuple(
            draw(st.lists(st.builds(Event, times, text, st.dictionaries(names, values, max_size=2)), max_size=2))
        ),
        links=tuple(
            draw(st.lists(st.builds(Link, ids16, ids8, st.dictionaries(names, values, max_size=2)), max_size=2))
        ),
        trace=draw(traces),
        resource=draw(resources),
    )


def imported(parts: Any) -> list[SpanPart]:
    decoded = decode_request(encode_json(parts), "application/json")
    assert decoded.rejected == 0
    return decoded.parts


def plain(part: SpanPart) -> bytes:
    """A form in which NaN equals NaN and a trace that says nothing equals none."""
    trace = None if part.trace == TraceInfo() else part.trace
    return msgspec.msgpack.encode(msgspec.structs.replace(part, trace=trace), order="deterministic")


@given(st.lists(whole_spans(), max_size=4))
def test_importing_an_export_gives_the_same_spans(parts: list[SpanPart]) -> None:
    assert [plain(part) for part in imported(parts)] == [plain(part) for part in parts]


@given(st.lists(whole_spans(), min_size=1, max_size=2))
def test_an_export_is_valid_otlp_for_others(parts: list[SpanPart]) -> None:
    document = json.loads(encode_json(parts))
    for resource in document["resourceSpans"]:  # protojson wants base64 where OTLP JSON writes hex ids
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for holder in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        holder.pop(key, None)
    message = json_format.ParseDict(document, ExportTraceServiceRequest())
    spans = [span for r in message.resource_spans for s in r.scope_spans for span in s.spans]
    assert len(spans) == len(parts)


def test_our_fields_become_openinference_attributes() -> None:
    part = SpanPart(
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        name="plan",
        kind="llm",
        start_ns=5,
        end_ns=9,
        status=Status.OK,
        attributes={"llm.model_name": "gpt-4o"},
        input=[{"role": "user", "content": "hé"}],
        output="done",
        reasoning="because",
        trace=TraceInfo("run", "s-1", "u-1", "shop", ("a", "b"), {"k": 1}),
        resource={"service.name": "shop"},
    )
    document = json.loads(encode_json([part]))
    (resource,) = document["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    (span,) = scope["spans"]
    found = {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}
    assert (span["traceId"], span["spanId"], span["kind"]) == ("01" * 16, "02" * 8, 1)
    assert (span["startTimeUnixNano"], span["endTimeUnixNano"], span["status"]) == ("5", "9", {"code": 1})
    fields = found.pop("traceview.fields")
    assert found == {
        "llm.model_name": "gpt-4o",
        "input.value": '[{"role":"user","content":"hé"}]',
        "input.mime_type": "application/json",
        "output.value": "done",
        "output.mime_type": "text/plain",
        "openinference.span.kind": "LLM",
        "traceview.reasoning": "because",
        "traceview.trace.name": "run",
        "session.id": "s-1",
        "user.id": "u-1",
        "traceview.trace.project": "shop",
        "tag.tags": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]},
        "metadata": '{"k":1}',
    }
    assert {"input.value", "openinference.span.kind", "metadata"} <= {v["stringValue"] for v in fields["values"]}
    assert imported([part]) == [part]


def test_names_the_user_took_give_way() -> None:
    part = SpanPart(
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        kind="tool",
        attributes={"input.value": "mine", "session.id": "mine", "metadata": "mine", "openinference.span.kind": "X"},
        input={"a": 1},
        output={"raw": b"\0", "nan": 1.5},
        trace=TraceInfo(session="s", metadata={"m": b"\0"}),
    )
    assert imported([part]) == [part]


def test_neighbours_of_one_resource_share_it() -> None:
    one, two, three = build_trace("a > (b, c)").parts
    two = msgspec.structs.replace(two, resource={"service.name": "other"})
    document = json.loads(encode_json(part for part in (one, three, two)))
    assert [len(group["scopeSpans"][0]["spans"]) for group in document["resourceSpans"]] == [2, 1]


def test_a_running_span_has_no_end_and_an_interrupted_one_stays_so() -> None:
    running, interrupted, failed = imported(build_trace("a~ > (b?, c!)").parts)
    assert (running.end_ns, running.status) == (None, None)
    assert interrupted.status is Status.INTERRUPTED
    assert (failed.status, failed.status_message, failed.events[0].name) == (Status.ERROR, "boom", "exception")


def test_write_json_counts_and_writes_one_request(tmp_path: Path) -> None:
    file = io.BytesIO()
    assert write_json(build_trace("a > (b, c)").parts, file) == 3
    assert write_json([], io.BytesIO()) == 0
    path = tmp_path / "x.json"
    path.write_bytes(file.getvalue())
    assert [part.name for part in open_parts(path)] == ["a", "b", "c"]
    assert json.loads(encode_json([])) == {"resourceSpans": []}


@pytest.mark.parametrize(
    "name", ["pydantic-ai-v2.pb", "openai-otel-v2-legacy.pb", "logfire-twice.jsonl", "traceloop-sdk.json"]
)
def test_real_traces_survive_a_round_trip(name: str) -> None:
    parts = list(open_parts(OWN / name))
    assert imported(parts) == parts


def test_real_traces_of_every_kind_survive_a_round_trip(shared: Path) -> None:
    for name in ("live/shop-small.pb", "live/smolagents.pb", "otlp-json/scope_attributes_trace.json"):
        parts = list(open_parts(shared / "data" / name))
        assert imported(parts) == parts


def test_what_otlp_cannot_hold_becomes_text() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "<odd>"

    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    part = SpanPart(b"\1" * 16, b"\2" * 8, attributes={"big": 2**70, "odd": Odd(), "deep": deep, "nan": math.nan})
    found = imported([part])[0].attributes
    assert (found["big"], found["odd"]) == (str(2**70), "<odd>")
    assert math.isnan(found["nan"])


@pytest.mark.parametrize("fields", ["text", 3, ["nothing", 5, "output.value"]])
def test_a_forged_list_of_fields_does_no_harm(fields: Any) -> None:
    values = {"traceview.fields": fields, "output.value": 3, "name": "x"}
    body = {"traceId": "01" * 16, "spanId": "02" * 8, "startTimeUnixNano": 1, "attributes": values}
    (part,) = decode_request(json.dumps(body).encode(), "application/json").parts
    assert part.output is None
    assert part.attributes["output.value"] == 3


def test_json_that_is_none_stays_text() -> None:
    pairs = {"traceview.fields": ["output.value"], "output.value": "{no", "output.mime_type": "application/json"}
    body = {"traceId": "01" * 16, "spanId": "02" * 8, "startTimeUnixNano": 1, "attributes": pairs}
    (part,) = decode_request(json.dumps(body).encode(), "application/json").parts
    assert (part.output, part.attributes) == ("{no", {})
