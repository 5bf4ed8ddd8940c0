"""The app from start to end, and runs rendered to pictures."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from traceview.app.main import RenderError, main, render_trace
from traceview.app.main_window import MainWindow
from traceview.app.settings import Settings
from traceview.app.theme import theme
from traceview.conventions import facts
from traceview.formats import encode_json
from traceview.protocol.control import AgentError, ask
from traceview.protocol.places import find_places
from traceview.store import StoreWriter
from traceview.testing import build_trace

RUN = build_trace("plan:agent > (search:tool!, answer:llm)", trace="run")


@pytest.fixture
def store(home: Path) -> Path:
    """A store with one run of three spans."""
    path = home / "traces.db"
    writer = StoreWriter(path, facts)
    writer.apply(RUN.parts)
    writer.close()
    return path


@pytest.fixture(autouse=True)
def nothing_left(home: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A daemon that the app started is stopped after the test, and Qt no longer believes that the app is quitting."""
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")
    yield
    # Qt forgets a late request to quit only at the end of an event loop; till then all others end at once.
    QTimer.singleShot(0, qapp.quit)
    qapp.exec()
    with contextlib.suppress(AgentError):
        ask(find_places(), "stop")


def _picture(path: Path) -> QImage:
    image = QImage(str(path))
    assert not image.isNull()
    return image


def test_a_run_is_rendered_with_everything_loaded(store: Path, home: Path, qapp: QApplication) -> None:
    render_trace(store, RUN.trace_id, home / "dark.png", size=(1400, 900))
    dark = _picture(home / "dark.png")
    assert (dark.width(), dark.height()) == (1400, 900)
    colors = {dark.pixelColor(x, y).rgb() for x in range(350, 1000, 3) for y in range(100, 700, 6)}
    # The bars are there: the failed leaf and the answer of the model.
    assert theme(True).error.rgb() in colors
    assert theme(True).kind("llm").fill.rgb() in colors


def test_a_run_is_rendered_light_with_a_span_or_at_a_step(store: Path, home: Path, qapp: QApplication) -> None:
    render_trace(store, RUN.trace_id, home / "plain.png", dark=False, size=(1200, 800))
    render_trace(store, RUN.trace_id, home / "span.png", dark=False, size=(1200, 800), span=RUN.part("answer").span_id)
    render_trace(store, RUN.trace_id, home / "step.png", dark=False, size=(1200, 800), step=1)
    plain, span, step = (_picture(home / f"{name}.png") for name in ("plain", "span", "step"))
    assert plain.pixelColor(700, 10) == theme(False).bg2
    assert plain != span
    assert plain != step


def test_rendering_changes_nothing_of_the_users(store: Path, home: Path, qapp: QApplication) -> None:
    before = store.read_bytes()
    render_trace(store, RUN.trace_id, home / "x.png", size=(900, 600))
    assert store.read_bytes() == before
    # SQLite's own files beside the store are all that may come.
    assert {path.name for path in home.iterdir() if not path.name.startswith("traces.db")} == {"x.png"}


def test_what_cannot_be_rendered_is_one_sentence(store: Path, home: Path, qapp: QApplication) -> None:
    with pytest.raises(RenderError, match="there is no trace 0101"):
        render_trace(store, b"\x01" * 16, home / "x.png")
    with pytest.raises(RenderError, match="no step 99"):
        render_trace(store, RUN.trace_id, home / "x.png", step=99)
    with pytest.raises(RenderError, match="can't be written"):
        render_trace(store, RUN.trace_id, home / "nowhere" / "x.png")
    (home / "bad.db").write_bytes(b"no database" * 900)
    with pytest.raises(RenderError, match="is not a traceview store"):
        render_trace(home / "bad.db", RUN.trace_id, home / "x.png")


def _close_when_shown(qapp: QApplication, title: str, seen: list[str]) -> None:
    """Closes the window as soon as it has this title, or after 60 s; notes the titles it had until then."""
    deadline = time.monotonic() + 60

    def look() -> None:
        for window in qapp.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible():
                if window.windowTitle() not in (*seen, "traceview"):
                    seen.append(window.windowTitle())
                if title in seen or time.monotonic() > deadline:
                    window.close()

    timer = QTimer(qapp, interval=10)
    timer.timeout.connect(look)
    timer.start()
    qapp.lastWindowClosed.connect(timer.stop)


def test_the_app_opens_the_newest_run_and_the_files_named(store: Path, home: Path, qapp: QApplication) -> None:
    (home / "other.json").write_bytes(encode_json(build_trace("a", trace="other").parts))
    seen: list[str] = []
    _close_when_shown(qapp, "other — traceview", seen)
    assert main([str(home / "other.json")]) == 0
    # On a busy machine the file may be open before the live run was seen.
    assert seen in (["run — traceview", "other — traceview"], ["other — traceview"])
    assert Settings(home / "settings.ini").layout("window")["list"] == 320


def test_reset_forgets_the_layout(store: Path, home: Path, qapp: QApplication) -> None:
    settings = Settings(home / "settings.ini")
    settings.set_layout("window", {"size": [1500, 900], "list": 444})
    settings.save()
    _close_when_shown(qapp, "run — traceview", [])
    assert main(["--reset-ui"]) == 0
    assert Settings(home / "settings.ini").layout("window")["list"] == 320


def test_a_home_that_cannot_be_used_is_told_at_once(
    home: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("TRACEVIEW_HOME", str(home / "file" / "home"))
    assert main([]) == 2
    assert "can't be used" in capsys.readouterr().err


def test_a_signal_closes_the_app_properly(qapp: QApplication, store: Path, home: Path) -> None:
    QTimer.singleShot(300, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert main([]) == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_as_a_process_it_ends_within_two_seconds_of_a_signal(store: Path, home: Path) -> None:
    started = subprocess.Popen([sys.executable, "-P", "-m", "traceview"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (home / "run" / "agent.json").exists():
        assert time.monotonic() < deadline
        assert started.poll() is None
        time.sleep(0.02)
    asked = time.monotonic()
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=20)
    assert time.monotonic() - asked < 5
    assert started.returncode == 0
    assert said == ""
