"""A program in another language: what agent/README.md says of the wire protocol, and nothing of ours.

    python foreign_program.py ENDPOINT

Packs MessagePack by hand (https://github.com/msgpack/msgpack/blob/master/spec.md), speaks through a bare DEALER, and
prints one JSON document of what the daemon answered.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any

import zmq

NS = 1_790_000_000_000_000_000
TRACE = bytes.fromhex("c0ffee00c0ffee00c0ffee00c0ffee00")


def pack(value: Any) -> bytes:
    """MessagePack, always in the longest form, which every decoder must take."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return struct.pack(">Bq", 0xD3, value)
        case float():
            return struct.pack(">Bd", 0xCB, value)
        case str():
            raw = value.encode()
            return struct.pack(">BI", 0xDB, len(raw)) + raw
        case bytes():
            return struct.pack(">BI", 0xC6, len(value)) + value
        case list():
            return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
        case dict():
            pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
            return struct.pack(">BI", 0xDF, len(value)) + pairs
    raise TypeError(type(value))


def unpack(raw: bytes) -> dict[str, Any]:
    """The maps that come down: short keys, whole numbers and text."""
    value, rest = _unpack(raw)
    assert not rest
    assert isinstance(value, dict)
    return value


def _unpack(raw: bytes) -> tuple[Any, bytes]:
    code, raw = raw[0], raw[1:]
    if code <= 0x7F:
        return code, raw
    if code >= 0xE0:
        return code - 256, raw
    if 0x80 <= code <= 0x8F:
        found = {}
        for _ in range(code & 0x0F):
            key, raw = _unpack(raw)
            found[key], raw = _unpack(raw)
        return found, raw
    if 0xA0 <= code <= 0xBF:
        return _text(raw, code & 0x1F)
    if code in (0xD9, 0xDA, 0xDB):
        size = 1 << (code - 0xD9)
        return _text(raw[size:], int.from_bytes(raw[:size], "big"))
    if 0xCC <= code <= 0xD3:
        size = 1 << ((code - 0xCC) % 4)
        return int.from_bytes(raw[:size], "big", signed=code >= 0xD0), raw[size:]
    raise ValueError(hex(code))


def _text(raw: bytes, size: int) -> tuple[str, bytes]:
    return raw[:size].decode(), raw[size:]


class Program:
    """One start of one program: a session, and batches kept until they are acknowledged."""

    def __init__(self, endpoint: str, session: bytes | None = None) -> None:
        self.session = session or os.urandom(16)
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def hello(self, version: int = 1) -> dict[str, Any]:
        resource = {"service.name": "foreign", "process.pid": os.getpid()}
        self.send({"type": "hello", "session": self.session, "version": version, "resource": resource})
        return self.hear()

    def batch(self, seq: int, *records: list[Any], dropped: int = 0) -> None:
        packed = [pack(record) for record in records]
        body = b"".join(struct.pack(">I", len(record)) + record for record in packed)
        header = {"type": "batch", "session": self.session, "seq": seq, "count": len(packed), "dropped": dropped}
        self.send(header, *([body] if packed else []))

    def send(self, header: dict[str, Any], *body: bytes) -> None:
        self.socket.send_multipart([pack(header), *body])

    def hear(self) -> dict[str, Any]:
        assert self.socket.poll(10_000), "the daemon does not answer"
        (frame,) = self.socket.recv_multipart()
        return unpack(frame)

    def hear_ack(self, upto: int) -> dict[str, Any]:
        while True:
            answer = self.hear()
            if answer["type"] == "ack" and answer["upto"] >= upto:
                return answer

    def close(self) -> None:
        self.socket.close()
        self.context.term()


def plan_starts() -> list[Any]:
    said = {"name": "foreign run", "session": "s1", "user": "u1", "project": "p1", "tags": ["x"], "metadata": {"k": 1}}
    start = [TRACE, b"plan" * 2, None, "plan", "agent", NS, None, None, None, {"a": 1}, {"q": "why?"}]
    return [*start, None, None, [], [], said, {"host.name": "h"}]


def answer_runs() -> list[list[Any]]:
    """A child in three parts, the end first: parts merge in any order."""
    ids = [TRACE, b"answ" * 2]
    state = [NS + 2_000_000, "traceview.state", {"memory": ["why?"]}]
    link = [b"l" * 16, b"l" * 8, {"kind": "follows"}]
    end = [*ids, None, None, None, None, NS + 5_000_000, 2, "timed out", {"b": True}, None, "because", "thought"]
    return [
        end,
        [*ids, None, None, None, None, None, None, None, {}, None, None, None, [state], [link]],
        [
            *ids,
            b"plan" * 2,
            "answer",
            "llm",
            NS + 1_000_000,
            None,
            None,
            None,
            {"gen_ai.request.model": "m-1", "c": 0.5},
        ],
    ]


def main(endpoint: str) -> dict[str, Any]:
    heard: dict[str, Any] = {}
    program = Program(endpoint)
    heard["hello"] = program.hello()
    program.batch(1, plan_starts())
    heard["first"] = program.hear_ack(1)
    program.batch(3, [TRACE, b"late" * 2, None, "late", "other", NS, NS + 1])
    heard["gap"] = program.hear()
    program.batch(2, *answer_runs())
    program.batch(3, [TRACE, b"late" * 2, b"plan" * 2, "late", "other", NS, NS + 1])
    heard["filled"] = program.hear_ack(3)
    program.batch(2, *answer_runs())  # sent twice: stored once
    heard["again"] = program.hear()
    program.batch(4, dropped=7)
    heard["losses"] = program.hear_ack(4)
    program.close()

    # A lost connection: a new one says hello, hears what is stored, and sends the rest.
    program = Program(endpoint, program.session)
    heard["back"] = program.hello()
    program.batch(5, [TRACE, b"plan" * 2, None, None, None, None, NS + 9_000_000, 1], [b"no id"])
    heard["end"] = program.hear_ack(5)
    program.close()

    stranger = Program(endpoint)
    heard["version"] = stranger.hello(version=2)
    stranger.batch(1, plan_starts())
    heard["refused"] = stranger.hear()
    stranger.close()
    assert not [name for name in sys.modules if name.startswith(("traceview", "msgspec"))]
    return heard


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
