"""OpenTelemetry's wire format: OTLP in JSON and protobuf, into our records and (JSON) back."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from traceview.formats.errors import FormatError
from traceview.formats.otlp.fields import LENGTH, WireDamage, read_fields
from traceview.formats.otlp.from_json import parts_of_document
from traceview.formats.otlp.to_json import encode_json, write_json
from traceview.formats.tally import Tally
from traceview.protocol.records import SpanPart

__all__ = ["DecodedRequest", "decode_request", "encode_json", "write_json"]


@dataclass(frozen=True, slots=True)
class DecodedRequest:
    """The spans of one OTLP request; `rejected` of them could not be kept, `message` says why ("" when none)."""

    parts: list[SpanPart]
    rejected: int
    message: str


def decode_request(body: bytes, content_type: str) -> DecodedRequest:
    """Decodes the (uncompressed) body of a POST to /v1/traces: `application/x-protobuf` or `application/json`.

    A span that can't be kept is counted, never fatal. Raises FormatError when the body as a whole can't be read or the
    content type is another one: the caller answers 400 or 415.
    """
    mime = content_type.partition(";")[0].strip().lower()
    tally = Tally()
    if mime in ("application/x-protobuf", "application/protobuf"):
        parts = _decode_protobuf(body, tally)
    elif mime == "application/json":
        parts = _decode_json(body, tally)
    else:
        raise FormatError(f"content type {content_type!r} is not OTLP: send application/x-protobuf or application/json")
    return DecodedRequest(parts, tally.rejected, tally.message)


def _decode_protobuf(body: bytes, tally: Tally) -> list[SpanPart]:
    from traceview.formats.otlp.from_proto import parts_of_resource  # protobuf's classes cost 40 ms to import

    parts: list[SpanPart] = []
    try:
        for number, wire, payload in read_fields(body):
            if number == 1 and wire == LENGTH and isinstance(payload, bytes):
                parts.extend(parts_of_resource(payload, tally))
    except WireDamage as damage:
        raise FormatError(f"the body is not OTLP protobuf: {damage}") from damage
    return parts


def _decode_json(body: bytes, tally: Tally) -> list[SpanPart]:
    try:
        return list(parts_of_document(body, tally))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"the body is not OTLP JSON: {error}") from error
