"""Trouble with the store stands in the open window, with what to do, and goes by itself when it is over."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.main_window import MainWindow
from traceview.protocol.places import find_places

sys.path.insert(0, str(Path(__file__).parent / "faults"))

from disk import SmallDisk, small_disk
from strain import Absent

Start = Callable[[], None]
OpenWindow = Callable[[], MainWindow]
AGENT = [sys.executable, "-P", "-m", "traceview_agent"]
_PATIENCE_MS = 30_000
_LOCK = """
from traceview.store.driver import driver
import sys
held = driver().connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


def record(name: str) -> None:
    """A program of one span, which ends whether or not the daemon takes it."""
    code = f"import traceview as tv\nwith tv.trace({name!r}): pass"
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ), timeout=30)


def names(window: MainWindow) -> set[str]:
    """The names of the traces in the list."""
    model = window.services.model
    return {model.trace(row).name for row in range(model.rowCount())}


def wait_for_banner(qtbot: QtBot, window: MainWindow, words: str) -> None:
    """Waits until the banner says this, before all else."""
    banner = window.banner
    qtbot.waitUntil(lambda: banner.isVisible() and words in banner.messages()[0], timeout=_PATIENCE_MS)


def wait_until_over(qtbot: QtBot, window: MainWindow, name: str) -> None:
    """Waits until the banner is gone and what was recorded meanwhile is in the list."""
    qtbot.waitUntil(lambda: name in names(window) and window.banner.isHidden(), timeout=_PATIENCE_MS)


@pytest.fixture
def disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A small disk that holds the store; skips where none can be mounted."""
    try:
        with small_disk(home / "disk") as mounted:
            monkeypatch.setenv("TRACEVIEW_STORE", str(mounted.folder / "traces.db"))
            yield mounted
    except Absent as reason:
        pytest.skip(str(reason))


@pytest.fixture
def begun(start_daemon: Start, open_window: OpenWindow, qtbot: QtBot) -> Callable[[], MainWindow]:
    """Starts a daemon and a window that shows a first trace."""

    def begin() -> MainWindow:
        start_daemon()
        record("before")
        window = open_window()
        qtbot.waitUntil(lambda: names(window) == {"before"}, timeout=_PATIENCE_MS)
        assert window.banner.isHidden()
        return window

    return begin


def test_a_full_disk(disk: SmallDisk, begun: Callable[[], MainWindow], qtbot: QtBot) -> None:
    window = begun()
    disk.fill()
    record("meanwhile")
    wait_for_banner(qtbot, window, "free some space")
    assert "programs keep their spans" in window.banner.messages()[0]
    disk.free()
    wait_until_over(qtbot, window, "meanwhile")


def test_a_store_that_another_program_holds(begun: Callable[[], MainWindow], qtbot: QtBot) -> None:
    window = begun()
    holder = subprocess.Popen(
        [sys.executable, "-c", _LOCK, find_places().store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        record("meanwhile")
        wait_for_banner(qtbot, window, "is locked by another process")
    finally:
        holder.communicate("\n", timeout=30)
    wait_until_over(qtbot, window, "meanwhile")


def test_a_store_that_was_deleted(begun: Callable[[], MainWindow], qtbot: QtBot) -> None:
    window = begun()
    for file in find_places().store.parent.glob("traces.db*"):
        file.unlink()
    wait_for_banner(qtbot, window, "is gone")
    record("after")
    wait_for_banner(qtbot, window, "was deleted while the daemon runs")
    for verb in ("stop", "start"):  # what the banner says one should do
        subprocess.run([*AGENT, verb], check=True, capture_output=True, timeout=30)
    wait_until_over(qtbot, window, "after")


def test_a_store_of_a_newer_version_is_refused_in_words(
    begun: Callable[[], MainWindow], open_window: OpenWindow, start_daemon: Start, qtbot: QtBot
) -> None:
    begun()
    subprocess.run([*AGENT, "stop"], check=True, capture_output=True, timeout=30)
    store = find_places().store
    code = "from traceview.store.driver import driver; import sys; c = driver().connect(sys.argv[1]); "
    code += "c.execute('PRAGMA user_version = 999'); c.commit(); c.close()"
    subprocess.run([sys.executable, "-c", code, store], check=True)
    content = store.read_bytes()
    window = open_window()
    window.services.daemon.start_daemon()
    wait_for_banner(qtbot, window, "written by a newer traceview")
    qtbot.waitUntil(lambda: window.banner.messages()[0].endswith("update traceview to open it"), timeout=_PATIENCE_MS)
    assert names(window) == set()
    assert store.read_bytes() == content
