"""Errors of ours stay ours: said once per kind, never raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

import traceview as tv
from traceview.sdk import guard, recorder
from traceview.testing import capture

from .conftest import Finished  # isort: skip


class Failing:
    """A sink that fails at everything: the worst that could happen below the SDK's face."""

    def append(self, record: bytes) -> bool:
        raise OSError("no space left on device")

    def note_dropped(self) -> None:
        raise OSError("still none")

    def flush(self, seconds: float) -> bool:
        raise OSError("none at all")


@pytest.fixture
def failing() -> Iterator[None]:
    recorder.redirect(Failing())
    yield
    recorder.redirect(None)


@pytest.mark.expects_log
def test_nothing_that_fails_below_reaches_the_program(failing: None, caplog: pytest.LogCaptureFixture) -> None:
    @tv.traced
    def work(x: int) -> int:
        return x

    with caplog.at_level(logging.WARNING, logger="traceview"):
        for _ in range(3):
            with tv.trace("run") as run, tv.span("s") as span:
                span.set_output(1)
                run.set_llm(model="m")
                tv.log("x")
                tv.state(a=1)
                tv.start_span("m").end()
                assert work(2) == 2
            assert tv.flush(1) is False
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said))


@pytest.mark.expects_log
def test_a_program_with_a_failing_log_handler_is_left_alone(failing: None) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("no log")

    handler = Broken()
    guard.log.addHandler(handler)
    try:
        with tv.span("s"):
            pass
        guard.say_once("kind", "message")
    finally:
        guard.log.removeHandler(handler)


@pytest.mark.expects_log
def test_the_number_of_things_said_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(300):
        guard.say_once(f"kind {number}", "message %d", number)
        guard.report(f"place {number}", ValueError())
    assert len(caplog.records) <= 100


def test_nothing_is_printed_where_no_logging_is_set_up(endpoint: str, run_program: Callable[..., Finished]) -> None:
    done = run_program(
        """
        import traceview as tv
        with tv.span("s") as span:
            span.set_status("no such status")
        """
    )
    assert (done.out, done.err) == ("", "")


@pytest.mark.expects_log
def test_a_program_that_may_start_no_thread_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with tv.span("s"):
            pass
    with tv.span("t"):
        pass
    assert tv.flush(0.01) is False
    recorder.renew().close(1.0)


@pytest.mark.expects_log
def test_a_stack_that_is_nearly_full_is_not_our_end(caplog: pytest.LogCaptureFixture) -> None:
    depth = 0

    def sink() -> None:
        nonlocal depth
        depth += 1
        with tv.span("deep", input={"depth": depth}):
            sink()

    with capture(), pytest.raises(RecursionError):
        sink()
    assert depth > 100
