"""No secret reaches a disk, whichever way it came in: not the store, not the dead letters, not the log."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traceview.conventions import facts
from traceview.formats import write_json
from traceview.protocol import control, wire
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.redaction import DEFAULT_RULES, Rules
from traceview.store import StoreReader, export_store
from traceview.store.blocks import unpack
from traceview.testing import build_trace
from traceview_agent.logs import LineFormatter
from traceview_agent.redaction import Redaction

KEY = "sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8"
CORE = b"mN1pQ2rS4tU6vW8"
PART = msgspec.structs.replace(
    build_trace("call").parts[0],
    input={"headers": {"x-api-key": "hunter2-by-name"}, "body": f"use {KEY}"},
    output="all is well",
)


def stored(daemon: Any) -> bytes:
    """Everything that the store gives back, and every other file of the home as it lies there."""
    reader = StoreReader(daemon.places.store)
    try:
        parts = [part for trace in reader.traces() for part in reader.parts(trace.trace_id)]
    finally:
        reader.close()
    files = [file.read_bytes() for file in daemon.places.home.rglob("*") if file.is_file()]
    return msgspec.msgpack.encode(parts) + b"".join(files)


def assert_clean(daemon: Any) -> None:
    kept = stored(daemon)
    assert CORE not in kept
    assert b"hunter2" not in kept
    assert b"[redacted:anthropic-key]" in kept
    assert b"[redacted:name]" in kept
    assert b"all is well" in kept
    assert daemon.status.redacted == 2


def post(daemon: Any, body: bytes, kind: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    connection.request("POST", "/v1/traces", body, {"Content-Type": kind})
    status = connection.getresponse().status
    connection.close()
    return status


def otlp(part: SpanPart) -> bytes:
    """OTLP protobuf with the input as an attribute."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = part.trace_id, part.span_id, "call"
    for key, text in (("body", part.input["body"]), ("x-api-key", "hunter2-by-name"), ("output", part.output)):
        span.attributes.add(key=key).value.string_value = text
    return request.SerializeToString()


def test_from_our_sdk(daemon: Any, program: Any) -> None:
    program.batch(1, [*build_trace("clean", trace="other").parts, PART])
    program.acknowledged(1)
    assert_clean(daemon)
    assert "clean" in daemon.stored()


def slots_in(path: Path) -> bytes:
    """All that lies in a store's payload blocks, whether anything refers to it or not."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT data FROM payload_block").fetchall()
    finally:
        connection.close()
    return b"".join(slot for (data,) in rows for slot in unpack(data))


@pytest.mark.parametrize("where", ["a field that nobody reads", "a key that comes twice"])
def test_what_a_record_hides_from_its_part(daemon: Any, program: Any, where: str) -> None:
    fields = list(msgspec.structs.astuple(msgspec.structs.replace(PART, input=None)))
    if where == "a field that nobody reads":
        record = msgspec.msgpack.encode([*fields, KEY])
    else:
        fields[9] = {"k": KEY, "l": "shown"}
        record = msgspec.msgpack.encode(fields).replace(b"\xa1l", b"\xa1k")
    program.batch(1, [record])
    program.acknowledged(1)
    kept = slots_in(daemon.places.store)
    assert b"all is well" in kept
    assert CORE not in kept


def test_from_opentelemetry_protobuf(daemon: Any) -> None:
    assert post(daemon, otlp(PART), "application/x-protobuf") == 200
    assert_clean(daemon)


def test_from_json_that_tears_secrets_apart_with_escapes(daemon: Any) -> None:
    attributes = [
        {"key": "body", "value": {"stringValue": "KEY"}},
        {"key": "x-api-k\\u0065y", "value": {"stringValue": "hunter2-by-name"}},
        {"key": "output", "value": {"stringValue": "all is well"}},
    ]
    span = {"traceId": "5b" * 16, "spanId": "ee" * 8, "name": "call", "attributes": attributes}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).replace("\\\\u", "\\u")
    body = body.replace("KEY", "sk\\u002dant-" + KEY.removeprefix("sk-ant-"))
    assert post(daemon, body.encode(), "application/json") == 200
    assert_clean(daemon)


def test_from_a_file(daemon: Any, tmp_path: Path) -> None:
    with (tmp_path / "trace.json").open("wb") as file:
        write_json(iter([PART]), file)
    control.ask(find_places(), "import", path=str(tmp_path / "trace.json"))
    assert_clean(daemon)


def test_from_a_store_that_was_made_elsewhere(daemon: Any, tmp_path: Path) -> None:
    from traceview.store import StoreWriter

    writer = StoreWriter(tmp_path / "other.db", facts)
    writer.apply([PART])
    writer.close()
    reader = StoreReader(tmp_path / "other.db")
    export_store(reader, [PART.trace_id], tmp_path / "run.traceview", facts)
    reader.close()
    control.ask(find_places(), "import", path=str(tmp_path / "run.traceview"))
    assert_clean(daemon)


def test_the_command_line_in_a_hello(daemon: Any, start_program: Any) -> None:
    line = {"process.command_line": f"run --key {KEY}", "process.command_args": ["run", "--password", "hunter2"]}
    program = start_program(resource=line)
    program.hello()
    program.batch(1, [msgspec.structs.replace(PART, input=None)])
    program.acknowledged(1)
    assert_clean(daemon)


@pytest.mark.expects_log
def test_records_that_cannot_be_read(daemon: Any, program: Any, until: Any) -> None:
    program.batch(1, [b"\xc1 no record, but " + KEY.encode(), b"\xc1 no record", *build_trace("fine").parts])
    program.acknowledged(1)
    letters = [json.loads(line) for line in (daemon.places.home / "rejected.jsonl").read_text().splitlines()]
    assert [letter.get("redacted") for letter in letters] == [True, None]
    assert "record" not in letters[0]
    assert base64.b64decode(letters[1]["record"]) == b"\xc1 no record"


def test_own_rules_and_none(start_daemon: Any, start_program: Any) -> None:
    first = start_daemon(redaction=Rules(emails=True).with_patterns({"order": "ORD-[0-9]+"}))
    program = start_program()
    program.batch(1, [msgspec.structs.replace(PART, input="ada@example.org bought ORD-77")])
    program.acknowledged(1)
    assert b"[redacted:e-mail] bought [redacted:order]" in stored(first)
    first.stop()
    second = start_daemon(redaction=None)
    other = start_program(session=b"o" * 16)
    other.batch(1, [msgspec.structs.replace(PART, span_id=b"u" * 8)])
    other.acknowledged(1)
    assert CORE in stored(second)
    assert second.status.redacted == 0


def test_what_is_logged() -> None:
    line = LineFormatter(Redaction(DEFAULT_RULES).line)
    try:
        raise ValueError(KEY)
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("traceview_agent.x", logging.ERROR, "", 0, "%s", ("password=hunter2",), told)
    assert CORE.decode() not in line.format(record)
    assert "hunter2" not in line.format(record)
    assert Redaction(None).line(KEY) == KEY


class _Trap(dict[str, Any]):
    def get(self, *_: Any) -> Any:
        raise RuntimeError("not searchable")


@pytest.mark.expects_log
def test_what_cannot_be_searched_is_kept_without_its_values() -> None:
    part = msgspec.structs.replace(PART, attributes=_Trap(password="hunter2"))
    kept = Redaction().part(part)
    assert (kept.trace_id, kept.span_id, kept.end_ns) == (part.trace_id, part.span_id, part.end_ns)
    assert (kept.input, kept.output, kept.attributes) == (None, None, {"traceview.redacted": 1})


def test_clean_bodies_and_parts_pass_as_they_are() -> None:
    redaction = Redaction()
    parts = list(build_trace("a > (b, c)").parts)
    body = wire.join_records([msgspec.msgpack.encode(part) for part in parts])
    assert not redaction.suspicious(memoryview(body))
    assert all(a is b for a, b in zip(redaction.parts(parts), parts, strict=True))
    assert redaction.counts == {}
