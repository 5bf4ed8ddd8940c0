"""`traceview-agent` as people type it: real processes, exit codes, one clear line per error."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from traceview.protocol import control
from traceview.protocol.control import SearchIndex
from traceview.protocol.places import find_places
from traceview.store import StoreReader
from traceview.testing import build_trace
from traceview_agent import commands
from traceview_agent.__main__ import main

TRACE = build_trace("plan > (search:tool!, answer:llm~)")


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """Daemons leave no process behind, and `main("run")` in this process leaves its limits and log as they were."""
    files, mask = resource.getrlimit(resource.RLIMIT_NOFILE), os.umask(0o022)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    with open(os.devnull, "w") as quiet, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", quiet)
        patch.setattr(sys, "stderr", quiet)
        commands.stop(find_places())
    resource.setrlimit(resource.RLIMIT_NOFILE, files)
    os.umask(mask)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def agent(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "traceview_agent", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **settings)


@pytest.fixture
def foreground() -> Iterator[Any]:
    """Starts `traceview-agent run` processes, ready to be spoken to."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **settings: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "traceview_agent", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **settings)
        running.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if '"started (pid' in line:
                return process
        raise AssertionError("the daemon did not start")

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_start_status_stop_as_processes(tmp_path: Path) -> None:
    started = agent("start", cwd=tmp_path)
    assert (started.returncode, started.stderr) == (0, "")
    assert "started (pid" in started.stdout
    again = agent("start")
    assert again.returncode == 0
    assert "already running" in again.stdout
    status = agent("status", "--json")
    answer = json.loads(status.stdout)
    assert (status.returncode, answer["running"]) == (0, True)
    process = psutil.Process(answer["pid"])
    assert process.cwd() != str(tmp_path)
    stopped = agent("stop")
    assert stopped.returncode == 0
    assert not psutil.pid_exists(answer["pid"]) or process.status() == psutil.STATUS_ZOMBIE
    assert agent("stop").returncode == 1


def test_one_program_after_the_other(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 1
    assert "not running" in capsys.readouterr().err
    assert main(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert main(["start"]) == 0
    assert main(["start"]) == 0
    assert "already running" in capsys.readouterr().out
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "2 stored since the start" in said
    assert "ipc://" in said
    assert main(["stop"]) == 0
    assert main(["stop"]) == 1
    assert "not running" in capsys.readouterr().err


def test_two_starts_at_once_make_one_daemon() -> None:
    done: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: done.append(agent("start"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.returncode for each in done] == [0, 0, 0]
    assert len({each.stdout.partition("pid ")[2].partition(")")[0] for each in done}) == 1


def test_home_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    started = agent("start", "--home", "here", cwd=tmp_path)
    assert started.returncode == 0, started.stderr
    assert (tmp_path / "here" / "traces.db").exists()
    assert (tmp_path / "here" / "agent.log").exists()
    assert agent("status", "--home", str(tmp_path / "here")).returncode == 0
    assert agent("stop", "--home", "here", cwd=tmp_path).returncode == 0


def test_a_daemon_started_among_files_named_like_modules_starts(tmp_path: Path) -> None:
    for name in ("logging.py", "asyncio.py", "zmq.py"):
        (tmp_path / name).write_text("raise SystemExit('imported the wrong module')")
    assert agent("start", cwd=tmp_path).returncode == 0


def test_a_start_that_fails_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    store = find_places().store
    store.write_bytes(b"no database" * 1000)
    assert main(["start"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"traceview-agent: {store} ")
    assert said.count("\n") == 1


def test_a_home_that_is_a_file_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACEVIEW_HOME", str(tmp_path / "file"))
    assert main(["start"]) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said
    assert said.count("\n") == 1
    assert main(["stop"]) == 1


def test_a_taken_port_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["start", "--otlp-port", port]) == 0
    assert f"port {port} is taken" in capsys.readouterr().err
    assert main(["status"]) == 0
    assert f"port {port} is taken" in capsys.readouterr().out


@pytest.mark.parametrize("port", ["x", "-1", "65536", "٣"])
def test_a_bad_port_is_wrong_usage(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["start", "--otlp-port", port])
    assert ended.value.code == 2
    assert "is no port" in capsys.readouterr().err


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("traceview-agent ")


def test_run_in_this_process_ends_by_a_signal(program: Any, until: Any, home: Path) -> None:
    def talk_and_end() -> None:
        program.batch(1, TRACE.parts)
        program.acknowledged(1)
        os.kill(os.getpid(), signal.SIGTERM)

    talking = threading.Thread(target=talk_and_end)
    talking.start()
    before = signal.getsignal(signal.SIGTERM)
    assert main(["run", "--detached"]) == 0
    talking.join()
    assert signal.getsignal(signal.SIGTERM) == before
    log = find_places().log.read_text()
    assert 'from=daemon message="started' in log
    assert 'from=run message="stopped"' in log
    assert oct(find_places().store.stat().st_mode & 0o777) == "0o600"


def test_a_second_run_says_who_runs(daemon: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 1
    assert f"(pid {os.getpid()})" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(foreground: Any, program: Any, number: signal.Signals) -> None:
    process = foreground()
    program.batch(1, TRACE.parts)
    program.acknowledged(1)
    before = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == 0
    assert time.monotonic() - before < 5
    places = find_places()
    assert not places.agent_file.exists()
    assert not places.store.with_name("traces.db-wal").exists()
    assert "Traceback" not in process.stderr.read()


def test_killed_and_started_again_nothing_acknowledged_is_lost(foreground: Any, program: Any, until: Any) -> None:
    for round_ in range(4):
        process = foreground()
        for seq in range(1 + 25 * round_, 26 + 25 * round_):
            program.batch(seq, build_trace("a > b", trace=f"t{seq}").parts)
        program.acknowledged(1 + 25 * round_ + 10)
        process.kill()
        process.wait()
        last = 25 * (round_ + 1)
        second = foreground()
        answer = program.hello()
        while answer.upto < last:  # what was under way when it died is sent again, in order
            for seq in range(max(answer.upto, 25 * round_) + 1, last + 1):
                program.batch(seq, build_trace("a > b", trace=f"t{seq}").parts)
            answer = program.hear()
        second.kill()
        second.wait()
    reader = StoreReader(find_places().store)
    names = [span.name for trace in reader.traces() for span in reader.spans(trace.trace_id)]
    reader.close()
    assert len(names) == 200


def test_a_daemon_that_does_not_listen_is_stopped_by_its_pid(
    foreground: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    process = foreground()
    find_places().control.unlink()
    assert main(["status"]) == 1
    waiting = threading.Thread(target=process.wait)
    waiting.start()
    assert main(["stop"]) == 0
    waiting.join()
    assert f"(pid {process.pid})" in capsys.readouterr().out


def test_few_open_files_make_programs_wait_but_do_not_end_it(foreground: Any, start_program: Any, until: Any) -> None:
    process = foreground(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 160)))
    waiting = [start_program(session=number.to_bytes(16, "big")) for number in range(120)]
    for number, program in enumerate(waiting):
        program.batch(1, build_trace("a", trace=f"t{number}").parts)

    def all_are_answered() -> bool:
        for program in list(waiting):
            if not program.hears_nothing(0):
                program.acknowledged(1)
                program.close()
                waiting.remove(program)
        return not waiting

    until(all_are_answered)
    assert process.poll() is None
    assert control.status(find_places()).spans == 120


def test_idle_it_costs_next_to_nothing(foreground: Any) -> None:
    process = psutil.Process(foreground().pid)
    control.status(find_places())
    before = process.cpu_times()
    with pytest.raises(psutil.TimeoutExpired):
        process.wait(1.0)
    after = process.cpu_times()
    # 1 % of a core; times come in ticks of 10 ms.
    assert after.user + after.system - before.user - before.system < 0.015
    assert process.memory_info().rss < 60e6


@pytest.mark.parametrize(
    ("index", "line"),
    [
        (SearchIndex(waiting=0, bytes=1_000_000), "full-text index of 1.0 MB, up to date"),
        (SearchIndex(waiting=7, bytes=0), "full-text index of 0.0 MB, 7 spans wait"),
        (SearchIndex(waiting=7, bytes=0, problem="it waits"), "it waits"),
    ],
)
def test_status_says_how_far_the_index_is(daemon: Any, index: SearchIndex, line: str) -> None:
    said = commands._describe(msgspec.structs.replace(daemon.status, search=index))
    assert f"  search     {line}\n" in said + "\n"
    assert "search " not in commands._describe(msgspec.structs.replace(daemon.status, search=None))
