"""Files and wire formats of others, into our records and back. Content decides what a file is, never its name."""

from traceview.formats.errors import Cancelled, FormatError
from traceview.formats.otlp import DecodedRequest, decode_request, encode_json, write_json
from traceview.formats.reader import PartStream, is_store, open_parts
from traceview.formats.tally import Tally

__all__ = [
    "Cancelled",
    "DecodedRequest",
    "FormatError",
    "PartStream",
    "Tally",
    "decode_request",
    "encode_json",
    "is_store",
    "open_parts",
    "write_json",
]
