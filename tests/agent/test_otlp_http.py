"""OTLP over HTTP as exporters, other languages, browsers and attackers speak it."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from traceview.protocol.places import find_places
from traceview.store.driver import driver

TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def request(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def span(**fields: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000"}
    return {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "call", **times, **fields}


class Client:
    """HTTP by hand: nothing is added or checked on the way."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc

    def post(self, body: bytes, *, path: str = "/v1/traces", kind: str | None = JSON, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, body, ({"Content-Type": kind} if kind else {}) | sent)

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        connection = http.client.HTTPConnection(self._netloc, timeout=20)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            answer.content = answer.read()
            return answer
        finally:
            connection.close()


@pytest.fixture
def client(daemon: Any) -> Client:
    return Client(daemon.url)


@contextmanager
def locked_store() -> Iterator[None]:
    """Holds SQLite's write lock, as another program with the file open could."""
    connection = driver().connect(str(find_places().store), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("compression", list(Compression))
def test_the_real_exporter_is_understood(daemon: Any, compression: Compression) -> None:
    provider = TracerProvider()
    provider.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(f"{daemon.url}/v1/traces", compression=compression))
    )
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    provider.shutdown()
    assert daemon.stored() == ["inner", "outer"]
    assert daemon.status.spans == 2


def test_a_batching_exporter_delivers_all(daemon: Any) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{daemon.url}/v1/traces")))
    tracer = provider.get_tracer("test")
    for number in range(1000):
        tracer.start_span(f"span {number}").end()
    provider.shutdown()
    assert len(daemon.stored()) == 1000


def test_json_is_stored_before_it_is_answered(daemon: Any, client: Client) -> None:
    answer = client.post(request(span()))
    assert (answer.status, answer.getheader("Content-Type"), answer.content) == (200, JSON, b"{}")
    assert daemon.stored() == ["call"]


def test_any_path_that_ends_in_v1_traces_will_do(daemon: Any, client: Client) -> None:
    assert client.post(request(span()), path="/api/public/otel/v1/traces").status == 200
    assert daemon.stored() == ["call"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("identity", bytes),
    ],
    ids=["gzip", "two gzip members", "zlib", "bare deflate", "identity"],
)
def test_compressed_bodies_are_read(daemon: Any, client: Client, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert client.post(pack(request(span())), Content_Encoding=encoding).status == 200
    assert daemon.stored() == ["call"]


def test_a_chunked_body_is_read(daemon: Any, client: Client) -> None:
    body = request(span())
    pieces = iter([body[:10], body[10:50], body[50:]])
    headers = {"Content-Type": "application/json; charset=utf-8", "Transfer-Encoding": "chunked"}
    assert client.send("POST", "/v1/traces", pieces, headers).status == 200
    assert daemon.stored() == ["call"]


def test_spans_that_cannot_be_kept_are_a_partial_success(daemon: Any, client: Client) -> None:
    answer = client.post(request(span(), span(spanId="")))
    partial = json.loads(answer.content)["partialSuccess"]
    assert answer.status == 200
    assert partial["rejectedSpans"] == "1"
    assert partial["errorMessage"]
    assert daemon.stored() == ["call"]
    assert daemon.status.rejected == 1


def test_a_partial_success_in_protobuf_can_be_parsed(daemon: Any, client: Client) -> None:
    # resource_spans { scope_spans { spans { trace_id: "x" } } }
    answer = client.post(b"\x0a\x07\x12\x05\x12\x03\x0a\x01x", kind=PROTOBUF)
    parsed = ExportTraceServiceResponse.FromString(answer.content)
    assert (answer.status, answer.getheader("Content-Type")) == (200, PROTOBUF)
    assert parsed.partial_success.rejected_spans == 1
    assert parsed.partial_success.error_message


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_an_empty_request_is_a_success(client: Client, kind: str) -> None:
    answer = client.post(b"" if kind == PROTOBUF else b"{}", kind=kind)
    assert (answer.status, answer.content) == (200, b"" if kind == PROTOBUF else b"{}")


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics", "/x/v1/logs"])
def test_logs_and_metrics_are_accepted_and_dropped(daemon: Any, client: Client, path: str) -> None:
    assert client.post(b"\x0a\x00", path=path, kind=PROTOBUF).status == 200
    assert daemon.stored() == []


@pytest.mark.parametrize(
    ("body", "kind", "headers"),
    [
        (b"{", JSON, {}),
        (b"\xff\xff\xff", PROTOBUF, {}),
        (b"not gzip", JSON, {"Content-Encoding": "gzip"}),
        (b"\x07 not deflate", JSON, {"Content-Encoding": "deflate"}),
        (gzip.compress(b"{}" * 100, mtime=0)[:-12], JSON, {"Content-Encoding": "gzip"}),
        (b'{"resourceSpans": ' + b"[" * 100_000, JSON, {}),
    ],
    ids=["json", "protobuf", "gzip", "deflate", "cut gzip", "depth"],
)
def test_what_cannot_be_decoded_is_400_with_a_reason(
    daemon: Any, client: Client, body: bytes, kind: str, headers: dict[str, str]
) -> None:
    answer = client.send("POST", "/v1/traces", body, {"Content-Type": kind, **headers})
    assert (answer.status, answer.getheader("Content-Type")) == (400, kind)
    if kind == JSON:
        status = json.loads(answer.content)
        assert status["code"] == 3
        assert status["message"]
    else:
        assert answer.content.startswith(b"\x08\x03\x12")  # google.rpc.Status {code: 3, message: …}
    assert daemon.stored() == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_other_content_types_are_415(client: Client, kind: str | None) -> None:
    assert client.post(request(span()), kind=kind).status == 415


def test_other_encodings_are_415(client: Client) -> None:
    assert client.post(request(span()), Content_Encoding="br").status == 415


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_413(daemon: Any, client: Client, encoding: str) -> None:
    bomb = (gzip.compress if encoding == "gzip" else zlib.compress)(bytes(64 * 1024 * 1024))
    assert len(bomb) < 100_000
    answer = client.post(bomb, Content_Encoding=encoding)
    assert answer.status == 413
    assert json.loads(answer.content)["message"]
    assert client.post(request(span())).status == 200


def test_a_long_body_is_413_with_and_without_its_length(client: Client) -> None:
    megabyte = bytes(1024 * 1024)
    declared = {"Content-Type": JSON, "Content-Length": str(21 * 1024 * 1024), "Expect": "100-continue"}
    assert client.send("POST", "/v1/traces", b"", declared).status == 413
    with socket.create_connection(urlsplit(f"http://{client._netloc}").netloc.split(":"), 20) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(21):
            raw.sendall(b"100000\r\n" + megabyte + b"\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 413")


def nested(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds a message."""
    size, length = len(content), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content


IDS = nested(1, b"t" * 16) + nested(2, b"s" * 8)
DENSE = {
    "spans": nested(1, nested(2, nested(2, b"") * 100_001)),
    "scopes": nested(1, nested(2, b"") * 100_001),
    "resources": nested(1, b"") * 100_001,
    "attributes": nested(1, nested(2, nested(2, IDS + nested(9, b"") * 200_001))),
    "events": nested(1, nested(2, nested(2, IDS + nested(11, b"") * 200_001))),
}


@pytest.mark.parametrize("body", DENSE.values(), ids=DENSE)
def test_what_is_small_as_bytes_and_huge_as_objects_is_413(daemon: Any, client: Client, body: bytes) -> None:
    assert len(body) < 500_000
    answer = client.post(body, kind=PROTOBUF)
    assert answer.status == 413
    assert b"send smaller batches" in answer.content


def test_large_spans_of_few_parts_are_taken(daemon: Any, client: Client) -> None:
    text = nested(9, nested(1, b"k") + nested(2, nested(1, b"x" * 3_000_000)))
    assert client.post(nested(1, nested(2, nested(2, IDS + text))), kind=PROTOBUF).status == 200
    assert client.post(nested(1, nested(2, nested(2, IDS + text) + b"\xff")), kind=PROTOBUF).status == 400


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4318", "192.168.0.7:4318", "[::2]", "localhost.evil", "[", ""]
)
def test_other_hosts_are_403(client: Client, host: str) -> None:
    assert client.post(request(span()), Host=host).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4318", "127.0.0.1:1", "[::1]:4318", "[::1]"])
def test_this_machine_is_let_in_by_any_of_its_names(client: Client, host: str) -> None:
    assert client.post(request(span()), Host=host).status == 200


def test_pages_of_other_origins_are_403(client: Client) -> None:
    assert client.post(request(span()), Origin="https://evil.example").status == 403
    assert client.post(request(span()), Origin="null").status == 403
    assert client.post(request(span()), Origin="http://localhost:3000").status == 200
    assert client.send("GET", "/health", headers={"Origin": "https://evil.example"}).status == 403
    assert client.send("GET", "/metrics", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert client.send("GET", "/metrics", headers={"Sec-Fetch-Site": "none"}).status == 200


def test_health_says_who_it_is(client: Client) -> None:
    answer = client.send("GET", "/health")
    about = json.loads(answer.content)
    assert answer.status == 200
    assert (about["service"], about["pid"], about["problem"]) == ("traceview-agent", os.getpid(), None)


def test_elsewhere_is_nothing(client: Client) -> None:
    assert client.post(request(span()), path="/v1/trace").status == 404
    assert client.send("GET", "/v1/traces").status == 405


def test_both_loopbacks_are_listened_on(daemon: Any) -> None:
    port = urlsplit(daemon.url).port
    try:
        probe = socket.create_connection(("::1", port), 5)
    except OSError:
        pytest.skip("this machine has no ::1")
    probe.close()
    assert Client(f"http://[::1]:{port}").post(request(span())).status == 200


def test_raw_garbage_does_no_harm(daemon: Any, client: Client) -> None:
    host, port = client._netloc.split(":")
    for garbage in (
        os.urandom(300),
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: -4\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), 5) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert client.post(request(span())).status == 200


def test_a_client_that_leaves_halfway_does_no_harm(daemon: Any, client: Client) -> None:
    host, port = client._netloc.split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Content-Length: 1000\r\n\r\n{")
    assert client.post(request(span())).status == 200


def test_a_broken_chunk_is_refused(daemon: Any, client: Client) -> None:
    host, port = client._netloc.split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert b" 400 " in raw.recv(1000)
    assert client.post(request(span())).status == 200


@pytest.mark.expects_log
def test_while_the_store_is_locked_nothing_is_answered_as_stored(daemon: Any, client: Client, until: Any) -> None:
    answers: list[Any] = []
    with locked_store():
        first = threading.Thread(target=lambda: answers.append(client.post(request(span()))))
        first.start()
        until(lambda: daemon.status.problem is not None, 15)
        refused = client.post(request(span(name="later")))
        assert (refused.status, refused.getheader("Retry-After")) == (503, "1")
        assert "locked" in json.loads(refused.content)["message"]
        assert client.send("GET", "/health").status == 503
    first.join()
    until(lambda: daemon.status.problem is None)
    assert client.post(request(span(spanId="0" * 15 + "1", name="afterwards"))).status == 200
    assert "afterwards" in daemon.stored()
    assert answers[0].status in (200, 503)


def test_a_queue_that_stays_full_is_429_with_a_time_to_come_back(daemon: Any, client: Client) -> None:
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 50_000
    answer = client.post(request(span()))
    with intake._changed:
        intake._spans -= 50_000
    assert (answer.status, answer.getheader("Retry-After")) == (429, "1")
    assert json.loads(answer.content)["code"] == 8


def test_a_queue_that_is_full_for_a_moment_is_waited_for(daemon: Any, client: Client, until: Any) -> None:
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 50_000
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(client.post(request(span()))))
    waiting.start()
    assert not answers
    with intake._changed:
        intake._spans -= 50_000
    waiting.join()
    assert answers[0].status == 200


@pytest.mark.expects_log
def test_a_taken_port_is_named_with_its_owner_and_the_rest_goes_on(start_daemon: Any, program: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        zeromq, otlp = start_daemon(otlp_port=port, otlp_grpc_port=0).status.receivers[:2]
    assert zeromq.error is None
    assert f"port {port} is taken" in otlp.error
    assert f"(pid {os.getpid()})" in otlp.error or not os.path.exists("/proc/net/tcp")
    assert "--otlp-port" in otlp.error
    assert program.hello()
