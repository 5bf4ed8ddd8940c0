"""A part that was made ready beforehand is stored as if it hadn't been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traceview.conventions import facts
from traceview.protocol.records import Event, SpanPart
from traceview.store import StoreReader, StoreWriter, digest, make_ready
from traceview.store.joining import split

TRACE, SPAN = b"t" * 16, b"s" * 8
LINES = "".join(f"line {number}: what was said — in “quotes”\n" for number in range(5_000))
TABLES = ("span", "piece", "payload_block", "trace")


def part(value: Any, **fields: Any) -> SpanPart:
    return SpanPart(TRACE, SPAN, start_ns=1_000, input=value, **fields)


def stored(folder: Path, batches: list[list[SpanPart]], *, ready: bool) -> tuple[dict[str, list[Any]], Any]:
    """What is in the tables after these batches, and the span's payload."""
    folder.mkdir()
    writer = StoreWriter(folder / "t.db", facts)
    for batch in batches:
        writer.apply([make_ready(each, long=True) for each in batch] if ready else batch)
    tables = {name: writer._open().execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
    writer.close()
    reader = StoreReader(folder / "t.db")
    payload = reader.payload(TRACE, SPAN)
    reader.close()
    return tables, payload


@pytest.mark.parametrize(
    "batches",
    [
        [[part(LINES)]],
        [[part({"messages": [{"role": "user", "content": LINES}] * 3})], [part(LINES + "more\n", end_ns=2_000)]],
        [[part(LINES), part("short"), part(LINES, end_ns=9_000)], [part(LINES)]],
        [[part(2**70)], [part("\ud800" * 9_000)]],
    ],
    ids=["text", "grows", "several parts", "not storable as it is"],
)
def test_the_store_holds_the_same(tmp_path: Path, batches: list[list[SpanPart]]) -> None:
    plain, payload = stored(tmp_path / "plain", batches, ready=False)
    made, same = stored(tmp_path / "ready", batches, ready=True)
    assert made["piece"] == plain["piece"]
    assert made["payload_block"] == plain["payload_block"]
    assert len(made["span"]) == len(plain["span"]) == 1
    assert same == payload


def wire_record(part: SpanPart, fields: int = 17) -> memoryview:
    """The first fields of a part as a program may send them."""
    return memoryview(msgspec.msgpack.encode(msgspec.structs.astuple(part)[:fields]))


@pytest.mark.parametrize("fields", range(2, 18))
def test_a_record_of_few_fields_is_stored_whole(store, fields: int) -> None:
    whole = part("question", name="step", kind="tool")
    record = wire_record(whole, fields)
    sent = msgspec.msgpack.decode(record, type=SpanPart)
    ready = make_ready(sent, record)
    assert split(ready.record) == [sent]
    store.apply(ready, make_ready(SpanPart(TRACE, SPAN, output="answer")))
    payload = store.reader().payload(TRACE, SPAN)
    assert (payload.input, payload.output) == (sent.input, "answer")
    assert store.apply(make_ready(sent, wire_record(whole, fields))) == 0


def test_a_record_is_known_again_though_it_was_encoded_anew(store) -> None:
    log = part(None, events=(Event(1, "log"),))
    record = wire_record(log, 14)
    store.apply(make_ready(log, record))
    assert store.apply(make_ready(log, mark=digest(record))) == 0
    assert len(store.reader().payload(TRACE, SPAN).events) == 1


def test_what_is_stored_verbatim_does_not_keep_the_message(store) -> None:
    message = bytearray(wire_record(part("question")))
    store.apply(make_ready(part("question"), memoryview(message)))
    message.append(0)  # a view of it that was left would forbid that
    assert store.reader().payload(TRACE, SPAN).input == "question"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@settings(max_examples=50)
def test_a_ready_part_is_its_record(value: Any) -> None:
    made = make_ready(part(value), long=True)
    assert msgspec.msgpack.decode(made.record, type=SpanPart).trace_id == TRACE
    assert msgspec.msgpack.encode(made.part) == made.record
