"""What the records of a trace have in common is stored once, and every record reads back byte for byte."""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import STATE_EVENT, Event, SpanPart
from traceview.protocol.wire import join_records
from traceview.store import StoreBusy, StoreError, StoreReader, export_store
from traceview.store.blocks import BlockPacker, split_entries, unpack
from traceview.store.cutting import MIN_RECORD, cut
from traceview.store.encoding import encode
from traceview.store.payloads import BlockCache
from traceview.store.pieces import Pieces, members_of, owner_of, segments_of
from traceview.store.traces import TraceState

T = b"t" * 16
_numbers = itertools.count()


def span_id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def messages(count: int, seed: int = 0) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    return [
        {"role": ("user", "assistant")[number % 2], "content": dice.randbytes(dice.randrange(50, 300)).hex()}
        for number in range(count)
    ]


def flattened(said: list[dict[str, Any]]) -> dict[str, Any]:
    pairs = ((number, key, value) for number, message in enumerate(said) for key, value in message.items())
    found = {f"llm.input_messages.{number}.message.{key}": value for number, key, value in pairs}
    return {"llm.token_count.prompt": len(said) * 10, **found, "llm.model_name": "m"}


SHAPES: dict[str, Callable[[list[Any]], dict[str, Any]]] = {
    "a list": lambda said: {"input": said},
    "a list in a list": lambda said: {"output": [said]},
    "a list in a dict": lambda said: {"input": {"model": "m", "messages": said, "n": len(said)}},
    "a list in dicts": lambda said: {"output": {"state": {"n": len(said), "messages": said}}},
    "a state": lambda said: {"events": (Event(5, STATE_EVENT, {"memory": {"n": len(said)}, "context": said}),)},
    "flattened": lambda said: {"attributes": flattened(said)},
    "JSON": lambda said: {"attributes": {"gen_ai.input.messages": json.dumps(said)}},
    "JSON of a request": lambda said: {"attributes": {"input.value": json.dumps({"messages": said, "n": len(said)})}},
    "JSON in JSON": lambda said: {"input": json.dumps({"body": json.dumps(said)})},
    "text": lambda said: {"input": "\n".join(f"{message['role']}: {message['content']}" for message in said)},
}


def part(number: int, trace_id: bytes = T, **fields: Any) -> SpanPart:
    return SpanPart(trace_id, span_id(number), name="chat", kind="llm", start_ns=number + 1, **fields)


def same(reader: StoreReader, parts: list[SpanPart]) -> bool:
    """Whether each part, the only one of its span, is kept byte for byte."""
    connection, cache = reader._connection, BlockCache()
    assert connection is not None
    kept = {}
    for found, entries in connection.execute("SELECT span_id, locators FROM span").fetchall():
        ((locator, _),) = split_entries(entries)
        kept[found] = bytes(cache.part(connection, locator))
    return all(kept[each.span_id] == encode(each) for each in parts)


def stored_bytes(connection: Any) -> int:
    """What blocks hold, unpacked."""
    blocks = connection.execute("SELECT data FROM payload_block").fetchall()
    return sum(len(slot) for (data,) in blocks for slot in unpack(data))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_conversation_costs_what_it_grows_by(store, shape):
    said = messages(800)
    parts = [part(turn, **SHAPES[shape](said[: turn * 4])) for turn in range(1, 201)]
    sizes = []
    for each in parts:
        store.apply(each)
        sizes.append(stored_bytes(store.writer._connection))
    reader = store.reader()
    assert same(reader, parts)
    assert [payload.input for _, payload in reader.payloads(T)] == [each.input for each in parts]
    early, late = sizes[59] - sizes[39], sizes[199] - sizes[179]
    assert late < 1.6 * early
    assert late < 20 * 6_000  # a turn is 1.6 kB, and what it says of itself
    assert sum(len(encode(each)) for each in parts) > 20 * sizes[-1]


def test_a_window_that_slides_and_a_clock_at_its_head_cost_what_is_new(store):
    said = messages(600)
    for turn in range(200):
        clock = {"role": "system", "content": f"{turn} o'clock. {'Be kind. ' * 30}"}
        store.apply(part(turn, input=[clock, *said[turn * 2 : turn * 2 + 200]]))
    assert stored_bytes(store.writer._connection) < 3 * len(encode(said))


def test_conversations_that_fork_share_their_beginning(store):
    common = messages(300)
    parts = [part(fork, input=[*common, *messages(3, seed=fork)]) for fork in range(1, 30)]
    store.apply(*parts)
    assert stored_bytes(store.writer._connection) < 2 * len(encode(common))
    assert same(store.reader(), parts)


def test_traces_share_nothing(store):
    """So that one can be forgotten without looking at others."""
    said = messages(100)
    parts = [part(number, bytes([number // 2] * 16), input=said) for number in range(6)]
    for each in parts:
        store.apply(each)
    connection = store.writer._connection
    owners = connection.execute("SELECT trace_no, locator >> 8 FROM piece").fetchall()
    assert {trace_no for trace_no, _ in owners} == {1, 2, 3}
    assert stored_bytes(connection) > 3 * len(encode(said))
    assert same(store.reader(), parts)


def test_every_piece_that_is_named_is_listed_under_its_trace(store):
    """By this the pieces of a trace are found when it is forgotten."""
    for number in range(3):
        said = messages(400, seed=number)
        store.apply(*(part(number * 9 + turn, bytes([number] * 16), input=said[: turn * 100]) for turn in (1, 2, 3, 4)))
    connection = store.writer._connection
    listed = dict(connection.execute("SELECT locator, trace_no FROM piece").fetchall())
    named: set[tuple[int, int]] = set()
    for number, data in connection.execute("SELECT block_no, data FROM payload_block").fetchall():
        for slot, record in enumerate(unpack(data)):
            owner, locator = owner_of(record), number << 8 | slot
            if owner is not None:
                assert listed.pop(locator) == owner
            elif (segments := segments_of(record)) is not None:
                trace_no = msgspec.msgpack.decode(record)[0][0] + 1
                named |= {(trace_no, abs(place)) for place in segments if isinstance(place, int)}
    assert not listed
    assert named
    known = {(trace_no, place) for place, trace_no in connection.execute("SELECT locator, trace_no FROM piece")}
    assert named <= known


def test_a_trace_that_does_not_repeat_itself_has_no_pieces(store):
    """They cost time and bytes: twice as much for a list of documents."""
    parts = [part(number, output=messages(50, seed=number)) for number in range(20)]
    for each in parts:
        store.apply(each)
    connection = store.writer._connection
    assert connection.execute("SELECT count(*) FROM piece").fetchone() == (0,)
    store.apply(part(30, input=parts[7].output, output="x"))
    assert connection.execute("SELECT count(*) FROM piece").fetchone()[0] > 20
    assert same(store.reader(), parts)


@pytest.mark.parametrize("remembered", [50, 100_000])
def test_a_writer_that_was_restarted_goes_on_where_it_was(store, monkeypatch, remembered):
    monkeypatch.setattr("traceview.store.pieces._REMEMBERED", remembered)
    said = messages(400)
    parts = [part(turn, input=said[: turn * 4]) for turn in range(1, 101)]
    for number, each in enumerate(parts):
        if number % 10 == 0:
            store.writer.close()
            store.writer = store.open_writer()
        store.apply(each)
    assert same(store.reader(), parts)
    assert stored_bytes(store.writer._connection) < 2 * len(encode(said))


def test_a_failed_batch_leaves_no_piece_behind(store):
    """What was packed for it may not be named by what comes later."""
    said = messages(100)
    store.apply(part(1, input=said[:20]))
    connection = store.writer._connection
    connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the present size
    with pytest.raises(StoreBusy):
        store.apply(part(2, input=[*said, os.urandom(200_000)]))
    connection.execute("PRAGMA max_page_count = 1000000")
    parts = [part(1, input=said[:20]), part(3, input=said), part(4, input=[*said, "more"])]
    store.apply(*parts)
    assert same(store.reader(), parts)


@pytest.mark.expects_log
def test_parts_around_one_that_can_not_be_stored_are_kept(store):
    said = messages(100)
    good = [part(number, input=said[: number * 10]) for number in range(1, 9)]
    bad = SpanPart(T, b"short", start_ns=1, input=said)
    store.apply(*good[:3], bad, *good[3:])
    assert store.reader().counts().dead_letters == 1
    assert same(store.reader(), good)
    later = part(20, input=said)
    store.apply(later)
    assert same(store.reader(), [*good, later])


def test_the_same_part_again_and_a_second_end_are_known(store):
    said = messages(100)
    whole = part(1, input=said, end_ns=9)
    assert store.apply(whole) == 1
    assert store.apply(whole) == 0
    again = msgspec.structs.replace(whole, attributes={"late": True})
    assert store.apply(again) == 1
    payload = store.reader().payload(T, whole.span_id)
    assert payload.attributes == {"late": True, "traceview.conflict": True}
    assert payload.input == said


def test_an_export_shares_too(store, facts, tmp_path):
    said = messages(400)
    parts = [part(turn, input=said[: turn * 4], end_ns=500) for turn in range(1, 101)]
    store.apply(*parts)
    target = tmp_path / "run.traceview"
    export_store(store.reader(), [T], target, facts)
    copy = StoreReader(target)
    assert [payload.input for _, payload in copy.payloads(T)] == [each.input for each in parts]
    assert stored_bytes(copy._connection) < 2 * len(encode(said))
    copy.close()


# Any values

_texts = st.text(max_size=40) | st.sampled_from(
    ["long " * 300, "a line\n" * 2_000, '{"role":"user"},' * 400, "x" * 70_000]
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | _texts
    | st.binary(max_size=600),
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=8) | st.integers(0, 300), inner, max_size=8)
    ),
    max_leaves=30,
)


@st.composite
def talks(draw: st.DrawFn) -> Iterator[list[SpanPart]]:
    """Parts of one trace whose values begin alike, part from each other, and come again, in any shape."""
    pool = [*messages(12, seed=draw(st.integers(0, 3))), *draw(st.lists(_values, max_size=6))]
    talk: list[Any] = []
    parts = []
    for number in range(draw(st.integers(1, 8))):
        talk = talk[draw(st.integers(0, 3)) :] if draw(st.booleans()) else talk
        talk = talk + draw(st.lists(st.sampled_from(pool), max_size=60))
        field = draw(st.sampled_from(["input", "output", "attributes", "event", "json"]))
        inner = {str(place): value for place, value in enumerate(talk)}
        fields: dict[str, Any] = {
            "input": {"input": talk},
            "output": {"output": {"deep": {"er": talk}}},
            "attributes": {"attributes": inner},
            "event": {"events": (Event(1, STATE_EVENT, {"context": talk}),)},
            "json": {"input": json.dumps(talk, default=repr, skipkeys=True)},
        }[field]
        parts.append(part(number, **fields))
    return parts  # type: ignore[return-value]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(parts=talks(), data=st.data())
def test_anything_reads_back_in_any_order_after_any_restart(store, parts, data):
    trace_id = b"trace" + next(_numbers).to_bytes(11, "big")
    mine = [msgspec.structs.replace(each, trace_id=trace_id) for each in parts]
    order = data.draw(st.permutations(mine + data.draw(st.lists(st.sampled_from(mine), max_size=3))))
    while order:
        size = data.draw(st.integers(1, len(order)))
        store.apply(*order[:size])
        order = order[size:]
        if data.draw(st.booleans()):
            store.writer.close()
            store.writer = store.open_writer()
    reader = store.reader()
    found = dict(reader.payloads(trace_id))
    for each in mine:
        payload = found[each.span_id]
        assert (payload.input, payload.output) == (each.input, each.output)
        assert (payload.attributes, payload.events) == (each.attributes, each.events)
        assert encode(payload.input) == encode(each.input)
    reader.close()


@settings(max_examples=150)
@given(value=_values, other=_values)
def test_pieces_lie_in_order_within_the_record(value, other):
    record = encode(part(1, input=value, attributes={"a": [value, other] * 20}, events=(Event(1, "e", {"v": other}),)))
    place = 0
    for start, end in cut(record):
        assert place <= start < end <= len(record)
        place = end


# Where to cut


def cut_of(**fields: Any) -> list[bytes]:
    record = encode(part(1, **fields))
    return [record[start:end] for start, end in cut(record)]


def test_short_records_are_left_alone():
    assert cut_of(input=messages(3)) == []
    assert len(encode(part(1, input="x" * (MIN_RECORD - 100)))) < MIN_RECORD


def test_a_message_is_one_piece():
    said = messages(30)
    said[7]["content"] = "a long line\n" * 1_000
    assert encode(said[7]) in cut_of(input=said)


def test_a_vector_of_numbers_is_one_piece():
    vector = [number / 7 for number in range(1_500)]
    assert cut_of(output=vector) == [encode(vector)]


def test_text_without_lines_is_one_piece():
    text = "0123456789" * 10_000
    assert cut_of(input=text) == [text.encode()]
    assert max(map(len, cut_of(input="a line of text\n" * 400_000))) < 9_000


def test_a_record_too_deep_to_look_into_is_kept_as_it_is():
    deep: Any = "bottom" * 2_000
    for _ in range(100):
        deep = {"x": [deep]}
    assert b"".join(cut_of(input=deep)).endswith(b"bottom")
    assert cut(b"\xdc\x00\x11" + b"\x91" * 100_000 + b"\xc0" * 100_000) == []
    assert cut(b"\xdc\x00\x11" + b"\xc1" * 10_000) == []


# Damage and malice


def shared_store(store: Any) -> Any:
    """The connection of a store that holds one record of pieces."""
    store.apply(part(1, input=messages(400)))
    return store.writer._connection


@pytest.mark.parametrize("damage", ["content", "missing", "slot"])
def test_a_damaged_piece_is_told(store, damage):
    connection = shared_store(store)
    (first,) = connection.execute("SELECT min(locator) >> 8 FROM piece").fetchone()
    if damage == "missing":
        connection.execute("DELETE FROM payload_block WHERE block_no = ?", (first,))
    else:
        (data,) = connection.execute("SELECT data FROM payload_block WHERE block_no = ?", (first,)).fetchone()
        slots = unpack(data) if damage == "content" else unpack(data)[:3]
        slots = [memoryview(b"\x00" * len(slot)) for slot in slots]
        packed = zstandard.compress(join_records([bytes(slot) for slot in slots]))
        connection.execute("UPDATE payload_block SET data = ? WHERE block_no = ?", (packed, first))
    with pytest.raises(StoreError, match="is damaged"):
        store.reader().payload(T, span_id(1))


def crafted(store: Any, *slots: bytes) -> StoreReader:
    """A reader of a store whose one span has its part in slot 0 of a block that says just this."""
    store.apply(part(1, input="x"))
    data = zstandard.compress(join_records(slots))
    store.writer._connection.execute("UPDATE payload_block SET data = ?", (data,))
    reader: StoreReader = store.reader()
    return reader


def shared(*segments: int | bytes) -> bytes:
    return encode((T, span_id(1), segments))


def piece(content: bytes) -> bytes:
    return b"\xc1" + bytes(8) + content


@pytest.mark.parametrize(
    ("slots", "says"),
    [
        ([shared(-(1 << 8 | 1)), piece(encode([-(1 << 8 | 1)]))], "nested without end"),
        ([shared(1 << 8 | 0)], "where a piece should"),
        ([shared(-(1 << 8 | 0))], "where a piece should"),
        ([shared(1 << 8 | 200)], "has no part 200"),
        ([shared(2**62)], "is missing"),
        ([shared(-(2**63))], "damaged"),
        ([shared(*[1 << 8 | 1] * 1_100), piece(bytes(1 << 20))], "more than 1 GiB"),
        ([shared(-(1 << 8 | 1)), piece(b"\xc0")], "damaged"),
        ([encode((T, span_id(1), "no"))], "damaged"),
        ([shared(b"\x00")], "damaged"),
        ([b""], "damaged"),
    ],
    ids=[
        "cycle",
        "itself",
        "itself as a group",
        "no slot",
        "no block",
        "far",
        "bomb",
        "group",
        "list",
        "record",
        "empty",
    ],
)
def test_a_crafted_record_is_told(store, slots, says):
    with pytest.raises(StoreError, match=says):
        crafted(store, *slots).payload(T, span_id(1))


def test_countless_pieces_of_nothing_are_refused(store, monkeypatch):
    monkeypatch.setattr("traceview.store.payloads._MAX_PIECES", 10_000)
    groups = [piece(encode([-(1 << 8 | below)] * 60)) for below in range(2, 9)]
    with pytest.raises(StoreError, match="damaged"):
        crafted(store, shared(-(1 << 8 | 1)), *groups, piece(encode([1 << 8 | 9])), piece(b"")).payload(T, span_id(1))


def test_slots_say_what_lies_in_them(store):
    connection = shared_store(store)
    blocks = connection.execute("SELECT data FROM payload_block ORDER BY block_no").fetchall()
    slots = [slot for (data,) in blocks for slot in unpack(data)]
    owners = [owner_of(slot) for slot in slots]
    assert set(owners) == {1, None}
    segments = segments_of(slots[owners.index(None)])
    assert segments is not None
    assert any(isinstance(place, int) and place < 0 for place in segments)
    assert segments_of(memoryview(encode(part(1)))) is None
    assert owner_of(memoryview(b"")) is None


def test_groups_hold_few_members(store):
    packer = BlockPacker(1)
    pieces = Pieces(store.writer._connection, packer)
    record = encode(part(1, input=["the same text again " * 20] * 5_000))
    whole = segments_of(memoryview(pieces.share(TraceState(1, T), part(1), record)))
    assert whole is not None
    assert len(whole) < 70
    slots = [slot for _, data in packer.take() for slot in unpack(data)]
    groups = [members_of(slot) for slot in slots if len(slot) < 400]
    assert groups
    assert all(4 <= len(group) <= 64 for group in groups)
