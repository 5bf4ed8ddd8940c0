"""OTLP over gRPC: the real exporter, limits, and answers by which clients know whether to come again."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

grpc = pytest.importorskip("grpc", reason="the extra [grpc] is not installed")

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: E402

from traceview.testing import build_trace  # noqa: E402
from traceview_agent.__main__ import main  # noqa: E402

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def address(daemon: Any) -> str:
    return next(receiver.address for receiver in daemon.status.receivers if receiver.name == "otlp-grpc")


def request(count: int = 1, name: str = "call", text: str = "") -> bytes:
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number in range(1, count + 1):
        span = spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"), name=name)
        span.start_time_unix_nano, span.end_time_unix_nano = 1_790_000_000_000_000_000, 1_790_000_001_000_000_000
        if text:
            span.attributes.add(key="input").value.string_value = text
    return message.SerializeToString()


Call = Callable[..., bytes]


@pytest.fixture
def call(daemon: Any) -> Iterator[Call]:
    """Sends raw bytes to a method, returns raw bytes."""
    channel = grpc.insecure_channel(address(daemon), options=[("grpc.max_send_message_length", -1)])

    def send(body: bytes, method: str = TRACES, **options: Any) -> bytes:
        answer: bytes = channel.unary_unary(method)(body, timeout=20, **options)
        return answer

    yield send
    channel.close()


def refused(call: Call, *arguments: Any, **options: Any) -> Any:
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, **options)
    return error.value


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_real_exporter_is_understood(daemon: Any, compression: Any) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"http://{address(daemon)}", insecure=True, compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for number in range(100):
        with tracer.start_as_current_span(f"outer {number}"), tracer.start_as_current_span("inner"):
            pass
    provider.shutdown()
    assert len(daemon.stored()) == 200
    assert daemon.status.spans == 200


def test_what_is_answered_is_stored(daemon: Any, call: Call) -> None:
    assert call(request()) == b""
    assert daemon.stored() == ["call"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_read(daemon: Any, call: Call, compression: Any) -> None:
    assert call(request(20), compression=compression) == b""
    assert len(daemon.stored()) == 20


def test_an_empty_request_is_a_success(call: Call) -> None:
    assert call(b"") == b""


def test_spans_that_cannot_be_kept_are_a_partial_success(daemon: Any, call: Call) -> None:
    message = ExportTraceServiceRequest.FromString(request(2))
    message.resource_spans[0].scope_spans[0].spans[1].span_id = b""
    answer = ExportTraceServiceResponse.FromString(call(message.SerializeToString()))
    assert answer.partial_success.rejected_spans == 1
    assert answer.partial_success.error_message
    assert daemon.stored() == ["call"]


@pytest.mark.parametrize("signal", ["logs.v1.LogsService", "metrics.v1.MetricsService"])
def test_logs_and_metrics_are_accepted_and_dropped(daemon: Any, call: Call, signal: str) -> None:
    assert call(b"\x0a\x00", f"/opentelemetry.proto.collector.{signal}/Export") == b""
    assert daemon.stored() == []


def test_other_methods_are_unimplemented(call: Call) -> None:
    assert refused(call, b"", "/opentelemetry.proto.collector.trace.v1.TraceService/Import").code().name == (
        "UNIMPLEMENTED"
    )


def test_what_cannot_be_decoded_is_an_invalid_argument(daemon: Any, call: Call) -> None:
    error = refused(call, b"\xff\xff\xff")
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_four_mebibytes_are_the_limit_bombs_included(daemon: Any, call: Call, compression: Any) -> None:
    assert call(request(1, text="x" * 4_100_000), compression=compression) == b""
    error = refused(call, request(1, text="x" * 5_000_000), compression=compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(error.trailing_metadata()).get("grpc-status-details-bin") is None  # coming again is useless
    assert daemon.stored() == ["call"]


def test_what_is_small_as_bytes_and_huge_as_objects_is_refused(call: Call) -> None:
    error = refused(call, b"\x0a\x00" * 100_001)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "send smaller batches" in error.details()


def test_a_full_queue_says_when_to_come_again(daemon: Any, call: Call) -> None:
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 50_000
    error = refused(call, request())
    with intake._changed:
        intake._spans -= 50_000
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert_retry(error)
    assert call(request()) == b""


def assert_retry(error: Any) -> None:
    """google.rpc.RetryInfo as Google's own messages read it."""
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds == 1


@pytest.mark.expects_log
def test_a_store_that_cannot_be_written_is_unavailable(daemon: Any, call: Call, program: Any, until: Any) -> None:
    hidden = daemon.places.store.rename(daemon.places.store.with_name("moved.db"))
    program.batch(1, build_trace("a").parts)
    until(lambda: daemon.status.problem is not None)
    error = refused(call, request())
    hidden.rename(daemon.places.store)
    program.acknowledged(1)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "was deleted" in error.details()
    assert_retry(error)


def test_secrets_are_taken_out_here_too(daemon: Any, call: Call) -> None:
    call(request(1, text="use sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8"))
    assert daemon.status.redacted == 1


def test_many_clients_at_once(daemon: Any) -> None:
    def send(number: int) -> None:
        with grpc.insecure_channel(address(daemon)) as channel:
            for _ in range(10):
                channel.unary_unary(TRACES)(request(5, name=f"client {number}"), timeout=20)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert daemon.status.spans == 12 * 10 * 5


def test_bytes_that_are_no_grpc_do_no_harm(daemon: Any, call: Call) -> None:
    host, port = address(daemon).split(":")
    for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff"):
        with socket.create_connection((host, int(port)), 5) as raw:
            raw.sendall(garbage)
            raw.settimeout(5)
            try:
                while raw.recv(4096):
                    pass
            except (TimeoutError, ConnectionError):
                pass
    assert call(request()) == b""


def test_a_client_that_stays_connected_does_not_hold_up_the_end(daemon: Any, call: Call) -> None:
    call(request())
    daemon.stop()
    assert not (daemon.places.control.parent / "grpc.sock").exists()
    assert refused(call, request()).code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.expects_log
def test_a_taken_port_is_named_and_the_rest_goes_on(start_daemon: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receivers = {way.name: way for way in start_daemon(otlp_grpc_port=port).status.receivers}
    assert f"port {port} is taken" in receivers["otlp-grpc"].error
    assert receivers["otlp-http"].error is None


@pytest.mark.expects_log
def test_an_inner_server_that_cannot_start_is_tried_again(daemon: Any, call: Call) -> None:
    inner = daemon.places.control.parent / "grpc.sock"
    inner.mkdir()
    assert refused(call, request()).code() is grpc.StatusCode.UNAVAILABLE
    inner.rmdir()
    assert call(request(), wait_for_ready=True) == b""


def test_the_library_is_loaded_by_the_first_client_only() -> None:
    code = "import sys, traceview_agent.daemon; print('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["False"]


def test_without_the_library_the_way_is_absent_and_status_says_so(
    start_daemon: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    status = start_daemon().status
    assert "otlp-grpc" not in {receiver.name for receiver in status.receivers}
    assert status.absent == ('otlp-grpc: pip install "traceview[grpc]" brings it',)
    assert main(["status", "--verbose"]) == 0
    assert status.absent[0] in capsys.readouterr().out
    assert main(["status"]) == 0
    assert "traceview[grpc]" not in capsys.readouterr().out
