"""Who may speak HTTP to the daemon: programs of this machine, others with the token, and no web page of elsewhere."""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from traceview_agent.loopback import is_near
from traceview_agent.meters import Meters

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Refuses requests for other host names (DNS rebinding) and from pages of other origins, with 403.

    Where the daemon is open to other machines, a bearer `token` is asked of all that are not plainly of this one: 401.
    """

    def __init__(self, receiver: str, meters: Meters, token: str | None = None) -> None:
        self._receiver, self._meters = receiver, meters
        self._token = token

    def middleware(self) -> Middleware:
        """As aiohttp wants it."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            objection = None if self.trusts(request) else _objection(request)
            if objection is None:
                return await handler(request)
            if self._token is None:
                self._meters.add_refused(self._receiver, "forbidden")
                raise web.HTTPForbidden(text=f"{objection}\n")
            self._meters.add_refused(self._receiver, "token")
            challenge = {"WWW-Authenticate": 'Bearer realm="traceview"'}
            raise web.HTTPUnauthorized(text="send the token: Authorization: Bearer …\n", headers=challenge)

        return check

    def trusts(self, request: web.Request) -> bool:
        """Whether the request shows the token, wherever it comes from."""
        return bears(self._token, request.headers.get("Authorization", ""))


def bears(token: str | None, authorization: str) -> bool:
    """Whether an Authorization header carries the token; never where there is none."""
    scheme, _, shown = authorization.partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(shown.strip().encode(errors="replace"), token.encode())


def _objection(request: web.Request) -> str | None:
    if not is_near(request.remote or "::"):
        return "only programs of this machine may speak to this daemon"
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
