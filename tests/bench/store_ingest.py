"""How fast the store takes spans in and gives them back, beside a bare `executemany` of the same rows in the same run.

    python tests/bench/store_ingest.py [--spans 100000] [--rounds 3]

Prints one JSON document. A span has 5 attributes, 1 KB input and 1 KB output of English prose (2.2 KB of msgpack).
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import msgspec

from traceview.protocol.records import Facts, SpanPart, Status, TraceInfo
from traceview.store import StoreReader, StoreWriter
from traceview.store.columns import SPAN_COLUMNS, column_list
from traceview.store.driver import driver
from traceview.store.encoding import encode
from traceview.store.opening import Durability

replace = msgspec.structs.replace
START_NS = 1_790_000_000_000_000_000
BATCH = 1_000
PROSE = "\n".join(topics.values())


def make_parts(count: int, spans_per_trace: int, seed: int) -> list[SpanPart]:
    """Whole spans of agent runs: a root agent with llm and tool spans under it."""
    dice = random.Random(seed)
    parts: list[SpanPart] = []
    trace_id = root = b""
    for i in range(count):
        first = i % spans_per_trace == 0
        if first:
            trace_id = hashlib.blake2b(f"{seed}/{i}".encode(), digest_size=16).digest()
        span_id = dice.randbytes(8)
        root = span_id if first else root
        kind = "agent" if first else ("llm", "tool", "chain")[i % 3]
        start = START_NS + i * 1_000_000
        parts.append(
            SpanPart(
                trace_id,
                span_id,
                None if first else root,
                f"{kind} step {i % 50}",
                kind,
                start,
                start + 900_000,
                Status.OK,
                attributes={
                    "llm.model_name": "gpt-4o",
                    "llm.token_count.prompt": 812,
                    "llm.token_count.completion": dice.randrange(200),
                    "thread": "MainThread",
                    "retry": False,
                },
                input=_prose(dice),
                output=_prose(dice),
                trace=TraceInfo(name=f"run {i}", session="s-1") if first else None,
            )
        )
    return parts


def _prose(dice: random.Random) -> str:
    place = dice.randrange(len(PROSE) - 1_000)
    return PROSE[place : place + 1_000]


def understand(part: SpanPart) -> Facts:
    """What the conventions would say, at next to no cost: the bench measures the store."""
    if part.kind == "llm":
        given = part.attributes
        return Facts(
            kind="llm",
            model=given["llm.model_name"],
            input_tokens=given["llm.token_count.prompt"],
            output_tokens=given["llm.token_count.completion"],
            cost_usd=0.0021,
        )
    return Facts(kind=part.kind, preview="a line of the input" if part.parent_id is None else None)


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for place in range(0, len(items), BATCH):
        yield items[place : place + BATCH]


def floor(folder: Path, parts: Sequence[SpanPart], source: Path) -> dict[str, float]:
    """Bare executemany in WAL mode: the store's own span rows, and those with the 2.2 KB beside them, uncompressed."""
    connection = driver().connect(str(source))
    rows = connection.execute(f"SELECT {column_list(SPAN_COLUMNS)} FROM span ORDER BY start_ns").fetchall()
    connection.close()
    encoded = [encode(part) for part in parts]
    marks = ", ".join("?" * len(SPAN_COLUMNS))
    found = {}
    for name, items, extra in (
        ("rows_only", rows, ""),
        ("rows_and_payload", [(*row, data) for row, data in zip(rows, encoded, strict=True)], ", ?"),
    ):
        connection = driver().connect(str(folder / f"{name}.db"), isolation_level=None)
        for pragma in ("page_size = 8192", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        columns = column_list(SPAN_COLUMNS) + (", data" if extra else "")
        connection.execute(f"CREATE TABLE span ({columns}, PRIMARY KEY (trace_no, span_id)) WITHOUT ROWID")
        if extra:  # as a table with payloads would be made: in order of arrival
            connection.execute("DROP TABLE span")
            connection.execute(f"CREATE TABLE span ({columns})")
        begun = time.perf_counter()
        for batch in batches(items):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO span VALUES ({marks}{extra})", batch)
            connection.execute("COMMIT")
        found[name] = len(items) / (time.perf_counter() - begun)
        connection.close()
    return found


def ingest(path: Path, parts: Sequence[SpanPart], durability: Durability = "process") -> tuple[float, float]:
    """Spans a second, and the slowest batch in ms."""
    writer = StoreWriter(path, understand, durability=durability)
    slowest = 0.0
    begun = time.perf_counter()
    for seq, batch in enumerate(batches(parts), 1):
        before = time.perf_counter()
        writer.apply(batch, session=b"b" * 16, seq=seq)
        slowest = max(slowest, time.perf_counter() - before)
    rate = len(parts) / (time.perf_counter() - begun)
    writer.close()
    return rate, slowest * 1e3


def trickle(path: Path, parts: Sequence[SpanPart]) -> dict[str, float]:
    """What a live program sends: two spans a transaction, each as a start and an end part."""
    writer = StoreWriter(path, understand)
    pairs = [half for part in parts for half in _start_and_end(part)]
    begun = time.perf_counter()
    for seq, place in enumerate(range(0, len(pairs), 4), 1):
        writer.apply(pairs[place : place + 4], session=b"t" * 16, seq=seq)
    taken = time.perf_counter() - begun
    writer.close()
    return {
        "transaction_ms": round(taken / (len(pairs) / 4) * 1e3, 3),
        "disk_bytes_per_span": round(path.stat().st_size / len(parts)),
    }


def _start_and_end(part: SpanPart) -> tuple[SpanPart, SpanPart]:
    start = replace(part, end_ns=None, status=Status.RUNNING, output=None)
    end = SpanPart(part.trace_id, part.span_id, end_ns=part.end_ns, status=part.status, output=part.output)
    return start, end


def median_ms(work: Callable[[], Any], times: int = 7) -> float:
    """The median time of a call in ms."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1e3)
    return round(statistics.median(taken), 3)


def read(path: Path, big: Path, parts: Sequence[SpanPart], big_parts: Sequence[SpanPart]) -> dict[str, float]:
    reader, whole = StoreReader(path), StoreReader(big)
    trace_id = big_parts[0].trace_id
    dice = random.Random(7)
    some = dice.sample(list(parts), 50)
    head = whole.head()
    found = {
        "open_ms": median_ms(lambda: StoreReader(path).close()),
        "traces_1000_ms": median_ms(lambda: reader.traces(limit=1_000)),
        f"spans_{len(big_parts)}_ms": median_ms(lambda: whole.spans(trace_id)),
        "payload_ms": _payload_ms(path, some),
        "tail_of_1000_spans_ms": median_ms(lambda: whole.spans(trace_id, changed_after=head - 1)),
        "tail_nothing_new_ms": median_ms(lambda: whole.spans(trace_id, changed_after=head)),
        "data_version_ms": median_ms(reader.data_version, 50),
    }
    reader.close()
    whole.close()
    return found


def _payload_ms(path: Path, parts: Sequence[SpanPart]) -> float:
    """Per payload, each from a block that this reader has not unpacked before."""

    def open_all() -> None:
        for part in parts:
            reader = StoreReader(path)
            reader.payload(part.trace_id, part.span_id)
            reader.close()

    opening = median_ms(lambda: [StoreReader(path).close() for _ in parts])
    return round((median_ms(open_all) - opening) / len(parts), 3)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--spans", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    parts = make_parts(given.spans, 20, seed=1)
    big_parts = make_parts(given.spans, given.spans, seed=2)
    gc.freeze()  # the daemon holds one batch of parts at a time; collections here needn't walk 200,000
    folder = Path(tempfile.mkdtemp(prefix="traceview-bench-"))
    rates: dict[str, list[float]] = {name: [] for name in ("small", "power", "big", "rows_only", "rows_and_payload")}
    try:
        for turn in range(given.rounds):
            small, big = folder / f"small{turn}.db", folder / f"big{turn}.db"
            rate, slowest = ingest(small, parts)
            rates["small"].append(rate)
            rates["power"].append(ingest(folder / f"power{turn}.db", parts, "power")[0])
            rates["big"].append(ingest(big, big_parts)[0])
            there = folder / f"floor{turn}"
            there.mkdir()
            for name, value in floor(there, parts, small).items():
                rates[name].append(value)
        report = {
            "machine": {
                "python": sys.version.split()[0],
                "sqlite": driver().sqlite_version,
                "load": os.getloadavg()[0],
            },
            "spans": given.spans,
            "part_bytes": len(encode(parts[1])),
            "apply_spans_per_s": {
                "traces_of_20": _spread(rates["small"]),
                "traces_of_20_power": _spread(rates["power"]),
                "one_trace": _spread(rates["big"]),
            },
            "floor_rows_per_s": {name: _spread(rates[name]) for name in ("rows_only", "rows_and_payload")},
            "slowest_batch_ms": round(slowest, 1),
            "disk_bytes_per_span": {
                "traces_of_20": round(small.stat().st_size / given.spans),
                "one_trace": round(big.stat().st_size / given.spans),
            },
            "trickle": trickle(folder / "trickle.db", parts[:4_000]),
            "read": read(small, big, parts, big_parts),
        }
    finally:
        shutil.rmtree(folder)
    print(json.dumps(report, indent=2))
    return 0


def _spread(values: Sequence[float]) -> dict[str, int]:
    return {"median": round(statistics.median(values)), "min": round(min(values)), "max": round(max(values))}


if __name__ == "__main__":
    raise SystemExit(main())
