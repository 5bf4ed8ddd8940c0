"""What strangers may throw at the daemon: random and nearly right frames for ZeroMQ, random and hostile HTTP."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from traceview.protocol import wire
from traceview.protocol.control import AgentStatus
from traceview.protocol.records import SpanPart, Status

_PATHS: Final = ("/v1/traces", "/api/v1/spans/batch", "/api/v1/traces", "/metrics", "/%00", "/" + "a" * 9_000)
_TYPES: Final = ("application/json", "application/x-protobuf", "text/html", "\x7f")


class Thrower:
    """Throws one piece of garbage after the other; `close` when done."""

    def __init__(self, rng: random.Random, endpoint: str, status: AgentStatus) -> None:
        self._random, self._endpoint = rng, endpoint
        http = next(receiver.address for receiver in status.receivers if receiver.name == "otlp-http")
        self._port = int(http.split(" ")[0].rpartition(":")[2])
        self._context = zmq.Context()
        self._kinds: tuple[Callable[[], None], ...] = (
            self._random_frames,
            self._nearly_right,
            self._not_zeromq,
            self._random_http,
            self._hostile_http,
        )

    def throw(self) -> None:
        """One piece, of any kind."""
        self._random.choice(self._kinds)()

    def close(self) -> None:
        """Leaves."""
        self._context.destroy(linger=0)

    def _bytes(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randrange(most))

    def _send(self, messages: list[list[bytes]]) -> None:
        client = self._context.socket(zmq.DEALER)
        try:
            client.connect(self._endpoint)
            for frames in messages:
                with contextlib.suppress(zmq.Again):
                    client.send_multipart(frames, flags=zmq.NOBLOCK)
            client.poll(self._random.randrange(20))
        finally:
            client.close(linger=20)

    def _random_frames(self) -> None:
        self._send([[self._bytes(200) for _ in range(self._random.randrange(1, 6))] for _ in range(20)])

    def _nearly_right(self) -> None:
        """A true session that greets, and then batches in which some bytes are not what they were."""
        session = self._random.randbytes(16)
        part = SpanPart(
            self._random.randbytes(16), self._random.randbytes(8), name="garbage", start_ns=1, status=Status.RUNNING
        )
        body = wire.join_records([msgspec.msgpack.encode(part)] * 3)
        messages = [[wire.encode_header(wire.Hello(session))]]
        for seq in range(1, 10):
            header = wire.encode_header(wire.Batch(session, seq + self._random.randrange(3), 3))
            messages.append([self._damaged(header), self._damaged(body)])
        self._send(messages)

    def _damaged(self, frame: bytes) -> bytes:
        if self._random.random() < 0.5:
            return frame
        damaged = bytearray(frame)
        damaged[self._random.randrange(len(damaged))] = self._random.randrange(256)
        return bytes(damaged[: self._random.randrange(1, len(damaged) + 1)])

    def _not_zeromq(self) -> None:
        # A right greeting of ZMTP 3 now and then, so that what follows is met further in.
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48) if self._random.random() < 0.5 else b""
        scheme, _, path = self._endpoint.partition("://")
        if scheme == "ipc":
            self._talk(socket.AF_UNIX, path, greeting + self._bytes(500))

    def _random_http(self) -> None:
        self._talk(socket.AF_INET, ("127.0.0.1", self._port), self._bytes(500))

    def _hostile_http(self) -> None:
        pick, body = self._random.choice, self._bytes(2_000)
        lengths = (len(body), len(body) + 100, 0, 10**15, -1)
        head = (
            f"{pick(('POST', 'GET', 'PUT'))} {pick(_PATHS)} HTTP/1.1\r\nHost: {pick(('localhost', 'example.org'))}\r\n"
            f"Content-Type: {pick(_TYPES)}\r\nContent-Length: {pick(lengths)}\r\n"
            f"Content-Encoding: {pick(('identity', 'gzip', 'deflate', 'x'))}\r\n\r\n"
        )
        self._talk(socket.AF_INET, ("127.0.0.1", self._port), head.encode("latin-1") + body)

    def _talk(self, family: socket.AddressFamily, address: object, said: bytes) -> None:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as link:
            link.settimeout(0.05)
            link.connect(address)  # type: ignore[arg-type]
            link.sendall(said)
            link.recv(4_096)
