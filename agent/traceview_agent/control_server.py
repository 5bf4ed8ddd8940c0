"""Answers the verbs of protocol/control.py: one JSON line in, one JSON line out, over a private socket."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from traceview.protocol.places import Places

log = logging.getLogger(__name__)

_MAX_LINE: Final = 64 * 1024
_LINE_SECONDS: Final = 10.0
_GOODBYE_SECONDS: Final = 1.0

Verb = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """A request that can't be granted; the message is one sentence for the user."""


class ControlServer:
    """A Unix socket readable by this user; where the platform has none, a loopback port with a token."""

    def __init__(self, places: Places, verbs: Mapping[str, Verb], *, unix: bool = os.name == "posix") -> None:
        self._places = places
        self._verbs = verbs
        self._unix = unix
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.port: int | None = None
        self.token: str | None = None

    async def start(self) -> None:
        """Listens; raises OSError where that is impossible. A killed daemon's socket is replaced."""
        if self._unix:
            self._places.control.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._talk, self._places.control, limit=_MAX_LINE)
            self._places.control.chmod(0o600)
        else:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, limit=_MAX_LINE)
            self.port = self._server.sockets[0].getsockname()[1]
            self.token = secrets.token_urlsafe(32)

    async def stop(self) -> None:
        """Lets the answers under way go out, for a second at most, and closes; safe twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        if self._talks:
            _, late = await asyncio.wait(self._talks, timeout=_GOODBYE_SECONDS)
            for talk in late:
                talk.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._unix:
            self._places.control.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            answer = await self._answer(reader)
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass  # who asked has gone, or the server stops; asyncio would report a cancelled handler as an error
        finally:
            self._talks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any] | None:
        try:
            line = await asyncio.wait_for(reader.readline(), _LINE_SECONDS)
        except ValueError:
            return {"error": f"a request is one line of at most {_MAX_LINE} bytes"}
        except TimeoutError:
            return {"error": "no request came"}
        if not line:
            return None
        try:
            return await self._obey(line)
        except Refused as refused:
            return {"error": str(refused)}
        except Exception as error:
            log.exception("a control request failed")
            return {"error": f"the daemon failed at it: {type(error).__name__}: {error}"}

    async def _obey(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Refused(f"a request is one line of JSON: {error}") from error
        if not isinstance(request, dict):
            raise Refused("a request is a JSON object with a verb")
        token = request.pop("token", "")
        if self.token is not None and not hmac.compare_digest(str(token).encode(), self.token.encode()):
            raise Refused("the token is not the one in agent.json")
        verb = self._verbs.get(str(request.pop("verb", "")))
        if verb is None:
            raise Refused(f"the verbs are {', '.join(sorted(self._verbs))}")
        return await verb(request)
