"""The trace list's model: order, filter, range, sums; whatever changes, it says what a list made afresh would say."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from traceview.app.models.trace_list import TraceListModel, TraceRole
from traceview.app.models.trace_stats import TraceStats
from traceview.app.state.trace_filter import TraceFilter, parse_filter
from traceview.protocol.records import Status, TraceSummary
from traceview.testing import START_NS

MakeSummary = Callable[..., TraceSummary]
S = 1_000_000_000


@pytest.fixture
def model(qapp: object) -> Iterator[TraceListModel]:
    """A model watched by Qt's tester, which fails the test where the model breaks its contract."""
    made = TraceListModel()
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield made
    tester.deleteLater()


def _shown(model: TraceListModel) -> list[TraceSummary]:
    return [model.trace(row) for row in range(model.rowCount())]


def test_the_newest_start_stands_first(model: TraceListModel, summary: MakeSummary) -> None:
    model.replace([summary(at=1), summary(at=3), summary(at=2)])
    assert [trace.start_ns for trace in _shown(model)] == [START_NS + 3 * S, START_NS + 2 * S, START_NS + S]
    assert model.newest() == summary(at=3)
    assert [trace.start_ns for trace in model.recent(2)] == [START_NS + 3 * S, START_NS + 2 * S]


def test_roles_answer_text_summary_id_name_and_status(model: TraceListModel, summary: MakeSummary) -> None:
    asked = summary(preview="Where is my parcel?")
    model.replace([asked])
    index = model.index(0)
    assert index.data() == "Where is my parcel?"
    assert index.data(TraceRole.SUMMARY) == asked
    assert index.data(TraceRole.TRACE_ID) == asked.trace_id
    assert index.data(TraceRole.NAME) == "support-agent"
    assert index.data(TraceRole.STATUS) is Status.OK
    assert index.data(Qt.ItemDataRole.DecorationRole) is None
    assert model.data(QModelIndex()) is None
    assert model.rowCount(index) == 0
    assert model.roleNames()[TraceRole.NAME] == b"name"
    model.replace([summary()])
    assert model.index(0).data() == "support-agent"
    with pytest.raises(IndexError):
        model.trace(1)


def test_a_new_run_is_inserted_at_the_top(model: TraceListModel, summary: MakeSummary) -> None:
    model.replace([summary(at=1)])
    inserted: list[tuple[int, int]] = []
    model.rowsInserted.connect(lambda _, first, last: inserted.append((first, last)))
    model.update([summary(at=2, takes=None)])
    assert inserted == [(0, 0)]
    assert model.running()
    changed: list[int] = []
    model.dataChanged.connect(lambda first, last: changed.append(first.row()))
    model.update([summary(at=2)])
    assert changed == [0]
    assert not model.running()


def test_the_filter_keeps_and_counts_what_it_lets_through(model: TraceListModel, summary: MakeSummary) -> None:
    failed = summary(at=2, status=Status.ERROR)
    model.replace([summary(at=1), failed])
    model.set_filter(parse_filter("status:error"))
    assert _shown(model) == [failed]
    assert (model.total, model.stats.total, model.stats.failed) == (2, 1, 1)
    assert model.row_of(failed.trace_id) == 0
    assert model.row_of(summary(at=1).trace_id) == -1
    assert model.row_of(b"none") == -1
    assert model.find(summary(at=1).trace_id) == summary(at=1)
    model.set_filter(TraceFilter())
    assert model.rowCount() == 2


def test_the_histogram_counts_all_starts_whatever_range_is_shown(model: TraceListModel, summary: MakeSummary) -> None:
    assert model.histogram(4) is None
    assert model.newest() is None
    model.replace([summary(at=at, status=Status.ERROR if at == 9 else Status.OK) for at in range(10)])
    model.set_range((START_NS + 3 * S, START_NS + 5 * S))
    assert model.rowCount() == 3
    histogram = model.histogram(5)
    assert histogram is not None
    assert (histogram.total, histogram.failed) == ((2, 2, 2, 2, 2), (0, 0, 0, 0, 1))
    assert histogram.start_ns == START_NS


def test_percentiles_are_nearest_ranks(summary: MakeSummary) -> None:
    stats = TraceStats(summary(at=i, takes=i) for i in range(1, 101))
    assert stats.percentile(0.5) == 50 * S
    assert stats.percentile(0.95) == 95 * S
    assert TraceStats().percentile(0.5) is None


def test_cost_returns_to_nothing_when_nothing_is_priced(summary: MakeSummary) -> None:
    traces = [summary(at=i, cost_usd=0.1 * i) for i in range(1, 8)]
    stats = TraceStats(traces)
    for trace in traces:
        stats.take(trace)
    assert (stats.cost_usd, stats.priced, stats.total) == (0.0, 0, 0)


@pytest.mark.parametrize("seed", range(12))
def test_changes_in_place_end_where_a_fresh_list_would(
    model: TraceListModel, summary: MakeSummary, qtbot: QtBot, seed: int
) -> None:
    dice = random.Random(seed)
    everything: dict[bytes, TraceSummary] = {}
    if seed % 3:
        model.set_filter(parse_filter(dice.choice(["status:error", "-status:ok", "tokens > 50", "agent -nine"])))
    if seed % 2:
        model.set_range((START_NS + 20 * S, START_NS + 70 * S))
    for _ in range(120):
        batch = [_random_trace(dice, summary, everything) for _ in range(dice.choice([1, 1, 3]))]
        everything.update({trace.trace_id: trace for trace in batch})
        model.update(batch)
        if dice.random() < 0.2:
            model.remove([gone := dice.choice(list(everything))])
            del everything[gone]
    _same_as_fresh(model, list(everything.values()), qtbot)


def _random_trace(dice: random.Random, summary: MakeSummary, known: dict[bytes, TraceSummary]) -> TraceSummary:
    at = dice.randrange(90)
    trace = summary(
        dice.choice(["agent", "agent nine"]),
        at=at,
        takes=dice.choice([None, 1.0, 2.5]),
        status=dice.choice(list(Status)),
        input_tokens=dice.choice([None, 10, 90]),
        cost_usd=dice.choice([None, 0.25]),
    )
    if known and dice.random() < 0.2:  # a part that came late moves the start
        return msgspec.structs.replace(trace, trace_id=dice.choice(list(known)))
    return trace


def _same_as_fresh(model: TraceListModel, traces: Sequence[TraceSummary], qtbot: QtBot) -> None:
    fresh = TraceListModel()
    fresh.set_filter(model._filter)
    fresh.set_range(model._range)
    fresh.replace(traces)
    _settle(fresh, qtbot)
    assert _shown(model) == _shown(fresh)
    assert model.histogram(10) == fresh.histogram(10)
    for name in ("total", "running", "failed", "tokens", "cost_usd", "priced"):
        assert getattr(model.stats, name) == getattr(fresh.stats, name), name
    assert model.stats.percentile(0.5) == fresh.stats.percentile(0.5)


def _settle(model: TraceListModel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not model.busy, timeout=20_000)


def test_very_many_are_handled_in_slices_and_shown_when_done(
    model: TraceListModel, summary: MakeSummary, qtbot: QtBot
) -> None:
    traces = [summary(at=at, status=Status.ERROR if at % 10 == 0 else Status.OK) for at in range(30_000, 0, -1)]
    model.replace(traces[:10])
    model.update(traces)
    assert model.busy
    assert model.rowCount() == 10
    _settle(model, qtbot)
    assert model.rowCount() == 30_000
    model.set_filter(parse_filter("status:error"))
    assert model.rowCount() == 30_000
    _settle(model, qtbot)
    assert (model.rowCount(), model.stats.total, model.stats.failed) == (3_000, 3_000, 3_000)
    _same_as_fresh(model, traces, qtbot)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_while_very_many_are_handled_the_end_is_that_of_a_fresh_list(
    model: TraceListModel, summary: MakeSummary, qtbot: QtBot, seed: int
) -> None:
    dice = random.Random(seed)
    everything = {trace.trace_id: trace for trace in (summary(at=at % 7_919) for at in range(24_000, 0, -1))}
    for n in range(16_000):
        everything.setdefault(n.to_bytes(16, "big"), summary(at=n, trace_id=n.to_bytes(16, "big")))
    settled: list[None] = []
    model.settled.connect(lambda: settled.append(None))
    model.replace(list(everything.values()))
    for _ in range(12):
        match dice.choice(("few", "many", "gone", "all gone", "filter", "range", "turn", "turn")):
            case "gone" | "all gone" as how:
                gone = dice.sample(list(everything), 3 if how == "gone" else 900)
                model.remove(gone)
                for trace_id in gone:
                    del everything[trace_id]
                continue
            case "few":
                batch = [_random_trace(dice, summary, everything) for _ in range(3)]
            case "many":
                batch = [_random_trace(dice, summary, everything) for _ in range(400)]
            case "filter":
                model.set_filter(parse_filter(dice.choice(["status:error", "", "agent -nine", "tokens > 50"])))
                continue
            case "range":
                model.set_range(dice.choice([None, (START_NS + 20 * S, START_NS + 4_000 * S)]))
                continue
            case _:
                qtbot.wait(1)
                continue
        everything.update({trace.trace_id: trace for trace in batch})
        model.update(batch)
    _settle(model, qtbot)
    assert settled
    _same_as_fresh(model, list(everything.values()), qtbot)


def test_another_source_drops_what_was_under_way(model: TraceListModel, summary: MakeSummary, qtbot: QtBot) -> None:
    model.replace([summary(at=at) for at in range(20_000)])
    model.update([summary("late", at=1)])
    assert model.busy
    model.replace([summary("other")])
    assert not model.busy
    assert [trace.name for trace in _shown(model)] == ["other"]
    qtbot.wait(1)
    assert model.total == 1


def test_many_changes_at_once_come_as_one_reset(model: TraceListModel, summary: MakeSummary) -> None:
    resets: list[None] = []
    model.modelReset.connect(lambda: resets.append(None))
    model.update([summary(at=at) for at in range(300)])
    assert (len(resets), model.rowCount()) == (1, 300)
    model.update([])
    assert len(resets) == 1


@pytest.mark.parametrize("count", [1, 50, 250])
def test_traces_that_are_gone_leave_as_if_they_had_never_been(
    model: TraceListModel, summary: MakeSummary, qtbot: QtBot, count: int
) -> None:
    dice = random.Random(count)
    traces = [summary(at=at, status=dice.choice(list(Status))) for at in range(300)]
    model.set_range((START_NS + 20 * S, START_NS + 280 * S))
    model.replace(traces)
    gone = dice.sample(traces, count)
    model.remove([*(trace.trace_id for trace in gone), b"unknown", gone[0].trace_id])
    _same_as_fresh(model, [trace for trace in traces if trace not in gone], qtbot)
    assert model.total == 300 - count
    assert model.find(gone[0].trace_id) is None
    model.remove([])
    model.update(gone)
    assert model.total == 300
