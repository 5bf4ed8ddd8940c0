"""The bodies of HTTP requests, decompressed: each within a bound, and all that are under way within another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from traceview_agent.admission import TurnedAway
from traceview_agent.bounded_body import BodyDamaged, BodyTooLarge, BoundedBody, UnknownEncoding
from traceview_agent.meters import Refusal

# OTLP specification: at most 20 MiB after decompression; all bodies under way together may hold this much.
MAX_BODY: Final = 20 * 1024 * 1024
_MAX_BODIES: Final = 128 * 1024 * 1024
_BODY_SECONDS: Final = 60.0


class Refused(Exception):
    """Ends a request with an HTTP status; the message is one sentence, `retry` that it may come again."""

    def __init__(self, status: int, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason: Refusal = reason

    @property
    def headers(self) -> dict[str, str]:
        """Retry-After (in seconds) where the request may come again."""
        return {"Retry-After": "1"} if self.status in (429, 503) else {}


def turned_away(away: TurnedAway) -> Refused:
    """What a request is told that may come again: 429 while the daemon is behind, 503 while it can't store."""
    return Refused(429 if away.reason == "behind" else 503, away.reason, str(away))


class Bodies:
    """Reads bodies; those under way share one bound."""

    def __init__(self) -> None:
        self._held = 0

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """The whole body, whose room is given back at the end of the block; raises Refused."""
        body = _body_of(request)
        try:
            yield await self._collect(request, body)
        finally:
            self._held -= body.size

    async def _collect(self, request: web.Request, body: BoundedBody) -> bytes:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in request.content.iter_any():
                    before = body.size
                    body.feed(piece)
                    self._held += body.size - before
                    if self._held > _MAX_BODIES:
                        raise Refused(429, "behind", "too many large requests at once: send again later")
            return body.finish()
        except BodyTooLarge:
            raise _too_large() from None
        except BodyDamaged as error:
            raise Refused(400, "undecodable", str(error)) from error
        except TimeoutError:
            raise Refused(408, "timeout", "the body did not arrive in time") from None


def _body_of(request: web.Request) -> BoundedBody:
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    try:
        return BoundedBody(request.headers.get("Content-Encoding", ""), MAX_BODY)
    except UnknownEncoding as error:
        message = f"content encoding {error} is not understood: use gzip, deflate or none"
        raise Refused(415, "unsupported", message) from error


def _too_large() -> Refused:
    return Refused(413, "too-large", f"the body is longer than {MAX_BODY} bytes: send smaller batches")
