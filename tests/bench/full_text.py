"""What the full-text index costs and gives: ingest beside it, catching up, bytes, the time of a search, conversations.

    python tests/bench/full_text.py [--spans 100000] [--rounds 3] [--turns 1000]

Prints one JSON document. Spans are those of store_ingest.py (2.2 KB). `ingest` is the daemon's own writer and indexer
on their threads, flooded and at 1,000 spans a second; its ratios compare rounds with and without the indexer in turn.
Conversations are those of conversation_bytes.py in the SDK's form, each turn with everything said so far.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from conversation_bytes import TRACE, messages
from store_ingest import batches, make_parts, understand

from traceview.protocol.records import SpanPart
from traceview.store import StoreWriter, TextIndex, TextSearch, make_ready, parse_words
from traceview.store.driver import driver
from traceview.store.index_file import connect, index_bytes, index_path
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.indexer import Indexer
from traceview_agent.intake import Intake, Load
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction
from traceview_agent.writer import Writer

QUERIES = {
    "rare_word": "rsub",
    "common_word": "class",
    "two_words": "iterator mutable",
    "phrase": '"instance of a class"',
    "beginning": "notimpl*",
    "not_there": "zzyzx",
    "phrase_not_there": '"mutable of instance"',
}
SLICE_S = 0.01
PACED_PER_S = 1_000


class Rig:
    """The daemon's writer, and its indexer if asked for, on a store of their own."""

    def __init__(self, folder: Path, *, indexed: bool) -> None:
        self.path = folder / "traces.db"
        self.intake = Intake()
        self.left = 0
        self.changed = threading.Condition()
        letters = DeadLetters(folder / "rejected.jsonl", Redaction(None))
        self.writer = Writer(self.path, understand, self.intake, Meters(), letters, self._settled)
        self.writer.start()
        self.indexer = Indexer(self.path, self.intake) if indexed else None
        if self.indexer is not None:
            self.indexer.start()

    def _settled(self, settled: Sequence[Any]) -> None:
        with self.changed:
            self.left -= len(settled)
            self.changed.notify_all()

    def send(self, parts: Sequence[SpanPart]) -> None:
        load = Load([make_ready(part) for part in parts], 2_200 * len(parts), lambda _: None, "bench")
        with self.changed:
            self.left += 1
        self.intake.put(load, lambda: False)

    def wait_until_written(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.left)

    def close(self) -> None:
        if self.indexer is not None:
            self.indexer.stop(10.0)
        self.writer.stop(10.0)


def flood(folder: Path, parts: Sequence[SpanPart], *, indexed: bool) -> float:
    """Spans a second from the first one offered to the last one committed."""
    rig = Rig(folder, indexed=indexed)
    begun = time.perf_counter()
    for batch in batches(parts):
        rig.send(batch)
    rig.wait_until_written()
    rate = len(parts) / (time.perf_counter() - begun)
    rig.close()
    return rate


def paced(folder: Path, parts: Sequence[SpanPart], *, indexed: bool) -> dict[str, float]:
    """At a steady rate, in batches of 20: how long a batch takes to be committed, and how far the index is behind."""
    rig = Rig(folder, indexed=indexed)
    taken, behind = [], []
    begun = time.perf_counter()
    for number, place in enumerate(range(0, len(parts), 20)):
        time.sleep(max(0.0, begun + number * 20 / PACED_PER_S - time.perf_counter()))
        sent = time.perf_counter()
        rig.send(parts[place : place + 20])
        rig.wait_until_written()
        taken.append(time.perf_counter() - sent)
        if number % 25 == 24 and indexed:
            with closing(TextSearch(rig.path)) as search:
                behind.append(search._stream.waiting(search._meta))
    rig.close()
    found = {
        "commit_ms_p50": _ms(statistics.median(taken)),
        "commit_ms_p99": _ms(statistics.quantiles(taken, n=100)[98]),
    }
    return found | ({"most_spans_behind": max(behind)} if indexed else {})


def ingest(folder: Path, parts: Sequence[SpanPart], rounds: int) -> dict[str, Any]:
    flooded: dict[bool, list[float]] = {False: [], True: []}
    steady: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for _ in range(rounds):
        for indexed in (False, True):
            flooded[indexed].append(_in(folder / "flood", partial(flood, parts=parts, indexed=indexed)))
            some = parts[: 4 * PACED_PER_S]
            steady[indexed].append(_in(folder / "paced", partial(paced, parts=some, indexed=indexed)))
    without, beside = _medians(steady[False]), _medians(steady[True])
    return {
        "flood_spans_per_s": {"without": round(max(flooded[False])), "with": round(max(flooded[True]))},
        "flood_ratio": _ratio(flooded[False], flooded[True]),
        "paced_without": without,
        "paced_with": beside,
        "paced_ratio": round(beside["commit_ms_p50"] / without["commit_ms_p50"], 2),
    }


def _medians(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in found), 2) for name in found[0]}


def _ratio(without: Sequence[float], beside: Sequence[float]) -> float:
    return round(statistics.median(b / a for a, b in zip(without, beside, strict=True)), 3)


def catch_up(path: Path, spans: int) -> dict[str, float]:
    slices = []
    with closing(TextIndex(path)) as index:
        begun = time.perf_counter()
        more = True
        while more:
            before = time.perf_counter()
            more = index.advance(SLICE_S, lambda: False)
            slices.append(time.perf_counter() - before)
        taken = time.perf_counter() - begun
    _checkpoint(path)
    store = path.stat().st_size / spans
    return {
        "spans_per_s": round(spans / taken),
        "slice_ms_median": _ms(statistics.median(slices)),
        "slice_ms_p99": _ms(statistics.quantiles(slices, n=100)[98]),
        "index_bytes_per_span": round(index_bytes(path) / spans),
        "store_bytes_per_span": round(store),
        "bytes_per_span": round(store + index_bytes(path) / spans),
    }


def search(path: Path, rounds: int) -> dict[str, Any]:
    """The newest 50 hits: opening, candidates, and looking at each in the store."""
    found = {}
    for name, query in QUERIES.items():
        times = []
        for _ in range(max(3, rounds)):
            begun = time.perf_counter()
            with closing(TextSearch(path)) as opened:
                hits = len(opened.spans(parse_words(query), 50).hits)
            times.append(time.perf_counter() - begun)
        found[name] = {"hits": hits, "ms_median": _ms(statistics.median(times)), "ms_max": _ms(max(times))}
    return found


def conversations(folder: Path, turns: int) -> dict[str, Any]:
    """Index bytes a turn over ten spans of time; `flat` is the last tenth beside the second one."""
    folder.mkdir()
    path, said = folder / "traces.db", messages(turns)
    writer = StoreWriter(path, understand)
    index = TextIndex(path)
    sizes, slowest = [0], 0.0
    for turn in range(turns):
        context = said[: 1 + 4 * (turn + 1)]
        writer.apply(
            [SpanPart(TRACE, turn.to_bytes(8, "big"), start_ns=turn, end_ns=turn + 1, name="turn", input=context)]
        )
        before = time.perf_counter()
        while index.advance(SLICE_S, lambda: False):
            pass
        slowest = max(slowest, time.perf_counter() - before)
        if (turn + 1) % (turns // 10) == 0:
            sizes.append(_packed_bytes(path))
    index.close()
    writer.close()
    steps = [(after - before) / (turns // 10) for before, after in itertools.pairwise(sizes)]
    return {
        "turns": turns,
        "index_bytes_per_turn": [round(step) for step in steps],
        "flat": round(steps[-1] / steps[1], 2),
        "slowest_turn_ms": _ms(slowest),
    }


def _packed_bytes(path: Path) -> int:
    """What the index's rows hold once its segments are merged, without the free part of pages: on a copy."""
    with closing(connect(index_path(path), "ro")) as source, closing(driver().connect(":memory:")) as target:
        source.backup(target)
        target.execute("INSERT INTO words(words) VALUES ('optimize')")
        (words,) = target.execute("SELECT sum(length(block)) FROM words_data").fetchone()
        sql = "SELECT sum(length(spans) + coalesce(length(said), 0)), count(*) FROM document"
        ids, documents = target.execute(sql).fetchone()
    return int(words + ids + 40 * documents)  # the rest of a document's rows and keys


def _checkpoint(path: Path) -> None:
    for file in (path, index_path(path)):
        with closing(driver().connect(str(file))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _in(folder: Path, work: Callable[[Path], Any]) -> Any:
    folder.mkdir()
    try:
        return work(folder)
    finally:
        shutil.rmtree(folder)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--spans", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--turns", type=int, default=1_000)
    given = options.parse_args()
    parts = make_parts(given.spans, 20, seed=1)
    folder = Path(tempfile.mkdtemp(prefix="traceview-bench-"))
    try:
        ingested = ingest(folder, parts, given.rounds)
        path = folder / "traces.db"
        writer = StoreWriter(path, understand)
        for batch in batches(parts):
            writer.apply(batch)
        writer.close()
        report = {
            "machine": {
                "python": sys.version.split()[0],
                "sqlite": driver().sqlite_version,
                "load": os.getloadavg()[0],
            },
            "spans": given.spans,
            "ingest": ingested,
            "catch_up": catch_up(path, given.spans),
            "search_newest_50": search(path, given.rounds),
            "conversation": conversations(folder / "conversation", given.turns),
        }
    finally:
        shutil.rmtree(folder)
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
