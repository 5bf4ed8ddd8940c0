"""OTLP's gRPC services on a private socket. Imported when the first client connects: grpcio takes 11 MB and 80 ms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

import grpc

from traceview_agent import otlp_answers as answers

# OTLP specification: 4 MiB, after decompression.
MAX_MESSAGE: Final = 4 * 1024 * 1024
_WORKERS: Final = 8
_STOP_SECONDS: Final = 1.0
_PACKAGE: Final = "opentelemetry.proto.collector"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class Failure(Exception):
    """Ends a call with a google.rpc.Code; `again` tells the client to come back in a second."""

    def __init__(self, code: int, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.code, self.again = code, again


class GrpcService:
    """`export` gets a request's bytes and its metadata on a worker thread, and returns the answer's bytes or fails."""

    def __init__(self, address: str, export: Callable[[bytes, Mapping[str, str]], bytes]) -> None:
        self._export = export
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._workers,
            # No grpc.max_concurrent_streams: with it grpcio 1.85 refuses streams at random, far below the limit. What
            # waits for a worker is held back by HTTP/2's flow control.
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_metadata_size", 16 * 1024),
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers(
            (
                _service(f"{_PACKAGE}.trace.v1.TraceService", self._traces),
                _service(f"{_PACKAGE}.logs.v1.LogsService", self._nothing),
                _service(f"{_PACKAGE}.metrics.v1.MetricsService", self._nothing),
            )
        )
        self.port: int = self._server.add_insecure_port(address)
        self._server.start()

    def stop(self) -> None:
        """Lets calls under way end, for a second at most; blocks meanwhile."""
        self._server.stop(_STOP_SECONDS).wait()
        self._workers.shutdown()

    def _traces(self, request: bytes, context: Any) -> bytes:
        try:
            return self._export(request, dict(context.invocation_metadata()))
        except Failure as failure:
            _abort(context, failure)

    def _nothing(self, request: bytes, context: Any) -> bytes:
        """Logs and metrics are taken and not kept, as over HTTP."""
        return answers.encode_answer(answers.PROTOBUF)


def _service(name: str, export: Callable[[bytes, Any], bytes]) -> Any:
    # No (de)serializers: our decoder reads the bytes as they came.
    handler = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(name, {"Export": handler})


def _abort(context: Any, failure: Failure) -> NoReturn:
    if failure.again:
        details = answers.encode_status_with_retry(failure.code, str(failure), seconds=1)
        context.set_trailing_metadata((("grpc-status-details-bin", details),))
    context.abort(_CODES[failure.code], str(failure))
    raise AssertionError("abort() raises")
