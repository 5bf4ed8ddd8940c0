"""Exported traces are one file, whole or not there, and read back as they were."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview.protocol.records import Event, SpanPart, TraceInfo
from traceview.store import StoreBusy, StoreError, StoreReader, StoreWriter, export_store, fill
from traceview.testing import build_trace

replace = msgspec.structs.replace


def told(reader: StoreReader, trace_id: bytes) -> Any:
    return (
        replace(reader.trace(trace_id), change=0),
        {replace(row, change=0) for row in reader.spans(trace_id)},
        sorted((event.time_ns, event.span_id, event.name) for event in reader.events(trace_id)),
        dict(reader.payloads(trace_id)),
        reader.state_events(trace_id),
    )


@pytest.fixture
def full(store) -> Any:
    built = build_trace("plan:agent > (search:tool!, answer:llm~, gone:tool?)", trace="kept")
    info = TraceInfo(session="s", user="u", project="p", tags=("a", "b"), metadata={"k": [1]})
    store.apply(*built.parts, session=b"s", seq=1, resource={"service.name": "shop"})
    store.apply(
        replace(
            built.part("answer"),
            events=(Event(5, "traceview.state", {"memory": {"a": 1}}),),
            attributes={"model": "m", "input_tokens": 5, "cost_usd": 0.1},
            trace=info,
        ),
        session=b"s",
        seq=2,
        dropped=4,
    )
    store.writer.interrupt(b"s", at_ns=built.part("answer").start_ns + 10)
    store.apply(*build_trace("other", trace="other").parts)
    return built


def test_an_export_reads_back_as_it_was(store, full, facts, tmp_path):
    target = tmp_path / "out" / "run.traceview"
    target.parent.mkdir()
    reader = store.reader()
    assert export_store(reader, [full.trace_id], target, facts) == 4
    assert [entry.name for entry in target.parent.iterdir()] == ["run.traceview"]
    copy = StoreReader(target)
    assert told(copy, full.trace_id) == told(reader, full.trace_id)
    assert [trace.name for trace in copy.traces()] == ["kept"]
    assert copy.counts().dropped == 4
    assert copy._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert [entry.name for entry in target.parent.iterdir()] == ["run.traceview"]
    copy.close()


def test_an_export_replaces_an_older_one_only_when_whole(store, full, facts, tmp_path):
    target = tmp_path / "run.traceview"
    target.write_text("the older one")
    reader = store.reader()
    with pytest.raises(StoreError, match=r"holds no trace 0000"):
        export_store(reader, [full.trace_id, bytes(16)], target, facts)
    assert target.read_text() == "the older one"
    export_store(reader, [full.trace_id], target, facts)
    StoreReader(target).close()
    assert sorted(entry.name for entry in tmp_path.iterdir() if "traces.db" not in entry.name) == ["run.traceview"]


def test_a_store_is_not_exported_onto_itself(store, full, facts):
    with pytest.raises(StoreError, match="choose another file"):
        export_store(store.reader(), [full.trace_id], store.path, facts)
    assert store.trace(full.trace_id).name == "kept"


def test_an_export_that_can_not_be_written_names_the_file(store, full, facts, tmp_path):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "run.traceview"
    with pytest.raises(StoreError) as error:
        export_store(store.reader(), [full.trace_id], target, facts)
    assert str(target) in str(error.value)
    folder = tmp_path / "folder.traceview"
    folder.mkdir()
    with pytest.raises(StoreError, match="can't be written"):
        export_store(store.reader(), [full.trace_id], folder, facts)
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []


def test_an_export_goes_into_another_store_and_comes_again_without_effect(store, full, facts, tmp_path):
    target = tmp_path / "run.traceview"
    export_store(store.reader(), [full.trace_id], target, facts)
    other = StoreWriter(tmp_path / "other.db", facts, floor_bytes=0)
    source = StoreReader(target)
    assert fill(other, source.parts(full.trace_id)) == 4
    assert fill(other, source.parts(full.trace_id)) == 0
    reader = StoreReader(tmp_path / "other.db")
    assert reader.trace(full.trace_id).spans == 4
    for thing in (other, source, reader):
        thing.close()


def test_any_number_of_parts_is_taken_in_batches(store):
    parts = (SpanPart(b"t" * 16, number.to_bytes(8, "big"), start_ns=number) for number in range(2_500))
    assert fill(store.writer, parts) == 2_500
    assert store.reader().head() == 3
    assert fill(store.writer, []) == 0


def test_a_busy_store_fails_the_fill(store):
    store.writer._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreBusy):
        fill(store.writer, [SpanPart(b"t" * 16, b"s" * 8, start_ns=1, input=os.urandom(100_000))])


def test_an_export_opens_while_the_live_store_is_written(store, full, facts, tmp_path: Path):
    target = tmp_path / "run.traceview"
    reader = store.reader()
    export_store(reader, [trace.trace_id for trace in reader.traces()], target, facts)
    store.apply(*build_trace("more", trace="more").parts)
    copy = StoreReader(target)
    assert (copy.counts().traces, reader.counts().traces) == (2, 3)
    copy.close()
