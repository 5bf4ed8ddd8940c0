"""The daemon as a whole: it starts completely or not at all, stops in order, and says how it is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from traceview.protocol import wire
from traceview.protocol.control import read_agent_file
from traceview.protocol.places import find_places
from traceview.store import StoreReader
from traceview.store.driver import driver
from traceview.testing import build_trace
from traceview_agent.daemon import CannotStart, Daemon, Options

TRACE = build_trace("plan > (search:tool!, answer:llm~)")


def test_a_running_daemon_leaves_word_and_takes_it_back(daemon: Any) -> None:
    places = find_places()
    about = read_agent_file(places.agent_file)
    assert about is not None
    assert about.pid == daemon.status.pid
    daemon.stop()
    assert not places.agent_file.exists()
    assert not places.control.exists()
    assert not Path(places.endpoint.removeprefix("ipc://")).exists()


def test_nothing_is_written_outside_of_the_home(daemon: Any, program: Any, home: Path) -> None:
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    daemon.stop()
    kept = {"run", "traces.db", "traces.db.lock", "traces.search.db"}
    assert {path.name.removesuffix(".ballast") for path in home.iterdir()} == kept


def test_stop_is_safe_twice_and_before_the_start(home: Path) -> None:
    async def run() -> None:
        daemon = Daemon(find_places(), Options(otlp_port=0))
        await daemon.stop()
        await daemon.start()
        await daemon.stop()
        await daemon.stop()

    asyncio.run(run())


def test_a_second_daemon_of_the_same_home_says_who_runs(daemon: Any, start_daemon: Any) -> None:
    with pytest.raises(CannotStart, match=rf"already running for .*\(pid {daemon.status.pid}\)") as error:
        start_daemon()
    assert error.value.code == 1
    assert daemon.status.problem is None


def test_two_homes_cannot_share_a_store(
    daemon: Any, start_daemon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIEW_STORE", str(find_places().store))
    monkeypatch.setenv("TRACEVIEW_HOME", str(tmp_path))
    with pytest.raises(CannotStart, match=r"traces\.db \(pid"):
        start_daemon()


def test_one_daemon_follows_another(start_daemon: Any, program: Any) -> None:
    start_daemon().stop()
    start_daemon().stop()
    last = start_daemon()
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert len(last.stored()) == 3


def test_a_store_elsewhere_gets_its_folder(
    start_daemon: Any, program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIEW_STORE", str(tmp_path / "deep" / "down" / "team.db"))
    start_daemon()
    assert (tmp_path / "deep" / "down" / "team.db").exists()


def test_leftovers_of_a_killed_daemon_do_not_matter(start_daemon: Any, program: Any) -> None:
    places = find_places()
    places.prepare()
    places.agent_file.write_text('{"pid": 1, "version": "0"}')
    places.control.touch()
    Path(places.endpoint.removeprefix("ipc://")).touch()
    (places.runtime / "agent.lock").write_text("1\n")
    (places.runtime / "agent.sock.full").touch()
    daemon = start_daemon()
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert daemon.status.pid != 1
    assert not (places.runtime / "agent.sock.full").exists()


def test_a_corrupt_store_is_refused_and_untouched(start_daemon: Any) -> None:
    store = find_places().store
    store.parent.mkdir(exist_ok=True)
    store.write_bytes(b"no database" * 1000)
    with pytest.raises(CannotStart, match=str(store)) as error:
        start_daemon()
    assert error.value.code == 2
    assert store.read_bytes() == b"no database" * 1000
    assert not find_places().control.exists()


def test_a_newer_store_is_refused_and_untouched(start_daemon: Any) -> None:
    start_daemon().stop()
    store = find_places().store
    connection = driver().connect(str(store))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = store.read_bytes()
    with pytest.raises(CannotStart, match="newer traceview"):
        start_daemon()
    assert store.read_bytes() == before


def test_another_programs_database_is_refused(start_daemon: Any) -> None:
    store = find_places().store
    connection = sqlite3.connect(store)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    with pytest.raises(CannotStart, match="another program"):
        start_daemon()


def test_a_home_that_cannot_be_made_is_one_clear_error(
    start_daemon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACEVIEW_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(CannotStart, match="TRACEVIEW_HOME") as error:
        start_daemon()
    assert error.value.code == 2
    assert str(tmp_path / "file") in str(error.value)


def test_what_is_queued_is_written_before_the_end(daemon: Any, program: Any) -> None:
    for seq in range(1, 200):
        program.batch(seq, build_trace("a > b", trace=f"t{seq}").parts)
    answer = program.hear()
    daemon.stop()
    acknowledged = answer.upto
    while not program.hears_nothing(0.1):
        answer = program.hear()
        if isinstance(answer, wire.Ack):
            acknowledged = max(acknowledged, answer.upto)
    assert len(daemon.stored()) == 2 * acknowledged


def test_the_rate_is_of_finished_spans(daemon: Any, program: Any, until: Any) -> None:
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert daemon.status.spans == 2  # the third still runs
    assert until(lambda: daemon.status.spans_per_second) == pytest.approx(0.4)


@pytest.mark.expects_log
def test_a_deleted_store_is_said_and_nothing_acknowledged(
    start_daemon: Any, start_program: Any, program: Any, until: Any
) -> None:
    daemon = start_daemon()
    program.batch(1, TRACE.parts[:1])
    program.acknowledged(1)
    hidden = daemon.places.store.rename(daemon.places.store.with_name("moved.db"))
    program.batch(2, TRACE.parts[1:])
    until(lambda: daemon.status.problem is not None)
    assert "was deleted while the daemon runs" in daemon.status.problem
    other = start_program(session=b"o" * 16)
    other.batch(1, TRACE.parts)
    answer = other.hear()
    assert isinstance(answer, wire.Busy)
    assert answer.reason == daemon.status.problem
    assert program.hears_nothing()
    hidden.rename(daemon.places.store)
    program.acknowledged(2)
    assert daemon.status.problem is None
    assert len(daemon.stored()) == 3


@pytest.mark.expects_log
def test_a_daemon_whose_store_is_gone_stops_in_time(daemon: Any, program: Any, until: Any) -> None:
    program.batch(1, TRACE.parts[:1])
    program.acknowledged(1)
    daemon.places.store.unlink()
    daemon.places.store.touch()
    program.batch(2, TRACE.parts[1:])
    until(lambda: daemon.status.problem is not None)
    assert "was replaced" in daemon.status.problem
    daemon.stop()
    assert program.hears_nothing()


def test_readers_see_what_is_acknowledged_at_once(daemon: Any, program: Any) -> None:
    program.batch(1, TRACE.parts[:1])
    program.acknowledged(1)
    reader = StoreReader(daemon.places.store)
    for seq in range(2, 50):
        program.batch(seq, build_trace("a", trace=f"t{seq}").parts)
        program.acknowledged(seq)
        assert len(reader.traces()) == seq
    reader.close()


def test_programs_and_exporters_at_the_same_time(daemon: Any, start_program: Any) -> None:
    def report(number: int) -> None:
        program = start_program(session=bytes([number]) * 16)
        for seq in range(1, 51):
            program.batch(seq, build_trace("a > (b, c)", trace=f"{number}/{seq}").parts)
        program.acknowledged(50)

    threads = [threading.Thread(target=report, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(daemon.stored()) == 8 * 50 * 3
    assert daemon.status.queued == 0


def test_power_durability_is_offered(start_daemon: Any, program: Any) -> None:
    daemon = start_daemon(durability="power")
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert len(daemon.stored()) == 3


def test_status_is_json(daemon: Any) -> None:
    from traceview.protocol import control

    assert json.dumps(control.ask(find_places(), "status"))
