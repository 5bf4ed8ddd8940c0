"""From the click on a trace of 100,000 spans in the open window to its bars painted; prints JSON. Goal: ≤ 500 ms.

python tests/bench/open_run.py [--spans 100000] [--rounds 7]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from traceview.app.main import make_app
from traceview.app.main_window import MainWindow
from traceview.app.services import Services, make_services
from traceview.app.settings import Settings
from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart, Status
from traceview.store import StoreWriter

START_NS = 1_790_000_000_000_000_000


def fill(path: Path, spans: int) -> bytes:
    """A store with one run of this many spans, nested as agents nest, and a small one; returns the big one's id."""
    writer = StoreWriter(path, facts)
    big = hashlib.sha256(b"big").digest()[:16]
    ids = [hashlib.sha256(b"%d" % n).digest()[:8] for n in range(spans)]
    kinds = ("llm", "tool", "chain", "retriever")
    parts = [
        SpanPart(
            big,
            ids[n],
            parent_id=ids[(n - 1) // 8] if n else None,
            name=f"step {n % 50}",
            kind=kinds[n % 4],
            start_ns=START_NS + n * 10_000,
            end_ns=START_NS + n * 10_000 + (spans * 10_000 if n < 9 else 60_000),
            status=Status.ERROR if n % 997 == 0 else Status.OK,
            input="x" * 100,
        )
        for n in range(spans)
    ]
    for n in range(0, spans, 5_000):
        writer.apply(parts[n : n + 5_000])
    small = hashlib.sha256(b"small").digest()[:16]
    writer.apply([SpanPart(small, ids[0], name="small", start_ns=START_NS + 10**15, end_ns=START_NS + 10**15 + 1)])
    writer.close()
    return big


class Painted(QObject):
    """Quits the event loop when a run of at least so many spans has been painted."""

    def __init__(self, app: QApplication, window: MainWindow, spans: int) -> None:
        super().__init__()
        self._app, self._services, self._spans = app, window.services, spans
        self.waiting = False
        assert window.workbench.waterfall is not None
        window.workbench.waterfall.timeline.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        run = self._services.selection.run
        if self.waiting and event.type() is QEvent.Type.Paint and run is not None and len(run.tree) >= self._spans:
            self.waiting = False
            QTimer.singleShot(0, self._app.exit)
        return False


def wait(app: QApplication, milliseconds: int) -> None:
    """Serves the window for a while."""
    timer = QTimer(singleShot=True, interval=milliseconds)
    timer.timeout.connect(app.exit)
    timer.start()
    app.exec()


def open_once(app: QApplication, services: Services, painted: Painted, trace_id: bytes) -> float:
    """Opens the run and returns the ms until it is painted."""
    painted.waiting = True
    started = time.perf_counter()
    services.navigator.pick(trace_id)
    app.exec()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Opens the run several times, with the small one between, and prints the median."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tv-") as home:
        os.environ["TRACEVIEW_HOME"] = home
        places = find_places()
        places.prepare()
        big = fill(places.store, parsed.spans)
        app = make_app()
        services = make_services(places, Settings(places.settings), start_daemon=False)
        window = MainWindow(services)
        window.resize(1600, 1000)
        services.tail.start()
        window.show()
        window.workbench.build()
        painted = Painted(app, window, parsed.spans)
        times = []
        for _ in range(parsed.rounds):
            services.navigator.pick(hashlib.sha256(b"small").digest()[:16])
            wait(app, 500)
            times.append(open_once(app, services, painted, big))
            wait(app, 2000)  # the moments of the run follow its picture
        window.hide()
        services.close()
    print(
        json.dumps(
            {
                "bench": Path(__file__).stem,
                "spans": parsed.spans,
                "median_ms": round(statistics.median(times)),
                "min_ms": round(min(times)),
                "max_ms": round(max(times)),
                "all_ms": [round(t) for t in times],
                "load": os.getloadavg()[0],
            }
        )
    )


if __name__ == "__main__":
    main()
