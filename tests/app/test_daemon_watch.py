"""The window's watch over the daemon: starts one, tells how it is, says in one sentence why there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.daemon import DaemonWatch
from traceview.protocol.control import AgentError, AgentStatus, ask
from traceview.protocol.places import Places, find_places

Said = list[tuple[AgentStatus | None, str]]


@pytest.fixture
def places(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """The test's home, where a daemon listens on any free OTLP port; stopped after the test."""
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")
    found = find_places()
    yield found
    with contextlib.suppress(AgentError):
        ask(found, "stop")


def _watch(places: Places, *, start_daemon: bool) -> tuple[DaemonWatch, Said]:
    watch, said = DaemonWatch(places, start_daemon=start_daemon), Said()
    watch.status_changed.connect(lambda status, error: said.append((status, error)))
    return watch, said


def test_a_daemon_is_started_and_its_status_told(places: Places, qtbot: QtBot) -> None:
    watch, said = _watch(places, start_daemon=True)
    watch.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    status, error = said[0]
    assert error == ""
    assert status is not None
    assert status.store == str(places.store)
    ask(places, "stop")
    qtbot.waitUntil(lambda: said[-1][0] is None, timeout=10_000)
    assert "traceview-agent start" in said[-1][1]
    watch.start_daemon()
    qtbot.waitUntil(lambda: said[-1][0] is not None, timeout=20_000)
    watch.close()
    watch.close()


def test_without_leave_to_start_one_it_only_says_that_none_runs(places: Places, qtbot: QtBot) -> None:
    watch, said = _watch(places, start_daemon=False)
    watch.start()
    qtbot.waitUntil(lambda: bool(said))
    assert said[0][0] is None
    assert "is not running" in said[0][1]
    watch.close()


def test_why_the_start_failed_is_not_drowned_by_its_not_running(
    places: Places, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIEW_STORE", str(places.home))  # a folder: the daemon refuses to start
    watch, said = _watch(places, start_daemon=True)
    watch.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    reason = said[0][1]
    assert "is not running" not in reason
    with qtbot.assertNotEmitted(watch.status_changed, wait=1_300):
        pass
    assert said == [(None, reason)]
    watch.close()


def test_a_watch_that_never_started_can_be_closed(places: Places) -> None:
    DaemonWatch(places).close()
