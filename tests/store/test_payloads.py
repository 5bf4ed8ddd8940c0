"""Payloads come back as they were given, whatever they hold, and a damaged or hostile block is told, not obeyed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import Event, Link, SpanPart, Status, TraceInfo
from traceview.protocol.wire import join_records
from traceview.store import StoreError
from traceview.store.blocks import BlockDamaged, BlockPacker, split_entries, unpack
from traceview.store.encoding import clean_part, decode, encode_part

T, S = b"t" * 16, b"s" * 8


def part(**fields: Any) -> SpanPart:
    return SpanPart(T, S, start_ns=1, **fields)


def kept(store, value: Any) -> Any:
    store.apply(part(input=value))
    return store.reader().payload(T, S).input


@pytest.mark.parametrize(
    "value",
    [
        "text \x00 with NUL, \u202e and 🧭",
        b"\x00\xff",
        2**63 - 1,
        -(2**63),
        2**64 - 1,
        1e308,
        float("inf"),
        [None, True, [], {}],
        {"nested": {"list": [1, 2.5, "x"]}},
        {1: "integer keys"},
    ],
    ids=repr,
)
def test_values_come_back_as_given(store, value):
    assert kept(store, value) == value


def test_nan_comes_back(store):
    assert math.isnan(kept(store, float("nan")))


class Unreprable:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**70, str(2**70)),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        ({"\udc80": {"deep": "\udcff"}}, {"\\udc80": {"deep": "\\udcff"}}),
        ((1, {2**65}, [2**66]), [1, [str(2**65)], [str(2**66)]]),
        (complex(1, 2), "(1+2j)"),
        ({"a": object, "b": 2**64}, {"a": "<class 'object'>", "b": str(2**64)}),
        (Unreprable(), "<Unreprable without a repr>"),
    ],
)
def test_values_that_nothing_can_carry_come_back_as_text(store, value, expected):
    assert kept(store, value) == expected


def test_endless_nesting_is_cut(store):
    deep: Any = "bottom"
    for _ in range(200_000):
        deep = {"x": deep}
    found, depth = kept(store, deep), 0
    while isinstance(found, dict):
        found, depth = found["x"], depth + 1
    assert depth == 128
    assert isinstance(found, str)


def test_every_field_of_a_part_is_made_storable():
    bad = "\ud800"
    whole = SpanPart(
        T,
        S,
        None,
        bad,
        "tool",
        1,
        2,
        Status.ERROR,
        bad,
        {bad: bad},
        bad,
        bad,
        bad,
        (Event(1, bad, {bad: bad}),),
        (Link(T, S, {bad: bad}),),
        TraceInfo(bad, bad, bad, bad, (bad,), {bad: bad}),
        {bad: bad},
    )
    clean, record = encode_part(whole)
    assert decode(record) == clean == clean_part(whole)
    assert clean.name == "\\ud800"
    assert clean.status is Status.ERROR
    assert clean.trace.tags == ("\\ud800",)


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
_values = st.recursive(
    _scalars | st.text(st.characters(categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_values)
def test_no_value_fails_a_batch(store, value):
    clean, record = encode_part(part(input=value, attributes={"v": value}))
    assert decode(record) == clean
    store.apply(part(input=value, attributes={"v": value}), SpanPart(T, b"o" * 8, start_ns=1))
    assert store.reader().counts().dead_letters == 0


def test_a_payload_of_100_mb_is_kept_whole(store):
    huge = "0123456789abcdef" * (100 * 1024 * 1024 // 16)
    small = SpanPart(T, b"2" * 8, start_ns=2, input="small")
    store.apply(part(output=huge), small)
    reader = store.reader()
    assert reader.payload(T, small.span_id).input == "small"
    assert reader.payload(T, S).output == huge
    (blocks,) = store.writer._connection.execute("SELECT count(*) FROM payload_block").fetchone()
    assert blocks == 2  # so that reading the small one doesn't unpack the other
    assert [payload.input for _, payload in reader.payloads(T)] == [None, "small"]


# Blocks


def test_blocks_hold_64_parts_and_say_where():
    packer = BlockPacker(7)
    places = [packer.add(b"%d" % number) for number in range(130)]
    blocks = dict(packer.take())
    assert sorted(blocks) == [7, 8, 9]
    assert [bytes(unpack(blocks[place >> 8])[place & 0xFF]) for place in places] == [b"%d" % n for n in range(130)]
    assert packer.take() == []


def test_the_last_block_goes_on_until_it_is_worth_its_while():
    packer = BlockPacker(1)
    packer.add(b"a")
    packer.take()
    packer.add(b"b" * 80_000)
    ((number, data),) = packer.take()
    assert (number, [len(slot) for slot in unpack(data)]) == (1, [1, 80_000])
    assert packer.add(b"c") >> 8 == 2


def test_a_packer_taken_back_begins_a_fresh_block():
    packer = BlockPacker(1)
    packer.add(b"a")
    packer.take()
    mark = packer.mark()
    for _ in range(200):
        packer.add(b"lost")
    packer.restore(mark)
    assert packer.add(b"b") == 2 << 8
    assert [number for number, _ in packer.take()] == [2]


@pytest.mark.parametrize(
    "data",
    [b"", b"no frame", zstandard.compress(b"\x00\x00\x00\x09short"), zstandard.compress(b"\x00")],
    ids=["empty", "foreign", "cut record", "cut length"],
)
def test_damaged_blocks_are_told(data):
    if data:
        with pytest.raises(BlockDamaged):
            unpack(data)
    else:
        assert unpack(data) == []


def test_a_flipped_bit_is_noticed():
    packer = BlockPacker(1)
    packer.add(b"some text " * 50)
    ((_, data),) = packer.take()
    noticed = 0
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 4
        try:
            unpack(bytes(broken))
        except BlockDamaged:
            noticed += 1
    assert noticed >= len(data) - 1  # the frame's reserved header bits may not matter


def test_a_block_that_explodes_is_refused():
    bomb = zstandard.compress(bytes(1 << 20), 19) * 1_100  # 1.1 GiB in 60 kB
    with pytest.raises(BlockDamaged, match="1 GiB"):
        unpack(bomb)


def test_a_block_of_countless_empty_parts_is_refused():
    with pytest.raises(BlockDamaged, match="more than 256"):
        unpack(zstandard.compress(bytes(10_000_000)))


def test_cut_entries_are_told():
    with pytest.raises(BlockDamaged, match="cut"):
        split_entries(b"123")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE payload_block SET data = x'00'",
        "DELETE FROM payload_block",
        "UPDATE span SET locators = x'00'",
        "UPDATE span SET locators = x'00000000000001070000000000000000'",
    ],
)
def test_a_damaged_payload_is_one_error_and_rows_stay_readable(store, damage):
    store.apply(part(input="x", end_ns=2))
    store.writer._connection.execute(damage)
    reader = store.reader()
    with pytest.raises(StoreError, match="is damaged"):
        reader.payload(T, S)
    assert len(reader.spans(T)) == 1
    # A second report of the end can't be compared with what is lost, and is stored.
    assert store.apply(part(input="again", end_ns=3)) == 1


def test_unknown_records_in_a_block_are_told(store):
    store.apply(part(input="x"))
    data = zstandard.compress(join_records([b"\x93\x01\x02\x03"]))
    store.writer._connection.execute("UPDATE payload_block SET data = ?", (data,))
    with pytest.raises(StoreError, match="is damaged"):
        store.reader().payload(T, S)


def test_payloads_of_some_spans_come_in_the_order_asked_for(store):
    ids = [number.to_bytes(8, "big") for number in range(1, 1_203)]
    store.apply(*(SpanPart(b"t" * 16, span_id, start_ns=1, input=span_id.hex()) for span_id in ids))
    wanted = [*reversed(ids), b"nowhere!", ids[0]]
    found = list(store.reader().payloads(b"t" * 16, wanted))
    assert [span_id for span_id, _ in found] == wanted
    assert [payload.input for _, payload in found] == [*(i.hex() for i in reversed(ids)), None, ids[0].hex()]
