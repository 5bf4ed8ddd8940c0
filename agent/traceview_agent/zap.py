"""Says to libzmq which clients of a CURVE socket may come in (ZAP, https://rfc.zeromq.org/spec/27/)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

import zmq
import zmq.asyncio

log = logging.getLogger(__name__)

DOMAIN: Final = b"traceview"
_VERSION: Final = b"1.0"
_CURVE: Final = b"CURVE"
_FRAMES: Final = 7


class Doorkeeper:
    """Serves one ZeroMQ context. Starts before its sockets bind: without it libzmq lets everybody in."""

    def __init__(
        self, context: zmq.asyncio.Context, allow: Callable[[bytes], bool], refused: Callable[[], None]
    ) -> None:
        self._allow, self._refused = allow, refused
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind("inproc://zeromq.zap.01")
        self._task = asyncio.create_task(self._answer(), name="zeromq doorkeeper")

    async def close(self) -> None:
        """Lets nobody in any more; safe twice."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._socket.close(linger=0)

    async def _answer(self) -> None:
        while True:
            frames = await self._socket.recv_multipart()
            request = frames[1] if len(frames) > 1 else b""
            try:
                allowed = await self._judge(frames)
            except Exception:
                log.exception("a client's key could not be looked up: it is not let in")
                allowed = False
            if not allowed:
                self._refused()
            verdict = (b"200", b"OK") if allowed else (b"400", b"unknown key")
            await self._socket.send_multipart([_VERSION, request, *verdict, b"", b""])

    async def _judge(self, frames: list[bytes]) -> bool:
        # version, request, domain, address, identity, mechanism, credentials …
        if len(frames) != _FRAMES or frames[0] != _VERSION or frames[2] != DOMAIN or frames[5] != _CURVE:
            return False
        return await asyncio.to_thread(self._allow, frames[6])
