"""Keeps the number of ZeroMQ connections below what the process may open.

libzmq 4.3.5 aborts the process when an `ipc://` listener gets no file descriptor (src/ipc_listener.cpp:297), and can't
bound its connections; unbinding would cut those that stand. But a Unix socket is found by its file's name: while the
file is renamed nobody new comes in, those who are in stay, and ZeroMQ clients simply try again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

log = logging.getLogger(__name__)


class ConnectionGate:
    """Counts the connections of a socket; hides its file at `most` of them and shows it again below."""

    def __init__(self, socket: zmq.asyncio.Socket, endpoint: str, most: int) -> None:
        scheme, _, path = endpoint.partition("://")
        self._path = Path(path) if scheme == "ipc" else None  # over tcp:// libzmq survives
        self._hidden = self._path.with_name(self._path.name + ".full") if self._path else None
        self._most = most
        self._socket = socket
        self._events = socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)
        self._connections: set[int] = set()
        self._told = False
        self._watching: asyncio.Task[None] | None = None
        if self._hidden is not None:
            self._hidden.unlink(missing_ok=True)  # a killed daemon's

    @property
    def connections(self) -> int:
        """How many programs are connected."""
        return len(self._connections)

    def open(self) -> None:
        """Starts to count."""
        self._watching = asyncio.create_task(self._watch(), name="zeromq connections")

    async def close(self) -> None:
        """Stops counting and takes the socket's file away; safe twice."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        self._socket.disable_monitor()
        self._events.close(linger=0)
        for path in (self._path, self._hidden):
            if path is not None:
                path.unlink(missing_ok=True)

    async def _watch(self) -> None:
        while True:
            event = parse_monitor_message(await self._events.recv_multipart())
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._connections.add(event["value"])
            else:
                self._connections.discard(event["value"])
            self._set()

    def _set(self) -> None:
        if self._path is None or self._hidden is None:
            return
        with contextlib.suppress(FileNotFoundError):
            if len(self._connections) >= self._most and self._path.exists():
                self._path.rename(self._hidden)
                self._tell()
            elif len(self._connections) < self._most and self._hidden.exists():
                self._hidden.rename(self._path)

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            log.warning(
                "%d programs are connected, all that the limit of open files allows: raise it with `ulimit -n`; "
                "further programs wait (said once)",
                len(self._connections),
            )
