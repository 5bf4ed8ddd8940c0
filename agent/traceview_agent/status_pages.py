"""`GET /health` and `GET /metrics`: whether the daemon is well, for people, scripts and Prometheus."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from aiohttp import web

from traceview.protocol.version import VERSION
from traceview_agent.metrics import Metrics


class StatusPages:
    """Both pages. `problem` says why the store can't be written, or None."""

    def __init__(self, metrics: Metrics, problem: Callable[[], str | None]) -> None:
        self._metrics, self._problem = metrics, problem

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Takes their paths."""
        router.add_get("/health", self._health)
        router.add_get("/metrics", self._scrape)

    async def _health(self, request: web.Request) -> web.Response:
        problem = self._problem()
        about = {"service": "traceview-agent", "version": VERSION, "pid": os.getpid(), "problem": problem}
        return web.json_response(about, status=200 if problem is None else 503)

    async def _scrape(self, request: web.Request) -> web.Response:
        page, content_type = await asyncio.to_thread(self._metrics.page, request.headers.get("Accept", ""))
        return web.Response(body=page, headers={"Content-Type": content_type})
