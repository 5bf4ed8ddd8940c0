"""What every test gets: a home of its own, no display, and silence: stray threads and unexpected logs fail."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("traceview", deadline=None)
settings.load_profile("traceview")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["PYTHONWARNINGS"] = "default"

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh TRACEVIEW_HOME whose path is short enough for sockets; gone after the test."""
    folder = Path(tempfile.mkdtemp(prefix="tv-"))
    monkeypatch.setenv("TRACEVIEW_HOME", str(folder))
    for name in ("TRACEVIEW_STORE", "TRACEVIEW_ENDPOINT", "TRACEVIEW_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shared() -> Path:
    """The folder of real trace files and drivers; skips, saying so, where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("../shared/data is absent: real trace files are not part of this repository")
    return SHARED


@pytest.fixture(autouse=True)
def silence(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that logs a warning it did not announce (marker `expects_log`) or leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    for thread in left:
        thread.join(timeout=2)
    left = [thread.name for thread in left if thread.is_alive() and not thread.name.startswith("pytest_timeout")]
    assert not left, f"threads left behind: {left}"
    if request.node.get_closest_marker("expects_log") is None:
        loud = [r for when in ("setup", "call") for r in caplog.get_records(when) if r.levelno >= logging.WARNING]
        assert not loud, f"unexpected log: {[r.getMessage() for r in loud]}"
