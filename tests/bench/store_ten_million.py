"""Whether the store keeps its pace as it grows: a bench to run at ten million spans by hand.

    python tests/bench/store_ten_million.py [--spans 1000000] [--per-trace 20] [--folder /var/tmp]

Prints one JSON document: spans a second in each tenth of the run (`last_to_first` is the last beside the first),
bytes a span on disk, memory of the process (`start` has 20,000 spans as templates in it), and how long a reader takes
for what the app asks all the time. A span is 2.2 kB, as in `store_ingest.py`; ten million take 9 GB in the folder.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import store_ingest

from traceview.protocol.records import SpanPart, TraceInfo
from traceview.store import StoreReader, StoreWriter
from traceview.store.driver import driver

replace = msgspec.structs.replace
BATCH = 1_000
TEMPLATES = 20_000


def span_id(number: int) -> bytes:
    """As random as real ones: they decide where in an index a row goes."""
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=8).digest()


def trace_id(number: int) -> bytes:
    """Random, too."""
    return hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16, person=b"trace").digest()


def batches(spans: int, per_trace: int) -> Iterator[list[SpanPart]]:
    """Whole spans, all with ids and times of their own; what they say comes again after 20,000 spans."""
    templates = store_ingest.make_parts(TEMPLATES, per_trace, seed=1)
    for begun in range(0, spans, BATCH):
        batch = []
        for number in range(begun, min(begun + BATCH, spans)):
            trace, place = divmod(number, per_trace)
            start = store_ingest.START_NS + number * 1_000_000
            batch.append(
                replace(
                    templates[number % TEMPLATES],
                    trace_id=trace_id(trace),
                    span_id=span_id(number),
                    parent_id=None if place == 0 else span_id(trace * per_trace),
                    start_ns=start,
                    end_ns=start + 900_000,
                    trace=TraceInfo(name=f"run {trace}", session="s-1") if place == 0 else None,
                )
            )
        yield batch


def ingest(path: Path, spans: int, per_trace: int) -> dict[str, Any]:
    """Writes the spans; only `apply()` is timed."""
    writer = StoreWriter(path, store_ingest.understand)
    tenths: list[list[float]] = [[] for _ in range(10)]
    resident = []
    for seq, batch in enumerate(batches(spans, per_trace)):
        begun = time.perf_counter()
        writer.apply(batch, session=b"m" * 16, seq=seq + 1)
        tenths[seq * BATCH * 10 // spans].append((time.perf_counter() - begun) / len(batch))
        resident.append(_resident_mb())
    writer.close()
    rates = [round(1 / statistics.fmean(tenth)) for tenth in tenths]
    return {
        "spans_per_s_by_tenth": rates,
        "last_to_first": round(rates[-1] / rates[0], 2),
        "slowest_batch_ms": round(max(max(tenth) for tenth in tenths) * BATCH * 1e3),
        "disk_bytes_per_span": round(path.stat().st_size / spans),
        "resident_mb": {"start": resident[0], "highest": max(resident), "end": _resident_mb()},
    }


def _resident_mb() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


def read(path: Path, spans: int, per_trace: int) -> dict[str, float]:
    """What the app asks all the time, of the whole store; medians in ms, each call on another trace."""
    reader = StoreReader(path)
    traces = spans // per_trace
    head = reader.head()

    def each(ask: Callable[[int], Any]) -> float:
        taken = []
        for number in range(50):
            begun = time.perf_counter()
            ask(number * 7_919 % traces)
            taken.append((time.perf_counter() - begun) * 1e3)
        return round(statistics.median(taken), 3)

    found = {
        "newest_1000_traces_ms": each(lambda _: reader.traces(limit=1_000)),
        "changed_traces_ms": each(lambda _: reader.traces(changed_after=head - 1)),
        "spans_of_a_trace_ms": each(lambda trace: reader.spans(trace_id(trace))),
        "payload_ms": each(lambda trace: reader.payload(trace_id(trace), span_id(trace * per_trace))),
    }
    reader.close()
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--spans", type=int, default=1_000_000)
    options.add_argument("--per-trace", type=int, default=20)
    options.add_argument("--folder", type=Path, help="where the store is made; it is deleted in the end")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="traceview-bench-", dir=given.folder))
    gc.freeze()
    try:
        report = {
            "machine": {
                "python": sys.version.split()[0],
                "sqlite": driver().sqlite_version,
                "load": os.getloadavg()[0],
            },
            "spans": given.spans,
            "spans_per_trace": given.per_trace,
            "write": ingest(folder / "traces.db", given.spans, given.per_trace),
            "read": read(folder / "traces.db", given.spans, given.per_trace),
        }
    finally:
        shutil.rmtree(folder)
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
