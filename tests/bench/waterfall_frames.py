"""How long the waterfall takes for runs of any size: to show a run, to take news of it, to pan, zoom, scroll and hover.

    python tests/bench/waterfall_frames.py [SPANS ...]

Prints JSON, times in ms. A frame is everything from the change to the last pixel of all parts of the pane, 1600 x 900,
off screen. `collapsed` has every step of the run folded, so that each row paints what is inside.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app" / "timeline"))

from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from sample_runs import loops

from traceview.analysis.tree import build_tree
from traceview.app import style
from traceview.app.state.open_run import OpenRun
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.app.timeline.geometry import TimeRange
from traceview.app.timeline.waterfall import Waterfall

_FRAMES = 60


def main(sizes: list[int]) -> dict[str, object]:
    """Measures runs of these numbers of spans."""
    app = QApplication([])
    style.prepare(app)
    style.dress(app, theme(True))
    return {f"{size:,} spans": _measure(size) for size in sizes}


def _measure(size: int) -> dict[str, object]:
    run, later = loops(size), loops(size + 20)
    rows = run.tree.rows
    selection = Selection()
    pane = Waterfall(selection)
    pane.resize(1600, 900)
    pane.show()
    QApplication.processEvents()
    gc.collect()
    found: dict[str, object] = {
        "build_tree": _once(lambda: build_tree(rows)),
        "set_run": _once(lambda: selection.show(run)),
        "first_frame": _once(QApplication.processEvents),
    }
    for name, step in _walks(pane):
        found[name] = _frames(step)
    pane.collapse_all()
    pane.window_of_time.show_whole()
    for name, step in _walks(pane):
        found[f"collapsed_{name}"] = _frames(step)
    pane.rows.set_collapsed(0, True)
    found["root_collapsed_zoom"] = _frames(dict(_walks(pane))["zoom"])
    found["collapse_root_and_expand_all"] = _once(pane.rows.expand_all)
    found["filter"] = _once(lambda: pane.filter_button.setChecked(True))
    news = _grown(run, later)
    found["news"] = _once(lambda: selection.show(news))
    found["news_frame"] = _once(QApplication.processEvents)
    pane.close()
    return found


def _grown(run: OpenRun, later: OpenRun) -> OpenRun:
    """The run with 20 more spans; those that did not change are the same records, as the app's reader keeps them."""
    known = {row.span_id: row for row in run.tree.rows}
    rows = [known.get(row.span_id, row) for row in later.tree.rows]
    tree = build_tree(rows)
    return OpenRun(run.source, later.summary, tree, later.events, run.moments, later.start_ns, later.now_ns)


def _walks(pane: Waterfall) -> Iterator[tuple[str, Callable[[int], object]]]:
    window, bar, viewport = pane.window_of_time, pane.tree.verticalScrollBar(), pane.timeline.viewport()
    whole = window.whole

    def pan(frame: int) -> None:
        start = whole.length * 0.4 + frame * whole.length / 4000
        window.show(TimeRange(start, start + whole.length / 50))

    def zoom(frame: int) -> None:
        window.show(TimeRange(0, whole.length * 0.93**frame))

    def scroll(frame: int) -> None:
        bar.setValue((bar.maximum() // 3) + frame * 37)

    def hover(frame: int) -> None:
        QTest.mouseMove(viewport, QPoint(200 + 5 * frame, 100 + 7 * frame))

    yield "zoom", zoom
    yield "pan", pan
    window.show(whole)
    yield "scroll", scroll
    yield "hover", hover


def _frames(step: Callable[[int], object]) -> dict[str, float]:
    step(0)
    QApplication.processEvents()
    times = sorted(_once(lambda frame=frame: (step(frame), QApplication.processEvents())) for frame in range(_FRAMES))
    return {"median": statistics.median(times), "p99": times[int(len(times) * 0.99) - 1], "max": times[-1]}


def _once(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return round((time.perf_counter() - begun) * 1000, 2)


if __name__ == "__main__":
    print(json.dumps(main([int(size) for size in sys.argv[1:]] or [10_000, 100_000, 1_000_000]), indent=1))
