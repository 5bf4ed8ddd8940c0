"""What programs leave out by their own sampling is counted: each trace once, also by programs that recorded nothing."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview.protocol import wire
from traceview.protocol.places import find_places
from traceview.protocol.spool import Spool
from traceview.testing import build_trace
from traceview_agent import commands

from .test_metrics import scrape

TRACE = build_trace("plan > (search:tool!, answer:llm~)")
PROGRAM = """
import os, sys, traceview as tv
tv.configure(head_ratio=float(sys.argv[1]))
def record(traces):
    for _ in range(traces):
        with tv.trace("run"), tv.span("inner"):
            tv.log("x")
record(int(sys.argv[2]))
"""
Until = Callable[..., Any]


def run(*arguments: object, code: str = PROGRAM) -> None:
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True, timeout=60)


def spools() -> list[Path]:
    return list(find_places().spool.iterdir()) if find_places().spool.exists() else []


def test_every_trace_is_either_stored_or_counted(daemon: Any, until: Until) -> None:
    run(0.5, 200)
    until(lambda: daemon.stored().count("run") + daemon.status.left_out == 200 and not spools())
    assert 50 < daemon.status.left_out < 150
    assert daemon.status.dropped == 0


def test_a_program_of_which_nothing_was_recorded_tells_it_too_and_leaves_nothing(daemon: Any, until: Until) -> None:
    run(0, 30)
    until(lambda: daemon.status.left_out == 30 and not spools())
    with contextlib.closing(sqlite3.connect(f"file:{find_places().store}?mode=ro", uri=True)) as store:
        assert store.execute("SELECT count(*) FROM source").fetchone() == (0,)


def test_where_no_daemon_runs_it_leaves_no_note(home: Path) -> None:
    run(0, 30)
    assert spools() == []


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no fork")
def test_a_fork_tells_of_its_own_only(daemon: Any, until: Until) -> None:
    run(0, 30, code=PROGRAM + "child = os.fork()\nrecord(5 if child == 0 else 1)\nif child: os.waitpid(child, 0)\n")
    until(lambda: daemon.status.left_out == 36 and not spools())


def test_batches_tell_of_all_so_far_and_count_once(daemon: Any, program: Any) -> None:
    records = [msgspec.msgpack.encode(part) for part in TRACE.parts]
    for seq, left_out in ((1, 3), (1, 3), (2, 5)):
        batch = wire.Batch(program.session, seq, len(records), left_out=left_out)
        program.send(wire.encode_header(batch), wire.join_records(records))
        program.acknowledged(seq)
    left = wire.Left(b"d" * 16, 1, 0, ended_ns=1, left_out=4)
    for seq in (1, 2):  # told twice, by whoever was killed before it heard the answer and by the next
        program.send(wire.encode_header(msgspec.structs.replace(left, seq=seq)))
        program.acknowledged(seq)
    assert daemon.status.left_out == 9
    assert scrape(daemon)["traceview_traces_left_out_total"] == 9
    said = "  left out   9 runs not recorded, by programs' own sampling, since the start\n"
    assert said in commands._describe(daemon.status)
    assert "  1 run not" in commands._describe(msgspec.structs.replace(daemon.status, left_out=1))
    assert "left out" not in commands._describe(msgspec.structs.replace(daemon.status, left_out=0))


def test_a_note_goes_from_segment_to_segment(home: Path, start_daemon: Any, until: Until) -> None:
    spool = Spool(find_places().spool / (b"s" * 16).hex(), segment=4096)
    spool.note_left_out(7)
    for part in TRACE.parts:
        assert spool.append(msgspec.msgpack.encode(part))
        assert spool.append(msgspec.msgpack.encode(msgspec.structs.replace(part, reasoning="x" * 3000)))
    while cut := spool.cut(1, 1):
        if cut.upto < spool.written:
            spool.free(cut.upto)
    spool.close()
    daemon = start_daemon()
    until(lambda: daemon.status.left_out == 7 and not spools())
