"""Who may speak HTTP to the daemon: programs of this machine, not what web pages elsewhere make a browser send."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from traceview_agent.meters import Meters

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Refuses requests for other host names (DNS rebinding) and from pages of other origins, with 403."""

    def __init__(self, receiver: str, meters: Meters) -> None:
        self._receiver, self._meters = receiver, meters

    def middleware(self) -> Middleware:
        """As aiohttp wants it."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            objection = _objection(request)
            if objection is not None:
                self._meters.add_refused(self._receiver, "forbidden")
                raise web.HTTPForbidden(text=f"{objection}\n")
            return await handler(request)

        return check


def _objection(request: web.Request) -> str | None:
    host = request.headers.get("Host", "")
    if not _is_local("//" + host):
        return f"the host {host!r} is not this machine: use http://127.0.0.1"
    origin = request.headers.get("Origin")
    if origin is not None and not _is_local(origin):
        return f"pages of {origin!r} may not speak to this daemon"
    # What a page makes a browser fetch without an Origin: pictures, scripts, links.
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return "pages of other sites may not speak to this daemon"
    return None


def _is_local(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOCAL_HOSTS
    except ValueError:
        return False
