"""What an OTLP client is told, in its own encoding: ExportTraceServiceResponse, or google.rpc.Status for errors."""

from __future__ import annotations

import json
from typing import Final

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

# google.rpc.Code (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto)
INVALID_ARGUMENT: Final = 3
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14
UNAUTHENTICATED: Final = 16

_CODES: Final = {
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: RESOURCE_EXHAUSTED,
    503: UNAVAILABLE,
}


def code_of(status: int) -> int:
    """The google.rpc.Code that belongs to an HTTP status."""
    return _CODES.get(status, INVALID_ARGUMENT)


def encode_answer(media: str, rejected: int = 0, message: str = "") -> bytes:
    """ExportTraceServiceResponse; partial_success only where spans were refused or there is something to say.

    The same bytes answer logs and metrics, whose responses differ in the name of the count only.
    """
    if not rejected and not message:
        return b"{}" if media == JSON else b""
    if media == JSON:
        return json.dumps({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}).encode()
    partial = _number(1, rejected) + _text(2, message)
    return _field(1, partial)


def encode_status(media: str, code: int, message: str) -> bytes:
    """google.rpc.Status, the body of every error (OTLP specification, "Failures")."""
    if media == JSON:
        return json.dumps({"code": code, "message": message}).encode()
    return _number(1, code) + _text(2, message)


def encode_status_with_retry(code: int, message: str, *, seconds: int) -> bytes:
    """google.rpc.Status with google.rpc.RetryInfo, by which gRPC clients know that and when to come again."""
    retry_info = _field(1, _number(1, seconds))
    packed = _text(1, "type.googleapis.com/google.rpc.RetryInfo") + _field(2, retry_info)
    return encode_status(PROTOBUF, code, message) + _field(3, packed)


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3]) + _varint(value) if value else b""


def _text(field: int, value: str) -> bytes:
    return _field(field, value.encode()) if value else b""


def _field(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
