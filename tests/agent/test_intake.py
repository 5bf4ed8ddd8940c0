"""The bounded queue, what is counted, and what is remembered of sessions."""

from __future__ import annotations

import threading
from typing import Any

from traceview_agent.intake import Intake, Load
from traceview_agent.meters import Meters
from traceview_agent.sessions import Sessions


def load(spans: int = 1, size: int = 10) -> Load:
    return Load([None] * spans, size, lambda outcome: None, "test")  # type: ignore[list-item]


def test_what_goes_in_comes_out_in_order() -> None:
    intake = Intake()
    loads = [load() for _ in range(5)]
    assert all(intake.offer(each) for each in loads)
    assert intake.take(100) == loads
    assert intake.queued == 5  # until they are settled
    intake.settle(loads)
    assert intake.queued == 0


def test_both_bounds_hold() -> None:
    by_spans, by_bytes = Intake(max_spans=3), Intake(max_bytes=30)
    assert [by_spans.offer(load()) for _ in range(4)] == [True, True, True, False]
    assert [by_bytes.offer(load()) for _ in range(4)] == [True, True, True, False]
    by_bytes.settle(by_bytes.take(1))
    assert by_bytes.offer(load())


def test_a_load_above_the_bounds_gets_in_beside_others() -> None:
    intake = Intake(max_spans=4, max_bytes=40)
    loads = [load(), load(10, 100), load()]
    assert all(intake.offer(each) for each in loads)
    assert not intake.offer(load(10, 100))
    intake.settle(intake.take(100))
    assert intake.depth.spans == intake.depth.bytes == 0


def test_take_stops_at_the_wanted_number_but_gives_one() -> None:
    intake = Intake()
    loads = [load(7), load(7), load(1)]
    for each in loads:
        intake.offer(each)
    assert intake.take(5) == loads[:1]
    assert intake.take(8) == loads[1:]


def test_closed_it_takes_nothing_and_drains() -> None:
    intake = Intake()
    first = load()
    intake.offer(first)
    intake.close()
    intake.close()
    assert not intake.offer(load())
    assert intake.take(1) == [first]
    assert intake.take(1) == []


def test_put_waits_for_room() -> None:
    intake = Intake(max_spans=1)
    first, second = load(), load()
    intake.offer(first)
    answers: list[bool] = []
    putting = threading.Thread(target=lambda: answers.append(intake.put(second, lambda: False)))
    putting.start()
    intake.settle(intake.take(1))
    putting.join()
    assert answers == [True]
    assert intake.take(1) == [second]


def test_put_gives_up_when_told_or_closed() -> None:
    intake = Intake(max_spans=1)
    intake.offer(load())
    assert not intake.put(load(), lambda: True)
    intake.close()
    assert not intake.put(load(), lambda: False)


def test_the_rate_is_the_mean_of_the_last_five_seconds() -> None:
    now = [100.0]
    meters = Meters(lambda: now[0])
    for second in range(100, 120):
        now[0] = second
        meters.add_stored("zeromq", 4)
        meters.add_stored("otlp-http", 6)
    assert meters.spans == 200
    assert meters.spans_per_second == 10.0
    now[0] = 122
    assert meters.spans_per_second == 6.0
    now[0] = 200
    assert meters.spans_per_second == 0.0


def test_sessions_without_batches_under_way_are_forgotten_first() -> None:
    sessions = Sessions(remembered=2)
    first: Any = sessions.heard(b"1", b"a")
    first.pending.add(1)
    second = sessions.heard(b"2", b"b")
    sessions.heard(b"3", b"c")
    sessions.heard(b"4", b"d")
    assert sessions.heard(b"1", b"e") is first
    assert first.identity == b"e"
    assert sessions.heard(b"2", b"b") is not second
