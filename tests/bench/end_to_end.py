"""How many spans a second get from a program into the store, beside the least code that could do it; prints JSON.

    python tests/bench/end_to_end.py [--spans 60000] [--rounds 3]

Real program, real ZeroMQ, real `traceview-agent` with its defaults, real store; a span counts once it is committed and
acknowledged. A span has 5 attributes, 1 KB input and 1 KB output of English prose (2.2 KB); a trace has 21 of them,
three deep; our SDK writes three records of each (start, output, end). The contenders take turns, each in processes of
its own:

- `sdk`: a program records them by `tv.span` as fast as it can, and then waits until all are stored;
- `encoded`: the records that the SDK wrote, ready before the clock starts, so that the program is not what limits;
- `bare`: one record of each span, ready as well, to the bare pipeline: a socket, one thread, decoding, payloads 64 to a
  zstd block, two indexes, one transaction for what is there, then the acknowledgement. No merging, no redaction, no
  sums of traces, no exactly-once, no events, nothing else;
- `executemany`: the same rows with their payload into one table with two indexes, by bare `sqlite3`, 1,000 at a time.

Targets: `encoded` ≥ 25,000 spans/s and ≥ half of `bare`; nothing lost; ≤ 1,200 bytes a span; daemon ≤ 300 MB at full
rate, idle ≤ 60 MB and ≤ 1 % of a core, up in ≤ 1 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import msgspec
import psutil
import zmq
import zstandard

from traceview.protocol import wire
from traceview.protocol.places import find_places
from traceview.store import StoreReader
from traceview.store.driver import driver

PROSE = "\n".join(topics.values())
PER_TRACE = 21  # an agent, five steps, three calls in each
# As the SDK does it.
BATCH_RECORDS, BATCHES_UNDER_WAY, BYTES_UNDER_WAY = 512, 32, 8 * 1024 * 1024
BLOCK = 64
ROWS = 1_000
IDLE_SECONDS = 3.0
GIVE_UP_SECONDS = 300.0

encode = msgspec.msgpack.Encoder().encode
Report = dict[str, Any]


# --- what is sent


def record_spans(count: int, seed: int) -> None:
    """Records so many spans with the SDK, a multiple of 21."""
    import traceview as tv

    dice = random.Random(seed)

    def prose() -> str:
        place = dice.randrange(len(PROSE) - 1_000)
        return PROSE[place : place + 1_000]

    def span(number: int, *below: int) -> None:
        attributes = {
            "llm.model_name": "gpt-4o",
            "llm.token_count.prompt": 812,
            "llm.token_count.completion": number % 200,
            "thread": "MainThread",
            "retry": False,
        }
        kind = ("tool", "chain", "agent")[len(below)]
        with tv.span(f"step {number % 50}", kind=kind, input=prose(), attributes=attributes) as opened:
            for place in range(below[0] if below else 0):
                span(number + place, *below[1:])
            opened.set_output(prose())

    for number in range(0, count, PER_TRACE):
        span(number, 5, 3)


class Kept:
    """Takes the records of this process instead of the daemon."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def append(self, record: bytes) -> bool:
        """Keeps one."""
        self.records.append(record)
        return True

    def note_dropped(self) -> None:
        """Never happens."""

    def flush(self, seconds: float) -> bool:
        """Nothing to wait for."""
        return True


def encoded_spans(count: int, seed: int) -> list[bytes]:
    """The records that the SDK writes of so many spans."""
    from traceview.sdk import recorder

    kept = Kept()
    recorder.redirect(kept)
    record_spans(count, seed)
    recorder.redirect(None)
    return kept.records


def whole_spans(count: int, seed: int) -> list[bytes]:
    """One record of each span: what the bare pipeline is given."""
    from traceview.store.merging import merge

    found: dict[bytes, list[Any]] = {}
    for record in encoded_spans(count, seed):
        part = wire.decode_part(record)
        found.setdefault(part.span_id, []).append(part)
    return [encode(merge(parts)) for parts in found.values()]


# --- programs: each says "ready", waits for a line, and says how long it took


def program_sdk(count: int, seed: int, endpoint: str) -> None:
    """A program as users have it, but without pauses."""
    import traceview as tv

    record_spans(PER_TRACE, seed + 1_000_000)  # opens the spool, starts the sender
    tv.flush(5.0)
    _await_go()
    began = time.perf_counter()
    record_spans(count, seed)
    produced = time.perf_counter() - began
    stored = tv.flush(GIVE_UP_SECONDS)
    _say({"seconds": time.perf_counter() - began, "produce_seconds": produced, "stored": stored, "extra": PER_TRACE})


def program_encoded(count: int, seed: int, endpoint: str) -> None:
    """Sends what the SDK wrote before."""
    records = encoded_spans(count, seed)
    _send_all([records[i : i + BATCH_RECORDS] for i in range(0, len(records), BATCH_RECORDS)], endpoint)


def program_bare(count: int, seed: int, endpoint: str) -> None:
    """Sends whole spans, as many in a batch as the SDK has."""
    records = whole_spans(count, seed)
    size = BATCH_RECORDS // 3
    _send_all([records[i : i + size] for i in range(0, len(records), size)], endpoint)


def _send_all(batches: list[list[bytes]], endpoint: str) -> None:
    """Sends batches, with as much under way as the SDK has, until all are acknowledged."""
    session = os.urandom(16)
    frames = [
        (wire.encode_header(wire.Batch(session, seq, len(batch))), wire.join_records(batch))
        for seq, batch in enumerate(batches, 1)
    ]
    batches.clear()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    socket.send(wire.encode_header(wire.Hello(session)))
    socket.recv()
    _await_go()
    began = time.perf_counter()
    acknowledged = sent = 0
    window = min(BATCHES_UNDER_WAY, max(1, BYTES_UNDER_WAY // max(len(body) for _, body in frames)))
    pause = 0.0
    while acknowledged < len(frames):
        while sent < len(frames) and sent - acknowledged < window and time.perf_counter() >= pause:
            socket.send_multipart(frames[sent], copy=False)
            sent += 1
        if not socket.poll(100):
            continue
        answer = wire.decode_downstream(socket.recv())
        if isinstance(answer, wire.Reject):
            raise SystemExit(answer.reason)
        acknowledged = max(acknowledged, answer.upto)
        if isinstance(answer, wire.Busy):
            sent, pause = acknowledged, time.perf_counter() + answer.retry_after_ms / 1000
    _say({"seconds": time.perf_counter() - began, "stored": True, "extra": 0})
    context.destroy(linger=0)


def _await_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _say(document: Report) -> None:
    print(json.dumps(document), flush=True)


# --- the bare pipeline


def bare_agent(endpoint: str, store: Path) -> None:
    """Receives, decodes, writes and acknowledges on one thread; that is all."""
    connection = _bare_store(store, "seq INTEGER PRIMARY KEY, block INTEGER, slot INTEGER")
    connection.execute("CREATE TABLE block (number INTEGER PRIMARY KEY, data BLOB)")
    pack = zstandard.ZstdCompressor(level=1).compress
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(endpoint)
    print("ready", flush=True)
    block = 0
    while True:
        answers: dict[bytes, int] = {}
        rows: list[tuple[Any, ...]] = []
        blocks: list[tuple[int, bytes]] = []
        payloads: list[bytes] = []
        flags = 0
        while len(rows) < ROWS:
            try:
                identity, header, *bodies = socket.recv_multipart(flags)
            except zmq.Again:
                break
            message = wire.decode_upstream(header)
            answers[identity] = message.seq if isinstance(message, wire.Batch) else 0
            for body in bodies:
                for record in wire.split_records(body):
                    part = wire.decode_part(record)
                    payloads.append(encode((part.input, part.output)))
                    rows.append((*_bare_row(part), block, len(payloads)))
                    if len(payloads) == BLOCK:
                        blocks.append((block, pack(b"".join(payloads))))
                        payloads, block = [], block + 1
            flags = zmq.NOBLOCK
        if payloads:
            blocks.append((block, pack(b"".join(payloads))))
            block += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_bare_insert("?, ?"), rows)
        connection.executemany("INSERT INTO block VALUES (?, ?)", blocks)
        connection.execute("COMMIT")
        for identity, upto in answers.items():
            socket.send_multipart([identity, wire.encode_header(wire.Ack(upto))])


_BARE_COLUMNS = "trace_id, span_id, parent_id, name, kind, start_ns, end_ns, status, attributes"


def _bare_store(path: Path, more: str) -> Any:
    connection = driver().connect(str(path), isolation_level=None)
    for pragma in ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"CREATE TABLE span ({_BARE_COLUMNS}, {more})")
    connection.execute("CREATE INDEX by_trace ON span (trace_id)")
    connection.execute("CREATE INDEX by_span ON span (span_id)")
    return connection


def _bare_row(part: Any) -> tuple[Any, ...]:
    return (
        part.trace_id,
        part.span_id,
        part.parent_id,
        part.name,
        part.kind,
        part.start_ns,
        part.end_ns,
        int(part.status),
        msgspec.json.encode(part.attributes).decode(),
    )


def _bare_insert(marks: str) -> str:
    return f"INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {'NULL, ' if marks == '?, ?' else ''}{marks})"


def run_executemany(spans: int, seed: int) -> Report:
    """The same rows, each with its payload, 1,000 in a transaction."""
    parts = [wire.decode_part(record) for record in whole_spans(spans, seed)]
    rows = [(*_bare_row(part), encode((part.input, part.output))) for part in parts]
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        path = Path(folder) / "bare.db"
        connection = _bare_store(path, "payload")
        began = time.perf_counter()
        for place in range(0, len(rows), ROWS):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_bare_insert("?"), rows[place : place + ROWS])
            connection.execute("COMMIT")
        seconds = time.perf_counter() - began
        connection.close()
        return {"spans_per_s": round(len(rows) / seconds), "disk_bytes_per_span": round(path.stat().st_size / spans)}


# --- measuring


def run_self(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """This script in another process."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that a process says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args} ended with {process.wait()}")
    return line


def flood(name: str, server: psutil.Process, endpoint: str, spans: int, seed: int, home: Path) -> Report:
    """One program's flood, and what it cost the server."""
    environment = {**os.environ, "TRACEVIEW_HOME": str(home), "TRACEVIEW_ENDPOINT": endpoint}
    program = run_self(environment, "--program", name, endpoint, "--spans", str(spans), "--seed", str(seed))
    try:
        heard(program)
        before = server.cpu_times()
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
        said = json.loads(heard(program))
        after = server.cpu_times()
        peak = peak_mb(server)
    finally:
        program.kill()
        program.communicate()
    cpu = after.user + after.system - before.user - before.system
    found = {
        "spans_per_s": round(spans / said["seconds"]),
        "daemon_cpu_us_per_span": round(cpu / spans * 1e6, 1),
        "rss_peak_mb": peak,
        "sent": spans + said["extra"],
    }
    if "produce_seconds" in said:
        found["recorded_per_s"] = round(spans / said["produce_seconds"])
    return found


def peak_mb(process: psutil.Process) -> int:
    """The most memory a process had so far, where the system tells; else what it has."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return process.memory_info().rss >> 20


@contextlib.contextmanager
def daemon(home: Path) -> Iterator[tuple[psutil.Process, str, float]]:
    """The real daemon in a fresh home: its process, its endpoint, and the seconds until it answered."""
    environment = {**os.environ, "TRACEVIEW_HOME": str(home), "TRACEVIEW_OTLP_PORT": "0"}
    command = [sys.executable, "-P", "-m", "traceview_agent"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "run"], env=environment, stderr=subprocess.DEVNULL)
    try:
        endpoint = find_places({"TRACEVIEW_HOME": str(home)}).endpoint
        seconds = _until_it_answers(endpoint, began)
        yield psutil.Process(process.pid), endpoint, seconds
    finally:
        process.terminate()
        process.wait(30)


def _until_it_answers(endpoint: str, began: float) -> float:
    """Says hello until there is an answer; ZeroMQ tries again every 5 ms."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.RECONNECT_IVL, 5)
        socket.set(zmq.LINGER, 0)
        socket.connect(endpoint)
        socket.send(wire.encode_header(wire.Hello(os.urandom(16))))
        if not socket.poll(30_000):
            raise SystemExit("the daemon does not answer")
    return time.perf_counter() - began


def run_ours(name: str, spans: int, seed: int) -> Report:
    """A flood into the real daemon, and what is in the store afterwards."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        home = Path(folder)
        with daemon(home) as (process, endpoint, start_seconds):
            time.sleep(1.0)  # what comes after the start
            idle = {"start_s": round(start_seconds, 2), "idle_rss_mb": process.memory_info().rss >> 20}
            cpu = process.cpu_times()
            time.sleep(IDLE_SECONDS)
            now = process.cpu_times()
            used = now.user + now.system - cpu.user - cpu.system
            found = flood(name, process, endpoint, spans, seed, home)
        found |= {**idle, "idle_cpu_percent": round(100 * used / IDLE_SECONDS, 2)}
        found |= in_store(home / "traces.db", found.pop("sent"))
        return found


def in_store(path: Path, sent: int) -> Report:
    """What of that is in the store, whole."""
    reader = StoreReader(path)
    whole = sum(trace.spans for trace in reader.traces() if not trace.running)
    reader.close()
    return {"lost": sent - whole, "disk_bytes_per_span": round(path.stat().st_size / sent)}


def run_bare(spans: int, seed: int) -> Report:
    """The same flood into the bare pipeline."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        home = Path(folder)
        endpoint, store = f"ipc://{home / 'bare.sock'}", home / "bare.db"
        agent = run_self({**os.environ}, "--bare-agent", endpoint, str(store))
        try:
            heard(agent)
            found = flood("bare", psutil.Process(agent.pid), endpoint, spans, seed, home)
        finally:
            agent.kill()
            agent.communicate()
        connection = driver().connect(str(store))
        (kept,) = connection.execute("SELECT count(*) FROM span").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return {**found, "lost": found.pop("sent") - kept, "disk_bytes_per_span": round(store.stat().st_size / spans)}


CONTENDERS: dict[str, Callable[[int, int], Report]] = {
    "sdk": lambda spans, seed: run_ours("sdk", spans, seed),
    "encoded": lambda spans, seed: run_ours("encoded", spans, seed),
    "bare": run_bare,
    "executemany": run_executemany,
}
PROGRAMS = {"sdk": program_sdk, "encoded": program_encoded, "bare": program_bare}


def summary(runs: list[Report]) -> Report:
    """Medians over the rounds, the range of the rates, the sum of what was lost."""
    found = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    rates = [run["spans_per_s"] for run in runs]
    if "lost" in found:
        found["lost"] = sum(run["lost"] for run in runs)
    return {**found, "spans_per_s_range": [min(rates), max(rates)]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CONTENDERS, action="append", help="this contender; may be given again")
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--program", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--bare-agent", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.program:
        name, endpoint = given.program
        PROGRAMS[name](given.spans, given.seed, endpoint)
        return 0
    if given.bare_agent:
        bare_agent(given.bare_agent[0], Path(given.bare_agent[1]))
    spans = given.spans - given.spans % PER_TRACE
    runs: dict[str, list[Report]] = {name: [] for name in given.only or CONTENDERS}
    for turn in range(given.rounds):
        for name, results in runs.items():
            results.append(CONTENDERS[name](spans, turn + 1))
    found = {name: summary(results) for name, results in runs.items()}
    report = {
        "bench": Path(__file__).stem,
        "load": os.getloadavg()[0],
        "spans": spans,
        "span_bytes": round(statistics.fmean(map(len, whole_spans(10 * PER_TRACE, 1)))),
        **found,
    }
    if "bare" in found:
        bare = [run["spans_per_s"] for run in runs["bare"]]
        report["of_bare"] = {
            name: round(statistics.median(run["spans_per_s"] / b for run, b in zip(results, bare, strict=True)), 2)
            for name, results in runs.items()
            if name != "bare"
        }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
