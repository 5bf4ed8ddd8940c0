"""Measures what sampling costs: ingest without and with rules, decisions a second, forgetting a second, as JSON.

    .venv/bin/python tests/bench/sampling.py [--spans N] [--rounds N]

`ingest` drives the daemon's writer thread at full rate, in turns: without a policy, with one that keeps all of what it
judges, and with one that keeps a tenth: the best of all rounds; compare the ratios. `lag_s` is how long after the last
span the last trace that had to go was gone.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from store_ingest import BATCH, batches, make_parts, understand

from traceview.protocol.records import SpanPart, TraceSummary
from traceview.store import Limits, Sampling, StoreReader, StoreWriter, Verdict, make_ready
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.intake import Intake, Load
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction
from traceview_agent.sampling import Policy
from traceview_agent.sampling_settings import SamplingSettings
from traceview_agent.writer import Settled, Writer

SPANS_PER_TRACE = 20
RULES: list[dict[str, Any]] = [
    {"name": "checkout*", "keep": 1.0},
    {"project": "crawler", "model": "gpt-*", "keep": 0.01},
    {"kind": "embedding", "keep": 0.5},
    {"cost_above": 1.0, "keep": 1.0},
]
POLICIES = {
    "without": None,
    "all_kept": Policy(SamplingSettings(settle="100ms", rules=[*RULES, {"name": "nobody", "keep": 0}])),
    "a_tenth_kept": Policy(SamplingSettings(settle="100ms", ratio=0.1, rules=RULES)),
}


def ingest(path: Path, parts: Sequence[SpanPart], policy: Policy | None) -> tuple[float, float]:
    """Spans a second through the writer thread, and the seconds until sampling had caught up."""
    intake, settled, done = Intake(), 0, threading.Event()

    def deliver(outcomes: Settled) -> None:
        nonlocal settled
        settled += sum(load.weight for load, _ in outcomes)
        if settled == len(parts):
            done.set()

    letters = DeadLetters(path.with_suffix(".jsonl"), Redaction(None))
    writer = Writer(path, understand, intake, Meters(), letters, deliver, durability="process", sampling=policy)
    writer.start()
    begun = time.perf_counter()
    for seq, batch in enumerate(batches(parts), 1):
        load = Load(
            [make_ready(part) for part in batch],
            BATCH,
            lambda outcome: None,
            "bench",
            session=b"b" * 16,
            seq=seq,
            count=len(batch),
        )
        assert intake.put(load, lambda: False)
    assert done.wait(600)
    rate = len(parts) / (time.perf_counter() - begun)
    caught_up = time.perf_counter()
    if policy is not None:
        _wait_for_sampling(path)
    lag = time.perf_counter() - caught_up
    writer.stop(10.0)
    return rate, lag


def _wait_for_sampling(path: Path) -> None:
    reader = StoreReader(path)
    last = reader.head()
    while True:
        meta = dict(reader._rows("SELECT key, value FROM meta"))
        if meta.get("judged", 0) >= last and not meta.get("forgetting") and not any("doubt" in key for key in meta):
            break
        time.sleep(0.02)
    reader.close()


def decisions(path: Path, parts: Sequence[SpanPart]) -> dict[str, float]:
    """Traces judged a second with nothing to forget, and traces and spans forgotten a second, without any rests."""
    policy = POLICIES["all_kept"]
    assert policy is not None
    writer = StoreWriter(path, understand)
    keep_all = Sampling(policy.judge, 2**62, 2**62)
    writer.tidy(Limits(), keep_all)
    for seq, batch in enumerate(batches(parts), 1):
        writer.apply(batch, session=b"b" * 16, seq=seq)
    traces = len({part.trace_id for part in parts})
    begun = time.perf_counter()
    slowest = _all(writer, keep_all)
    judged = traces / (time.perf_counter() - begun)
    for seq, batch in enumerate(batches(_late(parts)), 1000):
        writer.apply(batch, session=b"b" * 16, seq=seq * 10)

    def none(trace: TraceSummary, earlier: str | None, has_kind: Any) -> Verdict:
        return Verdict("none")

    begun = time.perf_counter()
    slowest = max(slowest, _all(writer, Sampling(none, 2**62, 2**62)))
    taken = time.perf_counter() - begun
    writer.close()
    return {
        "judged_per_s": round(judged),
        "forgotten_traces_per_s": round(traces / taken),
        "forgotten_spans_per_s": round(len(parts) / taken),
        "slowest_slice_ms": round(slowest * 1e3, 1),
    }


def _late(parts: Sequence[SpanPart]) -> list[SpanPart]:
    """A late span for every trace, so that all are judged again."""
    roots = {part.trace_id: part for part in parts if part.parent_id is None}
    return [
        SpanPart(root.trace_id, b"late-one", root.span_id, "late", start_ns=root.start_ns, end_ns=root.end_ns)
        for root in roots.values()
    ]


def _all(writer: StoreWriter, sampling: Sampling) -> float:
    """All slices there are; the longest, in seconds."""
    slowest, more = 0.0, True
    while more:
        begun = time.perf_counter()
        more = writer.tidy(Limits(), sampling)
        slowest = max(slowest, time.perf_counter() - begun)
    return slowest


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--spans", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    parts = make_parts(given.spans, SPANS_PER_TRACE, seed=1)
    gc.freeze()
    folder = Path(tempfile.mkdtemp(prefix="traceview-bench-"))
    rates: dict[str, list[float]] = {name: [] for name in POLICIES}
    lags: dict[str, list[float]] = {name: [] for name in POLICIES}
    try:
        for turn in range(given.rounds):
            for name in (*list(POLICIES)[turn % 3 :], *list(POLICIES)[: turn % 3]):
                rate, lag = ingest(folder / f"{name}{turn}.db", parts, POLICIES[name])
                rates[name].append(rate)
                lags[name].append(lag)
        bytes_left = {name: (folder / f"{name}0.db").stat().st_size for name in POLICIES}
        alone = decisions(folder / "decisions.db", parts)
    finally:
        shutil.rmtree(folder)
    base = max(rates["without"])
    report = {
        "spans": given.spans,
        "traces": given.spans // SPANS_PER_TRACE,
        "ingest_spans_per_s": {name: round(max(values)) for name, values in rates.items()},
        "ingest_ratio_to_without": {name: round(max(values) / base, 3) for name, values in rates.items()},
        "lag_s": {name: round(statistics.median(values), 2) for name, values in lags.items() if name != "without"},
        "store_bytes": bytes_left,
        "alone": alone,
    }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
