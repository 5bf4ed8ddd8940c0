"""Nothing applied is lost: kill -9, a full disk, a locked file, an input/output error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from traceview.protocol.records import Facts, SpanPart
from traceview.store import StoreBusy, StoreError, StoreReader, StoreWriter
from traceview.store.driver import driver
from traceview.store.errors import explain, is_environment, is_full, is_uncertain
from traceview.store.space import BALLAST_BYTES, DiskSpace
from traceview.testing import build_trace

T = b"t" * 16
replace = msgspec.structs.replace


def part(number: int, **fields: Any) -> SpanPart:
    return SpanPart(T, number.to_bytes(8, "big"), start_ns=number, **fields)


def understand(_: SpanPart) -> Facts:
    return Facts()


WRITING_PROCESS = """
    import sys
    from pathlib import Path
    from traceview.protocol.records import Facts, SpanPart
    from traceview.store import StoreWriter
    writer = StoreWriter(Path(sys.argv[1]), lambda part: Facts(), floor_bytes=0)
    seq = writer.last_seq(b"session")
    while True:
        seq += 1
        parts = [SpanPart(b"t" * 16, (seq * 20 + n).to_bytes(8, "big"), start_ns=1, input="x" * 500) for n in range(20)]
        writer.apply(parts, session=b"session", seq=seq)
        print(seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_applied(tmp_path):
    path = tmp_path / "traces.db"
    for seconds in (0.02, 0.05, 0.11, 0.17, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", dedent(WRITING_PROCESS), str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        threading.Timer(seconds, process.kill).start()
        acknowledged = [int(first), *(int(line) for line in process.stdout if line.endswith("\n"))][-1]
        process.wait()
        assert process.returncode == -signal.SIGKILL
        process.stdout.close()
        reader = StoreReader(path)
        writer = StoreWriter(path, understand, floor_bytes=0)
        last = writer.last_seq(b"session")
        writer.close()
        assert last in (acknowledged, acknowledged + 1)  # killed between the commit and the print
        spans = reader.spans(T)
        assert len(spans) == (last + 1) * 20
        assert reader.trace(T).spans == len(spans) == reader.counts().spans
        assert all(payload.input == "x" * 500 for _, payload in reader.payloads(T))
        (verdict,) = reader._connection.execute("PRAGMA integrity_check").fetchone()
        assert verdict == "ok"
        reader.close()


def test_what_a_killed_writer_left_is_on_the_disk_before_more_is_acknowledged(tmp_path):
    """The batch is in the log, by a kill before its fsync: a program that sends it again is told that it is stored."""
    left, after = tmp_path / "left.db", tmp_path / "after" / "traces.db"
    writer = StoreWriter(left, understand, floor_bytes=0)
    writer.apply([part(1)], session=b"s", seq=1)
    after.parent.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{left}{end}", f"{after}{end}")
    writer.close()
    writer = StoreWriter(after, understand, durability="power", floor_bytes=0)
    assert writer.last_seq(b"s") == 1
    alone = tmp_path / "alone.db"
    shutil.copy(after, alone)  # without its log: what no fsync covered is gone
    writer.close()
    reader = StoreReader(alone)
    assert [row.start_ns for row in reader.spans(T)] == [1]
    reader.close()


# A full disk


def test_a_full_store_says_so_and_keeps_what_it_has(tmp_path):
    path = tmp_path / "traces.db"
    StoreWriter(path, understand).close()
    writer = StoreWriter(path, understand, max_bytes=path.stat().st_size + 400_000)
    assert path.with_name("traces.db.ballast").stat().st_size == BALLAST_BYTES
    stored = 0

    def fill_up() -> None:
        nonlocal stored
        while True:
            writer.apply([part(stored, input=os.urandom(5_000))], session=b"s", seq=stored)
            stored += 1

    with pytest.raises(StoreBusy, match="disk is full") as error:
        fill_up()
    assert str(path) in str(error.value)
    assert stored > 10
    assert not path.with_name("traces.db.ballast").exists()
    with pytest.raises(StoreBusy):
        writer.apply([part(stored, input=os.urandom(50_000))], session=b"s", seq=stored)
    assert writer.last_seq(b"s") == stored - 1
    reader = StoreReader(path)
    assert reader.counts().spans == len(reader.spans(T)) == len(list(reader.payloads(T))) == stored
    reader.close()
    writer.close()
    # Room again: the same batch is taken, and the reserve is set aside anew.
    writer = StoreWriter(path, understand)
    assert writer.apply([part(stored, input=os.urandom(5_000))], session=b"s", seq=stored) == 1
    assert path.with_name("traces.db.ballast").exists()
    writer.close()


def test_the_reserve_comes_back_with_the_next_batch_that_fits(tmp_path):
    path = tmp_path / "traces.db"
    StoreWriter(path, understand).close()
    writer = StoreWriter(path, understand, max_bytes=path.stat().st_size + 100_000)
    with pytest.raises(StoreBusy):
        writer.apply([part(1, input=os.urandom(500_000))])
    assert not path.with_name("traces.db.ballast").exists()
    assert writer.apply([part(1, input="small")]) == 1
    assert path.with_name("traces.db.ballast").exists()
    writer.close()


def test_batches_are_refused_while_the_disk_is_nearly_full(tmp_path):
    writer = StoreWriter(tmp_path / "traces.db", understand, floor_bytes=1 << 60)
    with pytest.raises(StoreBusy, match=r"MiB are free on its disk; free some space"):
        writer.apply([part(1)])
    assert writer.interrupt() == 0  # little as it is, it may be written
    writer.close()
    assert not (tmp_path / "traces.db.ballast").exists()


def test_the_disk_is_looked_at_now_and_then_only(tmp_path):
    space = DiskSpace(tmp_path / "traces.db", 1)
    space.check()
    space._floor = 1 << 60
    space.check()  # looked at a moment ago
    space.release()
    with pytest.raises(StoreBusy):
        space.check()


# Other failures


@pytest.fixture
def locked(store) -> Iterator[None]:
    store.writer._connection.execute("PRAGMA busy_timeout = 10")
    other = driver().connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.usefixtures("locked")
def test_a_store_that_somebody_else_writes_is_busy(store):
    with pytest.raises(StoreBusy, match="locked by another process"):
        store.apply(part(1))
    assert store.reader().spans(T) == []


def test_a_failed_batch_leaves_no_trace_of_itself(store):
    """The disk fails in the middle: numbers, blocks and sums go on as if the batch had never come."""
    store.apply(part(1, input="one"))
    connection = store.writer._connection
    connection.execute("PRAGMA max_page_count = 1")  # SQLite raises it to the present size
    with pytest.raises(StoreBusy):
        store.apply(part(2, input=os.urandom(100_000)), *build_trace("a").parts, session=b"s", seq=1)
    connection.execute("PRAGMA max_page_count = 1000000")
    reader = store.reader()
    assert reader.head() == 1
    store.apply(part(3, input="three"), part(1, end_ns=9))
    assert store.writer.last_seq(b"s") == -1
    assert (reader.head(), reader.counts().traces, reader.counts().spans) == (2, 1, 2)
    assert {payload.input for _, payload in reader.payloads(T)} == {"one", "three"}


def failure(code: int) -> Exception:
    error: Exception = driver().OperationalError("something")
    error.sqlite_errorcode = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (5, StoreBusy, "locked"),
        (517, StoreBusy, "locked"),  # SQLITE_BUSY_SNAPSHOT
        (13, StoreBusy, "disk is full"),
        (4874, StoreBusy, "disk is full"),  # SQLITE_IOERR_SHMSIZE
        (1034, StoreError, "disk reported an error"),  # SQLITE_IOERR_FSYNC
        (11, StoreError, "damaged"),
        (8, StoreError, "writable"),
    ],
)
def test_errors_of_the_file_are_one_sentence(code, kind, says):
    error = failure(code)
    told = explain(error, Path("/some/traces.db"))
    assert type(told) is kind
    assert str(told).startswith("/some/traces.db ")
    assert says in str(told)
    assert is_environment(error)
    assert is_full(error) == ("full" in says)
    assert is_uncertain(error) == (code in (1034, 11))


def test_errors_of_values_are_not_blamed_on_the_file():
    assert not is_environment(ValueError("no"))
    assert not is_environment(SimpleNamespace())  # type: ignore[arg-type]
    assert is_environment(MemoryError())
    assert "could not be used: no" in str(explain(ValueError("no"), Path("x")))


def test_damage_found_while_writing_stops_the_writer(store):
    """What comes after is uncertain: nothing more is acknowledged until the store is opened anew."""
    built = [build_trace("a > (b, c)", trace=str(number)) for number in range(200)]
    for trace in built:
        store.apply(*trace.parts)
    sql = "SELECT rootpage FROM sqlite_master WHERE name = 'span'"
    (page,) = store.writer._connection.execute(sql).fetchone()
    store.writer.close()
    data = bytearray(store.path.read_bytes())
    data[(page - 1) * 8192 : page * 8192] = bytes(8192)
    store.path.write_bytes(data)
    store.writer = store.open_writer()
    with pytest.raises(StoreError, match="damaged"):
        store.apply(*(replace(item, end_ns=1) for trace in built for item in trace.parts))
    with pytest.raises(StoreError, match="damaged"):
        store.apply(part(1))
    with pytest.raises(StoreError, match="damaged"):
        store.writer.interrupt()
