"""The whole of traceview at once: real programs, a real daemon, a real store, a real window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app import style
from traceview.app.main_window import MainWindow
from traceview.app.services import make_services
from traceview.app.settings import Settings
from traceview.protocol.places import find_places

AGENT = [sys.executable, "-P", "-m", "traceview_agent"]

Start = Callable[[], None]
OpenWindow = Callable[[], MainWindow]


@pytest.fixture(scope="session")
def styled(qapp: object) -> None:
    """The application dressed as `traceview` dresses it."""
    style.prepare(qapp)  # type: ignore[arg-type]


@pytest.fixture
def start_daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a daemon of this test's home on a free port; it is stopped after the test."""
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")

    def start() -> None:
        subprocess.run([*AGENT, "start"], check=True, capture_output=True, timeout=30)

    yield start
    subprocess.run([*AGENT, "stop"], check=False, capture_output=True, timeout=30)


@pytest.fixture
def open_window(home: Path, styled: None, qtbot: QtBot) -> Iterator[OpenWindow]:
    """Opens the app's window over the live store; closed and its threads stopped after the test."""
    opened = []

    def open_it() -> MainWindow:
        places = find_places()
        places.prepare()
        services = make_services(places, Settings(places.settings), start_daemon=False)
        window = MainWindow(services)
        opened.append((window, services))
        qtbot.addWidget(window)
        window.resize(1600, 1000)
        services.start()
        window.show()
        window.workbench.build()
        return window

    yield open_it
    for window, services in opened:
        window.hide()
        services.close()


@pytest.fixture
def start_program(home: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs Python code as a program of its own, spoken to by lines; killed after the test if it still runs."""
    programs: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate()
