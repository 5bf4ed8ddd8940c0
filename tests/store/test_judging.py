"""Sampling in the store: each quiet trace is judged once; what is left out goes whole, is counted and remembered."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import SpanPart, Status, TraceInfo, TraceSummary
from traceview.protocol.sampling import SAMPLED_OUT_KEY, SampledOut
from traceview.store import Limits, Sampling, StoreReader, StoreWriter, Verdict
from traceview.store.driver import driver
from traceview.store.judging import Judge

S = 10**9
ROOT = (1).to_bytes(8, "big")
EVERYTHING = 2**62


def part(number: int, span: int = 1, *, end: bool = True, **more: Any) -> SpanPart:
    fields: dict[str, Any] = {
        "name": f"t{number}",
        "start_ns": number * S,
        "end_ns": number * S + S // 10 if end else None,
        "parent_id": None if span == 1 else ROOT,
    }
    return SpanPart(number.to_bytes(16, "big"), span.to_bytes(8, "big"), **{**fields, **more})


class Judged:
    """Leaves out the traces of these names, by the rule "name"; remembers whom it was asked for."""

    def __init__(self, *out: str) -> None:
        self.out = out
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        self.asked.append((trace.name, earlier))
        if earlier is not None:
            return Verdict(None if trace.errors else earlier)
        return Verdict("name" if trace.name in self.out else None)


def sample(writer: StoreWriter, judge: Judge, settled: int = EVERYTHING, overdue: int = 0) -> int:
    """All slices there are; returns how many."""
    slices = 1
    while writer.tidy(Limits(), Sampling(judge, settled, overdue)):
        slices += 1
    return slices


def names(store: Any) -> list[str]:
    return [found.name for found in store.reader().traces()][::-1]


def test_what_was_there_before_the_first_rule_is_not_judged(store: Any) -> None:
    store.apply(part(1), part(2))
    judge = Judged("t1", "t2", "t3")
    sample(store.writer, judge)
    store.apply(part(3), part(2, 2))
    sample(store.writer, judge)
    assert judge.asked == [("t2", None), ("t3", None)]
    assert names(store) == ["t1"]
    assert store.writer.sampled_out() == (SampledOut("name", 2, 3),)


def test_rules_that_were_off_for_a_while_do_not_judge_that_time(store: Any) -> None:
    judge = Judged("t1", "t2", "t3")
    sample(store.writer, judge)
    store.apply(part(1))
    store.writer.tidy(Limits())
    sample(store.writer, judge)
    store.apply(part(2))
    sample(store.writer, judge)
    assert names(store) == ["t1"]


def test_only_what_is_quiet_is_judged_and_each_once(store: Any) -> None:
    judge = Judged("t2")
    sample(store.writer, judge)
    store.apply(part(1), part(2))
    before = store.writer.head()
    store.apply(part(3))
    sample(store.writer, judge, settled=before - 1)
    assert judge.asked == []
    sample(store.writer, judge, settled=before)
    sample(store.writer, judge, settled=before)
    assert judge.asked == [("t1", None), ("t2", None)]
    store.apply(part(1, 2))  # a late span reopens it
    sample(store.writer, judge, settled=before + 1)
    assert judge.asked[2:] == [("t3", None)]
    sample(store.writer, judge)
    assert judge.asked[3:] == [("t1", None)]


def test_running_traces_are_judged_when_they_have_ended(store: Any) -> None:
    judge = Judged("t1")
    sample(store.writer, judge)
    store.apply(part(1, end=False))
    sample(store.writer, judge, overdue=EVERYTHING)
    assert judge.asked == []
    store.apply(part(1))
    sample(store.writer, judge)
    assert names(store) == []


def test_interrupted_traces_are_kept_whatever_else_they_are(store: Any) -> None:
    judge = Judged("t1", "t2", "t3")
    sample(store.writer, judge)
    store.apply(part(1, end=False), session=b"s" * 16, seq=1)
    store.apply(part(2, status=Status.ERROR), part(2, 2, end=False), session=b"s" * 16, seq=2)
    store.apply(part(3))
    sample(store.writer, judge)
    store.apply(part(3, 2, end=False, parent_id=None), session=b"s" * 16, seq=3)  # late, and cut off
    store.writer.interrupt(b"s" * 16)
    sample(store.writer, judge, overdue=EVERYTHING)
    assert judge.asked == [("t3", None)]
    assert names(store) == ["t1", "t2", "t3"]


def test_a_trace_without_a_root_waits_longer(store: Any) -> None:
    judge = Judged("t1", "t2")
    sample(store.writer, judge)
    store.apply(part(1, 2), part(2, 2))
    sample(store.writer, judge)
    store.apply(part(2, 1))
    sample(store.writer, judge, overdue=store.writer.head() - 1)
    assert (names(store), judge.asked) == ([], [("t2", None), ("t1", None)])


def test_pinned_traces_are_never_judged_whenever_they_come(store: Any) -> None:
    judge = Judged("t1", "t2", "t3")
    sample(store.writer, judge)
    store.apply(part(1))
    store.writer.pin([part(1).trace_id, part(2).trace_id])
    store.apply(part(2), part(3))
    store.apply(part(1, 2), part(2, 2))
    sample(store.writer, judge)
    assert names(store) == ["t1", "t2"]
    assert judge.asked == [("t3", None)]


def test_a_late_span_of_a_trace_left_out_goes_the_same_way(store: Any) -> None:
    judge = Judged("t1")
    sample(store.writer, judge)
    store.apply(part(1), part(1, 2))
    sample(store.writer, judge)
    store.apply(part(1, 3, name="late"))
    (late,) = store.reader().traces()
    assert late.metadata == {SAMPLED_OUT_KEY: "name"}  # until then it says what it is
    sample(store.writer, judge)
    assert judge.asked == [("t1", None), ("late", "name")]
    assert names(store) == []
    assert store.writer.sampled_out() == (SampledOut("name", 1, 3),)


def test_a_late_error_stays_and_says_why_it_is_alone(store: Any) -> None:
    judge = Judged("t1")
    sample(store.writer, judge)
    store.apply(part(1, trace=TraceInfo(metadata={"mine": 1})))
    sample(store.writer, judge)
    store.apply(part(1, 3, name="late", parent_id=None, status=Status.ERROR, trace=TraceInfo(metadata={"mine": 2})))
    sample(store.writer, judge)
    (late,) = store.reader().traces()
    assert (late.name, late.spans, late.metadata) == ("late", 1, {SAMPLED_OUT_KEY: "name", "mine": 2})
    assert store.writer.sampled_out() == (SampledOut("name", 1, 1),)


def test_a_trace_left_out_that_is_imported_is_whole_and_stays(store: Any) -> None:
    judge = Judged("t1")
    sample(store.writer, judge)
    store.apply(part(1))
    sample(store.writer, judge)
    store.writer.pin([part(1).trace_id])
    store.apply(part(1))
    sample(store.writer, judge)
    assert [(found.name, found.metadata) for found in store.reader().traces()] == [("t1", {})]


def test_a_program_that_forges_the_mark_gains_nothing(store: Any) -> None:
    judge = Judged("t1")
    sample(store.writer, judge)
    store.apply(part(1, trace=TraceInfo(metadata={SAMPLED_OUT_KEY: "x"})))
    sample(store.writer, judge)
    assert judge.asked == [("t1", None)]


def test_a_window_lets_so_many_through_and_for_good(store: Any) -> None:
    def two_of_each(trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        return Verdict("limit", trace.start_ns // (10 * S), 2)

    sample(store.writer, two_of_each)
    store.apply(*(part(number) for number in range(10, 30)))
    sample(store.writer, two_of_each)
    kept = ["t10", "t11", "t20", "t21"]
    assert names(store) == kept
    store.writer.close()
    store.writer = store.open_writer()
    store.apply(part(12, 2, parent_id=None), part(10, 2), part(11, 2))
    sample(store.writer, two_of_each)
    store.apply(part(13))
    sample(store.writer, two_of_each)
    assert names(store) == kept
    assert store.writer.sampled_out() == (SampledOut("limit", 16, 18),)


def test_windows_long_past_are_let_go(store: Any) -> None:
    def one_of_each(trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        return Verdict("limit", trace.start_ns // S, 1)

    sample(store.writer, one_of_each)
    store.apply(*(part(number) for number in range(1, 400)))
    sample(store.writer, one_of_each)
    rows = _rows(store, "SELECT count(*) FROM meta WHERE key LIKE 'window:%'")
    assert rows[0][0] <= 101
    assert len(names(store)) == 399


def _rows(store: Any, sql: str) -> list[Any]:
    connection = driver().connect(str(store.path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_kinds_can_be_asked_for(store: Any) -> None:
    def with_tools(trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        return Verdict("tools" if has_kind("tool") else None)

    sample(store.writer, with_tools)
    store.apply(part(1), part(1, 2, kind="llm"), part(2), part(2, 2, kind="llm"), part(2, 3, kind="tool"))
    sample(store.writer, with_tools)
    assert names(store) == ["t1"]


def test_a_reader_can_tell_where_a_trace_went(store: Any) -> None:
    sample(store.writer, Judged())
    store.apply(part(1), part(2))
    store.writer.pin([part(3).trace_id])
    sample(store.writer, Judged("t1"))
    reader = store.reader()
    assert reader.left_out_by(part(1).trace_id.hex()) == reader.left_out_by(part(1).trace_id.hex()[:32]) == "name"
    assert [reader.left_out_by(text) for text in (part(2).trace_id.hex(), part(3).trace_id.hex(), "t1", "")] == [
        None
    ] * 4


def test_only_the_newest_left_out_are_remembered(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceview.store.judging._REMEMBERED", 3)
    judge = Judged(*(f"t{number}" for number in range(1, 9)))
    sample(store.writer, judge)
    for number in range(1, 9):
        store.apply(part(number))
    sample(store.writer, judge)
    assert [int.from_bytes(row[0]) for row in _rows(store, "SELECT trace_id FROM decision ORDER BY number")] == [
        6,
        7,
        8,
    ]


def test_a_failed_slice_decides_nothing(store: Any) -> None:
    def fails(trace: TraceSummary, earlier: str | None, has_kind: Callable[[str], bool]) -> Verdict:
        if trace.name == "t2":
            raise ZeroDivisionError
        return Verdict("all")

    sample(store.writer, Judged())
    store.apply(part(1), part(2))
    with pytest.raises(ZeroDivisionError):
        sample(store.writer, fails)
    assert names(store) == ["t1", "t2"]
    assert store.writer.sampled_out() == ()
    sample(store.writer, Judged("t1"))
    assert names(store) == ["t2"]


def test_it_goes_on_where_it_was_after_any_end(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceview.store.retention._SLICE_S", 0)  # a step a slice
    judge = Judged(*(f"t{number}" for number in range(0, 300, 2)))
    sample(store.writer, judge)
    for number in range(1, 300, 3):
        store.apply(*(part(each) for each in range(number, min(300, number + 3))))
    slices = 0
    while store.writer.tidy(Limits(), Sampling(judge, EVERYTHING, 0)):
        slices += 1
        store.writer.close()
        store.writer = store.open_writer()
    assert names(store) == [f"t{number}" for number in range(1, 300, 2)]
    assert store.writer.sampled_out() == (SampledOut("name", 149, 149),)
    assert [name for name, _ in judge.asked] == [f"t{number}" for number in range(1, 300)]  # each once
    assert slices > 149


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_kept_is_kept_whole(
    tmp_path_factory: pytest.TempPathFactory, facts: Callable[..., Any], data: st.DataObject
) -> None:
    """Writing, judging, pinning, forgetting and restarts in any order: a kept trace has every span it was sent."""
    path = tmp_path_factory.mktemp("sampling") / "traces.db"
    patch = pytest.MonkeyPatch()
    patch.setattr("traceview.store.retention._SLICE_S", 0)
    writer = StoreWriter(path, facts, floor_bytes=0)
    judge = Judged("t1", "t3", "t5")
    sample(writer, judge)
    sent: dict[bytes, set[bytes]] = {}
    pinned: set[bytes] = set()
    for _ in range(data.draw(st.integers(1, 5))):
        spans = data.draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4), st.booleans()), max_size=10))
        if data.draw(st.booleans()):
            pinned.add(chosen := data.draw(st.integers(1, 6)).to_bytes(16, "big"))
            writer.pin([chosen])
        writer.apply([part(trace, span, end=end, input="z" * 50) for trace, span, end in spans])
        for trace, span, _ in spans:
            sent.setdefault(trace.to_bytes(16, "big"), set()).add(span.to_bytes(8, "big"))
        known = {found.trace_id for found in _traces(path)}
        more = True
        while more and data.draw(st.booleans()):
            more = writer.tidy(Limits(), Sampling(judge, writer.head(), 0))
        for gone in known - {found.trace_id for found in _traces(path)}:
            sent[gone] = set()
        if data.draw(st.booleans()):
            writer.close()
            writer = StoreWriter(path, facts, floor_bytes=0)
    sample(writer, judge, overdue=EVERYTHING)
    patch.undo()
    left = {found.trace_id: found for found in _traces(path)}
    reader = StoreReader(path)
    for trace_id, found in left.items():
        assert {row.span_id for row in reader.spans(trace_id)} == sent[trace_id]
        assert found.running or trace_id in pinned or found.name not in judge.out
    reader.close()
    writer.close()


def _traces(path: Any) -> list[TraceSummary]:
    reader = StoreReader(path)
    try:
        return reader.traces()
    finally:
        reader.close()


def test_many_sharing_blocks_go_to_the_last_byte(store: Any) -> None:
    judge = Judged(*(f"t{number}" for number in range(1, 200)))
    sample(store.writer, judge)
    for number in range(1, 201):
        store.apply(part(number, input=random.Random(number).randbytes(300).hex()))
        sample(store.writer, judge, settled=store.writer.head() - 3)
    sample(store.writer, judge)
    assert names(store) == ["t200"]
    reader = store.reader()
    assert reader.payload(part(200).trace_id, ROOT).input == random.Random(200).randbytes(300).hex()
    assert _rows(store, "SELECT count(*) FROM payload_block") == [(1,)]
    assert _rows(store, "SELECT count(*) FROM span") == [(1,)]
