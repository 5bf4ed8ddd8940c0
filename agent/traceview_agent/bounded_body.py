"""Reads an HTTP body piece by piece, decompressing as it comes, and never holds more than a limit."""

from __future__ import annotations

import zlib
from typing import Final

_PIECE: Final = 256 * 1024
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class BodyTooLarge(Exception):
    """The body is longer than the limit once decompressed."""


class BodyDamaged(Exception):
    """The body is not what its Content-Encoding says; the message says how."""


class UnknownEncoding(Exception):
    """The Content-Encoding is none of gzip, deflate and identity."""


class BoundedBody:
    """Collects a body: `feed` what arrives, then `finish`. A zip bomb is refused after `limit` bytes, not expanded."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._encoding = encoding.strip().lower() or "identity"
        if self._encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise UnknownEncoding(encoding)
        self._limit = limit
        self._body = bytearray()
        self._inflater: zlib._Decompress | None = None

    @property
    def size(self) -> int:
        """Bytes collected so far, decompressed."""
        return len(self._body)

    def feed(self, piece: bytes) -> None:
        """Adds what arrived; raises BodyTooLarge or BodyDamaged."""
        if self._encoding == "identity":
            self._add(piece)
            return
        try:
            self._inflate(piece)
        except zlib.error as error:
            raise BodyDamaged(f"the body is not {self._encoding}: {error}") from error

    def finish(self) -> bytes:
        """The whole body; raises BodyDamaged where a compressed one stops short."""
        if self._inflater is not None and not self._inflater.eof:
            raise BodyDamaged(f"the {self._encoding} body ends too early")
        return bytes(self._body)

    def _inflate(self, piece: bytes) -> None:
        while piece:
            if self._inflater is None or self._inflater.eof:  # gzip may hold several members
                self._inflater = zlib.decompressobj(self._window(piece))
            self._add(self._inflater.decompress(piece, _PIECE))
            piece = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail

    def _window(self, piece: bytes) -> int:
        if self._encoding != "deflate":
            return _GZIP
        # RFC 9110 means zlib's format by "deflate", but some clients send the bare stream.
        return _ZLIB if piece[0] & 0x0F == 8 else _RAW

    def _add(self, piece: bytes) -> None:
        if len(self._body) + len(piece) > self._limit:
            raise BodyTooLarge
        self._body += piece
