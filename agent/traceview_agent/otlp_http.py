"""The way in for everything that speaks OpenTelemetry over HTTP: OTLP in protobuf and JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import web

from traceview.formats import FormatError
from traceview.formats.otlp import DecodedRequest, decode_request
from traceview_agent import otlp_answers as answers
from traceview_agent.admission import Admission, TurnedAway
from traceview_agent.http_bodies import Bodies, Refused, turned_away
from traceview_agent.intake import Intake
from traceview_agent.meters import Meters
from traceview_agent.otlp_bounds import TooDense, check_density
from traceview_agent.redaction import Redaction

NAME: Final = "otlp-http"
_SIGNALS: Final = ("/v1/traces", "/v1/logs", "/v1/metrics")


class OtlpHttp:
    """Answers POST …/v1/traces, and takes logs and metrics without keeping them."""

    def __init__(
        self,
        intake: Intake,
        meters: Meters,
        redaction: Redaction,
        bodies: Bodies,
        problem: Callable[[], str | None],
    ) -> None:
        self._meters, self._redaction, self._bodies = meters, redaction, bodies
        self._admission = Admission(NAME, intake, meters, problem)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Takes every path, since exporters put prefixes before theirs."""
        router.add_post("/{path:.*}", self._post)

    async def _post(self, request: web.Request) -> web.Response:
        media = request.content_type if request.content_type == answers.PROTOBUF else answers.JSON
        try:
            body = await self._answer(request, media)
        except Refused as refused:
            self._meters.add_refused(NAME, refused.reason)
            body = answers.encode_status(media, answers.code_of(refused.status), str(refused))
            return web.Response(status=refused.status, body=body, content_type=media, headers=refused.headers)
        return web.Response(body=body, content_type=media)

    async def _answer(self, request: web.Request, media: str) -> bytes:
        if not request.path.endswith(_SIGNALS):
            raise Refused(404, "unsupported", f"there is nothing at {request.path}: post to /v1/traces")
        if request.content_type not in (answers.PROTOBUF, answers.JSON):
            message = f"content type {request.content_type} is not OTLP: send {answers.PROTOBUF} or {answers.JSON}"
            raise Refused(415, "unsupported", message)
        async with self._bodies.read(request) as body:
            if not request.path.endswith("/v1/traces"):
                return answers.encode_answer(media)
            try:
                decode = partial(decode_clean, self._redaction, body, request.content_type)
                decoded = await self._admission.admit(len(body), decode)
            except FormatError as error:
                raise Refused(400, "undecodable", str(error)) from error
            except TooDense as error:
                raise Refused(413, "too-large", str(error)) from error
            except TurnedAway as away:
                raise turned_away(away) from away
        return answers.encode_answer(media, decoded.rejected, decoded.message)


def decode_clean(redaction: Redaction, body: bytes, content_type: str) -> DecodedRequest:
    """The spans of an OTLP request, without secrets; raises FormatError, or TooDense."""
    if content_type == answers.PROTOBUF:
        check_density(body)
    decoded = decode_request(body, content_type)
    if content_type == answers.PROTOBUF and not redaction.suspicious(body):
        return decoded
    return DecodedRequest(redaction.parts(decoded.parts), decoded.rejected, decoded.message)
