"""`TRACEVIEW_DISABLED=1`: the same face, and nothing behind it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable

import pytest

from traceview.sdk import disabled, face
from traceview.testing import capture

from .conftest import Daemon, Finished  # isort: skip

EVERYTHING = """
    import asyncio, os, sys, threading
    from concurrent.futures import ThreadPoolExecutor
    import traceview as tv

    @tv.traced
    def plain(x): return x

    @tv.traced(kind="tool")
    async def later(x): return x

    @tv.traced("named")
    def many(): yield 1

    with tv.trace("run", session="s", tags=["t"], input={"a": 1}) as run:
        with tv.span("s", kind="llm") as span:
            for name in dir(span):
                if not name.startswith("_") and callable(getattr(span, name)):
                    assert getattr(span, name)() is None
        tv.log("x", level="info"); tv.state(a=1)
        assert tv.current_span() is None
        assert tv.inject({"a": "b"}) == {"a": "b"} and tv.inject() == {}
        with tv.extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}):
            assert plain(1) == 1 and asyncio.run(later(2)) == 2 and list(many()) == [1]
    tv.start_span("m").end()
    pool = ThreadPoolExecutor(1)
    assert tv.wrap(pool) is pool and tv.wrap(plain) is plain
    assert tv.flush() is True
    assert isinstance(span, tv.Span)
    try:
        with tv.span("s"): raise KeyError("k")
    except KeyError: pass
    assert [t.name for t in threading.enumerate()] == ["MainThread"]
    assert "zmq" not in sys.modules and "traceview.sdk.recorder" not in sys.modules
"""


@pytest.mark.parametrize("word", ["1", "true", "yes"])
def test_nothing_is_recorded_started_or_changed(
    daemon: Daemon, run_program: Callable[..., Finished], word: str
) -> None:
    assert run_program(EVERYTHING, TRACEVIEW_DISABLED=word).err == ""
    assert (daemon.hellos, daemon.batches) == ([], [])


@pytest.mark.parametrize("word", ["", "0", "false"])
def test_other_words_leave_it_on(daemon: Daemon, run_program: Callable[..., Finished], word: str) -> None:
    run_program("import traceview as tv\nwith tv.span('s'): pass", TRACEVIEW_DISABLED=word)
    assert daemon.names == ["s"]


def test_both_faces_have_the_same_names() -> None:
    assert face.__all__ == disabled.__all__
    assert {name for name in dir(face.Span) if not name.startswith("_")} == {
        name for name in dir(disabled.Span) if not name.startswith("_")
    }
    for name in face.__all__:
        assert inspect.isclass(getattr(face, name)) == inspect.isclass(getattr(disabled, name))


def test_in_this_process_it_does_nothing_either() -> None:
    with capture() as captured:
        with disabled.trace("run") as run, disabled.extract({}):
            run.set_output(1)
            disabled.log("x")
        assert disabled.traced(len) is len
        assert disabled.traced("named")(len) is len
        assert disabled.traced(kind="tool")(len) is len
        assert (disabled.inject(), disabled.inject({"a": "b"}), disabled.flush()) == ({}, {"a": "b"}, True)
        assert disabled.wrap(len) is len
    assert captured.parts == ()


def test_capturing_needs_the_real_thing(run_program: Callable[..., Finished]) -> None:
    done = run_program(
        """
        from traceview.testing import capture
        try:
            with capture(): pass
        except RuntimeError as error:
            print(error)
        """,
        TRACEVIEW_DISABLED="1",
    )
    assert "unset TRACEVIEW_DISABLED" in done.out


def test_a_disabled_span_costs_next_to_nothing(run_program: Callable[..., Finished]) -> None:
    done = run_program(
        """
        import timeit, traceview as tv
        def one():
            with tv.span("s", kind="tool", input="q") as span:
                span.set_output("a")
        print(min(timeit.repeat(one, number=20000, repeat=7)) / 20000 * 1e6)
        """,
        env={**os.environ, "TRACEVIEW_DISABLED": "1"},  # and without coverage
    )
    assert float(done.out) <= 1.0  # µs; 0.4 on a quiet machine
