"""What a program recorded outlives it: a kill, an exit without a daemon, a fork; and no spool is no harm."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import traceview as tv
from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import find_places
from traceview.protocol.spool import Spool
from traceview.protocol.wire import decode_upstream, split_records
from traceview.sdk import recorder
from traceview.sdk.outbox import MemoryOutbox
from traceview.sdk.spool_outbox import SpoolOutbox, open_outbox

from .conftest import left_behind  # isort: skip

RECORDS_AND_DIES = """
import os, sys, traceview as tv
with tv.trace("doomed"):
    with tv.span("done", input={"n": 1}) as span:
        span.set_output("kept")
    with tv.span("last step"):
        tv.log("about to die")
        print("now", flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_killed_program_leaves_all_it_recorded(home: Path, end: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", RECORDS_AND_DIES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "now\n"
    assert left_behind() == []
    spools = find_places().spool
    deadline = time.monotonic() + 10
    while not any((folder / "hello").exists() and (folder / "hello").stat().st_size for folder in spools.iterdir()):
        assert time.monotonic() < deadline
    program.send_signal(end)
    program.communicate()
    parts = left_behind()
    assert [part.name for part in parts if part.start_ns] == ["doomed", "done", "last step"]
    assert [part.output for part in parts if part.output] == ["kept"]
    assert sum(part.end_ns is not None for part in parts) == 1
    assert parts[-1].events[0].attributes["message"] == "about to die"
    (dead,) = find_dead(find_places().spool)
    assert decode_upstream(dead.hello()).session == dead.session
    dead.release()


def test_os_exit_leaves_all_too(home: Path) -> None:
    code = "import os, traceview as tv; s = tv.start_span('s'); s.end(); os._exit(3)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3
    assert [part.name for part in left_behind()] == ["s", None]


def test_an_exit_without_a_daemon_leaves_all_for_the_next_one(home: Path) -> None:
    subprocess.run([sys.executable, "-c", "import traceview as tv; tv.start_span('s').end()"], check=True)
    assert [part.name for part in left_behind()] == ["s", None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_fork_has_a_spool_of_its_own_and_does_not_hold_its_parents(home: Path) -> None:
    code = """
import os, sys, traceview as tv
tv.start_span("parent").end()
child = os.fork()
if child == 0:
    tv.start_span("child").end()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.wait()
    assert [part.name for part in left_behind()] == ["parent", None]
    program.communicate()


def test_the_bound_is_a_setting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_SPOOL_MB", "1")
    outbox = open_outbox(b"s" * 16)
    assert isinstance(outbox, SpoolOutbox)
    kept = sum(outbox.append(b"x" * 100_000) for _ in range(30))
    assert 5 < kept < 12
    outbox.note_dropped()
    assert (outbox.take_dropped(), outbox.take_dropped()) == (1, 0)
    outbox.close()


def test_chunks_may_be_done_out_of_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / ("00" * 16))
    outbox = SpoolOutbox(spool)
    for n in range(6):
        outbox.append(b"%d" % n)
    first, second, third = (outbox.take(2, 1000) for _ in range(3))
    assert outbox.take(2, 1000) is None
    assert outbox.waiting() == 0
    assert first is not None
    assert second is not None
    assert third is not None
    outbox.free(second)
    outbox.free(first)
    assert (outbox.appended, outbox.freed) == (6 * 5, 4 * 5)
    outbox.close()
    (dead,) = find_dead(tmp_path)
    assert [bytes(r) for body in dead.bodies() for r in split_records(body)] == [b"4", b"5"]
    dead.release()


@pytest.mark.expects_log
def test_without_a_place_for_a_spool_records_wait_in_memory(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "file").write_text("not a folder")
    monkeypatch.setenv("TRACEVIEW_SPOOL", str(home / "file" / "spool"))
    with caplog.at_level(logging.WARNING, logger="traceview"):
        assert isinstance(open_outbox(b"s" * 16), MemoryOutbox)
    assert "die with the program" in caplog.text


def test_nothing_is_opened_before_the_first_record(home: Path) -> None:
    before = recorder.renew()
    before.close(0.1)
    assert tv.flush(0.1) is True
    assert not (home / "run" / "spool").exists() or left_behind() == []
