"""The builders of traces and the capture that we, and the users, write tests with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import traceview as tv
from traceview.protocol.records import SpanPart, Status
from traceview.testing import START_NS, STEP_NS, BuiltTrace, build_trace, capture


def _outline(trace: BuiltTrace) -> list[str]:
    depth: dict[bytes | None, int] = {None: -1}
    lines = []
    for part in trace.parts:
        depth[part.span_id] = depth[part.parent_id] + 1
        lines.append("." * depth[part.span_id] + (part.name or ""))
    return lines


@pytest.mark.parametrize(
    ("text", "outline"),
    [
        ("plan", ["plan"]),
        ("a, b", ["a", "b"]),
        ("a > b", ["a", ".b"]),
        ("a > b > c", ["a", ".b", "..c"]),
        ("a > (b, c)", ["a", ".b", ".c"]),
        ("a > (b > c, d), e", ["a", ".b", "..c", ".d", "e"]),
        ("  a>( b ,c )  ", ["a", ".b", ".c"]),
        ("draft decision > GET /v2/x", ["draft decision", ".GET /v2/x"]),
    ],
)
def test_a_tree_is_written_as_text(text: str, outline: list[str]) -> None:
    assert _outline(build_trace(text)) == outline


def test_kind_and_fate_stand_after_the_name() -> None:
    trace = build_trace("run > (plan:llm, search:tool!, wait?, answer:llm~)")
    assert [part.kind for part in trace.parts] == [None, "llm", "tool", None, "llm"]
    assert [part.status for part in trace.parts] == [
        Status.OK,
        Status.OK,
        Status.ERROR,
        Status.INTERRUPTED,
        Status.RUNNING,
    ]
    failed = trace.part("search")
    assert failed.status_message == "boom"
    assert [event.name for event in failed.events] == ["exception"]
    assert trace.part("answer").end_ns is None
    assert trace.part("answer").output is None


def test_spans_open_a_millisecond_apart_and_parents_close_after_their_children() -> None:
    trace = build_trace("a > (b, c)", start_ns=0)
    times = [(part.name, part.start_ns, part.end_ns) for part in trace.parts]
    assert times == [
        ("a", STEP_NS, 6 * STEP_NS),
        ("b", 2 * STEP_NS, 3 * STEP_NS),
        ("c", 4 * STEP_NS, 5 * STEP_NS),
    ]
    assert build_trace("a").parts[0].start_ns == START_NS + STEP_NS


def test_ids_are_the_same_every_time_and_others_in_another_trace() -> None:
    assert build_trace("a > b") == build_trace("a > b")
    one, other = build_trace("a > b"), build_trace("a > b", trace="other")
    assert one.trace_id != other.trace_id
    assert len(one.trace_id) == 16
    assert not {part.span_id for part in one.parts} & {part.span_id for part in other.parts}
    assert all(len(part.span_id) == 8 for part in one.parts)


def test_the_root_names_the_trace() -> None:
    trace = build_trace("a > b", trace="support-agent")
    assert [part.trace.name if part.trace else None for part in trace.parts] == ["support-agent", None]


def test_a_span_is_found_by_name() -> None:
    trace = build_trace("a > b")
    assert trace.part("b") is trace.parts[1]
    with pytest.raises(KeyError, match="nobody"):
        trace.part("nobody")


def test_rows_are_what_the_store_reads() -> None:
    rows = build_trace("a:agent > b!").rows()
    assert [(row.name, row.kind, row.status, row.event_count, row.change) for row in rows] == [
        ("a", "agent", Status.OK, 0, 1),
        ("b", "other", Status.ERROR, 1, 2),
    ]
    assert rows[1].parent_id == rows[0].span_id


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a span name was expected, not None"),
        ("   ", "a span name was expected, not None"),
        ("a >", "a span name was expected, not None"),
        (", a", "a span name was expected, not ','"),
        ("a > (b", r"a \) is missing"),
        ("a > ()", r"a span name was expected, not '\)'"),
        ("a)", r"unexpected '\)'"),
        ("a (b)", r"unexpected '\('"),
        ("a:robot", "'robot' is no span kind"),
    ],
)
def test_text_that_says_nothing_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        build_trace(text)


@given(st.text(alphabet="ab>(),!~?: \n", max_size=30))
def test_any_text_is_a_trace_or_refused(text: str) -> None:
    try:
        trace = build_trace(text)
    except ValueError:
        return
    known = {part.span_id for part in trace.parts}
    assert len(known) == len(trace.parts)
    assert all(part.parent_id is None or part.parent_id in known for part in trace.parts)


def test_what_a_program_records_is_captured_without_a_daemon() -> None:
    with capture() as captured, tv.trace("run", tags=["a"]), tv.span("plan", kind="llm", input="q") as span:
        span.set_attribute("n", 1)
        span.set_output("answer")
        tv.log("picked p1")
    plan = captured.span("plan")
    assert (plan.input, plan.output, plan.kind, plan.attributes["n"]) == ("q", "answer", "llm", 1)
    assert [event.name for event in plan.events] == ["traceview.log"]
    assert [span.name for span in captured.spans] == ["run", "plan"]
    assert captured.children(captured.span("run")) == (plan,)
    assert len(captured.parts) > len(captured.spans)
    assert captured.spans[0].trace is not None
    assert captured.spans[0].trace.tags == ("a",)


def test_a_span_nobody_recorded_is_not_there() -> None:
    with capture() as captured:
        pass
    assert captured.spans == ()
    with pytest.raises(KeyError, match="plan"):
        captured.span("plan")


def test_a_running_span_is_captured_as_it_is() -> None:
    with capture() as captured, tv.span("plan"):
        plan = captured.span("plan")
        assert plan.end_ns is None
    assert captured.span("plan").end_ns is not None


def test_other_threads_are_captured_too() -> None:
    def work() -> None:
        with tv.span("elsewhere"):
            pass

    with capture() as captured:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert captured.span("elsewhere").status is Status.OK


def test_captures_nest_and_the_inner_one_takes_what_is_recorded_in_it() -> None:
    with capture() as outer:
        with capture() as inner, tv.span("inside"):
            pass
        with tv.span("outside"):
            pass
    assert [span.name for span in inner.spans] == ["inside"]
    assert [span.name for span in outer.spans] == ["outside"]


def test_flushing_needs_no_daemon() -> None:
    with capture():
        assert tv.flush(timeout=0.1)


def test_what_is_captured_went_through_the_wire() -> None:
    mutable = {"n": 1}
    with capture() as captured, tv.span("plan", input=mutable):
        mutable["n"] = 2
    assert captured.span("plan").input == {"n": 1}
    assert all(isinstance(part, SpanPart) for part in captured.parts)
    assert msgspec.msgpack.encode(captured.parts[0])


def test_where_tracing_is_switched_off_capturing_says_so() -> None:
    code = "from traceview.testing import capture\nwith capture(): pass"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TRACEVIEW_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RuntimeError: capture() needs tracing: unset TRACEVIEW_DISABLED" in done.stderr
