"""What a span costs the traced program, beside opentelemetry-sdk and beside the least that could be done.

    python tests/bench/sdk_cost.py [--rounds 3]

Prints one JSON document. A span has 1 KB input, 1 KB output and 5 attributes; three are nested in each other. Every
contender runs in a process of its own, interleaved, and sends to a receiver in another one that reads and acknowledges
everything and keeps nothing. Three ways of working:

- burst: 300 spans, a pause, and so on, so that the exporter is idle when a burst begins (µs per span on the caller's
  thread: median over the bursts, and the range of the rounds' medians);
- paced: one trace of three spans every 2 ms, so that the exporter is at work beside it (µs a call of three spans takes,
  divided by three at the median; the 99.9th percentile is of the whole call);
- program: steps of an AI agent that compute for 1 ms, with a span each, beside the same steps without (median of blocks
  of 40 steps, alternating in one process).
"""

from __future__ import annotations

import argparse
import contextvars
import hashlib
import http.server
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

BURST = 300
BURSTS = 21
PAUSE_SECONDS = 0.03
PACED_CALLS = 4000
BLOCKS = 30
INPUT = "The quick brown fox jumps over the lazy dog. " * 22
OUTPUT = "Pack my box with five dozen liquor jugs, now. " * 22
ATTRIBUTES: dict[str, Any] = {"user.tier": "gold", "retry": 0, "score": 0.93, "cached": False, "region": "eu-west"}

Span = Callable[[int], None]


def calls_only(depth: int) -> None:
    """The same calls, nothing recorded."""
    if depth:
        calls_only(depth - 1)


def make_floor() -> Span:
    """The least: ids, times and the parent, one record per span, encoded, into a list."""
    import msgspec

    encode = msgspec.msgpack.Encoder().encode
    current: contextvars.ContextVar[bytes | None] = contextvars.ContextVar("current", default=None)
    dice = random.Random()
    kept: list[bytes] = []

    class Bare:
        def __init__(self, name: str, given: str, attributes: dict[str, Any]) -> None:
            self.said = (name, given, attributes)
            self.output: str | None = None

        def __enter__(self) -> Bare:
            self.parent = current.get()
            self.id = dice.getrandbits(64).to_bytes(8, "big")
            self.token = current.set(self.id)
            self.start = time.time_ns()
            return self

        def __exit__(self, *_: object) -> None:
            current.reset(self.token)
            kept.append(encode((self.parent, self.id, self.start, time.time_ns(), self.said, self.output)))
            if len(kept) > 1000:
                kept.clear()

    def span(depth: int) -> None:
        with Bare("step", INPUT, ATTRIBUTES) as bare:
            if depth:
                span(depth - 1)
            bare.output = OUTPUT

    return span


def make_ours() -> Span:
    """traceview: start, output and end each recorded at once."""
    import traceview as tv

    def span(depth: int) -> None:
        with tv.span("step", kind="tool", input=INPUT, attributes=ATTRIBUTES) as opened:
            if depth:
                span(depth - 1)
            opened.set_output(OUTPUT)

    return span


def make_opentelemetry() -> Span:
    """opentelemetry-sdk, BatchSpanProcessor, OTLP over HTTP; everything is recorded when the span ends."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=os.environ["BENCH_OTLP"])
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=20))
    tracer = provider.get_tracer("bench")

    def span(depth: int) -> None:
        with tracer.start_as_current_span("step", attributes={**ATTRIBUTES, "input.value": INPUT}) as opened:
            if depth:
                span(depth - 1)
            opened.set_attribute("output.value", OUTPUT)

    return span


CONTENDERS: dict[str, Callable[[], Span]] = {
    "calls only": lambda: calls_only,
    "floor": make_floor,
    "traceview": make_ours,
    "traceview disabled": make_ours,
    "traceview left out": make_ours,
    "opentelemetry-sdk": make_opentelemetry,
}


SETTINGS: dict[str, dict[str, str]] = {
    "traceview disabled": {"TRACEVIEW_DISABLED": "1"},
    "traceview left out": {"TRACEVIEW_HEAD_RATIO": "0"},
}


def measure(contender: str) -> dict[str, float]:
    """The bursts of one process: µs per span by the wall clock and by the caller's CPU, and the whole process's CPU."""
    span = CONTENDERS[contender]()
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(50):
        span(2)
    time.sleep(0.5)  # until the exporter's thread and connection are there
    process = time.process_time_ns()
    for _ in range(BURSTS):
        time.sleep(PAUSE_SECONDS)
        began, began_cpu = time.perf_counter_ns(), time.thread_time_ns()
        for _ in range(BURST // 3):
            span(2)
        cpu.append((time.thread_time_ns() - began_cpu) / BURST / 1000)
        wall.append((time.perf_counter_ns() - began) / BURST / 1000)
    time.sleep(0.2)
    whole = (time.process_time_ns() - process) / (BURST * BURSTS) / 1000
    return {"wall_us": statistics.median(wall), "caller_cpu_us": statistics.median(cpu), "process_cpu_us": whole}


def measure_paced(contender: str) -> dict[str, float]:
    """How long a call waits while the exporter works: µs of three nested spans every 2 ms."""
    span = CONTENDERS[contender]()
    for _ in range(50):
        span(2)
    time.sleep(0.5)
    took: list[float] = []
    due = time.perf_counter()
    for _ in range(PACED_CALLS):
        due += 0.002
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter_ns()
        span(2)
        took.append((time.perf_counter_ns() - began) / 1000)
    took.sort()
    return {
        "p50_us_per_span": took[len(took) // 2] / 3,
        "p99_us_of_call": took[len(took) * 99 // 100],
        "p999_us_of_call": took[len(took) * 999 // 1000],
    }


def think() -> None:
    """A step of an AI agent, some 1 ms of it: a prompt is built, written, read again and hashed."""
    messages = [{"role": "user", "content": f"{number} {INPUT}"} for number in range(24)]
    for _ in range(14):
        text = json.dumps(messages)
        messages = json.loads(text)
        hashlib.sha256(text.encode()).hexdigest()


def measure_program(contender: str) -> dict[str, float]:
    """What tracing adds to steps that compute for 1 ms: wall and CPU time of the process, in per cent."""
    span = CONTENDERS[contender]()
    for _ in range(50):
        span(0)
    time.sleep(0.5)
    blocks: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(2 * BLOCKS):
        traced = bool(number % 2)
        began, began_cpu = time.perf_counter(), time.process_time()
        for _ in range(40):
            think()
            if traced:
                span(0)
        blocks[traced].append((time.perf_counter() - began, time.process_time() - began_cpu))
    plain, traced_blocks = zip(*blocks[False], strict=True), zip(*blocks[True], strict=True)
    wall, cpu = (
        statistics.median(with_) / statistics.median(without) - 1
        for with_, without in zip(traced_blocks, plain, strict=True)
    )
    step_ms = statistics.median(took for took, _ in blocks[False]) / 40 * 1000
    return {"slower_percent": wall * 100, "more_cpu_percent": cpu * 100, "step_ms": step_ms}


WAYS: dict[str, Callable[[str], dict[str, float]]] = {
    "burst": measure,
    "paced": measure_paced,
    "program": measure_program,
}


def import_cost(code: str, rounds: int) -> float:
    """Milliseconds that a statement takes in a fresh interpreter: the median."""
    timed = f"import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"
    runs = [subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True) for _ in range(rounds)]
    return statistics.median(float(run.stdout) for run in runs) * 1000


def receive_zeromq(endpoint: str) -> None:
    """Acknowledges every batch."""
    import zmq

    from traceview.protocol.wire import Ack, Batch, decode_upstream, encode_header

    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(endpoint)
    print("ready", flush=True)
    while True:
        identity, header, *_ = socket.recv_multipart()
        message = decode_upstream(header)
        if isinstance(message, Batch):
            socket.send_multipart([identity, encode_header(Ack(message.seq))])


class _Accepting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def receive_http() -> None:
    """Answers 200 to every request."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Accepting)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def run_self(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """This script in another process."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    """What a receiver says when it listens."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def compare(way: str, contenders: Iterable[str], rounds: int) -> dict[str, Any]:
    """All contenders, interleaved."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        endpoint = f"ipc://{Path(folder) / 'agent.sock'}"
        receivers = [run_self({**os.environ}, "--zeromq", endpoint), run_self({**os.environ}, "--http")]
        try:
            first_line(receivers[0])
            otlp = f"http://127.0.0.1:{first_line(receivers[1])}/v1/traces"
            environment = {**os.environ, "TRACEVIEW_ENDPOINT": endpoint, "BENCH_OTLP": otlp}
            for _ in range(rounds):
                for name, runs in found.items():
                    # A spool folder for each: what one leaves is not the next one's to ship.
                    own = {"TRACEVIEW_SPOOL": tempfile.mkdtemp(dir=folder), **SETTINGS.get(name, {})}
                    process = run_self({**environment, **own}, "--contender", name, "--way", way)
                    answer, _ = process.communicate()
                    runs.append(json.loads(answer))
        finally:
            for receiver in receivers:
                receiver.kill()
                receiver.communicate()
    return {name: summary(runs) for name, runs in found.items()}


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Medians over the rounds, and the range of the first figure."""
    first = next(iter(runs[0]))
    medians: dict[str, Any] = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
    return {**medians, f"{first}_range": [round(pick(run[first] for run in runs), 2) for pick in (min, max)]}


def main() -> None:
    """Reads the arguments and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help="only this way of working")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--zeromq", help=argparse.SUPPRESS)
    parser.add_argument("--http", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.zeromq:
        receive_zeromq(chosen.zeromq)
    elif chosen.http:
        receive_http()
    elif chosen.contender:
        print(json.dumps(WAYS[chosen.way](chosen.contender)))
    else:
        print(json.dumps(report(chosen.way, chosen.rounds), indent=2))


def report(way: str | None, rounds: int) -> dict[str, Any]:
    """The document: all ways of working, or one."""
    found: dict[str, Any] = {"load1": os.getloadavg()[0]}
    real = ("traceview", "opentelemetry-sdk")
    if way in (None, "burst"):
        found["burst"] = burst = compare("burst", CONTENDERS, rounds)
        found["of_opentelemetry"] = round(burst["traceview"]["wall_us"] / burst["opentelemetry-sdk"]["wall_us"], 2)
    if way in (None, "paced"):
        found["paced"] = compare("paced", ("floor", *real), rounds)
    if way in (None, "program"):
        found["program"] = compare("program", real, rounds)
    if way is None:
        found["import_ms"] = {
            "import traceview": round(import_cost("import traceview", 11), 2),
            "first use": round(import_cost("import traceview; traceview.span", 11), 2),
            "opentelemetry.sdk.trace": round(import_cost("import opentelemetry.sdk.trace", 5), 2),
        }
    return found


if __name__ == "__main__":
    main()
