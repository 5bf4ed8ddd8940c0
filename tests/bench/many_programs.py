"""Twenty programs at once, each recording 2,000 spans of 2.2 KB a second with the SDK; prints JSON.

    python tests/bench/many_programs.py [--programs 20] [--rate 2000] [--seconds 10]

`lost` must be 0, whatever the machine can do: what the daemon has no time for waits in the spools of the programs.
`stored_s` is when all was in the store, counted from the start of the flood; `recorded_per_s` what the programs got to
record, which on few cores is less than was asked for. Targets: nothing lost, daemon ≤ 300 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import end_to_end


def program(seed: int, rate: int, seconds: float) -> None:
    """Records at a steady rate, a trace at a time, and ends when the daemon has all of it."""
    import traceview as tv

    end_to_end._await_go()
    began = time.perf_counter()
    recorded = 0
    while (elapsed := time.perf_counter() - began) < seconds:
        if recorded > elapsed * rate:
            time.sleep(recorded / rate - elapsed)
        end_to_end.record_spans(end_to_end.PER_TRACE, seed * 1_000_000 + recorded)
        recorded += end_to_end.PER_TRACE
    produced = time.perf_counter() - began
    tv.flush(end_to_end.GIVE_UP_SECONDS)
    end_to_end._say({"recorded": recorded, "seconds": produced, "stored_seconds": time.perf_counter() - began})


def run(programs: int, rate: int, seconds: float) -> dict[str, Any]:
    """All of them against one daemon."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        home = Path(folder)
        environment = {**os.environ, "TRACEVIEW_HOME": str(home)}
        arguments = ["--rate", str(rate), "--seconds", str(seconds)]
        with end_to_end.daemon(home) as (process, _, _):
            running: list[subprocess.Popen[str]] = []
            try:
                for seed in range(programs):
                    command = [sys.executable, __file__, "--seed", str(seed), *arguments]
                    pipe = subprocess.PIPE
                    running.append(subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True))
                for one in running:
                    end_to_end.heard(one)
                for one in running:
                    assert one.stdin is not None
                    one.stdin.write("go\n")
                    one.stdin.flush()
                said = [json.loads(end_to_end.heard(one)) for one in running]
                peak = end_to_end.peak_mb(process)
            finally:
                for one in running:
                    one.kill()
                    one.communicate()
        recorded = sum(one["recorded"] for one in said)
        stored_seconds = max(one["stored_seconds"] for one in said)
        return {
            "recorded": recorded,
            "recorded_per_s": round(recorded / max(one["seconds"] for one in said)),
            "stored_s": round(stored_seconds, 1),
            "stored_per_s": round(recorded / stored_seconds),
            "rss_peak_mb": peak,
            **end_to_end.in_store(home / "traces.db", recorded),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=20)
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.seed is not None:
        program(given.seed, given.rate, given.seconds)
        return 0
    load = os.getloadavg()[0]
    found = run(given.programs, given.rate, given.seconds)
    print(json.dumps({"bench": Path(__file__).stem, "load": load, "programs": given.programs, **found}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
