"""A span that a program records is in the list and painted in the timeline of the open window within a second."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from pytestqt.qtbot import QtBot

from traceview.app.main_window import MainWindow
from traceview.app.theme import theme
from traceview.protocol.places import find_places
from traceview.protocol.records import Status, TraceSummary

AGENT_COMMAND = [sys.executable, "-P", "-m", "traceview_agent"]
Start = Callable[[], None]
OpenWindow = Callable[[], MainWindow]
Program = Callable[[str], "subprocess.Popen[str]"]

# Opens a run, then a tool span for every line it is sent, and says when each has ended.
AGENT = """
import sys, time
import traceview as tv
with tv.trace("agent under test", session="s-1", input="find the parcel"):
    print("open", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        with tv.span(line.strip(), kind="tool", input={"q": line}) as span:
            time.sleep(0.05)
            span.set_output([1, 2, 3])
        print(time.time_ns(), flush=True)
print("closed", flush=True)
"""


def listed(window: MainWindow) -> list[TraceSummary]:
    """The traces in the list, from the top."""
    model = window.services.model
    return [model.trace(row) for row in range(model.rowCount())]


def painted(window: MainWindow, kind: str) -> bool:
    """Whether a finished leaf bar of this kind is in the picture of the timeline."""
    waterfall = window.workbench.waterfall
    if waterfall is None:
        return False
    picture = waterfall.timeline.grab().toImage()
    wanted = theme(window.trace_list.palette().window().color().lightness() < 128).kind(kind).fill.rgb()
    return any(
        picture.pixel(x, y) == wanted for y in range(0, picture.height(), 3) for x in range(0, picture.width(), 2)
    )


def tell(program: subprocess.Popen[str], line: str) -> str:
    """Sends a line to the program and returns its answer."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return program.stdout.readline().strip()


def spans_shown(window: MainWindow) -> set[str]:
    run = window.services.selection.run
    return {row.name for row in run.tree.rows if row.end_ns is not None} if run else set()


def test_a_run_appears_while_it_runs(
    start_daemon: Start, open_window: OpenWindow, start_program: Program, qtbot: QtBot
) -> None:
    start_daemon()
    window = open_window()
    program = start_program(AGENT)
    assert program.stdout is not None
    assert program.stdout.readline().strip() == "open"
    qtbot.waitUntil(lambda: len(listed(window)) == 1, timeout=10_000)
    (trace,) = listed(window)
    assert (trace.name, trace.status, trace.session) == ("agent under test", Status.RUNNING, "s-1")

    waits = []
    for number in range(5):
        ended = int(tell(program, f"search {number}"))
        qtbot.waitUntil(lambda n=number: f"search {n}" in spans_shown(window), timeout=10_000)  # type: ignore[misc]
        waits.append(time.time_ns() - ended)
    # One slow scheduling of a busy machine is not the product's; the bench has the figures.
    assert statistics.median(waits) < 1_000_000_000
    qtbot.waitUntil(lambda: painted(window, "tool"), timeout=10_000)

    assert tell(program, "end") == "closed"
    qtbot.waitUntil(lambda: listed(window)[0].status is Status.OK, timeout=10_000)
    assert listed(window)[0].spans == 6


def test_a_daemon_that_starts_after_the_program_takes_everything_over(
    start_daemon: Start, open_window: OpenWindow, start_program: Program, qtbot: QtBot
) -> None:
    window = open_window()
    program = start_program(AGENT)
    assert program.stdout is not None
    assert program.stdout.readline().strip() == "open"
    for number in range(20):
        tell(program, f"early {number}")
    assert listed(window) == []

    start_daemon()
    qtbot.waitUntil(lambda: len(spans_shown(window)) == 20, timeout=20_000)
    tell(program, "late")
    qtbot.waitUntil(lambda: "late" in spans_shown(window), timeout=10_000)
    assert tell(program, "end") == "closed"
    qtbot.waitUntil(lambda: listed(window)[0].status is Status.OK, timeout=10_000)
    assert listed(window)[0].spans == 22


def test_a_daemon_that_restarts_loses_nothing(
    start_daemon: Start, open_window: OpenWindow, start_program: Program, qtbot: QtBot
) -> None:
    start_daemon()
    window = open_window()
    program = start_program(AGENT)
    assert program.stdout is not None
    assert program.stdout.readline().strip() == "open"
    tell(program, "before")
    qtbot.waitUntil(lambda: "before" in spans_shown(window), timeout=10_000)
    subprocess.run([*AGENT_COMMAND, "stop"], check=True, capture_output=True, timeout=30)
    for number in range(5):
        tell(program, f"meanwhile {number}")
    start_daemon()
    qtbot.waitUntil(lambda: len(spans_shown(window)) == 6, timeout=20_000)
    assert tell(program, "end") == "closed"
    qtbot.waitUntil(lambda: listed(window)[0].status is Status.OK, timeout=10_000)


def test_rules_take_runs_from_the_list_but_not_the_one_that_is_looked_into(
    start_daemon: Start, open_window: OpenWindow, start_program: Program, qtbot: QtBot
) -> None:
    find_places().config.write_text('[sampling]\nratio = 0.0\nsettle = "200ms"\n')
    start_daemon()
    window = open_window()
    programs = [start_program(AGENT) for _ in range(3)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline().strip() == "open"
    qtbot.waitUntil(lambda: len(listed(window)) == 3, timeout=10_000)
    mine = listed(window)[1].trace_id
    window.services.navigator.pick(mine)
    qtbot.waitUntil(lambda: mine in window.services.daemon._kept, timeout=10_000)
    for program in programs:
        assert tell(program, "end") == "closed"
    qtbot.waitUntil(lambda: [trace.trace_id for trace in listed(window)] == [mine], timeout=10_000)
    qtbot.waitUntil(lambda: "2 runs sampled out" in window.status_line.texts(), timeout=10_000)
    assert listed(window)[0].status is Status.OK
    run = window.services.selection.run
    assert run is not None
    assert run.summary.trace_id == mine
