"""Records: frozen, cheap to send, and read by people."""

from __future__ import annotations

import msgspec
import pytest

from traceview.protocol.records import KINDS, Event, SpanPart, Status, TraceInfo, TraceSummary, hex_id
from traceview.testing import build_trace


def _summary(end_ns: int | None) -> TraceSummary:
    return TraceSummary(
        trace_id=bytes(16),
        name="run",
        status=Status.OK,
        start_ns=100,
        end_ns=end_ns,
        spans=1,
        errors=0,
        running=0,
        llm_calls=0,
        session=None,
        user=None,
        project=None,
        tags=(),
        metadata={},
        models=(),
        input_tokens=None,
        output_tokens=None,
        cost_usd=None,
        preview=None,
        dropped=0,
        change=1,
    )


def test_statuses_have_words() -> None:
    assert [status.word for status in Status] == ["running", "ok", "error", "interrupted"]


def test_kinds_are_openinference_in_lower_case_and_other() -> None:
    assert all(kind == kind.lower() for kind in KINDS)
    assert KINDS[-1] == "other"
    assert len(set(KINDS)) == len(KINDS) == 11


def test_ids_are_read_as_lower_case_hex() -> None:
    assert hex_id(b"\x00\xab") == "00ab"
    assert hex_id(None) is None


def test_a_trace_lasts_from_start_to_end_and_a_running_one_is_not_known_to() -> None:
    assert _summary(350).duration_ns == 250
    assert _summary(None).duration_ns is None


def test_records_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        SpanPart(bytes(16), bytes(8)).name = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Event(1, "x").name = "y"  # type: ignore[misc]


def test_what_is_not_said_is_not_sent() -> None:
    assert msgspec.json.encode(TraceInfo(name="run")) == b'{"name":"run"}'
    bare = msgspec.msgpack.encode(SpanPart(bytes(16), bytes(8)))
    assert len(bare) < 60


def test_two_parts_do_not_share_their_attributes() -> None:
    first, second = SpanPart(bytes(16), bytes(8)), SpanPart(bytes(16), bytes(8))
    first.attributes["a"] = 1
    assert second.attributes == {}


def test_a_row_without_its_payload_is_what_the_tree_needs() -> None:
    row = build_trace("plan:llm").rows()[0]
    assert (row.name, row.kind, row.status, row.event_count) == ("plan", "llm", Status.OK, 0)
