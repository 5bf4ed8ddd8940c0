"""`traceview.testing.capture`: what a program records, collected without a daemon."""

from __future__ import annotations

import threading

import pytest

import traceview as tv
from traceview.protocol.records import Status, TraceInfo
from traceview.testing import capture


def test_parts_come_in_order_and_spans_are_whole() -> None:
    with capture() as captured, tv.trace("run", tags=["a"]) as run, tv.span("s", input=1, attributes={"a": 1}) as span:
        span.set_attribute("b", 2)
        tv.log("one")
        run.update_trace(user="u", metadata={"k": 1})
        run.update_trace(metadata={"l": 2})
        span.set_output(2)
    assert [part.name for part in captured.parts[:2]] == ["run", "s"]
    whole = captured.span("s")
    assert (whole.input, whole.output, whole.attributes) == (1, 2, {"a": 1, "b": 2})
    assert (whole.status, len(whole.events)) == (Status.OK, 1)
    assert captured.span("run").trace == TraceInfo("run", user="u", tags=("a",), metadata={"k": 1, "l": 2})
    assert captured.children(captured.span("run")) == (whole,)


def test_all_threads_of_the_process_are_captured_and_no_thread_is_started() -> None:
    before = threading.active_count()
    with capture() as captured:
        thread = threading.Thread(target=lambda: tv.log("x"))
        thread.start()
        thread.join()
        assert tv.flush() is True
        assert threading.active_count() == before
    assert len(captured.spans) == 1


def test_captures_nest_and_end() -> None:
    with capture() as outer:
        with capture() as inner, tv.span("inner"):
            pass
        with tv.span("outer"):
            pass
    assert [s.name for s in inner.spans] == ["inner"]
    assert [s.name for s in outer.spans] == ["outer"]


def test_a_span_that_is_not_there_is_a_key_error() -> None:
    with capture() as captured, pytest.raises(KeyError, match="nobody"):
        captured.span("nobody")
