"""The life of the program: its exit, its children by fork and by spawn, its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import traceview as tv
from traceview.protocol.records import SpanPart

from .conftest import Daemon, Finished, child_environment  # isort: skip

Run = Callable[..., Finished]


def named(daemon: Daemon, name: str) -> SpanPart:
    return next(part for part in daemon.parts if part.name == name)


def test_a_short_program_delivers_everything_before_it_exits(daemon: Daemon, run_program: Run) -> None:
    done = run_program(
        """
        import traceview as tv

        for number in range(300):
            with tv.span(f"s{number}"):
                pass
        """
    )
    assert daemon.names == [f"s{number}" for number in range(300)]
    assert done.err == ""


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise SystemExit(3)"])
def test_leaving_early_delivers_too(daemon: Daemon, run_program: Run, ending: str) -> None:
    run_program(
        f"""
        import sys
        import traceview as tv

        with tv.span("s"):
            pass
        {ending}
        """,
        code_expected=3,
    )
    assert daemon.names == ["s"]


def test_a_program_that_fails_shows_where_and_keeps_its_traceback(daemon: Daemon, run_program: Run) -> None:
    done = run_program(
        """
        import traceview as tv

        with tv.trace("run"):
            with tv.span("s"):
                raise ValueError("boom")
        """,
        code_expected=1,
    )
    assert done.err.rstrip().endswith("ValueError: boom")
    assert "traceview/sdk" not in done.err
    ends = [part for part in daemon.parts if part.end_ns]
    assert [part.status_message for part in ends] == ["ValueError: boom"] * 2


def test_without_a_daemon_a_program_exits_promptly(endpoint: str, run_program: Run) -> None:
    timed = """
        import atexit, time
        {body}
        began = time.monotonic()
        atexit.register(lambda: print(time.monotonic() - began))
        """
    # Registered before the SDK is used, so it runs after the SDK's own handler.
    code = (
        timed.format(body="")
        + """
        import traceview as tv
        with tv.span("s"):
            pass
        tv.flush(0.1)
        began = time.monotonic()
        """
    )
    assert float(run_program(code).out) < 0.3


def test_a_daemon_that_never_answers_does_not_hold_the_exit(
    make_daemon: Callable[..., Daemon], run_program: Run
) -> None:
    with make_daemon(mute=True) as silent:
        done = run_program(
            """
            import atexit, time
            atexit.register(lambda: print(time.monotonic() - began))
            import traceview as tv
            with tv.span("s"):
                pass
            tv.flush(0.1)
            began = time.monotonic()
            """
        )
        assert silent.names == ["s"]
    assert 0.1 < float(done.out) < 0.4


def test_what_other_exit_handlers_record_does_no_harm(daemon: Daemon, run_program: Run) -> None:
    done = run_program(
        """
        import atexit

        def late():
            with tv.span("late"):
                pass

        atexit.register(late)
        import traceview as tv
        with tv.span("s"):
            pass
        """
    )
    assert daemon.names[0] == "s"
    assert done.err == ""


def test_a_killed_program_has_told_what_it_did_before(daemon: Daemon) -> None:
    code = "import time, traceview as tv\nwith tv.span('doomed', input='q'):\n time.sleep(60)"
    program = subprocess.Popen([sys.executable, "-c", code], env=child_environment())
    try:
        daemon.wait_for(lambda: "doomed" in daemon.names)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    assert named(daemon, "doomed").input == "q"
    assert not any(part.end_ns for part in daemon.parts)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_reports_as_a_session_of_its_own_under_the_same_span(daemon: Daemon, run_program: Run) -> None:
    done = run_program(
        """
        import os
        import traceview as tv

        with tv.span("before"):
            pass
        assert tv.flush(10)
        with tv.trace("parent"):
            pid = os.fork()
            if pid == 0:
                with tv.span("in the child"):
                    pass
                os._exit(0 if tv.flush(10) else 1)
            assert os.waitpid(pid, 0)[1] == 0
            with tv.span("in the parent"):
                pass
        """
    )
    assert done.err == ""
    child, parent = named(daemon, "in the child"), named(daemon, "parent")
    assert (child.trace_id, child.parent_id) == (parent.trace_id, parent.span_id)
    assert sorted(daemon.names) == ["before", "in the child", "in the parent", "parent"]
    pids = {hello.session: hello.resource["process.pid"] for hello in daemon.hellos}
    assert len(set(pids.values())) == 2
    assert child.span_id != named(daemon, "in the parent").span_id


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_what_waits_in_the_parent_is_not_sent_twice_by_the_child(
    make_daemon: Callable[..., Daemon], run_program: Run, endpoint: str
) -> None:
    with make_daemon() as daemon:
        run_program(
            """
            import os
            import traceview as tv

            for number in range(50):
                with tv.span(f"s{number}"):
                    pass
            if os.fork() == 0:
                os._exit(0 if tv.flush(5) else 1)
            assert os.wait()[1] == 0
            """
        )
        assert daemon.names == [f"s{number}" for number in range(50)]
        assert len({hello.session for hello in daemon.hellos}) == 1


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="the system does not list threads here")
def test_a_fork_meets_no_thread_of_ours(daemon: Daemon, run_program: Run) -> None:
    """Python 3.12 and later warn of such forks, and a lock that a thread holds stays held in the child for ever."""
    done = run_program(
        """
        import os
        import threading
        import time
        import warnings

        def look():
            seen.append((threading.active_count(), len(os.listdir("/proc/self/task"))))

        seen = []
        os.register_at_fork(before=look)  # the first to come is the last to run
        warnings.simplefilter("error")
        import traceview as tv

        for number, flushed in enumerate([True, True, False, False]):
            with tv.span(f"s{number}"):
                pass
            assert not flushed or tv.flush(10)
            if os.fork() == 0:
                os._exit(0)
            assert os.wait()[1] == 0
        assert seen == [(1, 1)] * 4, seen
        os._exit(0)  # without a flush: what there was has been sent before each fork
        """
    )
    assert done.err == ""
    daemon.wait_for(lambda: daemon.names == [f"s{number}" for number in range(4)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_fork_without_a_daemon_is_not_held_up(home: Path, run_program: Run) -> None:
    done = run_program(
        """
        import os
        import time
        import traceview as tv

        with tv.span("first"):
            pass
        assert not tv.flush(0.5)
        began = time.monotonic()
        for _ in range(5):
            if os.fork() == 0:
                os._exit(0)
            assert os.wait()[1] == 0
        print(time.monotonic() - began)
        """
    )
    assert float(done.out) < 0.5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_forks_while_another_thread_records_lose_nothing(daemon: Daemon, run_program: Run) -> None:
    run_program(
        """
        import os
        import threading
        import time
        import traceview as tv

        def record():
            number = 0
            while not forked.is_set():
                with tv.span(f"s{number}"):
                    time.sleep(0.0005)
                number += 1

        forked = threading.Event()
        thread = threading.Thread(target=record)
        thread.start()
        for number in range(20):
            if os.fork() == 0:
                with tv.span(f"child {number}"):
                    pass
                os._exit(0 if tv.flush(10) else 1)
            assert os.wait()[1] == 0
        forked.set()
        thread.join()
        assert tv.flush(10)
        """
    )
    names = [name for name in daemon.names if not name.startswith("child")]
    assert names == [f"s{number}" for number in range(len(names))]
    assert len(names) >= 20
    assert sorted(set(daemon.names) - set(names)) == sorted(f"child {number}" for number in range(20))
    assert len({hello.session for hello in daemon.hellos}) == 21


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing_deliver_before_they_end(daemon: Daemon, run_program: Run, method: str) -> None:
    run_program(
        f"""
        import multiprocessing
        import traceview as tv

        def work(name):
            with tv.span(name):
                pass

        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with tv.span("parent"):
                children = [context.Process(target=work, args=(name,)) for name in ("a", "b")]
                for child in children:
                    child.start()
                for child in children:
                    child.join()
        """
    )
    assert sorted(daemon.names) == ["a", "b", "parent"]


def test_a_wrapped_process_pool_carries_the_span(daemon: Daemon, run_program: Run) -> None:
    run_program(
        """
        from concurrent.futures import ProcessPoolExecutor
        import multiprocessing
        import traceview as tv

        def work(name):
            with tv.span(name):
                return name.upper()

        if __name__ == "__main__":
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
                pool = tv.wrap(processes)
                with tv.span("parent"):
                    assert pool.submit(work, "submitted").result() == "SUBMITTED"
                    assert list(pool.map(work, ["mapped"])) == ["MAPPED"]
        """
    )
    parent = named(daemon, "parent")
    for name in ("submitted", "mapped"):
        assert (named(daemon, name).trace_id, named(daemon, name).parent_id) == (parent.trace_id, parent.span_id)


def test_a_child_program_goes_on_with_the_trace_in_its_environment(
    daemon: Daemon, run_program: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACEPARENT", raising=False)
    with tv.span("parent") as parent:
        tv.inject(os.environ)
        assert os.environ["TRACEPARENT"] == f"00-{parent.trace_id.hex()}-{parent.span_id.hex()}-01"
        run_program(
            """
            import subprocess
            import sys
            import traceview as tv

            tv.log("on the parent's span")
            with tv.trace("child", user="u"):
                pass
            with tv.trace("apart", new=True):
                pass
            """
        )
    daemon.wait_for(lambda: "child" in daemon.names)
    child = named(daemon, "child")
    assert (child.trace_id, child.parent_id) == (parent.trace_id, parent.span_id)
    assert named(daemon, "apart").trace_id != parent.trace_id
    assert any(part.span_id == parent.span_id and part.events for part in daemon.parts)
    os.environ.pop("TRACEPARENT")


def test_a_signal_handler_may_open_spans(daemon: Daemon, run_program: Run) -> None:
    run_program(
        """
        import signal
        import traceview as tv

        def beat(*_):
            with tv.span("beat"):
                pass

        beat()
        signal.signal(signal.SIGALRM, beat)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for number in range(3000):
            with tv.span("work"):
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert tv.flush(10)
        """
    )
    assert daemon.names.count("work") == 3000
    assert daemon.names.count("beat") > 1
