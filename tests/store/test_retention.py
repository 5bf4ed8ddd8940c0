"""Retention: whole traces go, oldest first, nothing else does, and nothing of them stays, however it is interrupted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import Event, SpanPart, SpanPayload
from traceview.store import Limits, StoreReader, StoreWriter
from traceview.store.blocks import MAX_SLOTS, NOWHERE, split_entries
from traceview.store.driver import driver

S = 10**9
EVERYTHING = Limits(max_traces=0)


def part(trace: int, span: int, *, end: bool = True, start_s: int | None = None, **more: Any) -> SpanPart:
    start_ns = (trace if start_s is None else start_s) * S
    fields: dict[str, Any] = {"name": f"t{trace}", "start_ns": start_ns, "end_ns": start_ns + S if end else None}
    return SpanPart(trace.to_bytes(16, "big"), span.to_bytes(8, "big"), **{**fields, **more})


def tidy(writer: StoreWriter, limits: Limits, now_s: int = 10**6) -> int:
    """All slices there are; returns how many."""
    slices = 1
    while writer.tidy(limits, now_ns=now_s * S):
        slices += 1
    return slices


def contents(path: Path) -> dict[bytes, dict[bytes, SpanPayload]]:
    reader = StoreReader(path)
    try:
        return {found.trace_id: dict(reader.payloads(found.trace_id)) for found in reader.traces()}
    finally:
        reader.close()


def assert_exact(path: Path) -> None:
    """Every row belongs to a trace, every block is referred to, every reference leads to a block."""
    connection = driver().connect(str(path))
    rows = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
    traces = {number for (number,) in rows("SELECT trace_no FROM trace")}
    referred = {locator >> 8 for (locator,) in rows("SELECT locator FROM span_part UNION SELECT locator FROM piece")}
    for (entries,) in rows("SELECT locators FROM span"):
        referred |= {locator >> 8 for locator, _ in split_entries(entries) if locator != NOWHERE}
    assert {
        number
        for table in ("span", "span_part", "piece", "event")
        for (number,) in rows(f"SELECT trace_no FROM {table}")
    } <= traces
    assert {number for (number,) in rows("SELECT block_no FROM payload_block")} == referred - {0}
    meta = dict(rows("SELECT key, value FROM meta"))
    assert (meta["traces"], meta["spans"]) == (len(traces), rows("SELECT count(*) FROM span")[0][0])
    assert not [key for key in meta if key.startswith("doubt")]
    assert rows("PRAGMA integrity_check") == [("ok",)]
    connection.close()


def test_without_limits_nothing_goes(store: Any) -> None:
    store.apply(part(1, 1), part(2, 1))
    assert tidy(store.writer, Limits()) == 1
    assert len(contents(store.path)) == 2
    assert store.reader().forgotten() == 0


def test_the_oldest_go_until_as_many_are_left_as_may_be(store: Any) -> None:
    for trace in (3, 1, 2, 5, 4):
        store.apply(part(trace, 1))
    reader = store.reader()
    tidy(store.writer, Limits(max_traces=2))
    assert [found.name for found in reader.traces()] == ["t5", "t4"]
    assert reader.forgotten() == 3
    assert_exact(store.path)


def test_age_counts_from_the_last_sign_of_life(store: Any) -> None:
    store.apply(part(1, 1), part(2, 1), part(2, 2, start_s=500), part(3, 1))
    tidy(store.writer, Limits(max_age_ns=100 * S), now_s=550)
    assert [found.name for found in store.reader().traces()] == ["t2"]
    assert_exact(store.path)


def test_running_traces_stay_whatever_the_limits_are(store: Any) -> None:
    store.apply(part(1, 1, end=False), part(2, 1))
    tidy(store.writer, Limits(max_age_ns=0, max_bytes=0, max_traces=0))
    assert [found.name for found in store.reader().traces()] == ["t1"]
    store.apply(part(1, 1))
    tidy(store.writer, EVERYTHING)
    assert store.reader().traces() == []
    assert_exact(store.path)


def test_a_trace_whose_root_has_not_come_counts_as_running_for_an_hour(store: Any) -> None:
    store.apply(part(1, 2, parent_id=(1).to_bytes(8, "big")))
    limits = Limits(max_age_ns=0, max_bytes=0, max_traces=0)
    tidy(store.writer, limits, now_s=3600)
    assert [found.name for found in store.reader().traces()] == ["t1"]
    tidy(store.writer, limits, now_s=3603)
    assert store.reader().traces() == []


def test_a_block_that_traces_share_stays_until_the_last_is_gone(store: Any) -> None:
    store.apply(*(part(trace, 1, input=f"of {trace}") for trace in range(1, MAX_SLOTS + 1)))
    for left in (40, 1):
        tidy(store.writer, Limits(max_traces=left))
        kept = contents(store.path)
        assert sorted(spans[(1).to_bytes(8, "big")].input for spans in kept.values()) == sorted(
            f"of {trace}" for trace in range(MAX_SLOTS - left + 1, MAX_SLOTS + 1)
        )
        assert_exact(store.path)
    tidy(store.writer, EVERYTHING)
    assert_exact(store.path)


def test_what_is_written_next_does_not_bring_back_what_was_forgotten(store: Any) -> None:
    store.apply(part(1, 1, input="forget me"))
    tidy(store.writer, EVERYTHING)
    store.apply(part(2, 1, input="kept"))
    connection = driver().connect(str(store.path))
    assert connection.execute("SELECT count(*) FROM payload_block").fetchone() == (1,)
    connection.close()
    assert_exact(store.path)
    assert list(contents(store.path)) == [(2).to_bytes(16, "big")]


def test_numbers_are_never_given_again(store: Any) -> None:
    store.apply(part(1, 1, input="old"))
    reader = store.reader()
    assert reader.payload(*_ids(1)).input == "old"  # its block is known to this reader from now on
    tidy(store.writer, EVERYTHING)
    store.writer.close()
    store.writer = store.open_writer()
    store.apply(part(2, 1, input="new"))
    assert reader.payload(*_ids(2)).input == "new"
    assert reader.payload(*_ids(1)) is None
    connection = driver().connect(str(store.path))
    assert connection.execute("SELECT trace_no FROM trace").fetchall() == [(2,)]
    connection.close()


def _ids(trace: int) -> tuple[bytes, bytes]:
    return trace.to_bytes(16, "big"), (1).to_bytes(8, "big")


def test_a_long_trace_goes_in_slices_and_goes_on_after_a_restart(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceview.store.retention._SLICE_S", 0)  # a step a slice
    many = [part(1, span, input="x" * 300, events=(Event(S, "traceview.log", {}),)) for span in range(1, 3001)]
    many += [part(1, 1, end=False, attributes={f"k{i}": i}) for i in range(500)]  # these spill into span_part
    store.apply(*many[:2000])
    store.apply(part(2, 1), *many[2000:])
    slices = 0
    while store.writer.tidy(Limits(max_traces=1)):
        slices += 1
        assert [found.name for found in store.reader().traces()] == ["t2"]  # it vanished at once
        store.writer.close()
        store.writer = store.open_writer()
    assert slices > 30
    assert_exact(store.path)
    assert len(contents(store.path)[(2).to_bytes(16, "big")]) == 1


def test_a_slice_is_short(store: Any) -> None:
    for trace in range(1, 41):
        store.apply(*(part(trace, span, input="y" * 500) for span in range(1, 101)))
    longest = 0.0
    more = True
    while more:
        began = time.perf_counter()
        more = store.writer.tidy(EVERYTHING)
        longest = max(longest, time.perf_counter() - began)
    assert longest < 0.25  # 20 ms meant, 50 ms promised; a busy machine adds its own
    assert_exact(store.path)


def test_spans_that_come_late_make_the_trace_anew(store: Any) -> None:
    store.apply(part(1, 1), part(1, 2), session=b"s" * 16, seq=1)
    assert store.writer.tidy(EVERYTHING) in (True, False)
    store.apply(part(1, 3, input="late"), session=b"s" * 16, seq=2, dropped=1)
    tidy(store.writer, Limits())
    assert list(contents(store.path)[(1).to_bytes(16, "big")]) == [(3).to_bytes(8, "big")]
    store.apply(part(1, 1), session=b"s" * 16, seq=1)  # sent twice: known, also after it was forgotten
    assert len(contents(store.path)[(1).to_bytes(16, "big")]) == 1
    assert_exact(store.path)


def test_the_size_counts_what_is_in_use_and_the_file_follows(store: Any) -> None:
    for trace in range(1, 61):
        store.apply(part(trace, 1, input=random.Random(trace).randbytes(100_000).hex()))
    writer = store.writer
    before = _pages(store.path)
    limit = before * 8192 // 3
    tidy(writer, Limits(max_bytes=limit))
    left = [found.name for found in store.reader().traces()]
    assert left[0] == "t60"
    assert 10 < len(left) < 25
    assert _pages(store.path) <= max(before // 3 * 10 // 9 + 10, before // 3 + 1034)
    assert_exact(store.path)


def _pages(path: Path) -> int:
    connection = driver().connect(str(path))
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    return int(pages)


def test_a_damaged_block_is_left_alone(store: Any) -> None:
    store.apply(part(1, 1), part(2, 1))
    connection = driver().connect(str(store.path))
    connection.execute("UPDATE payload_block SET data = x'00'")
    connection.commit()
    tidy(store.writer, EVERYTHING)
    assert connection.execute("SELECT count(*) FROM payload_block").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM span").fetchone() == (0,)
    connection.close()


def test_conversations_that_grow_are_forgotten_to_the_last_byte(store: Any) -> None:
    """Whatever the turns of a run share in the store: a forgotten run takes all of its own with it, and no other's."""
    for trace in (1, 2):
        said: list[dict[str, str]] = []
        for turn in range(60):
            said.append(
                {"role": "user", "content": f"trace {trace} turn {turn} " + random.Random(turn).randbytes(500).hex()}
            )
            store.apply(part(trace, turn + 1, input=list(said)))
    kept = contents(store.path)[(2).to_bytes(16, "big")]
    tidy(store.writer, Limits(max_traces=1))
    assert contents(store.path) == {(2).to_bytes(16, "big"): kept}
    assert_exact(store.path)
    tidy(store.writer, EVERYTHING)
    connection = driver().connect(str(store.path))
    left = {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    }
    connection.close()
    assert {name for name, rows in left.items() if rows} == {"alembic_version", "meta"}


@pytest.mark.parametrize("reopen", [False, True])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_kept_is_kept_exactly(
    tmp_path_factory: pytest.TempPathFactory, facts: Callable[..., Any], reopen: bool, data: st.DataObject
) -> None:
    """Against a store that never had the forgotten traces, with writing, forgetting and restarts in any order."""
    path = tmp_path_factory.mktemp("retention") / "traces.db"
    patch = pytest.MonkeyPatch()
    patch.setattr("traceview.store.retention._SLICE_S", 0)  # a step a slice
    writer = StoreWriter(path, facts, floor_bytes=0)
    sent: list[SpanPart] = []
    gone: set[bytes] = set()
    for number in range(data.draw(st.integers(1, 6))):
        batch = [
            part(trace, span, end=end, start_s=trace, input="z" * size, attributes={"n": number})
            for trace, span, end, size in data.draw(
                st.lists(
                    st.tuples(st.integers(1, 8), st.integers(1, 4), st.booleans(), st.sampled_from([0, 50, 90_000])),
                    max_size=12,
                )
            )
            if trace.to_bytes(16, "big") not in gone
        ]
        writer.apply(batch)
        sent += batch
        limits = Limits(max_traces=data.draw(st.none() | st.integers(0, 8)))
        known = set(contents(path))
        more = True
        while more and data.draw(st.booleans()):
            more = writer.tidy(limits)
            if reopen:
                writer.close()
                writer = StoreWriter(path, facts, floor_bytes=0)
        gone |= known - set(contents(path))
    tidy(writer, Limits())
    patch.undo()
    writer.close()
    assert_exact(path)
    plain = path.with_name("plain.db")
    writer = StoreWriter(plain, facts, floor_bytes=0)
    writer.apply([each for each in sent if each.trace_id not in gone])
    writer.close()
    assert contents(path) == contents(plain)
