"""The tail: what is written to the store reaches the window at once, in order, once; and nothing stops it for good."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from traceview.app.state.open_run import OpenRun, Source
from traceview.app.tail import Tail, TracesRead
from traceview.app.wakeup import Alarm, StoreWatch, _late_events_are_no_error, _observe
from traceview.conventions import facts
from traceview.protocol.records import Event, SpanPart, Status, TraceSummary
from traceview.store import Limits, Sampling, StoreWriter, Verdict
from traceview.testing import START_NS, BuiltTrace, build_trace

MakeTail = Callable[..., "Heard"]


class Heard:
    """A tail and what it has said so far."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tail = Tail(source)
        self.traces: list[TracesRead] = []
        self.runs: list[OpenRun] = []
        self.problems: list[str] = []
        self.tail.traces_read.connect(self.traces.append)
        self.tail.run_read.connect(self.runs.append)
        self.tail.problem_changed.connect(self.problems.append)

    def names(self) -> set[str]:
        """The names of all traces told since the last whole list."""
        names: dict[bytes, str] = {}
        for read in self.traces:
            names = {} if read.whole else {key: name for key, name in names.items() if key not in read.gone}
            names |= {trace.trace_id: trace.name for trace in read.traces}
        return set(names.values())


@pytest.fixture
def tail(home: Path, qtbot: QtBot) -> Iterator[MakeTail]:
    """Makes and starts tails of a store in the home; they are closed after the test."""
    with contextlib.ExitStack() as cleanup:

        def make(name: str = "traces.db", *, live: bool = True) -> Heard:
            heard = Heard(Source(home / name, name, live))
            heard.tail.start()
            cleanup.callback(heard.tail.close)
            return heard

        yield make


def _writer(home: Path, name: str = "traces.db") -> StoreWriter:
    return StoreWriter(home / name, facts)


def _write(home: Path, *traces: BuiltTrace, name: str = "traces.db") -> None:
    writer = _writer(home, name)
    for trace in traces:
        writer.apply(trace.parts)
    writer.close()


def test_what_is_stored_is_told_newest_first(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    _write(home, build_trace("a", trace="one"), build_trace("a", trace="two", start_ns=START_NS + 10**9))
    heard = tail()
    qtbot.waitUntil(lambda: bool(heard.traces))
    assert [trace.name for trace in heard.traces[0].traces] == ["two", "one"]
    assert heard.traces[0].whole
    assert heard.traces[0].complete


def test_a_store_that_is_not_there_yet_is_an_empty_list_and_no_problem(
    home: Path, tail: MakeTail, qtbot: QtBot
) -> None:
    heard = tail()
    qtbot.waitUntil(lambda: bool(heard.traces))
    assert heard.traces[0] == TracesRead(heard.source, (), whole=True, complete=True)
    _write(home, build_trace("plan", trace="first"))
    qtbot.waitUntil(lambda: heard.names() == {"first"})
    assert heard.problems == []


def test_a_new_trace_is_told_while_the_writer_goes_on(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    writer = _writer(home)
    writer.apply(build_trace("a", trace="one").parts)
    heard = tail()
    qtbot.waitUntil(lambda: heard.names() == {"one"})
    started = time.monotonic()
    writer.apply(build_trace("a", trace="two").parts)
    qtbot.waitUntil(lambda: heard.names() == {"one", "two"})
    assert time.monotonic() - started < 0.5
    assert not heard.traces[-1].whole
    writer.close()


def test_traces_that_the_store_forgets_leave_the_list(
    home: Path, tail: MakeTail, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traceview.app.tail._RELOAD_EVERY_S", 0.3)
    writer = _writer(home)
    runs = [build_trace("a > b", trace=f"t{n}", start_ns=START_NS + n * 10**9) for n in range(4)]
    for run in runs:
        writer.apply(run.parts)
    heard = tail()
    heard.tail.open_run(runs[0].trace_id)
    qtbot.waitUntil(lambda: bool(heard.runs) and heard.names() == {"t0", "t1", "t2", "t3"})
    for left in (3, 2, 1):  # in a row: the last is noticed too, though nothing is written after it
        while writer.tidy(Limits(max_traces=left)):
            pass
        if left == 3:
            qtbot.waitUntil(lambda: heard.names() == {"t1", "t2", "t3"})
    qtbot.waitUntil(lambda: heard.names() == {"t3"})
    assert heard.traces[-1].whole
    assert heard.traces[-1].complete
    assert heard.runs[-1].summary.name == "t0"  # what is shown stays until another run is wanted
    writer.apply(build_trace("a", trace="t5").parts)
    qtbot.waitUntil(lambda: heard.names() == {"t3", "t5"})
    assert heard.problems == []
    writer.close()


def _sample(writer: StoreWriter, *names: str) -> None:
    """Has sampling leave out the traces of these names."""

    def judge(trace: TraceSummary, earlier: str | None, has_kind: object) -> Verdict:
        return Verdict("rule" if earlier or trace.name in names else None)

    while writer.tidy(Limits(), Sampling(judge, 2**62, 0)):
        pass


def test_traces_that_are_sampled_out_leave_the_list_one_by_one(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    """Without reading it afresh: with rules in force that would be all the time."""
    writer = _writer(home)
    _sample(writer)
    writer.apply([part for n in range(4) for part in build_trace("a > b", trace=f"t{n}").parts])
    _sample(writer, "t0")
    heard = tail()
    qtbot.waitUntil(lambda: heard.names() == {"t1", "t2", "t3"})
    writer.apply(build_trace("a > b", trace="t4").parts)
    late = msgspec.structs.replace(build_trace("a > b", trace="t0").parts[1], name="late")
    writer.apply([late])
    qtbot.waitUntil(lambda: heard.names() == {"t1", "t2", "t3", "t4", "late"})
    _sample(writer, "t4")
    qtbot.waitUntil(lambda: heard.names() == {"t1", "t2", "t3"})
    assert [read.whole for read in heard.traces].count(True) == 1
    assert not any(read.gone for read in heard.traces if read.whole)
    while writer.tidy(Limits(max_traces=2)):  # retention takes one: that is told by the whole list
        pass
    qtbot.waitUntil(lambda: len(heard.names()) == 2, timeout=10_000)
    assert heard.traces[-1].whole
    writer.apply(build_trace("a", trace="t6").parts)
    qtbot.waitUntil(lambda: "t6" in heard.names())
    assert heard.problems == []
    writer.close()


def test_the_open_run_grows_as_its_spans_arrive(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    run = build_trace("plan > (search:tool, answer:llm)", trace="run")
    writer = _writer(home)
    started = [_started(part) for part in run.parts]
    writer.apply(started[:2])
    heard = tail()
    heard.tail.open_run(run.trace_id)
    qtbot.waitUntil(lambda: bool(heard.runs))
    first = heard.runs[-1]
    assert [row.name for row in first.tree.rows] == ["plan", "search"]
    assert first.summary.status is Status.RUNNING
    writer.apply([started[2], *run.parts])
    qtbot.waitUntil(lambda: heard.runs[-1].summary.status is Status.OK)
    last = heard.runs[-1]
    assert [row.name for row in last.tree.rows] == ["plan", "search", "answer"]
    assert len(last.moments) == 6
    assert last.start_ns == run.parts[0].start_ns
    assert last.now_ns == run.parts[0].end_ns
    writer.close()


def test_events_come_once_and_in_order_however_they_arrive(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    run = build_trace("work~", trace="events")
    start = run.parts[0].start_ns or 0
    writer = _writer(home)
    writer.apply(run.parts)
    heard = tail()
    heard.tail.open_run(run.trace_id)
    for offset in (5, 9, 7, 3):
        event = Event(start + offset, f"at {offset}")
        writer.apply([SpanPart(run.trace_id, run.parts[0].span_id, events=(event,))])
        qtbot.waitUntil(
            lambda name=event.name: any(e.name == name for e in heard.runs[-1].events) if heard.runs else False
        )
    assert [event.name for event in heard.runs[-1].events] == ["at 3", "at 5", "at 7", "at 9"]
    assert heard.runs[-1].now_ns == start + 9
    writer.close()


def test_another_run_is_opened_at_once_and_none_stops_telling(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    one, two = build_trace("a", trace="one"), build_trace("b", trace="two")
    _write(home, one, two)
    heard = tail()
    heard.tail.open_run(one.trace_id)
    qtbot.waitUntil(lambda: bool(heard.runs))
    heard.tail.open_run(two.trace_id)
    qtbot.waitUntil(lambda: heard.runs[-1].summary.trace_id == two.trace_id)
    heard.tail.open_run(None)
    told = len(heard.runs)
    _write(home, build_trace("b, c", trace="two"))
    qtbot.waitUntil(lambda: len(heard.traces) > 1)
    assert len(heard.runs) == told


def test_a_trace_that_is_not_there_yet_is_opened_when_it_comes(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    _write(home, build_trace("a"))
    late = build_trace("b", trace="late")
    heard = tail()
    heard.tail.open_run(late.trace_id)
    qtbot.waitUntil(lambda: bool(heard.traces))
    assert heard.runs == []
    _write(home, late)
    qtbot.waitUntil(lambda: bool(heard.runs))


def test_many_traces_come_as_a_first_screenful_and_then_all(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    parts = [build_trace("a", trace=str(n), start_ns=START_NS + n * 10**9).parts[0] for n in range(620)]
    writer = _writer(home)
    writer.apply(parts)
    writer.close()
    heard = tail()
    qtbot.waitUntil(lambda: len(heard.names()) == 620)
    assert (len(heard.traces[0].traces), heard.traces[0].complete) == (500, False)
    assert heard.traces[1].complete


def test_a_huge_run_is_shown_before_its_moments_are_worked_out(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    run = build_trace("root > leaf", trace="huge")
    leaf = run.parts[1]
    many = [
        SpanPart(run.trace_id, n.to_bytes(8, "big"), run.parts[0].span_id, "leaf", "tool", leaf.start_ns, leaf.end_ns)
        for n in range(1, 20_500)
    ]
    writer = _writer(home)
    writer.apply([run.parts[0], *many])
    heard = tail()
    heard.tail.open_run(run.trace_id)
    qtbot.waitUntil(lambda: len(heard.runs) == 2, timeout=20_000)
    early, late = heard.runs
    assert len(early.tree) == len(late.tree) == 20_500
    assert (len(early.moments), len(late.moments)) == (0, 41_000)
    assert set(early.moments.opened) == {-1}
    writer.apply([SpanPart(run.trace_id, (1).to_bytes(8, "big"), name="renamed")])
    qtbot.waitUntil(lambda: len(heard.runs) == 3, timeout=20_000)
    assert len(heard.runs[-1].moments) == 41_000
    writer.close()


def test_a_file_that_is_no_store_is_one_clear_sentence(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    (home / "bad.traceview").write_bytes(b"this is no database" * 400)
    heard = tail("bad.traceview", live=False)
    qtbot.waitUntil(lambda: bool(heard.problems))
    assert "is not a traceview store" in heard.problems[0]
    assert "bad.traceview" in heard.problems[0]


def test_a_store_that_vanishes_is_told_and_read_again_when_it_is_back(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    run = build_trace("a", trace="before")
    _write(home, run)
    heard = tail()
    heard.tail.open_run(run.trace_id)
    qtbot.waitUntil(lambda: bool(heard.runs) and bool(heard.traces))
    for file in home.glob("traces.db*"):
        file.unlink()
    qtbot.waitUntil(lambda: bool(heard.problems))
    assert "is gone" in heard.problems[0]
    _write(home, build_trace("b", trace="after"))
    qtbot.waitUntil(lambda: heard.names() == {"after"})
    qtbot.waitUntil(lambda: heard.problems[-1] == "")


def test_a_file_that_is_replaced_is_read_from_its_start(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    _write(home, build_trace("a", trace="old"))
    _write(home, build_trace("b", trace="new"), name="other.db")
    heard = tail()
    qtbot.waitUntil(lambda: heard.names() == {"old"})
    (home / "other.db").replace(home / "traces.db")
    qtbot.waitUntil(lambda: heard.names() == {"new"})


def test_another_source_is_followed_on_request(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    _write(home, build_trace("a", trace="live"))
    _write(home, build_trace("b", trace="filed"), name="file.db")
    heard = tail()
    qtbot.waitUntil(lambda: heard.names() == {"live"})
    other = Source(home / "file.db", "file.db", live=False)
    heard.tail.show_source(other)
    qtbot.waitUntil(lambda: heard.names() == {"filed"})
    assert heard.traces[-1].source == other


def test_a_file_source_that_is_gone_is_told(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    heard = tail("nowhere.db", live=False)
    qtbot.waitUntil(lambda: bool(heard.problems))
    assert "nowhere.db is gone" in heard.problems[0]


def test_a_folder_that_cannot_be_read_is_told(home: Path, tail: MakeTail, qtbot: QtBot) -> None:
    (home / "file").write_text("x")
    heard = tail("file/traces.db")
    qtbot.waitUntil(lambda: bool(heard.problems))
    assert "can't be read" in heard.problems[0]


def test_closing_is_quick_and_safe_twice_and_before_the_start(home: Path, tail: MakeTail) -> None:
    heard = tail()
    started = time.monotonic()
    heard.tail.close()
    heard.tail.close()
    assert time.monotonic() - started < 2
    Tail(heard.source).close()


def test_an_alarm_rings_for_a_change_only_when_the_rest_is_over() -> None:
    alarm = Alarm()
    alarm.change()
    started = time.monotonic()
    assert alarm.sleep(started + 0.05, 10)
    assert 0.045 <= time.monotonic() - started < 5
    alarm.call()
    assert alarm.sleep(time.monotonic() + 60, 60)
    assert alarm.sleep(0, 0.01)
    alarm.stop()
    assert not alarm.sleep(time.monotonic() + 60, 60)


def test_a_watch_hears_writes_to_its_store_and_moves_with_it(home: Path, qtbot: QtBot) -> None:
    alarm = Alarm()
    watch = StoreWatch(alarm)
    assert not watch.watch(home / "nowhere" / "traces.db")
    assert watch.watch(home / "traces.db")
    assert watch.watch(home / "traces.db")
    (home / "unrelated").write_text("x")
    (home / "traces.db-wal").write_text("x")
    started = time.monotonic()
    assert alarm.sleep(0, 5)
    assert time.monotonic() - started < 4
    watch.close()
    watch.close()


def test_a_watch_hears_writes_to_a_store_behind_a_link(home: Path) -> None:
    (home / "disk").mkdir()
    (home / "link").symlink_to(home / "disk")
    alarm = Alarm()
    watch = StoreWatch(alarm)
    assert watch.watch(home / "link" / "traces.db")
    (home / "disk" / "traces.db-wal").write_text("x")
    started = time.monotonic()
    assert alarm.sleep(0, 5)
    assert time.monotonic() - started < 4
    watch.close()


def test_a_watch_that_moves_or_closes_while_the_store_is_written_is_silent(home: Path) -> None:
    folders = [home / "one", home / "two"]
    for folder in folders:
        folder.mkdir()
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for folder in folders:
                (folder / "traces.db-wal").write_text("x")

    writer = threading.Thread(target=write)
    writer.start()
    watch = StoreWatch(Alarm())
    for turn in range(100):
        assert watch.watch(folders[turn % 2] / "traces.db")
    watch.close()
    done.set()
    writer.join()


def test_only_the_complaint_of_a_closing_watch_is_quietened(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watchdogs = logging.getLogger("watchdog.observers.inotify")
    with _late_events_are_no_error():
        watchdogs.error("InotifyEmitter.queue_events() called when the thread is inactive")
        watchdogs.info("Inotify queue overflowed")
    watchdogs.info("InotifyEmitter.queue_events() called when the thread is inactive")
    assert len(caplog.records) == 2


def test_a_watch_that_cannot_be_started_leaves_no_thread(home: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        _observe(home / "gone" / "traces.db", Alarm())


def _started(part: SpanPart) -> SpanPart:
    return SpanPart(part.trace_id, part.span_id, part.parent_id, part.name, part.kind, part.start_ns, trace=part.trace)
