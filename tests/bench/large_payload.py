"""What a payload of 100 MB, or a few at once, cost other programs, with 1,000 secrets and with none; prints JSON.

    python tests/bench/large_payload.py [--megabytes 100] [--case clean|secrets|several …]

Beside it a program sends ten spans of 2.2 KB every 20 ms, and another says hello on new connections: `ack_ms` and
`hello_ms` are how long they waited. `stored_s` is when all large ones were acknowledged. Targets: waits ≤ 200 ms,
peak ≤ 700 MB and stored in 6 s for one with secrets; the clean one comes back as it was, and no secret is stored.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any, Final

import end_to_end
import msgspec
import zmq

from traceview.protocol import wire
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.store import StoreReader

PROSE: Final = "\n".join(topics.values())
KEY: Final = "sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8"
SECRETS: Final = 1_000
SEVERAL: Final = 3
PAUSE: Final = 0.02
GIVE_UP_MS: Final = 120_000


def large_text(size: int, secrets: int, seed: int) -> str:
    """Prose in random order with this many secrets, half of them keys and half of them under a name."""
    dice = random.Random(seed)
    pieces: list[str] = []
    length = 0
    while length < size:
        place = dice.randrange(len(PROSE) - 5_000)
        pieces.append(PROSE[place : place + 5_000])
        length += 5_000
    for number, place in enumerate(dice.sample(range(len(pieces)), secrets)):
        pieces[place] += f" use {KEY} " if number % 2 else '\n"db_password": "correct horse battery"\n'
    return "".join(pieces)[:size]


def one_part(text: str, seed: int) -> SpanPart:
    ids = random.Random(seed)
    now = time.time_ns()
    return SpanPart(ids.randbytes(16), ids.randbytes(8), name="large", start_ns=now, end_ns=now + 1, input=text)


class Program:
    """Speaks the wire protocol, and times it."""

    def __init__(self, context: zmq.Context[Any], endpoint: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(endpoint)
        self.session = os.urandom(16)
        self.seq = 0

    def hello(self) -> float:
        """The seconds until it was answered."""
        began = time.perf_counter()
        self.socket.send(wire.encode_header(wire.Hello(self.session)))
        self._hear()
        return time.perf_counter() - began

    def batch(self, records: list[bytes]) -> float:
        """The seconds until it was committed, however often it had to be sent."""
        began = time.perf_counter()
        self.seq += 1
        frames = [wire.encode_header(wire.Batch(self.session, self.seq, len(records))), wire.join_records(records)]
        while True:
            self.socket.send_multipart(frames)
            answer = self._hear()
            if isinstance(answer, wire.Ack) and answer.upto >= self.seq:
                return time.perf_counter() - began
            time.sleep(getattr(answer, "retry_after_ms", 10) / 1000)

    def _hear(self) -> wire.Downstream:
        if not self.socket.poll(GIVE_UP_MS):
            raise SystemExit("the daemon does not answer")
        return wire.decode_downstream(self.socket.recv())


def send_large(endpoint: str, size: int, secrets: int, seed: int) -> None:
    """A process of its own: sends one part, and says how long that took."""
    record = msgspec.msgpack.encode(one_part(large_text(size, secrets, seed), seed))
    with zmq.Context() as context:
        program = Program(context, endpoint)
        program.hello()
        end_to_end._await_go()
        end_to_end._say({"seconds": program.batch([record])})
        program.socket.close()


def others_wait(endpoint: str, seconds: float, role: str) -> None:
    """A process of its own: how long a small program's calls take, until its standard input ends."""
    records = end_to_end.whole_spans(10, 3)
    waits: list[float] = []
    with zmq.Context() as context:
        program = Program(context, endpoint)
        program.hello()
        end_to_end._await_go()
        stop = time.monotonic() + seconds
        while time.monotonic() < stop and not _told_to_end():
            if role == "batch":
                waits.append(program.batch(records))
            else:
                other = Program(context, endpoint)
                waits.append(other.hello())
                other.socket.close()
            time.sleep(PAUSE)
        program.socket.close()
    waits.sort()
    end_to_end._say({"count": len(waits), "p50": _ms(waits[len(waits) // 2]), "max": _ms(waits[-1])})


def _told_to_end() -> bool:
    poller = zmq.Poller()
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    return bool(poller.poll(0))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def run_case(name: str, size: int, count: int, secrets: int) -> dict[str, Any]:
    """Sends `count` large payloads to a fresh daemon beside the small programs."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        home = Path(folder)
        with end_to_end.daemon(home) as (process, endpoint, _):
            running: list[subprocess.Popen[str]] = []
            try:
                for role in ("batch", "hello"):
                    running.append(_start(home, "--role", role, endpoint))
                for seed in range(count):
                    about = ["--size", str(size), "--secrets", str(secrets), "--seed", str(seed)]
                    running.append(_start(home, "--role", "large", endpoint, *about))
                for one in running:
                    end_to_end.heard(one)
                cpu = process.cpu_times()
                for one in running:
                    _tell(one, "go\n")
                stored = [json.loads(end_to_end.heard(one))["seconds"] for one in running[2:]]
                for one in running[:2]:
                    _tell(one, "end\n")
                acks, hellos = (json.loads(end_to_end.heard(one)) for one in running[:2])
                peak, used = end_to_end.peak_mb(process), process.cpu_times()
            finally:
                for one in running:
                    one.kill()
                    one.communicate()
        return {
            "stored_s": round(max(stored), 2),
            "ack_ms": acks,
            "hello_ms": hellos,
            "rss_peak_mb": peak,
            "cpu_s": round(used.user + used.system - cpu.user - cpu.system, 1),
            "disk_mb": (home / "traces.db").stat().st_size >> 20,
            **read_back(home, size, count, secrets),
        }


def read_back(home: Path, size: int, count: int, secrets: int) -> dict[str, Any]:
    """Whether what was sent is in the store."""
    whole, left, marks = 0, 0, 0
    with contextlib.closing(StoreReader(find_places({"TRACEVIEW_HOME": str(home)}).store)) as reader:
        for seed in range(count):
            part = one_part("", seed)
            stored = reader.payload(part.trace_id, part.span_id).input
            sent = large_text(size, secrets, seed)
            whole += stored == sent
            left += stored.count(KEY) + stored.count("correct horse")
            marks += stored.count("[redacted:")
            assert len(stored) > 0.99 * len(sent)
    return {"same": whole} if not secrets else {"secrets_left": left, "secrets_marked": marks}


def _start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TRACEVIEW_HOME": str(home)}
    command = [sys.executable, __file__, *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(word)
    process.stdin.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--case", action="append", choices=("clean", "secrets", "several"))
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--secrets", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("endpoint", nargs="?", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "large":
        send_large(given.endpoint, given.size, given.secrets, given.seed)
        return 0
    if given.role:
        others_wait(given.endpoint, 120, given.role)
        return 0
    size = given.megabytes * 1_000_000
    cases = {"clean": (1, 0), "secrets": (1, SECRETS), "several": (SEVERAL, SECRETS)}
    load = os.getloadavg()[0]
    found = {name: run_case(name, size, *cases[name]) for name in given.case or cases}
    print(json.dumps({"bench": Path(__file__).stem, "load": load, "megabytes": given.megabytes, **found}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
