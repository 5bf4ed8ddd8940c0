"""`POST /api/v1/spans/batch`: spans in plain JSON, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from traceview.formats.otlp import DecodedRequest
from traceview_agent import json_spans
from traceview_agent.admission import Admission, TurnedAway
from traceview_agent.http_bodies import Bodies, Refused, turned_away
from traceview_agent.intake import Intake
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction

NAME: Final = "json"


class SpanBatch:
    """The way in for scripts that have no OpenTelemetry at hand."""

    def __init__(
        self, intake: Intake, meters: Meters, redaction: Redaction, bodies: Bodies, problem: Callable[[], str | None]
    ) -> None:
        self._meters, self._redaction, self._bodies = meters, redaction, bodies
        self._admission = Admission(NAME, intake, meters, problem)

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Takes its path."""
        router.add_post("/api/v1/spans/batch", self._post)

    async def _post(self, request: web.Request) -> web.Response:
        try:
            if request.content_type != "application/json":
                raise Refused(415, "unsupported", f"content type {request.content_type}: send application/json")
            async with self._bodies.read(request) as body:
                stored = await self._store(body)
        except json_spans.BadItems as bad:
            self._meters.add_refused(NAME, "undecodable")
            return _json(422, {"error": str(bad), "errors": bad.faults})
        except Refused as refused:
            self._meters.add_refused(NAME, refused.reason)
            return _json(refused.status, {"error": str(refused)}, refused.headers)
        if stored.rejected:
            return _json(500, {"error": stored.message})
        traces = {part.trace_id for part in stored.parts}
        spans = {(part.trace_id, part.span_id) for part in stored.parts}
        return _json(200, {"spans": len(spans), "traces": len(traces)})

    async def _store(self, body: bytes) -> DecodedRequest:
        try:
            return await self._admission.admit(len(body), partial(self._decode, body))
        except json_spans.NotSpans as error:
            raise Refused(400, "undecodable", str(error)) from error
        except json_spans.TooMany as error:
            raise Refused(413, "too-large", str(error)) from error
        except TurnedAway as away:
            raise turned_away(away) from away

    def _decode(self, body: bytes) -> DecodedRequest:
        return DecodedRequest(self._redaction.parts(json_spans.decode_batch(body)), 0, "")


def _json(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode(document)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
