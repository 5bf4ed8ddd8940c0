"""The wire: what is sent comes back the same, and any other bytes are refused with one error."""

from __future__ import annotations

import contextlib
import struct

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import Event, Link, SpanPart, Status, TraceInfo
from traceview.protocol.wire import (
    Ack,
    Batch,
    Busy,
    Hello,
    Reject,
    WireError,
    decode_downstream,
    decode_part,
    decode_upstream,
    encode_header,
    join_records,
    split_records,
)

# Machines differ in speed: only what comes out counts.
patient = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])

_session = st.binary(min_size=16, max_size=16)
_count = st.integers(0, 2**62)
_few = st.integers(0, 2**32 - 1)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_attributes = st.dictionaries(st.text(), _values, max_size=4)
_span_id = st.binary(min_size=8, max_size=8)
_trace_id = st.binary(min_size=16, max_size=16)
_time = st.integers(0, 2**63 - 1)
_parts = st.builds(
    SpanPart,
    trace_id=_trace_id,
    span_id=_span_id,
    parent_id=st.none() | _span_id,
    name=st.none() | st.text(),
    kind=st.none() | st.text(),
    start_ns=st.none() | _time,
    end_ns=st.none() | _time,
    status=st.none() | st.sampled_from(Status),
    status_message=st.none() | st.text(),
    attributes=_attributes,
    input=_values,
    output=_values,
    reasoning=st.none() | st.text(),
    events=st.lists(st.builds(Event, _time, st.text(), _attributes), max_size=3).map(tuple),
    links=st.lists(st.builds(Link, _trace_id, _span_id, _attributes), max_size=2).map(tuple),
    trace=st.none() | st.builds(TraceInfo, name=st.none() | st.text(), tags=st.lists(st.text()).map(tuple)),
    resource=_attributes,
)


@patient
@given(
    st.builds(Hello, session=_session, resource=_attributes)
    | st.builds(Batch, session=_session, seq=_count, count=_few, dropped=_few)
)
def test_what_a_program_says_arrives(message: Hello | Batch) -> None:
    assert decode_upstream(encode_header(message)) == message


@patient
@given(
    st.builds(Ack, upto=_count)
    | st.builds(Busy, upto=_count, retry_after_ms=_count, reason=st.text())
    | st.builds(Reject, seq=_count, reason=st.text())
)
def test_what_the_daemon_says_arrives(message: Ack | Busy | Reject) -> None:
    assert decode_downstream(encode_header(message)) == message


def test_a_message_for_the_other_side_is_refused() -> None:
    with pytest.raises(WireError, match="not a traceview header"):
        decode_upstream(encode_header(Ack(upto=3)))
    with pytest.raises(WireError, match="not a traceview header"):
        decode_downstream(encode_header(Hello(session=bytes(16))))


@patient
@given(_parts)
def test_a_span_part_arrives_as_it_was(part: SpanPart) -> None:
    assert decode_part(msgspec.msgpack.encode(part)) == part


@patient
@given(st.binary() | _values.map(msgspec.msgpack.encode))
def test_any_bytes_are_decoded_or_refused(frame: bytes) -> None:
    for decode in (decode_upstream, decode_downstream, decode_part):
        with contextlib.suppress(WireError):
            decode(frame)


@patient
@given(_parts, st.data())
def test_a_damaged_part_is_decoded_or_refused(part: SpanPart, data: st.DataObject) -> None:
    record = bytearray(msgspec.msgpack.encode(part))
    place = data.draw(st.integers(0, len(record) - 1))
    record[place] = data.draw(st.integers(0, 255))
    for damaged in (bytes(record), bytes(record[:place])):
        try:
            decoded = decode_part(damaged)
        except WireError:
            continue
        assert (len(decoded.trace_id), len(decoded.span_id)) == (16, 8)


@pytest.mark.parametrize("text", [b"\xa1\xff", b"\x81\xa1\xff\xc0"])
def test_text_that_is_no_utf8_is_refused(text: bytes) -> None:
    part = msgspec.msgpack.encode(SpanPart(bytes(16), bytes(8), name="name"))
    with pytest.raises(WireError, match="not a span record"):
        decode_part(part.replace(b"\xa4name", text))
    with pytest.raises(WireError, match="not a traceview header"):
        decode_upstream(encode_header(Hello(session=bytes(16), resource={"host": "name"})).replace(b"\xa4name", text))


@pytest.mark.parametrize("nested", [b"\x91" * 100_000, b"\x81\xa1a" * 100_000])
def test_bottomless_frames_are_refused(nested: bytes) -> None:
    for decode in (decode_upstream, decode_downstream, decode_part):
        with pytest.raises(WireError):
            decode(nested)


@pytest.mark.parametrize(("trace_id", "span_id"), [(b"", bytes(8)), (bytes(16), bytes(7)), (bytes(8), bytes(16))])
def test_ids_of_another_length_are_refused(trace_id: bytes, span_id: bytes) -> None:
    with pytest.raises(WireError, match="16 bytes"):
        decode_part(msgspec.msgpack.encode(SpanPart(trace_id, span_id)))


def test_a_newer_sender_may_say_more() -> None:
    assert decode_upstream(msgspec.msgpack.encode({"type": "hello", "session": bytes(16), "colour": "red"})) == Hello(
        session=bytes(16)
    )


@patient
@given(st.lists(st.binary()))
def test_records_are_split_as_they_were_joined(records: list[bytes]) -> None:
    body = join_records(records)
    assert [bytes(record) for record in split_records(body)] == records
    assert [bytes(record) for record in split_records(memoryview(body))] == records


@patient
@given(st.binary())
def test_any_body_is_split_or_refused(body: bytes) -> None:
    try:
        found = [bytes(record) for record in split_records(body)]
    except WireError:
        return
    assert join_records(found) == body


def test_a_body_that_ends_too_early_says_where() -> None:
    with pytest.raises(WireError, match="inside a record's length"):
        list(split_records(b"\0\0"))
    with pytest.raises(WireError, match="4294967295 bytes runs past the end"):
        list(split_records(struct.pack(">I", 2**32 - 1) + b"x"))


def test_records_are_split_without_copying() -> None:
    body = join_records([b"abc"])
    (record,) = split_records(body)
    assert record.obj is body


@pytest.mark.parametrize("said", [{"seq": 2**63}, {"dropped": 2**63}, {"dropped": -1}, {"count": -1}])
def test_numbers_that_no_store_could_hold_are_refused(said: dict[str, int]) -> None:
    header = {"type": "batch", "session": b"s" * 16, "seq": 1, "count": 1} | said
    with pytest.raises(WireError, match=next(iter(said))):
        decode_upstream(msgspec.msgpack.encode(header))
