"""Times of spans are right whatever happens to the machine's clock while they run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import traceview as tv
from traceview.protocol import clock
from traceview.testing import capture

HOUR = 3600 * 10**9


class Recorded(dict[str, Any]):
    """The spans by name, as of when they are asked for."""

    def __missing__(self, name: str) -> Any:
        return next(span for span in self["captured"].spans if span.name == name)


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with capture() as found:
        yield Recorded(captured=found)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    true = time.time_ns

    def put(off_ns: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: true() + off_ns)

    return put


@pytest.mark.parametrize("jump_ns", [HOUR, -HOUR, 20 * 365 * 24 * HOUR])
def test_a_clock_that_is_set_meanwhile_changes_no_duration_and_no_order(recorded: Any, set_clock: Any, jump_ns: int):
    before = time.time_ns()
    with tv.trace("run"):
        with tv.span("first"):
            set_clock(jump_ns)
            tv.log("later")
        with pytest.raises(ValueError), tv.span("second"):
            raise ValueError
    with tv.trace("next"):
        pass
    run, first, second, following = (recorded[name] for name in ("run", "first", "second", "next"))
    assert before <= run.start_ns <= first.start_ns <= first.events[0].time_ns <= first.end_ns
    assert first.end_ns <= second.start_ns <= second.events[0].time_ns <= second.end_ns <= run.end_ns
    assert run.end_ns - run.start_ns < HOUR
    assert abs(following.start_ns - run.end_ns - jump_ns) < HOUR // 60  # a new trace goes by the clock as it is now


def test_a_span_that_never_was_opened_starts_before_what_is_said_of_it(recorded: Any):
    span = tv.trace("late")
    span.add_event("first")
    span.end()
    assert recorded["late"].start_ns <= recorded["late"].events[0].time_ns <= recorded["late"].end_ns


def test_what_is_added_to_a_span_of_another_process_goes_by_the_wall_clock(recorded: Any, set_clock: Any):
    with tv.trace("here"):
        headers = tv.inject({})
    set_clock(HOUR)
    with tv.extract(headers):
        tv.log("from there")
        with tv.span("there"):
            pass
    assert abs(recorded["here"].events[0].time_ns - time.time_ns()) < HOUR // 60
    assert abs(recorded["there"].start_ns - time.time_ns()) < HOUR // 60


def test_the_steady_clock_is_one_that_every_platform_has(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.delattr(time, "CLOCK_MONOTONIC", raising=False)
    assert clock._find_steady() is time.perf_counter_ns
