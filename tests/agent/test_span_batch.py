"""`POST /api/v1/spans/batch`: plain JSON from scripts, all or nothing, every mistake named."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from traceview.protocol.places import find_places
from traceview.protocol.records import Status, TraceInfo
from traceview.store import StoreReader
from traceview.testing import build_trace
from traceview_agent import json_spans

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
START, END = 1_790_000_000_000_000_000, 1_790_000_001_000_000_000
CALL = {
    "trace_id": TRACE_ID,
    "span_id": SPAN_ID,
    "name": "ask",
    "kind": "llm",
    "start_ns": START,
    "end_ns": END,
    "input": {"question": "why?"},
    "output": "because",
    "reasoning": "first …",
    "attributes": {"retry": False},
    "events": [{"time_ns": START + 1, "name": "cache miss", "attributes": {"key": "k"}}],
    "links": [{"trace_id": "ab" * 16, "span_id": "cd" * 8}],
    "state": {"memory": ["why?"]},
    "trace": {"name": "run 7", "session": "s", "user": "u", "project": "p", "tags": ["a"], "metadata": {"m": 1}},
    "resource": {"service.name": "script"},
    "model": "gpt-4o",
    "input_tokens": 40,
    "output_tokens": 4,
    "cost_usd": 0.002,
}


def send(daemon: Any, document: Any, **headers: str) -> tuple[int, dict[str, Any], Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    try:
        connection.request("POST", "/api/v1/spans/batch", body, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def item(number: int, **fields: Any) -> dict[str, Any]:
    return {"trace_id": TRACE_ID, "span_id": f"{number + 1:016x}", "name": f"s{number}", "start_ns": START, **fields}


@pytest.fixture
def reader(daemon: Any) -> Any:
    reader = StoreReader(find_places().store)
    yield reader
    reader.close()


def test_every_field_arrives(daemon: Any, reader: StoreReader) -> None:
    assert send(daemon, [CALL])[:2] == (200, {"spans": 1, "traces": 1})
    (trace,) = reader.traces()
    (row,) = reader.spans(trace.trace_id)
    payload = reader.payload(trace.trace_id, row.span_id)
    assert payload is not None
    assert trace.trace_id.hex() == TRACE_ID
    assert (trace.name, trace.session, trace.user, trace.project) == ("run 7", "s", "u", "p")
    assert (trace.tags, trace.metadata) == (("a",), {"m": 1})
    assert (row.span_id.hex(), row.name, row.kind, row.status) == (SPAN_ID, "ask", "llm", Status.OK)
    assert (row.start_ns, row.end_ns) == (START, END)
    assert (row.model, row.input_tokens, row.output_tokens, row.cost_usd) == ("gpt-4o", 40, 4, 0.002)
    assert (payload.input, payload.output, payload.reasoning) == ({"question": "why?"}, "because", "first …")
    assert payload.attributes["retry"] is False
    assert [event.name for event in payload.events] == ["cache miss", "traceview.state"]
    assert payload.links[0].trace_id.hex() == "ab" * 16
    assert payload.resource == {"service.name": "script"}
    assert reader.state_events(trace.trace_id)[0][1].attributes == {"memory": ["why?"]}


@pytest.mark.parametrize("document", [[item(0), item(1)], {"spans": [item(0), item(1)]}], ids=["array", "object"])
def test_both_forms_are_taken(daemon: Any, document: Any) -> None:
    assert send(daemon, document)[:2] == (200, {"spans": 2, "traces": 1})
    assert daemon.stored() == ["s0", "s1"]


def test_compressed_and_empty_batches_are_taken(daemon: Any) -> None:
    body = gzip.compress(json.dumps([item(0)]).encode())
    assert send(daemon, body, Content_Encoding="gzip")[:2] == (200, {"spans": 1, "traces": 1})
    assert send(daemon, [])[:2] == (200, {"spans": 0, "traces": 0})


def test_a_span_may_be_told_in_several_batches(daemon: Any, reader: StoreReader) -> None:
    send(daemon, [item(0, status="running")])
    assert reader.traces()[0].status is Status.RUNNING
    ids = {"trace_id": TRACE_ID, "span_id": item(0)["span_id"]}
    send(daemon, [{**ids, "end_ns": END, "status": "error", "status_message": "timeout"}])
    (row,) = reader.spans(reader.traces()[0].trace_id)
    assert (row.name, row.status, row.status_message, row.end_ns) == ("s0", Status.ERROR, "timeout", END)


def test_a_span_that_ends_before_it_starts_is_kept_as_it_was_said_and_counted(daemon: Any, reader: StoreReader) -> None:
    from traceview.report import run_pieces

    backward = item(0, end_ns=START - 1_500, state={"a": 1})
    assert send(daemon, [backward, item(1, end_ns=END)])[:2] == (200, {"spans": 2, "traces": 1})
    document = json.loads(b"".join(run_pieces(reader, reader.traces()[0])))
    assert document["backwards"] == 1
    (span,) = [span for span in document["spans"] if span["span_id"] == backward["span_id"]]
    assert (span["start_ns"], span["end_ns"], span["status"]) == (START, START - 1_500, "ok")
    assert span["state"] == {"a": 1}


def test_what_show_prints_can_be_sent_back(daemon: Any, reader: StoreReader) -> None:
    from traceview.report import run_pieces

    backward = item(4, parent_span_id=SPAN_ID, end_ns=START - 1)
    assert send(daemon, [CALL, item(3, parent_span_id=SPAN_ID, end_ns=END), backward])[0] == 200
    document = json.loads(b"".join(run_pieces(reader, reader.traces()[0])))
    copy = {**document, "trace_id": "ce" * 16}
    assert send(daemon, copy)[:2] == (200, {"spans": 3, "traces": 1})
    again = reader.trace(bytes.fromhex("ce" * 16))
    assert again is not None
    given = json.loads(b"".join(run_pieces(reader, again)))
    for one in (*document["spans"], *given["spans"]):
        one["attributes"] = None  # the figures are kept there
    assert given == {**document, "trace_id": "ce" * 16}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"span_id": "xyz"}, "$.span_id"),
        ({"span_id": "0" * 16}, "span_id is all zeros"),
        ({"trace_id": "ab"}, "$.trace_id"),
        ({"trace_id": None}, "trace_id is missing"),
        ({"kind": "robot"}, "$.kind"),
        ({"status": "fine"}, "$.status"),
        ({"start_ns": "now"}, "$.start_ns"),
        ({"start_ns": 2**63}, "$.start_ns"),
        ({"attributes": []}, "$.attributes"),
        ({"events": [{"name": "x"}]}, "time_ns"),
        ({"links": [{"trace_id": "ab" * 16}]}, "span_id"),
        ({"colour": "red"}, "colour"),
        ({"trace": {"sesion": "s"}}, "sesion"),
        ({"start_ns": None, "state": {"a": 1}}, "state needs a time"),
        ({"input_tokens": -1}, "$.input_tokens"),
    ],
    ids=str,
)
def test_one_wrong_item_and_none_is_taken(daemon: Any, wrong: dict[str, Any], reason: str) -> None:
    status, answer, _ = send(daemon, [item(0), item(1, **wrong), item(2)])
    assert status == 422
    assert answer["error"] == "1 of 3 spans can't be taken, so none was"
    ((fault),) = answer["errors"]
    assert fault["index"] == 1
    assert reason in fault["reason"]
    assert daemon.stored() == []


def test_all_wrong_items_are_counted_and_a_hundred_named(daemon: Any) -> None:
    status, answer, _ = send(daemon, [{"span_id": 7}] * 250 + [item(0)])
    assert (status, answer["error"]) == (422, "250 of 251 spans can't be taken, so none was")
    assert [fault["index"] for fault in answer["errors"]] == list(range(100))


@pytest.mark.parametrize("body", [b"", b"{", b"7", b"{}", b'{"spans": 7}', b"\xff", b"[" * 100_000], ids=ascii)
def test_what_is_no_batch_is_400(daemon: Any, body: bytes) -> None:
    status, answer, _ = send(daemon, body)
    assert status == 400
    assert "spans" in answer["error"]


def test_hostile_values_are_kept_as_text_or_refused(daemon: Any, reader: StoreReader) -> None:
    deep = b"[" * 300 + b"]" * 300
    body = json.dumps([item(0, input=2**70, output="DEEP")]).encode().replace(b'"DEEP"', deep)
    assert send(daemon, body)[0] == 200
    payload = next(payload for _, payload in reader.payloads(bytes.fromhex(TRACE_ID)))
    assert payload.input in (str(2**70), float(2**70))
    assert send(daemon, [item(1, name="\ud800")])[0] == 400  # no text at all: not even its item can be told


def test_bounds(daemon: Any) -> None:
    too_many = b"[" + b",".join([b"{}"] * (json_spans.MAX_SPANS + 1)) + b"]"
    assert send(daemon, too_many)[0] == 413
    assert send(daemon, b"[" + b" " * 21 * 1024 * 1024 + b"]")[0] == 413
    assert send(daemon, [item(0)], Content_Type="text/plain")[0] == 415


def test_behind_is_429_with_a_time_to_come_back(daemon: Any) -> None:
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 50_000
    status, answer, headers = send(daemon, [item(0)])
    with intake._changed:
        intake._spans -= 50_000
    assert (status, headers["Retry-After"]) == (429, "1")
    assert "full" in answer["error"]


@pytest.mark.expects_log
def test_a_store_that_cannot_be_written_is_503(daemon: Any, program: Any, until: Any) -> None:
    hidden = daemon.places.store.rename(daemon.places.store.with_name("moved.db"))
    program.batch(1, build_trace("a").parts)
    until(lambda: daemon.status.problem is not None)
    status, answer, headers = send(daemon, [item(0)])
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "was deleted" in answer["error"]
    hidden.rename(daemon.places.store)
    program.acknowledged(1)


def test_secrets_are_taken_out_here_too(daemon: Any, reader: StoreReader) -> None:
    assert send(daemon, [item(0, input={"pass\u0077ord": "hunter2"})])[0] == 200
    payload = next(payload for _, payload in reader.payloads(bytes.fromhex(TRACE_ID)))
    assert payload.input == {"password": "[redacted:name]"}


def test_what_is_said_of_a_trace_stands_once() -> None:
    body = json.dumps({"trace_id": TRACE_ID, "name": "n", "tags": ["t"], "spans": [{"span_id": SPAN_ID}] * 2}).encode()
    first, second = json_spans.decode_batch(body)
    assert (first.trace, second.trace) == (TraceInfo(name="n", tags=("t",)), None)
