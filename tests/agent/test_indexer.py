"""The daemon indexes what it stores, behind the writer; nothing that befalls the index is any trouble to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview.protocol import control
from traceview.protocol.places import Places, find_places
from traceview.protocol.records import SpanPart
from traceview.store import Limits, TextSearch, parse_words, text_index
from traceview.store.index_file import index_path
from traceview.testing import build_trace
from traceview_agent import indexer, upkeep

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(indexer, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(indexer, "_COUNT_EVERY_S", 0.01)
    monkeypatch.setattr(text_index, "FLOOR_BYTES", 0)


def parts(count: int, word: str = "needle") -> list[SpanPart]:
    """So many traces of one span."""
    return [
        msgspec.structs.replace(build_trace("a:tool", trace=f"{word} {number}").parts[0], input=f"{word} n{number}")
        for number in range(count)
    ]


def found(query: str) -> int:
    """How many spans the index alone knows."""
    with closing(TextSearch(find_places().store)) as search:
        search._reads_rest = False
        return len(search.spans(parse_words(query), 10_000).hits) if search.indexed else -1


def test_what_is_stored_is_indexed_while_the_daemon_runs(daemon: Any, program: Any, until: Any) -> None:
    program.batch(1, parts(100))
    program.acknowledged(1)
    until(lambda: found("needle") == 100)
    program.batch(2, parts(50, "thread"))
    program.acknowledged(2)
    until(lambda: found("thread") == 50)
    state = until(lambda: (s := daemon.status.search) and s.waiting == 0 and s)
    assert state.bytes > 10_000
    assert state.problem is None


def test_it_goes_on_after_a_restart(start_daemon: Start, program: Any, until: Any) -> None:
    first = start_daemon(index_text=False)
    program.batch(1, parts(100))
    program.acknowledged(1)
    assert first.status.search is None
    first.stop()
    assert found("needle") == -1
    start_daemon().stop()  # as far as it comes
    start_daemon()
    until(lambda: found("needle") == 100)


def test_forgotten_traces_leave_the_index(
    start_daemon: Start, program: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_FIRST_S", 0.0)
    monkeypatch.setattr(upkeep, "_LOOK_EVERY_S", 0.05)
    start_daemon(limits=Limits(max_traces=3))
    program.batch(1, parts(20))
    program.acknowledged(1)
    until(lambda: found("needle") == 3)


@pytest.mark.expects_log
@pytest.mark.parametrize("spoil", ["delete", "replace", "garbage"])
def test_an_index_spoilt_while_the_daemon_runs_is_made_anew(daemon: Any, program: Any, until: Any, spoil: str) -> None:
    program.batch(1, parts(100))
    program.acknowledged(1)
    until(lambda: found("needle") == 100)
    path = index_path(find_places().store)
    if spoil == "delete":
        path.unlink()
    elif spoil == "replace":
        (path.parent / "other").write_bytes(b"")
        os.replace(path.parent / "other", path)
    else:
        path.write_bytes(b"garbage " * (path.stat().st_size // 8))
    program.batch(2, parts(10, "thread"))
    program.acknowledged(2)
    until(lambda: found("needle") == 100 and found("thread") == 10)
    until(lambda: daemon.status.search.problem is None)


@pytest.mark.expects_log
def test_switched_off_it_leaves_no_old_index(
    start_daemon: Start, program: Any, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = start_daemon()
    program.batch(1, parts(10))
    program.acknowledged(1)
    until(lambda: found("needle") == 10)
    first.stop()
    start_daemon(index_text=False).stop()
    path = index_path(find_places().store)
    assert not path.exists()
    path.mkdir()
    start_daemon(index_text=False).stop()
    assert "can't be deleted" in caplog.text


@pytest.mark.expects_log
def test_where_the_index_cannot_be_made_spans_are_taken_all_the_same(
    start_daemon: Start, start_program: Start, until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    places = find_places()
    path = index_path(places.store)
    path.mkdir(parents=True)
    daemon = start_daemon()
    program = start_program()
    program.batch(1, parts(10))
    program.acknowledged(1)
    state = until(lambda: daemon.status.search.problem and daemon.status.search)
    assert str(path) in state.problem
    assert daemon.status.problem is None
    path.rmdir()
    until(lambda: found("needle") == 10)
    until(lambda: daemon.status.search.problem is None)
    assert caplog.text.count("has to wait") == 1


@pytest.mark.expects_log
def test_a_disk_that_is_nearly_full_stops_the_index_only(
    start_daemon: Start, start_program: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "FLOOR_BYTES", 1 << 62)
    daemon = start_daemon()
    program = start_program()
    program.batch(1, parts(10))
    program.acknowledged(1)
    until(lambda: "free some space" in (daemon.status.search.problem or ""))
    monkeypatch.setattr(text_index, "FLOOR_BYTES", 0)
    until(lambda: found("needle") == 10)


@pytest.mark.expects_log
def test_a_fault_of_ours_does_not_end_it(
    start_daemon: Start, start_program: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([ValueError("boom")])

    def texts(part: SpanPart) -> Iterator[Any]:
        for fault in faults:
            raise fault
        return real(part)

    real = text_index.texts
    monkeypatch.setattr(text_index, "texts", texts)
    start_daemon()
    program = start_program()
    program.batch(1, parts(10))
    program.acknowledged(1)
    until(lambda: found("needle") == 10)


def test_it_rests_while_the_writer_has_work(daemon: Any, program: Any, until: Any) -> None:
    program.batch(1, parts(10))
    program.acknowledged(1)
    until(lambda: found("needle") == 10 and daemon.status.search.waiting == 0)
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 1  # as if a load were being written
    program.batch(2, parts(10, "thread"))
    program.acknowledged(2)
    until(lambda: daemon.status.search.waiting == 10)
    assert found("thread") == 0
    with intake._changed:
        intake._spans -= 1
    until(lambda: found("thread") == 10)


def test_stopping_before_the_start_and_twice_is_safe(tmp_path: Path) -> None:
    from traceview_agent.intake import Intake

    one = indexer.Indexer(tmp_path / "traces.db", Intake())
    assert one.stop(1.0)
    assert one.stop(1.0)
    assert one.state.bytes == 0


def test_a_daemon_killed_while_it_indexes_loses_nothing(start_program: Start, until: Any) -> None:
    """SIGKILL at ten instants under load; the daemon after the last one has indexed all that was acknowledged."""
    places = find_places()
    sent = 0
    for turn in range(10):
        agent = _spawn(places)
        try:
            program = start_program(session=bytes([turn]) * 16)
            program.hello()
            for seq in range(1, 6):
                program.batch(seq, parts(40, f"kill{turn}x{seq}"))
                program.acknowledged(seq)
                sent += 40
            program.close()
            threading.Event().wait(0.02 * turn)  # the instant, somewhere in its slices
        finally:
            agent.send_signal(signal.SIGKILL)
            agent.wait()
    agent = _spawn(places)
    try:
        until(lambda: control.status(places).search.waiting == 0 and found("kill*") == sent, 20.0)  # type: ignore[union-attr]
    finally:
        agent.terminate()
        agent.wait()
    assert index_path(places.store).exists()


def _spawn(places: Places) -> subprocess.Popen[bytes]:
    """A daemon in a process of its own, which answers."""
    command = [sys.executable, "-P", "-m", "traceview_agent", "run", "--otlp-port", "0"]
    agent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    for _ in range(2000):
        try:
            if control.status(places).pid == agent.pid:
                return agent
        except control.AgentError:
            threading.Event().wait(0.01)
    raise AssertionError("the daemon does not answer")
