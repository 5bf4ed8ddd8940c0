"""How long the window stands still while a list of many traces is loaded, filtered and brushed; prints JSON.

    python tests/bench/trace_list.py [--traces 100000]

A real store is read by the real window, off screen. `longest_ms` is the longest time between two turns of the GUI
thread's event loop from the change until the list shows it, `shown_ms` how long that takes. Goal: no turn above 16 ms.
`floor_ms` is the longest turn while nothing is asked for: what this machine makes of an idle loop.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QElapsedTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from traceview.app.main import make_app
from traceview.app.main_window import MainWindow
from traceview.app.services import make_services
from traceview.app.settings import Settings
from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart, Status, TraceInfo
from traceview.store import StoreWriter

START_NS = 1_790_000_000_000_000_000
_QUIET_MS = 400
_GIVE_UP_MS = 60_000


def fill(path: Path, traces: int) -> None:
    """A store of traces of two spans each: names, sessions, models and failures as a busy month leaves them."""
    writer = StoreWriter(path, facts)
    parts: list[SpanPart] = []
    for n in range(traces):
        trace_id = hashlib.sha256(b"%d" % n).digest()[:16]
        start = START_NS + n * 20_000_000_000
        status = Status.ERROR if n % 37 == 0 else Status.OK
        info = TraceInfo(name=f"agent {n % 12}", session=f"s-{n % 5000}", user=f"u-{n % 700}", tags=(f"t{n % 9}",))
        took = 500_000_000 + n * 7_919_000 % 30_000_000_000
        root, call = trace_id[:8], trace_id[8:]
        question = f"Where is parcel {n}, and who moved it last?"
        parts.append(
            SpanPart(trace_id, root, None, info.name, "agent", start, start + took, status, input=question, trace=info)
        )
        model = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 80}
        parts.append(SpanPart(trace_id, call, root, "answer", "llm", start + 1, start + took, Status.OK, None, model))
        if len(parts) >= 5_000:
            writer.apply(parts)
            parts = []
    writer.apply(parts)
    writer.close()


class Turns:
    """The longest time between two turns of the event loop."""

    def __init__(self) -> None:
        self._clock = QElapsedTimer()
        self._timer = QTimer(interval=0)
        self._timer.timeout.connect(self._turn)
        self.longest_ns = 0

    def _turn(self) -> None:
        if self._clock.isValid():
            self.longest_ns = max(self.longest_ns, self._clock.nsecsElapsed())
        self._clock.start()

    def watch(self, change: Callable[[], object], done: Callable[[], bool]) -> dict[str, float]:
        """Makes a change and waits until it shows and a while longer; times in ms."""
        self.longest_ns = 0
        self._clock.invalidate()
        loop = QEventLoop()
        began = time.perf_counter()
        shown = 0.0

        def look() -> None:
            nonlocal shown
            if not shown and done():
                shown = time.perf_counter() - began
                QTimer.singleShot(_QUIET_MS, loop.quit)

        looking = QTimer(interval=1)
        looking.timeout.connect(look)
        looking.start()
        self._timer.start()
        QTimer.singleShot(5, change)  # after the first turn, so that it is inside the second
        QTimer.singleShot(_GIVE_UP_MS, loop, loop.quit)
        loop.exec()
        if not shown:
            raise SystemExit("the list never showed what was asked for")
        looking.stop()
        self._timer.stop()
        return {"longest_ms": round(self.longest_ns / 1e6, 1), "shown_ms": round(shown * 1e3)}


def measure(app: QApplication, traces: int) -> dict[str, object]:
    """All figures of a window over a store of so many traces."""
    places = find_places()
    services = make_services(places, Settings(places.settings), start_daemon=False)
    window = MainWindow(services)
    window.resize(1600, 1000)
    window.workbench.build()
    gc.freeze()  # as the app does
    turns, model, filters = Turns(), services.model, services.filters
    window.show()
    app.processEvents()

    def typed(text: str, count: int) -> dict[str, float]:
        return turns.watch(lambda: window.trace_list.filter_bar.field.set_text(text), lambda: model.rowCount() == count)

    middle = (START_NS + traces // 4 * 20_000_000_000, START_NS + traces // 2 * 20_000_000_000)
    brushed = traces // 2 - traces // 4 + 1
    try:
        found: dict[str, object] = {"traces": traces}
        found["load"] = turns.watch(services.tail.start, lambda: model.rowCount() == traces)
        found["word"] = typed('"parcel 77"', sum(str(n).startswith("77") for n in range(traces)))
        found["all again"] = typed("", traces)
        found["same word again"] = typed('"parcel 77"', sum(str(n).startswith("77") for n in range(traces)))
        found["field"] = typed("status:error", len(range(0, traces, 37)))
        found["nearly all"] = typed("-status:error", traces - len(range(0, traces, 37)))
        found["figure"] = typed("tokens > 900", traces)
        filters.clear()
        found["brush"] = turns.watch(lambda: filters.brush(middle), lambda: model.rowCount() == brushed)
        found["floor_ms"] = turns.watch(lambda: None, lambda: True)["longest_ms"]
        return found
    finally:
        services.close()
        window.close()


def main() -> None:
    """Fills a store, measures, prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=100_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tv-") as home:
        os.environ["TRACEVIEW_HOME"] = home
        places = find_places()
        places.prepare()
        fill(places.store, wanted.traces)
        print(json.dumps(measure(make_app(), wanted.traces), indent=2))


if __name__ == "__main__":
    main()
