"""The rows of a run: what is collapsed or filtered has no row, and nothing disappears without a word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from traceview.analysis.steps import find_moments
from traceview.analysis.tree import build_tree
from traceview.app.models.span_columns import OPEN_END, read_columns
from traceview.app.models.span_rows import DEPTH_ROLE, SPAN_ID_ROLE, HiddenLine, SpanRows, tokens_of
from traceview.app.models.span_search import label_of
from traceview.app.state.open_run import OpenRun, Source
from traceview.protocol.records import CANDIDATE_EVENT, EventRow, SpanRow, Status, TraceSummary
from traceview.testing import build_trace

MS = 1_000_000
_SUMMARY = TraceSummary(
    trace_id=bytes(16), name="run", status=Status.OK, start_ns=0, end_ns=None, spans=0, errors=0, running=0,
    llm_calls=0, session=None, user=None, project=None, tags=(), metadata={}, models=(), input_tokens=None,
    output_tokens=None, cost_usd=None, preview=None, dropped=0, change=1,
)  # fmt: skip


def run_of(spans: Sequence[SpanRow], events: Sequence[EventRow] = ()) -> OpenRun:
    tree = build_tree(spans)
    start = min((span.start_ns for span in spans), default=0)
    newest = max((span.end_ns or span.start_ns for span in spans), default=0)
    source = Source(Path("traces.db"), "Live", True)
    return OpenRun(source, _SUMMARY, tree, tuple(events), find_moments(tree, events), start, newest)


def rows_of(text: str) -> SpanRows:
    rows = SpanRows()
    rows.set_run(run_of(build_trace(text).rows()))
    return rows


def shown(rows: SpanRows) -> list[str]:
    """What the rows say, indented by depth."""
    lines = []
    for row in range(rows.count):
        index = rows.index(row, 0)
        lines.append("." * index.data(DEPTH_ROLE) + index.data())
    return lines


def place(rows: SpanRows, name: str) -> int:
    assert rows.run is not None
    return next(i for i, row in enumerate(rows.run.tree.rows) if row.name == name)


TEXT = "agent:agent > (plan:llm, gather > (search > (fetch!, parse), rank), answer:llm~)"


def test_every_span_has_a_row_in_tree_order() -> None:
    rows = rows_of(TEXT)
    assert shown(rows) == ["agent", ".plan", ".gather", "..search", "...fetch", "...parse", "..rank", ".answer"]
    assert [rows.row_of(i) for i in range(8)] == list(range(8))
    assert rows.root_row(5) == 0


def test_the_model_keeps_qts_rules() -> None:
    rows = SpanRows()
    QAbstractItemModelTester(rows, QAbstractItemModelTester.FailureReportingMode.Fatal)
    rows.set_run(run_of(build_trace(TEXT).rows()))
    rows.set_collapsed(2, True)
    rows.set_min_duration(3 * MS)
    rows.expand_all()
    rows.update_run(run_of(build_trace(TEXT + ", late").rows()))
    rows.set_run(None)


def test_cells_say_name_tokens_and_duration() -> None:
    spans = build_trace("agent > call:llm").rows()
    spans[1] = msgspec.structs.replace(spans[1], input_tokens=6_512, output_tokens=388)
    rows = SpanRows()
    rows.set_run(run_of(spans))
    assert [rows.index(1, column).data() for column in range(3)] == ["call", "6.9k", "1\u2009ms"]
    assert [rows.index(0, column).data() for column in range(3)] == ["agent", "", "3\u2009ms"]
    assert rows.index(1, 0).data(SPAN_ID_ROLE) == spans[1].span_id
    assert rows.index(1, 0).data(Qt.ItemDataRole.DecorationRole) is None
    assert rows.data(QModelIndex()) is None
    horizontal = Qt.Orientation.Horizontal
    assert [rows.headerData(i, horizontal) for i in range(3)] == ["Span", "Tokens", "Duration"]
    assert rows.headerData(0, Qt.Orientation.Vertical) is None


def test_only_calls_show_tokens_since_their_parents_repeat_the_sum() -> None:
    span = msgspec.structs.replace(build_trace("a:agent").rows()[0], input_tokens=10)
    assert tokens_of(span, leaf=False) is None
    assert tokens_of(span, leaf=True) == 10
    assert tokens_of(msgspec.structs.replace(span, kind="llm"), leaf=False) == 10


def test_a_collapsed_span_hides_what_is_below_it() -> None:
    rows = rows_of(TEXT)
    gather = place(rows, "gather")
    rows.set_collapsed(gather, True)
    assert shown(rows) == ["agent", ".plan", ".gather", ".answer"]
    assert rows.is_collapsed(gather)
    assert rows.row_of(place(rows, "fetch")) == -1
    assert rows.worst_inside(gather) is Status.ERROR
    rows.set_collapsed(gather, False)
    assert rows.count == 8


def test_a_leaf_cannot_be_collapsed() -> None:
    rows = rows_of(TEXT)
    rows.set_collapsed(place(rows, "plan"), True)
    assert rows.count == 8
    assert not rows.is_collapsed(place(rows, "plan"))


def test_collapsing_all_leaves_the_outline() -> None:
    rows = rows_of(TEXT)
    rows.collapse_all()
    assert shown(rows) == ["agent", ".plan", ".gather", ".answer"]
    rows.expand_all()
    assert rows.count == 8


def test_the_worst_inside_is_found() -> None:
    rows = rows_of("a > b~, c > d?, e > f")
    assert rows.worst_inside(place(rows, "a")) is Status.RUNNING
    assert rows.worst_inside(place(rows, "c")) is Status.INTERRUPTED
    assert rows.worst_inside(place(rows, "e")) is Status.OK


def test_short_spans_are_hidden_and_a_line_says_so() -> None:
    rows = rows_of("agent > (a, long > (b, c!, d), e!)")
    rows.set_min_duration(2 * MS)
    assert shown(rows) == [
        "agent",
        ".long",
        "..3 hidden by filter, 1 error",
        ".2 hidden by filter, 1 error",
    ]
    assert rows.hidden_spans == 5
    assert rows.hidden_line(2) == HiddenLine(parent=place(rows, "long"), depth=2, count=3, errors=1)
    assert rows.hidden_line(1) is None
    assert rows.span_at(2) == -1
    assert rows.record_at(2) is None
    assert rows.index(2, 1).data() == ""
    assert rows.index(2, 0).data(SPAN_ID_ROLE) is None
    assert rows.row_text(2) == "3 hidden by filter, 1 error"


def test_a_long_span_keeps_its_short_parents() -> None:
    spans = build_trace("a > b > c").rows()
    spans[0] = msgspec.structs.replace(spans[0], end_ns=spans[0].start_ns)
    rows = SpanRows()
    rows.set_run(run_of(spans))
    rows.set_min_duration(3 * MS)
    assert shown(rows) == ["a", ".b", "..1 hidden by filter, 0 errors"]


def test_running_spans_are_never_short() -> None:
    rows = rows_of("a > (b~, c)")
    rows.set_min_duration(3_600_000 * MS)
    assert shown(rows) == ["a", ".b", ".1 hidden by filter, 0 errors"]


def test_a_line_can_be_opened() -> None:
    rows = rows_of("agent > (a, long > (b > deep, c), e)")
    rows.set_min_duration(7 * MS)
    assert shown(rows) == ["agent", ".long", "..3 hidden by filter, 0 errors", ".2 hidden by filter, 0 errors"]
    rows.show_hidden(2)
    assert shown(rows) == ["agent", ".long", "..b", "...deep", "..c", ".2 hidden by filter, 0 errors"]
    rows.show_hidden(0)
    assert rows.count == 6
    rows.set_min_duration(7 * MS)
    assert rows.count == 4


def test_a_filter_may_hide_all_roots() -> None:
    rows = rows_of("a, b, c > d")
    rows.set_min_duration(3_600_000 * MS)
    assert shown(rows) == ["4 hidden by filter, 0 errors"]
    rows.show_hidden(0)
    assert shown(rows) == ["a", "b", "c", ".d"]


def test_a_collapsed_span_shows_no_line_of_hidden_ones() -> None:
    rows = rows_of("agent > long > (b, c)")
    rows.set_min_duration(2 * MS)
    rows.set_collapsed(place(rows, "long"), True)
    assert shown(rows) == ["agent", ".long"]


def test_revealing_opens_parents_and_what_the_filter_hides() -> None:
    rows = rows_of("agent > (a, long > (b > deep, c), e)")
    rows.set_min_duration(7 * MS)
    rows.collapse_all()
    row = rows.reveal(place(rows, "deep"))
    assert shown(rows)[row] == "...deep"
    assert rows.reveal(place(rows, "deep")) == row
    assert rows.reveal(999) == -1
    rows.collapse_all()
    assert rows.reveal(place(rows, "a")) == 1


def test_news_keep_what_is_collapsed_and_shown() -> None:
    first, later = "agent > (a, long > (b, c))", "agent > (a, long > (b, c), more > (x, y))"
    rows = rows_of(first)
    rows.set_collapsed(place(rows, "long"), True)
    rows.update_run(run_of(build_trace(later).rows()))
    assert shown(rows) == ["agent", ".a", ".long", ".more", "..x", "..y"]
    rows.set_run(run_of(build_trace(later).rows()))
    assert rows.count == 8


def test_running_spans_end_now() -> None:
    rows = rows_of("agent > (a, b~)")
    b = place(rows, "b")
    before = rows.duration(b)
    rows.set_now(rows.now + 5 * MS)
    assert rows.duration(b) == before + 5 * MS
    rows.set_now(0)
    assert rows.duration(b) == before + 5 * MS
    assert rows.duration(place(rows, "a")) == MS


def test_text_is_found_in_names_and_labels() -> None:
    spans = build_trace("Carrier.track > (fetch, other!, rest)").rows()
    spans[1] = msgspec.structs.replace(spans[1], detail="carrier.example")
    rows = SpanRows()
    rows.set_run(run_of(spans))
    assert rows.find("CARRIER") == [0, 1]
    assert rows.find("boom") == [2]
    assert rows.find("") == []
    assert rows.find("nothing") == []
    assert rows.find("e\x00") == [0, 1, 2, 3]
    assert SpanRows().find("x") == []


def test_labels_say_why_then_what_then_which_model() -> None:
    span = build_trace("a!").rows()[0]
    assert label_of(span) == "boom"
    span = msgspec.structs.replace(span, status=Status.OK, model="gpt-4o")
    assert label_of(span) == "gpt-4o"
    assert label_of(msgspec.structs.replace(span, detail="40 → 4")) == "40 → 4"
    assert label_of(msgspec.structs.replace(span, model=None)) == ""


def test_rows_speak_for_screen_readers() -> None:
    rows = rows_of(TEXT)
    assert rows.row_text(4) == "fetch, other, error, 1\u2009ms"
    assert rows.row_text(99) == ""


def test_nothing_is_shown_without_a_run() -> None:
    rows = SpanRows()
    assert (rows.count, rows.span_count, rows.root_row(0), rows.span_at(0)) == (0, 0, -1, -1)
    assert rows.errors().tolist() == []
    rows.collapse_all()
    rows.expand_all()
    rows.set_min_duration(5)
    assert rows.reveal(0) == -1
    rows.set_run(run_of([]))
    assert rows.count == 0
    assert rows.place(b"nowhere!") == -1


def test_columns_are_the_records_in_numbers() -> None:
    spans = build_trace("agent:agent > (a!, b:llm~, c?)").rows()
    spans[1] = msgspec.structs.replace(spans[1], kind="unheard of", end_ns=spans[1].start_ns - 5)
    events = [EventRow(spans[2].span_id, spans[2].start_ns + at, "log") for at in (5, 9)]
    events.append(EventRow(spans[2].span_id, spans[2].start_ns + 9, CANDIDATE_EVENT))
    columns = read_columns(run_of(spans, [*events, EventRow(b"nowhere!", 0, "lost")]))
    assert columns.start.tolist() == [0, MS, 3 * MS, 5 * MS]
    assert columns.end.tolist() == [7 * MS, MS, OPEN_END, 6 * MS]
    assert columns.kind.tolist() == [0, 10, 2, 10]
    assert columns.status.tolist() == [1, 2, 0, 3]
    assert columns.event_times(2).tolist() == [3 * MS + 5, 3 * MS + 9]
    assert columns.event_times(1).tolist() == []
    assert columns.children(0).index.tolist() == [1, 2, 3]
    assert columns.latest_end() == 7 * MS


@given(st.data())
def test_columns_of_news_equal_columns_read_afresh(data: st.DataObject) -> None:
    spans = build_trace("a > (b > (c, d), e > f, g)").rows()
    later = build_trace("a > (b > (c, d), e > (f, h), g, i)").rows()
    known = {span.span_id: span for span in spans}
    mixed = [known.get(span.span_id, span) if data.draw(st.booleans()) else span for span in later]
    before, after = run_of(spans), run_of(mixed)
    fresh, patched = read_columns(after), read_columns(after, read_columns(before))
    for name in ("start", "end", "kind", "status", "parent", "depth", "subtree_end"):
        assert np.array_equal(getattr(fresh, name), getattr(patched, name)), name


def test_an_earlier_start_moves_all_times() -> None:
    spans = build_trace("a > b").rows()
    first = msgspec.structs.replace(spans[0], span_id=b"earlier!", start_ns=spans[0].start_ns - MS)
    before = read_columns(run_of(spans))
    after = read_columns(run_of([first, *spans]), before)
    assert after.start.tolist() == [0, MS, 2 * MS]


def test_the_newest_time_of_no_spans_is_nothing() -> None:
    assert read_columns(run_of([])).latest_end() == 0


@pytest.mark.parametrize("size", [100_000])
def test_many_rows_are_worked_out_in_a_blink(size: int) -> None:
    text = build_trace("step > (call, answer)").rows()[0]
    spans = [
        msgspec.structs.replace(
            text,
            span_id=i.to_bytes(8, "big"),
            parent_id=None if i == 0 else ((i - 1) // 8).to_bytes(8, "big"),
            start_ns=text.start_ns + i,
            end_ns=text.start_ns + i + i % 50,
        )
        for i in range(size)
    ]
    rows = SpanRows()
    rows.set_run(run_of(spans))
    best = min(_timed(rows) for _ in range(3))
    assert best < 0.09, "three times what is promised on a quiet machine"


def _timed(rows: SpanRows) -> float:
    begun = time.perf_counter()
    rows.collapse_all()
    rows.expand_all()
    rows.set_min_duration(0 if rows.min_duration else 20)
    return time.perf_counter() - begun
