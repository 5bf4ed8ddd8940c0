"""From the end of a span in a program to its bar painted in the open window, at 100 spans a second; prints JSON.

Real program, real daemon, real store, real window (off screen). Goal: median ≤ 50 ms, p99 ≤ 150 ms.
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

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["TRACEVIEW_OTLP_PORT"] = "0"

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from traceview.app.main import make_app
from traceview.app.main_window import MainWindow
from traceview.app.services import make_services
from traceview.app.settings import Settings
from traceview.app.state.open_run import OpenRun
from traceview.protocol.places import find_places

RATE = 100
SECONDS = 15
WARM_UP = 2 * RATE
PROGRAM = f"""
import time, traceview as tv
with tv.trace("bench"):
    start = time.monotonic()
    for n in range({RATE * SECONDS}):
        with tv.span("call", kind="tool", input={{"n": n, "text": "x" * 1000}}) as span:
            span.set_output("y" * 1000)
        time.sleep(max(0.0, start + (n + 1) / {RATE} - time.monotonic()))
"""


class Watcher(QObject):
    """Notes when a span that had ended was first painted."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self.delays_ms: list[float] = []
        self._seen: set[bytes] = set()
        self._fresh: list[int] = []
        window.services.selection.run_opened.connect(self._take)
        window.services.selection.run_updated.connect(self._take)
        assert window.workbench.waterfall is not None
        window.workbench.waterfall.timeline.viewport().installEventFilter(self)

    def _take(self, run: OpenRun) -> None:
        for row in run.tree.rows:
            if row.end_ns is not None and row.name == "call" and row.span_id not in self._seen:
                self._seen.add(row.span_id)
                self._fresh.append(row.end_ns)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint and self._fresh:
            fresh, self._fresh = self._fresh, []
            QTimer.singleShot(0, lambda: self._painted(fresh))
        return False

    def _painted(self, ended: list[int]) -> None:
        now = time.time_ns()
        self.delays_ms += [(now - end) / 1e6 for end in ended]


def main() -> None:
    """Runs the program under the window and prints the distribution of delays in ms."""
    with tempfile.TemporaryDirectory(prefix="tv-") as home:
        os.environ["TRACEVIEW_HOME"] = home
        agent = [sys.executable, "-P", "-m", "traceview_agent"]
        subprocess.run([*agent, "start"], check=True, capture_output=True)
        app = make_app()
        places = find_places()
        services = make_services(places, Settings(places.settings), start_daemon=False)
        window = MainWindow(services)
        window.resize(1600, 1000)
        services.start()
        window.show()
        window.workbench.build()
        watcher = Watcher(window)
        program = subprocess.Popen([sys.executable, "-c", PROGRAM])
        try:
            run_until(app, watcher, program)
        finally:
            program.kill()
            program.wait()
            window.hide()
            services.close()
            subprocess.run([*agent, "stop"], check=False, capture_output=True)
    delays = sorted(watcher.delays_ms[WARM_UP:])
    print(
        json.dumps(
            {
                "bench": Path(__file__).stem,
                "spans": len(delays),
                "rate_per_s": RATE,
                "median_ms": round(statistics.median(delays), 1),
                "p90_ms": round(delays[int(len(delays) * 0.9)], 1),
                "p99_ms": round(delays[int(len(delays) * 0.99)], 1),
                "max_ms": round(delays[-1], 1),
                "load": os.getloadavg()[0],
            }
        )
    )


def run_until(app: QApplication, watcher: Watcher, program: subprocess.Popen[bytes]) -> None:
    """Serves the window until every span was painted or the time is up."""
    deadline = time.monotonic() + SECONDS + 15
    wanted = RATE * SECONDS
    timer = QTimer()
    timer.timeout.connect(
        lambda: app.quit() if len(watcher.delays_ms) >= wanted or time.monotonic() > deadline else None
    )
    timer.start(100)
    app.exec()
    timer.stop()


if __name__ == "__main__":
    main()
