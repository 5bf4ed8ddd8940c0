"""How long the window takes to come: from the start of the process to the first picture, the list, the run's panes.

    python tests/bench/window_start.py [TRACES] [RUNS]

Prints JSON, times in ms: the first run (files not in memory yet, as far as the machine forgot them) and the median of
the others. Off screen, with a store of 1,000 traces, without a daemon.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from traceview.conventions import facts
from traceview.protocol.records import SpanPart
from traceview.store import StoreWriter, fill
from traceview.testing import START_NS, build_trace

# Started as the app is, but tells when it has got how far, and ends with the last of it.
_DRIVER = """
import json, sys, time
from PySide6.QtWidgets import QApplication
from traceview.app import main, main_window, services
started, seen = float(sys.argv[1]), {}
def tell(name):
    seen.setdefault(name, round((time.time() - started) * 1000))
    if len(seen) == 4:
        print(json.dumps(seen), flush=True)
        QApplication.quit()
make = main.make_services
main.make_services = lambda places, settings: make(places, settings, start_daemon=False)
class Timed(main_window.MainWindow):
    def __init__(self, services):
        super().__init__(services)
        self.first_painted.connect(lambda: tell("first_picture"))
        services.navigator.loaded.connect(lambda: tell("list"))
        services.selection.run_opened.connect(lambda run: tell("run"))
        self.workbench.built.connect(lambda: tell("panes"))
main.MainWindow = Timed
sys.exit(main.main([]))
"""


def main(traces: int = 1_000, runs: int = 7) -> dict[str, object]:
    """Fills a store, opens the window `runs` times, returns the times."""
    with tempfile.TemporaryDirectory(prefix="tv-") as folder:
        _fill(Path(folder) / "traces.db", traces)
        samples = [_start(folder) for _ in range(runs)]
    later = {name: statistics.median(sample[name] for sample in samples[1:]) for name in samples[0]}
    return {"traces": traces, "first_run_ms": samples[0], "later_runs_ms": later}


def _fill(store: Path, traces: int) -> None:
    parts: list[SpanPart] = []
    for n in range(traces):
        parts += build_trace("plan > (search:tool, answer:llm)", trace=f"run {n}", start_ns=START_NS + n * 10**9).parts
    writer = StoreWriter(store, facts)
    fill(writer, parts)
    writer.close()


def _start(home: str) -> dict[str, int]:
    environment = {**os.environ, "TRACEVIEW_HOME": home, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-P", "-c", _DRIVER, str(time.time())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    print(json.dumps(main(*map(int, sys.argv[1:])), indent=2))
