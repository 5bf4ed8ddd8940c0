"""The daemon's HTTP server: one port for OTLP and for whatever else can be asked over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from traceview.protocol.control import Receiver
from traceview_agent.http_guard import Guard
from traceview_agent.loopback import listen_beyond, listen_on_loopback, why_not
from traceview_agent.opening import Opening

_STRANGERS_FAULT: Final = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Not worth a line: bytes that are no HTTP (answered with 400), and clients that leave halfway."""
    return not (record.exc_info and isinstance(record.exc_info[1], _STRANGERS_FAULT))


_server_log = logging.getLogger(f"{__name__}.server")
_server_log.addFilter(_is_our_fault)


class Pages(Protocol):
    """Something that answers at some paths."""

    def add_to(self, router: web.UrlDispatcher) -> None: ...


class HttpServer:
    """Serves pages on 127.0.0.1 and ::1, and where the daemon is opened to. The first page that takes a path wins."""

    def __init__(self, port: int, guard: Guard, pages: Sequence[Pages], opening: Opening | None = None) -> None:
        self._port, self._opening = port, opening
        self._guard, self._pages = guard, pages
        self._runner: web.AppRunner | None = None
        self._sites: list[web.SockSite] = []
        self.receiver = Receiver(name="otlp-http", address=f"http://127.0.0.1:{port}")

    async def start(self) -> None:
        """Listens on the loopback, and beyond it if asked to; where the port is taken `receiver.error` says so."""
        far = self._opening
        try:
            listeners = listen_on_loopback(self._port) if far is None else listen_beyond(far.address, self._port)
        except OSError as error:
            self.receiver = msgspec.structs.replace(self.receiver, error=why_not(self._port, error))
            return
        app = web.Application(middlewares=[self._guard.middleware()])
        for pages in self._pages:
            pages.add_to(app.router)
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
        address = f"http://127.0.0.1:{port}" + (f" and http://{far.host}:{port}" if far is not None else "")
        self.receiver = msgspec.structs.replace(self.receiver, address=address)

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
