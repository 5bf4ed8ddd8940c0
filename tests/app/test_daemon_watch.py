"""The window's watch over the daemon: starts one, tells how it is, says in one sentence why there is none."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.daemon import DaemonWatch
from traceview.protocol.control import AgentError, AgentStatus, ask
from traceview.protocol.places import Places, find_places
from traceview.store import StoreReader
from traceview.testing import build_trace

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
    failures: list[str] = []
    watch.start_failed.connect(failures.append)
    watch.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    reason = said[0][1]
    assert failures == [reason]
    assert "is not running" not in reason
    with qtbot.assertNotEmitted(watch.status_changed, wait=1_300):
        pass
    assert said == [(None, reason)]
    watch.close()


def test_a_watch_that_never_started_can_be_closed(places: Places) -> None:
    DaemonWatch(places).close()


def test_a_run_that_is_looked_into_is_kept_where_rules_are_in_force(places: Places, qtbot: QtBot) -> None:
    places.config.write_text("[sampling]\nratio = 0.0\nsettle = '0s'\n")
    watch, said = _watch(places, start_daemon=True)
    mine, other = bytes.fromhex("11" * 16), bytes.fromhex("22" * 16)
    watch.keep(mine)  # before there is a daemon
    watch.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    status = said[0][0]
    assert status is not None
    assert status.sampling
    qtbot.waitUntil(lambda: watch._kept == {mine})
    watch.keep(other)
    watch.keep(mine)
    qtbot.waitUntil(lambda: watch._kept == {mine, other})
    runs = [build_trace("a > b", trace=name).parts for name in ("one", "two", "three")]
    with pytest.raises(AgentError, match="32 hex digits"):
        ask(places, "keep", trace="11")
    spans = [
        {"trace_id": trace_id.hex(), "span_id": part.span_id.hex(), "start_ns": part.start_ns, "end_ns": part.end_ns}
        for trace_id, parts in zip((mine, other, bytes.fromhex("33" * 16)), runs, strict=True)
        for part in parts
    ]
    url = next(way.address for way in status.receivers if way.name == "otlp-http")
    request = urllib.request.Request(
        f"{url}/api/v1/spans/batch", json.dumps(spans).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()
    qtbot.waitUntil(lambda: bool(said[-1][0] and said[-1][0].sampled_out), timeout=10_000)
    reader = StoreReader(places.store)
    assert {found.trace_id for found in reader.traces()} == {mine, other}
    reader.close()
    watch.close()


def test_without_rules_nothing_is_asked_to_be_kept(places: Places, qtbot: QtBot) -> None:
    watch, said = _watch(places, start_daemon=True)
    watch.keep(bytes(16))
    watch.start()
    qtbot.waitUntil(lambda: bool(said), timeout=20_000)
    qtbot.waitUntil(lambda: not watch._to_keep)
    assert not watch._kept
    watch.close()


def test_what_cannot_be_kept_yet_is_asked_again(places: Places, qtbot: QtBot) -> None:
    watch, _ = _watch(places, start_daemon=False)
    watch.keep(bytes(16))
    watch._keep(True)  # no daemon answers
    assert watch._to_keep == {bytes(16)}
    watch.close()
