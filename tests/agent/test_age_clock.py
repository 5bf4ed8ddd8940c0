"""Ages count by a clock that may be set: nothing is forgotten at once because of that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from traceview.conventions import facts
from traceview.store import Limits, StoreReader, StoreWriter
from traceview.testing import build_trace
from traceview_agent import age_clock, upkeep
from traceview_agent.age_clock import AgeClock
from traceview_agent.upkeep import Upkeep

S = 10**9
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
START = 20_000 * DAY


class Clocks:
    """What the machine's clocks say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = START, 5 * DAY
        monkeypatch.setattr(time, "time_ns", lambda: self.wall)
        monkeypatch.setattr(age_clock, "steady_ns", lambda: self.steady)

    def pass_by(self, ns: int) -> None:
        self.wall += ns
        self.steady += ns


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_without_a_leap_it_is_the_machines_clock(clocks: Clocks, caplog: Any) -> None:
    clock = AgeClock()
    for wall, steady in ((MINUTE, MINUTE), (400 * DAY, 400 * DAY), (MINUTE + 30 * S, MINUTE), (30 * S, MINUTE)):
        clocks.wall += wall
        clocks.steady += steady
        assert clock.now_ns() == clocks.wall
    assert not caplog.records


@pytest.mark.expects_log
def test_a_leap_ahead_is_believed_after_an_hour_and_said_once(clocks: Clocks, caplog: Any) -> None:
    clock = AgeClock()
    clocks.wall += 4_000 * DAY
    assert clock.now_ns() == START
    clocks.pass_by(59 * MINUTE)
    assert clock.now_ns() == START + 59 * MINUTE
    clocks.pass_by(2 * MINUTE)
    assert clock.now_ns() == clocks.wall
    clocks.pass_by(DAY)
    assert clock.now_ns() == clocks.wall
    assert [record.getMessage()[:55] for record in caplog.records] == [
        "the clock says that 4000.0 days have passed at once, or"
    ]


@pytest.mark.expects_log
def test_a_leap_that_is_taken_back_never_counted(clocks: Clocks) -> None:
    clock = AgeClock()
    clocks.wall += 30 * DAY
    clocks.pass_by(50 * MINUTE)
    assert clock.now_ns() == START + 50 * MINUTE  # it is looked at for the first time
    clocks.wall -= 30 * DAY
    assert clock.now_ns() == clocks.wall == START + 50 * MINUTE
    clocks.wall += 30 * DAY
    clocks.pass_by(20 * MINUTE)
    assert clock.now_ns() < clocks.wall - DAY  # the hour begins anew


def test_a_leap_back_is_believed_at_once(clocks: Clocks) -> None:
    clock = AgeClock()
    clocks.wall -= 30 * DAY
    assert clock.now_ns() == clocks.wall


@pytest.mark.expects_log
def test_the_daemon_never_forgets_all_at_once_because_of_the_clock(
    clocks: Clocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_FIRST_S", 0.0)
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(upkeep, "_REST_PER_WORK", 0.0)
    path = tmp_path / "traces.db"
    writer = StoreWriter(path, facts)
    for days in (0, 20, 40):
        writer.apply(build_trace("a", trace=f"{days} days old", start_ns=START - days * DAY).parts)
    limits = Limits(max_age_ns=30 * DAY)

    def kept(keeping: Upkeep) -> set[str]:
        for _ in range(20):
            keeping.run_if_due(lambda: writer)
        reader = StoreReader(path)
        try:
            return {trace.name for trace in reader.traces()}
        finally:
            reader.close()

    keeping = Upkeep(limits)
    assert kept(keeping) == {"0 days old", "20 days old"}
    clocks.wall += 4_000 * DAY
    assert kept(keeping) == {"0 days old", "20 days old"}
    # Nor does a daemon that is started meanwhile, although something was recorded by the wrong clock.
    writer.apply(build_trace("a", trace="from the future", start_ns=clocks.wall).parts)
    again = Upkeep(limits)
    assert kept(again) == {"0 days old", "20 days old", "from the future"}
    clocks.pass_by(61 * MINUTE)
    deadline = time.monotonic() + 10  # on a busy machine a slice may come to nothing
    while kept(again) != {"from the future"}:
        assert time.monotonic() < deadline
    assert writer.last_believed_ns() == clocks.wall
    writer.close()
