"""Trace and span ids as exporters write them: hex, base64, short, long or plainly wrong, always to our fixed sizes."""

from __future__ import annotations

import base64
import binascii
import hashlib

from traceview.protocol.records import SPAN_ID_BYTES, TRACE_ID_BYTES


def trace_id_of(value: object) -> bytes | None:
    """The 16 bytes of a trace id given as text or bytes; None where there is none (empty or all zero)."""
    return _sized(value, TRACE_ID_BYTES)


def span_id_of(value: object) -> bytes | None:
    """The 8 bytes of a span id given as text or bytes; None where there is none (empty or all zero)."""
    return _sized(value, SPAN_ID_BYTES)


def _sized(value: object, size: int) -> bytes | None:
    if not value:
        return None
    raw = _from_text(value, size) if isinstance(value, str) else value
    if not isinstance(raw, bytes):
        raise ValueError(f"{value!r} is no id")
    if len(raw) < size:
        raw = raw.rjust(size, b"\0")
    elif len(raw) > size:
        raw = _digest(raw, size)
    return raw if any(raw) else None


def _from_text(text: str, size: int) -> bytes:
    # Hex is valid base64, so it goes first; 16 and 8 bytes in base64 are 24 and 12 characters and end with "=".
    if len(text) <= 2 * size:
        try:
            return bytes.fromhex(text if len(text) % 2 == 0 else "0" + text)
        except ValueError:
            pass
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    # An id in no known spelling still names a span: the same text gives the same bytes, so that parents are found.
    return raw if len(raw) == size else _digest(text.encode(), size)


def _digest(raw: bytes, size: int) -> bytes:
    return hashlib.blake2b(raw, digest_size=size).digest()
