"""One connection to the daemon: a DEALER socket that connects once, and the monitor that tells how it fares.

ZeroMQ's own reconnecting is off: a new connection is a new socket, so that its first message is always the Hello and
nothing sent to one daemon is delivered to the next.
"""

from __future__ import annotations

import enum
from typing import Final

import zmq
from zmq.utils.monitor import parse_monitor_message

from traceview.protocol.wire import Downstream, WireError, decode_downstream
from traceview.sdk.curve import key_options

_HEARTBEAT_MS: Final = 2_000
_PATIENCE_MS: Final = 6_000
_MAX_ANSWER_BYTES: Final = 1 << 20
_NEVER_RECONNECT: Final = -1
_WATCHED: Final = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
)


class Standing(enum.Enum):
    """How a connection stands."""

    CONNECTING = enum.auto()
    READY = enum.auto()
    LOST = enum.auto()


class Link:
    """One connection attempt and, if it succeeds, the connection until it is lost.

    Raises zmq.ZMQError if refused, KeysUnusable if it were to be encrypted and can't be.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self.standing = Standing.CONNECTING
        self._socket = context.socket(zmq.DEALER)
        self._monitor: zmq.Socket[bytes] | None = None
        try:
            for key, text in key_options(endpoint):
                self._socket.set(key, text)
            for option, value in (
                (zmq.LINGER, 0),
                (zmq.RECONNECT_IVL, _NEVER_RECONNECT),
                (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
                (zmq.HEARTBEAT_TIMEOUT, _PATIENCE_MS),
                (zmq.HANDSHAKE_IVL, _PATIENCE_MS),
                (zmq.CONNECT_TIMEOUT, _PATIENCE_MS),
                (zmq.MAXMSGSIZE, _MAX_ANSWER_BYTES),
                (zmq.IPV6, 1),
            ):
                self._socket.set(option, value)
            self._monitor = self._socket.get_monitor_socket(_WATCHED)
            self._socket.connect(endpoint)
        except BaseException:
            self.close()
            raise
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)

    def wait(self, seconds: float) -> list[Downstream]:
        """Waits for news, at most so long; brings `standing` up to date and returns the daemon's answers."""
        ready = dict(self._poller.poll(max(0, round(seconds * 1000))))
        # Answers first: those that arrived before the connection was lost still count.
        answers = self._answers() if self._socket in ready else []
        if self._monitor in ready:
            self._watch()
        return answers

    def send(self, *frames: bytes) -> bool:
        """Hands one message to ZeroMQ; False, at once, if it has no room for it."""
        try:
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Closes; what was sent gets so long to leave the process."""
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            self._socket.disable_monitor()
            monitor.close(linger=0)
        self._socket.close(linger=linger_ms)

    def _answers(self) -> list[Downstream]:
        answers: list[Downstream] = []
        while True:
            try:
                frames = self._socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return answers
            try:
                answers.append(decode_downstream(frames[0]))
            except WireError:
                # Something else than our daemon answers there: no acknowledgement will come from it.
                self.standing = Standing.LOST

    def _watch(self) -> None:
        while self._monitor is not None:
            try:
                event = parse_monitor_message(self._monitor.recv_multipart(flags=zmq.NOBLOCK))["event"]
            except zmq.Again:
                return
            succeeded = event == zmq.EVENT_HANDSHAKE_SUCCEEDED and self.standing is Standing.CONNECTING
            self.standing = Standing.READY if succeeded else Standing.LOST
