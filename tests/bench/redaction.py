"""How fast secrets are looked for, in spans without any and in spans with one each, beside the standard library's `re`.

    python tests/bench/redaction.py [--spans 5000] [--rounds 5]

Prints one JSON document; MB are of msgpack, a span is 2.2 KB of English prose. `false_alarms` is the share of spans
without a secret that the fast scan of their bytes could not clear, so that they are looked at part by part.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Callable
from pydoc_data.topics import topics
from typing import Any

import msgspec

from traceview.protocol.records import SpanPart, Status
from traceview.redaction import Redactor

PROSE = "\n".join(topics.values())
KEY = "sk-ant-api03-aB3dE5gH7jK9mN1pQ2rS4tU6vW8"
BATCH = 100
# What a first attempt looks like: one alternation, over decoded text.
NAIVE = re.compile(
    r"sk-[A-Za-z0-9_\-]{20,}|AKIA[A-Z2-7]{16}|gh[opsur]_[A-Za-z0-9]{36,}|eyJ[\w\-]+\.eyJ[\w\-]+\.[\w\-]*"
    r"|(?i:bearer\s+[\w\-.~+/]{16,})|://[^\s/:@]*:[^\s/@]+@|(?i:password|passwd|secret|api_?key|authorization|cookie)"
)


def make_parts(count: int, secret: bool, seed: int = 7) -> list[SpanPart]:
    dice = random.Random(seed)
    parts = []
    for number in range(count):
        start = 1_790_000_000_000_000_000 + number * 1_000_000
        attributes = {"llm.model_name": "gpt-4o", "llm.token_count.prompt": 812, "thread": "MainThread", "retry": False}
        if secret:
            attributes["http.request.header.x"] = f"use {KEY}"
        parts.append(
            SpanPart(
                number.to_bytes(16, "big"),
                dice.randbytes(8),
                name="llm step",
                start_ns=start,
                end_ns=start + 900_000,
                status=Status.OK,
                attributes=attributes,
                input=prose(dice),
                output=prose(dice),
            )
        )
    return parts


def prose(dice: random.Random) -> str:
    place = dice.randrange(len(PROSE) - 1_000)
    return PROSE[place : place + 1_000]


def timed(rounds: int, work: Callable[[], Any]) -> float:
    """The median of this many rounds, in seconds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    redactor = Redactor()
    clean, dirty = make_parts(options.spans, False), make_parts(options.spans, True)
    encode = msgspec.msgpack.encode
    records = [encode(part) for part in clean]
    cleared = [record for record in records if not redactor.suspicious(record)]
    batches = [b"".join(cleared[i : i + BATCH]) for i in range(0, len(cleared), BATCH)]
    size = sum(map(len, records)) / 1e6
    scan = timed(options.rounds, lambda: [redactor.suspicious(body) for body in batches])
    one_by_one = timed(options.rounds, lambda: [redactor.part(part) for part in clean])
    careful = timed(options.rounds, lambda: [redactor.part(part) for part in dirty])
    naive = timed(1, lambda: [NAIVE.search(body.decode("latin-1")) for body in batches])
    scanned = sum(map(len, cleared)) / 1e6
    print(
        json.dumps(
            {
                "scan_mb_per_second": round(scanned / scan),
                "scan_us_per_span": round(scan / len(cleared) * 1e6, 2),
                "false_alarms": round(1 - len(cleared) / len(records), 3),
                "clean_parts_mb_per_second": round(size / one_by_one),
                "clean_parts_us_per_span": round(one_by_one / options.spans * 1e6, 1),
                "dirty_parts_mb_per_second": round(size / careful),
                "dirty_parts_us_per_span": round(careful / options.spans * 1e6, 1),
                "naive_re_mb_per_second": round(scanned / naive),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
