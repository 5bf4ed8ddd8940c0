"""Which run is open: the newest while following, what was picked otherwise; over a real store and tail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.services import Services, make_services
from traceview.app.settings import Settings
from traceview.app.state.open_run import Source
from traceview.app.state.trace_filter import parse_filter
from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.store import StoreWriter
from traceview.testing import START_NS, BuiltTrace, build_trace

Start = Callable[[], Services]
S = 10**9


@pytest.fixture
def writer(home: Path) -> Iterator[StoreWriter]:
    """Writes the live store, as the daemon does."""
    made = StoreWriter(home / "traces.db", facts)
    yield made
    made.close()


@pytest.fixture
def services(home: Path, qtbot: QtBot) -> Iterator[Services]:
    """Everything behind a window; the tail runs."""
    places = find_places()
    made = make_services(places, Settings(places.settings), start_daemon=False)
    made.tail.start()
    yield made
    made.close()
    made.close()


def _trace(name: str, at: int = 0) -> BuiltTrace:
    return build_trace(f"{name} > child", trace=name, start_ns=START_NS + at * S)


def _open_name(services: Services) -> str | None:
    run = services.selection.run
    return None if run is None else run.summary.name


def test_the_newest_run_is_opened_and_each_newer_one(writer: StoreWriter, services: Services, qtbot: QtBot) -> None:
    writer.apply([*_trace("one").parts, *_trace("two", 1).parts])
    qtbot.waitUntil(lambda: _open_name(services) == "two")
    writer.apply(_trace("three", 2).parts)
    qtbot.waitUntil(lambda: _open_name(services) == "three")
    assert services.navigator.trace_id == _trace("three", 2).trace_id
    assert services.navigator.is_loaded


def test_a_filter_hides_runs_and_opens_none(writer: StoreWriter, services: Services, qtbot: QtBot) -> None:
    writer.apply([*_trace("one").parts, *_trace("two", 1).parts])
    qtbot.waitUntil(lambda: _open_name(services) == "two")
    assert services.navigator.following
    services.model.set_filter(parse_filter("name:one"))
    assert services.model.rowCount() == 1
    assert services.navigator.trace_id == _trace("two", 1).trace_id


def test_picking_a_run_ends_following_and_following_again_opens_the_newest(
    writer: StoreWriter, services: Services, qtbot: QtBot
) -> None:
    writer.apply([*_trace("one").parts, *_trace("two", 1).parts])
    qtbot.waitUntil(lambda: _open_name(services) == "two")
    with qtbot.waitSignal(services.navigator.following_changed) as changed:
        services.navigator.pick(_trace("one").trace_id)
    assert changed.args == [False]
    qtbot.waitUntil(lambda: _open_name(services) == "one")
    writer.apply(_trace("three", 2).parts)
    qtbot.waitUntil(lambda: services.model.total == 3)
    assert services.navigator.trace_id == _trace("one").trace_id
    services.navigator.follow(True)
    assert services.navigator.following
    qtbot.waitUntil(lambda: _open_name(services) == "three")


def test_looking_into_a_run_ends_following(writer: StoreWriter, services: Services, qtbot: QtBot) -> None:
    writer.apply(_trace("one").parts)
    qtbot.waitUntil(lambda: _open_name(services) == "one")
    services.selection.select_span(_trace("one").parts[1].span_id)
    assert not services.navigator.following
    writer.apply(_trace("two", 1).parts)
    qtbot.waitUntil(lambda: services.model.total == 2)
    assert _open_name(services) == "one"


def test_a_trace_asked_for_is_waited_for(writer: StoreWriter, services: Services, qtbot: QtBot) -> None:
    services.navigator.wait_for(_trace("late").trace_id)
    writer.apply(_trace("other", 5).parts)
    qtbot.waitUntil(lambda: services.model.total == 1)
    assert services.navigator.trace_id is None
    writer.apply(_trace("late").parts)
    qtbot.waitUntil(lambda: _open_name(services) == "late")


def test_another_source_shows_its_own_newest_run_and_back(
    home: Path, writer: StoreWriter, services: Services, qtbot: QtBot
) -> None:
    writer.apply(_trace("live").parts)
    other = StoreWriter(home / "file.db", facts)
    other.apply(_trace("filed").parts)
    other.close()
    qtbot.waitUntil(lambda: _open_name(services) == "live")
    services.filters.brush((0, START_NS * 2))
    file = Source(home / "file.db", "file.db", live=False)
    services.navigator.show_source(file)
    services.navigator.show_source(file)
    assert services.filters.range is None
    assert _open_name(services) is None
    qtbot.waitUntil(lambda: _open_name(services) == "filed")
    assert not services.navigator.following
    services.navigator.follow(True)
    assert not services.navigator.following
    services.navigator.show_source(services.sources.live)
    qtbot.waitUntil(lambda: _open_name(services) == "live")
    assert services.navigator.following


def test_a_run_that_is_gone_makes_room_for_the_newest(
    home: Path, writer: StoreWriter, services: Services, qtbot: QtBot
) -> None:
    writer.apply([*_trace("one").parts, *_trace("two", 1).parts])
    qtbot.waitUntil(lambda: services.model.total == 2)
    services.navigator.pick(_trace("one").trace_id)
    qtbot.waitUntil(lambda: _open_name(services) == "one")
    writer.close()
    replacement = StoreWriter(home / "new.db", facts)
    replacement.apply(_trace("three", 3).parts)
    replacement.close()
    for log in home.glob("traces.db-*"):
        log.unlink()
    (home / "new.db").replace(home / "traces.db")
    qtbot.waitUntil(lambda: _open_name(services) == "three")


def test_a_run_that_is_picked_or_looked_into_is_told_one_that_opens_by_itself_is_not(
    writer: StoreWriter, services: Services, qtbot: QtBot
) -> None:
    told: list[bytes] = []
    services.navigator.looked_into.connect(told.append)
    writer.apply([*_trace("one").parts, *_trace("two", 1).parts])
    qtbot.waitUntil(lambda: _open_name(services) == "two")
    assert told == []
    services.selection.select_span(_trace("two").parts[1].span_id)
    assert told == [_trace("two").trace_id]
    services.navigator.pick(_trace("one").trace_id)
    assert told[1:] == [_trace("one").trace_id]
    services.navigator.wait_for(_trace("three").trace_id)
    writer.apply(_trace("three", 2).parts)
    qtbot.waitUntil(lambda: _open_name(services) == "three")
    assert told[2:] == [_trace("three").trace_id]
