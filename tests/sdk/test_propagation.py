"""The current span across threads, processes and headers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

import pytest

import traceview as tv
from traceview.sdk.w3c import read_traceparent, write_traceparent
from traceview.testing import Captured, capture

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def test_inject_and_extract_join_two_programs(captured: Captured) -> None:
    with tv.span("client") as client:
        headers = tv.inject({"accept": "*/*"})
    assert headers["accept"] == "*/*"
    with tv.extract(headers), tv.span("server"):
        tv.log("on the server's span")
    server = captured.span("server")
    assert (server.trace_id, server.parent_id) == (client.trace_id, client.span_id)
    assert server.trace is None
    assert tv.current_span() is None


def test_inject_without_a_span_changes_nothing() -> None:
    assert tv.inject() == {}
    assert tv.inject({"a": "b"}) == {"a": "b"}


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACEPARENT", "TraceParent"])
def test_header_names_count_in_any_case(captured: Captured, name: str) -> None:
    with tv.extract({"x": "y", name: PARENT}), tv.span("s"):
        pass
    assert captured.span("s").parent_id == bytes.fromhex("b7ad6b7169203331")


def test_a_trace_under_extracted_headers_belongs_to_the_remote_trace(captured: Captured) -> None:
    with tv.extract({"traceparent": PARENT}) as remote:
        tv.log("on the remote span")
        remote.set_attribute("seen", True)
        with tv.trace("worker", session="s"):
            pass
    worker = captured.span("worker")
    assert worker.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert worker.trace.session == "s"
    assert captured.parts[0].span_id.hex() == "b7ad6b7169203331"
    assert all(part.end_ns is None for part in captured.parts if part.span_id.hex() == "b7ad6b7169203331")


def test_an_exception_under_extracted_headers_does_not_end_the_remote_span(captured: Captured) -> None:
    with pytest.raises(ValueError), tv.extract({"traceparent": PARENT}):
        raise ValueError
    assert captured.parts == ()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "spam",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b71692033-01",
        None,
        7,
    ],
)
def test_what_is_no_valid_header_is_ignored(captured: Captured, value: object) -> None:
    with tv.span("here") as here, tv.extract({"traceparent": value}) as found, tv.span("s"):
        assert found is here
    assert captured.span("s").parent_id == here.span_id


def test_headers_of_later_versions_are_read() -> None:
    assert read_traceparent("01" + PARENT[2:] + "-what-comes") == read_traceparent(PARENT)
    assert read_traceparent(f" {PARENT.upper()} ") is not None
    assert write_traceparent(*read_traceparent(PARENT)) == PARENT


@pytest.mark.expects_log
def test_carriers_that_are_none_do_no_harm(captured: Captured) -> None:
    with tv.extract(7) as found, tv.span("s"):
        assert tv.inject(7) == 7
    assert found is None
    assert captured.span("s").parent_id is None


def test_a_wrapped_executor_carries_the_span_of_the_submitter(captured: Captured) -> None:
    def work(name: str) -> str:
        with tv.span(name):
            return name

    with ThreadPoolExecutor(2) as threads:
        pool = tv.wrap(threads)
        with tv.span("first") as first:
            one = pool.submit(work, "one")
        with tv.span("second") as second:
            rest = list(pool.map(work, ["two", "three"]))
        assert (one.result(), rest) == ("one", ["two", "three"])
        assert pool._max_workers == 2
    assert captured.span("one").parent_id == first.span_id
    assert captured.span("two").parent_id == captured.span("three").parent_id == second.span_id


def test_a_wrapped_executor_closes_the_one_it_wraps() -> None:
    threads = ThreadPoolExecutor(1)
    with tv.wrap(threads) as pool:
        assert isinstance(pool.submit(int), Future)
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        threads.submit(int)


def test_a_wrapped_function_carries_the_span_into_any_thread(captured: Captured) -> None:
    met = threading.Barrier(2)

    def work() -> None:
        with tv.span("work"):
            met.wait(timeout=10)  # both threads are inside at once

    with tv.span("outer") as outer:
        carried = tv.wrap(work)
        threads = [threading.Thread(target=carried) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [s.parent_id for s in captured.spans if s.name == "work"] == [outer.span_id] * 2


def test_a_copied_context_carries_the_span_as_well(captured: Captured) -> None:
    def work() -> None:
        with tv.span("work"):
            pass

    with tv.span("outer") as outer:
        thread = threading.Thread(target=copy_context().run, args=(work,))
        thread.start()
        thread.join()
    assert captured.span("work").parent_id == outer.span_id


def test_exceptions_of_wrapped_functions_are_their_own() -> None:
    trouble = ValueError("boom")

    def fail() -> None:
        raise trouble

    with pytest.raises(ValueError) as caught:
        tv.wrap(fail)()
    assert caught.value is trouble
