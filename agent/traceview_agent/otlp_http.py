"""The way in for everything that speaks OpenTelemetry: OTLP over HTTP on the loopback, protobuf and JSON."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from traceview.formats import FormatError
from traceview.formats.otlp import DecodedRequest, decode_request
from traceview.protocol.control import Receiver
from traceview.protocol.version import VERSION
from traceview_agent import otlp_answers as answers
from traceview_agent.bounded_body import BodyDamaged, BodyTooLarge, BoundedBody, UnknownEncoding
from traceview_agent.intake import Intake, Load, Outcome, Stored
from traceview_agent.loopback import listen_on_loopback, local_only, why_not
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction

# OTLP specification: at most 20 MiB after decompression; all bodies under way together may hold this much.
MAX_BODY: Final = 20 * 1024 * 1024
_MAX_BODIES: Final = 128 * 1024 * 1024
_BODY_SECONDS: Final = 60.0
# Exporters give up after ten seconds; an answer just before lets them try again instead.
_COMMIT_SECONDS: Final = 8.0
_RETRY_SECONDS: Final = 1
_STRANGERS_FAULT: Final = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
_SIGNALS: Final = ("/v1/traces", "/v1/logs", "/v1/metrics")


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Not worth a line: bytes that are no HTTP (answered with 400), and clients that leave halfway."""
    return not (record.exc_info and isinstance(record.exc_info[1], _STRANGERS_FAULT))


_server_log = logging.getLogger(f"{__name__}.server")
_server_log.addFilter(_is_our_fault)


class _Refusal(Exception):
    """Ends a request with an HTTP status and google.rpc.Status."""

    def __init__(self, http: int, code: int, message: str) -> None:
        super().__init__(message)
        self.http, self.code, self.message = http, code, message


class OtlpHttpReceiver:
    """Serves POST …/v1/traces. `problem` says why the store can't be written, or None."""

    def __init__(
        self, port: int, intake: Intake, meters: Meters, redaction: Redaction, problem: Callable[[], str | None]
    ) -> None:
        self._port = port
        self._intake, self._meters, self._redaction = intake, meters, redaction
        self._problem = problem
        self._held = 0
        self._runner: web.AppRunner | None = None
        self._sites: list[web.SockSite] = []
        self.receiver = Receiver(name="otlp-http", address=f"http://127.0.0.1:{port}")

    async def start(self) -> None:
        """Listens on 127.0.0.1 and, where there is one, ::1; where the port is taken `receiver.error` says so."""
        try:
            listeners = listen_on_loopback(self._port)
        except OSError as error:
            self.receiver = msgspec.structs.replace(self.receiver, error=why_not(self._port, error))
            return
        app = web.Application(middlewares=[local_only])
        app.router.add_get("/health", self._health)
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_server_log,
            handle_signals=False,
            auto_decompress=False,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        for listener in listeners:
            site = web.SockSite(self._runner, listener)
            await site.start()
            self._sites.append(site)
        port = listeners[0].getsockname()[1]
        self.receiver = msgspec.structs.replace(self.receiver, address=f"http://127.0.0.1:{port}")

    async def pause(self) -> None:
        """Takes no new connections; requests under way are still answered."""
        for site in self._sites:
            await site.stop()
        self._sites.clear()

    async def stop(self) -> None:
        """Closes every connection; safe twice."""
        await self.pause()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, request: web.Request) -> web.Response:
        problem = self._problem()
        about = {"service": "traceview-agent", "version": VERSION, "pid": os.getpid(), "problem": problem}
        return web.json_response(about, status=200 if problem is None else 503)

    async def _post(self, request: web.Request) -> web.Response:
        media = request.content_type if request.content_type == answers.PROTOBUF else answers.JSON
        try:
            return await self._answer(request, media)
        except _Refusal as refusal:
            headers = {"Retry-After": str(_RETRY_SECONDS)} if refusal.code == answers.UNAVAILABLE else None
            body = answers.encode_status(media, refusal.code, refusal.message)
            return web.Response(status=refusal.http, body=body, content_type=media, headers=headers)

    async def _answer(self, request: web.Request, media: str) -> web.Response:
        if not request.path.endswith(_SIGNALS):
            raise _Refusal(404, answers.UNIMPLEMENTED, f"there is nothing at {request.path}: post to /v1/traces")
        if request.content_type not in (answers.PROTOBUF, answers.JSON):
            message = f"content type {request.content_type} is not OTLP: send {answers.PROTOBUF} or {answers.JSON}"
            raise _Refusal(415, answers.INVALID_ARGUMENT, message)
        rejected, message = 0, ""
        body = _body_of(request)
        try:
            content = await self._read(request, body)
            if request.path.endswith("/v1/traces"):
                rejected, message = await self._store(content, request.content_type)
        finally:
            self._held -= body.size
        return web.Response(body=answers.encode_answer(media, rejected, message), content_type=media)

    async def _read(self, request: web.Request, body: BoundedBody) -> bytes:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for piece in request.content.iter_any():
                    before = body.size
                    body.feed(piece)
                    self._held += body.size - before
                    if self._held > _MAX_BODIES:
                        raise _Refusal(503, answers.UNAVAILABLE, "too many large requests at once: send again later")
            return body.finish()
        except BodyTooLarge:
            raise _too_large() from None
        except BodyDamaged as error:
            raise _Refusal(400, answers.INVALID_ARGUMENT, str(error)) from error
        except TimeoutError:
            raise _Refusal(408, answers.INVALID_ARGUMENT, "the body did not arrive in time") from None

    async def _store(self, body: bytes, content_type: str) -> tuple[int, str]:
        """Decodes, queues and waits for the commit; returns how many spans were refused and why."""
        problem = self._problem()
        if problem is not None:
            raise _Refusal(503, answers.UNAVAILABLE, problem)
        try:
            # Twenty megabytes take a second to decode: not on the loop.
            decoded = await asyncio.to_thread(self._decode, body, content_type)
        except FormatError as error:
            raise _Refusal(400, answers.INVALID_ARGUMENT, str(error)) from error
        self._meters.add_rejected(decoded.rejected)
        if not decoded.parts:
            return decoded.rejected, decoded.message
        committed: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        load = Load(decoded.parts, len(body), lambda outcome: _resolve(committed, outcome), "OTLP/HTTP")
        if not self._intake.offer(load):
            raise _Refusal(503, answers.UNAVAILABLE, "the daemon's queue is full: send again later")
        try:
            outcome = await asyncio.wait_for(committed, _COMMIT_SECONDS)
        except TimeoutError:
            raise _Refusal(503, answers.UNAVAILABLE, self._problem() or "the store is slow: send again later") from None
        if not isinstance(outcome, Stored):
            raise _Refusal(503, answers.UNAVAILABLE, "the daemon stops: send again later")
        if outcome.rejected:
            return decoded.rejected + outcome.rejected, decoded.message or "some spans can't be stored"
        return decoded.rejected, decoded.message

    def _decode(self, body: bytes, content_type: str) -> DecodedRequest:
        """The spans of a request, without secrets."""
        decoded = decode_request(body, content_type)
        if content_type == answers.PROTOBUF and not self._redaction.suspicious(body):
            return decoded
        return DecodedRequest(self._redaction.parts(decoded.parts), decoded.rejected, decoded.message)


def _body_of(request: web.Request) -> BoundedBody:
    if (request.content_length or 0) > MAX_BODY:
        raise _too_large()
    try:
        return BoundedBody(request.headers.get("Content-Encoding", ""), MAX_BODY)
    except UnknownEncoding as error:
        message = f"content encoding {error} is not understood: use gzip, deflate or none"
        raise _Refusal(415, answers.INVALID_ARGUMENT, message) from error


def _too_large() -> _Refusal:
    return _Refusal(413, answers.INVALID_ARGUMENT, f"the body is longer than {MAX_BODY} bytes: send smaller batches")


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
