"""Retention in the daemon: it keeps the limits by itself, beside writing, and goes on after any trouble."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.store import Limits, StoreError, StoreReader, StoreWriter
from traceview.testing import build_trace
from traceview_agent import upkeep
from traceview_agent.sampling import Policy
from traceview_agent.sampling_settings import SamplingSettings
from traceview_agent.upkeep import NO_LIMITS, Upkeep


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_FIRST_S", 0.0)
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 0.05)


@pytest.fixture
def writer(tmp_path: Path) -> Any:
    made = StoreWriter(tmp_path / "a.db", facts)
    yield made
    made.close()


def names() -> list[str]:
    reader = StoreReader(find_places().store)
    try:
        return [found.name for found in reader.traces()]
    finally:
        reader.close()


def test_the_daemon_forgets_what_is_beyond_its_limits_and_nothing_else(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any]
) -> None:
    start_daemon(limits=Limits(max_traces=3))
    for number in range(1, 11):
        run = build_trace("plan > (a, b)", trace=f"t{number:02}", start_ns=number * 10**18 // 10)
        program.batch(number, run.parts)
        program.acknowledged(number)
    until(lambda: names() == ["t10", "t09", "t08"])


def test_without_limits_it_looks_once_and_rests(writer: StoreWriter) -> None:
    keeping = Upkeep(NO_LIMITS)
    assert keeping.seconds_left == 0.0
    keeping.run_if_due(lambda: writer)
    assert keeping.seconds_left is None
    keeping.run_if_due(lambda: writer)


def test_with_limits_it_looks_again_and_again(writer: StoreWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 60.0)
    monkeypatch.setattr("traceview.store.retention._SLICE_S", 0)
    for number in range(3):
        writer.apply(build_trace("a", trace=f"t{number}").parts)
    keeping = Upkeep(Limits(max_traces=0))
    keeping.run_if_due(lambda: writer)
    left = keeping.seconds_left
    assert left is not None
    assert left < 10  # there is more to do
    deadline = time.monotonic() + 20
    while (left := keeping.seconds_left) is not None and left < 30:
        keeping.run_if_due(lambda: writer)
        assert time.monotonic() < deadline
    reader = StoreReader(writer._path)
    assert reader.counts().traces == 0
    reader.close()


@pytest.mark.parametrize(
    ("limits", "sampling", "busy", "rests"),
    [
        (Limits(max_traces=0), None, True, 4.0),
        (Limits(max_traces=0), None, False, 1.0),
        (NO_LIMITS, Policy(SamplingSettings(ratio=0, settle="0s")), True, 9.0),
        (NO_LIMITS, Policy(SamplingSettings(ratio=0, settle="0s")), False, 1.0),
    ],
)
def test_spans_that_wait_get_most_of_the_time(
    writer: StoreWriter,
    monkeypatch: pytest.MonkeyPatch,
    limits: Limits,
    sampling: Policy | None,
    busy: bool,
    rests: float,
) -> None:
    monkeypatch.setattr("traceview.store.retention._SLICE_S", 0.05)
    keeping = Upkeep(limits, sampling)
    if sampling is not None:
        keeping.run_if_due(lambda: writer)  # from here on
    writer.apply([part for number in range(3_000) for part in build_trace("a", trace=f"t{number}").parts])
    keeping.noticed(writer)
    began = time.monotonic()
    keeping.run_if_due(lambda: writer, busy=busy)
    worked = time.monotonic() - began
    assert worked >= 0.05
    assert keeping.seconds_left == pytest.approx(rests * worked, rel=0.3)


@pytest.mark.expects_log
def test_trouble_is_told_once_and_does_not_end_it(writer: StoreWriter, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> StoreWriter:
        raise StoreError("the file is gone")

    def stumble() -> StoreWriter:
        raise ZeroDivisionError

    keeping = Upkeep(NO_LIMITS)
    for store in (fail, fail, stumble, lambda: writer):
        while keeping.seconds_left:
            time.sleep(0.005)
        keeping.run_if_due(store)
    said = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert said == ["retention has to wait: the file is gone", "retention failed; it is tried again in a minute"]
    assert keeping.seconds_left is None
