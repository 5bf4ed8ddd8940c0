"""What was appended survives its process: in order, whole, once; and the spool stays within its bounds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.dead_spool import DeadSpool, find_all, find_dead
from traceview.protocol.spool import Spool, hold_lock
from traceview.protocol.wire import WireError, split_records

NAME = "0123456789abcdef" * 2


def records_of(spool: Spool, most: int = 1000) -> list[bytes]:
    found: list[bytes] = []
    while cut := spool.cut(most, 1 << 20):
        found += [bytes(record) for record in split_records(cut.body)]
    return found


def left_by(dead: DeadSpool) -> list[bytes]:
    return [bytes(record) for body in dead.bodies() for record in split_records(body)]


@given(st.lists(st.binary(max_size=3000), max_size=60), st.integers(1, 7))
def test_records_come_out_as_they_went_in(records: list[bytes], most: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / NAME, segment=4096)
        assert all(spool.append(record) for record in records)
        assert records_of(spool, most) == records
        assert len(spool) == 0
        spool.close()


def test_a_cut_holds_at_least_one_record_and_no_more_than_asked(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)
    for size in (5000, 10, 10):
        spool.append(b"x" * size)
    first, second = spool.cut(10, 100), spool.cut(10, 100)
    assert first is not None
    assert second is not None
    assert (first.count, second.count) == (1, 2)
    assert spool.cut(10, 100) is None
    spool.close()


def test_acknowledged_segments_are_deleted_and_their_room_is_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096, limit=3 * 4096)
    for _ in range(50):
        assert spool.append(b"x" * 3000)
        cut = spool.cut(10, 1 << 20)
        assert cut is not None
        spool.free(cut.upto)
        assert len(list(spool.folder.glob("*.seg"))) <= 2
    spool.close()


def test_the_next_segment_is_ready_before_it_is_needed_and_used_again_and_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096, limit=3 * 4096)
    found: list[bytes] = []
    for n in range(50):
        assert spool.append(b"%02d" % n + b"x" * 2500)
        spool.prepare()
        assert (spool.folder / "spare").exists()
        cut = spool.cut(10, 1 << 20)
        assert cut is not None
        found += [bytes(record[:2]) for record in split_records(cut.body)]
        spool.free(cut.upto)
    assert found == [b"%02d" % n for n in range(50)]
    # Two files for fifty segments: the one that is written, and the one that was.
    assert len({path.stat().st_ino for path in spool.folder.glob("*.seg")}) == 1
    spool.close()


def test_a_spare_counts_against_the_limit_but_makes_room_for_a_record_that_needs_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096, limit=3 * 4096)
    spool.append(b"x" * 3000)
    spool.prepare()
    assert spool.append(b"y" * 8000)
    assert not (spool.folder / "spare").exists()
    assert not spool.append(b"z" * 3000)
    spool.close()
    (dead,) = find_dead(tmp_path)
    assert left_by(dead) == [b"x" * 3000, b"y" * 8000]
    dead.remove()


def test_a_spare_that_can_not_be_renamed_is_done_without(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096)
    spool.append(b"x" * 3000)
    spool.prepare()
    (spool.folder / "spare").unlink()
    assert spool.append(b"y" * 3000)
    spool.close()
    (dead,) = find_dead(tmp_path)
    assert left_by(dead) == [b"x" * 3000, b"y" * 3000]
    dead.remove()
    assert not list(tmp_path.iterdir())


def test_a_full_spool_drops_the_newest_and_keeps_the_rest(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096, limit=2 * 4096)
    kept = [spool.append(bytes([n]) * 1500) for n in range(8)]
    assert kept == [True] * 4 + [False] * 4
    spool.note_dropped(4)
    spool.close()
    (dead,) = find_dead(tmp_path)
    assert dead.dropped() == 4
    assert left_by(dead) == [bytes([n]) * 1500 for n in range(4)]
    dead.remove()
    assert not spool.folder.exists()


def test_a_record_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096)
    assert spool.append(b"small")
    assert spool.append(b"x" * 1_000_000)
    assert spool.append(b"after")
    assert [len(record) for record in records_of(spool)] == [5, 1_000_000, 5]
    spool.close()


def test_what_was_acknowledged_is_not_left_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)
    spool.introduce(b"who I am")
    for n in range(10):
        spool.append(b"%d" % n)
    cut = spool.cut(4, 1 << 20)
    assert cut is not None
    spool.free(cut.upto)
    spool.close()
    spool.close()
    (dead,) = find_dead(tmp_path)
    assert dead.session == bytes.fromhex(NAME)
    assert dead.hello() == b"who I am"
    assert left_by(dead) == [b"%d" % n for n in range(4, 10)]
    dead.release()


def test_a_living_process_keeps_its_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)
    assert list(find_dead(tmp_path)) == []
    with pytest.raises(BlockingIOError):
        hold_lock(spool.folder / "lock")
    spool.close()
    (dead,) = find_dead(tmp_path)
    dead.release()


def test_a_folder_that_is_no_spool_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "stray").mkdir()
    assert list(find_dead(tmp_path)) == []
    assert list(find_dead(tmp_path / "nowhere")) == []
    spool = Spool(tmp_path / "not hex")
    spool.append(b"kept")
    (spool.folder / "00000002.seg").write_bytes(b"garbage")
    (spool.folder / "00000003.seg").write_bytes(b"TVSP" + b"\xff" * 60)
    spool.close()
    (dead,) = find_dead(tmp_path)
    assert dead.session == b""
    assert dead.hello() == b""
    assert left_by(dead) == [b"kept"]
    dead.remove()


def test_a_spool_whose_process_died_while_making_it_is_found_after_a_while(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)
    spool.append(b"kept")
    spool.close()
    (spool.folder / "lock").unlink()
    assert list(find_dead(tmp_path)) == [], "it may be in the making"
    os.utime(spool.folder, (0, 0))
    (dead,) = find_dead(tmp_path)
    assert left_by(dead) == [b"kept"]
    dead.remove()
    assert not spool.folder.exists()


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=64 * 1024)

    def work(name: int) -> None:
        for n in range(500):
            assert spool.append(b"%d/%d" % (name, n))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = records_of(spool)
    assert len(found) == 4000
    for name in range(8):
        mine = [record for record in found if record.startswith(b"%d/" % name)]
        assert mine == [b"%d/%d" % (name, n) for n in range(500)], "each thread's records stay in order"
    spool.close()


def test_a_signal_handler_may_append_in_the_middle_of_an_append(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)

    def handler(*_: object) -> None:
        assert spool.append(b"from the handler")

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in range(20_000):
            assert spool.append(b"%d" % n)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found = records_of(spool)
    assert [record for record in found if record.isdigit()] == [b"%d" % n for n in range(20_000)]
    assert b"from the handler" in found
    spool.close()


KILLED = """
import os, sys
from pathlib import Path
from traceview.protocol.spool import Spool
spool = Spool(Path(sys.argv[1]))
n = 0
while True:
    spool.append(b"%d" % n)
    n += 1
    os.write(1, b"%d\\n" % n)
"""


@pytest.mark.parametrize("after", [1, 50, 700])
def test_a_killed_process_leaves_every_record_it_appended(tmp_path: Path, after: int) -> None:
    program = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / NAME)], stdout=subprocess.PIPE)
    assert program.stdout is not None
    said = 0
    for _ in range(after):
        said = int(program.stdout.readline())
    os.kill(program.pid, signal.SIGKILL)
    for line in program.stdout:
        said = int(line) if line.endswith(b"\n") else said
    program.wait()
    program.stdout.close()
    (dead,) = find_dead(tmp_path)
    found = left_by(dead)
    assert found == [b"%d" % n for n in range(len(found))]
    assert len(found) >= said
    dead.remove()


@given(st.integers(0, 64 + 59 * 9), st.integers(0, 255), st.integers(0, 64 + 60 * 9))
def test_whatever_happens_to_a_segment_what_lies_before_it_is_read(place: int, value: int, length: int) -> None:
    import tempfile

    records = [b"%05d" % number for number in range(60)]
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / NAME, segment=4096)
        assert all(spool.append(record) for record in records)
        spool.close()
        (segment,) = spool.folder.glob("*.seg")
        true = segment.read_bytes()
        segment.write_bytes((true[:place] + bytes([value]) + true[place + 1 :])[:length])
        dead = DeadSpool(spool.folder, -1)
        found: list[bytes] = []
        with contextlib.suppress(WireError):
            for body in dead.bodies():
                for record in split_records(body):
                    found.append(bytes(record))
        whole = max(0, min(place, length) - 64) // 9
        told = list(dead.damage())
        assert told or place < 64 or found[:whole] == records[:whole]
        assert told or length >= 64 + 60 * 9 or not length or place < 64
        assert dead.dropped() <= 2**32 - 1


def test_what_can_not_be_read_now_is_not_taken_for_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME)
    spool.append(b"kept")
    spool.close()
    (dead,) = find_dead(tmp_path)
    segment = tmp_path / NAME / "00000001.seg"
    aside = segment.rename(tmp_path / "aside")
    segment.symlink_to(segment)  # opening it fails, as with too many open files
    with pytest.raises(OSError):
        list(dead.bodies())
    with pytest.raises(OSError):
        dead.dropped()
    segment.unlink()
    aside.rename(segment)
    assert left_by(dead) == [b"kept"]
    dead.remove()


def test_a_spool_without_room_leaves_nothing_behind(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError):
            Spool(tmp_path / NAME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    Spool(tmp_path / NAME).close()


def shipped_of(dead: DeadSpool, most: int) -> list[bytes]:
    return [bytes(record) for cut in dead.cuts(most) for record in split_records(cut.body)]


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=40), st.integers(1, 5000), st.integers(0, 50))
def test_what_is_left_is_shipped_in_order_and_goes_on_behind_what_was_acknowledged(
    records: list[bytes], most: int, acknowledged: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder) / NAME, segment=4096)
        assert all(spool.append(record) for record in records)
        spool.close()
        (dead,) = find_dead(Path(folder))
        touched = dead.touched_ns()
        taken = []
        for cut in dead.cuts(most):
            if len(taken) >= acknowledged:
                break
            assert cut.count == 1 or len(cut.body) <= most
            taken += [bytes(record) for record in split_records(cut.body)]
            dead.acknowledge(cut)
        assert taken + shipped_of(dead, most) == records
        assert taken + left_by(dead) == records
        assert dead.waiting() == sum(4 + len(record) for record in records[len(taken) :])
        assert dead.touched_ns() == touched  # when its program died is still known
        dead.remove()


def test_what_is_damaged_is_shipped_as_it_is_and_the_rest_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path / NAME, segment=4096)
    for size in (3000, 3000, 3000):
        spool.append(b"x" * size)
    spool.close()
    (dead,) = find_dead(tmp_path)
    first, second, _ = sorted(dead.folder.glob("*.seg"))
    with first.open("r+b") as file:
        file.seek(64)
        file.write((1 << 30).to_bytes(4, "big"))
    with second.open("r+b") as file:
        file.seek(64)
        file.write(bytes(4))
    (dead.folder / "00000000.seg").write_bytes(b"short")
    cuts = list(dead.cuts(1 << 20))
    assert [(cut.segment.name, cut.count, len(cut.body)) for cut in cuts] == [
        ("00000000.seg", 1, 5),
        ("00000001.seg", 1, 3004),
        ("00000002.seg", 1, 3004),
        ("00000003.seg", 1, 3004),
    ]
    for cut in cuts:
        dead.acknowledge(cut)
    assert (dead.folder / "00000000.seg").read_bytes() == b"short"
    assert [cut.segment.name for cut in dead.cuts(1 << 20)] == ["00000000.seg"]
    dead.remove()


def test_a_spool_notes_its_endpoint_and_is_not_even_locked_by_whom_it_is_not_for(tmp_path: Path) -> None:
    far, old = Spool(tmp_path / ("a" * 32), endpoint="tcp://there:1"), Spool(tmp_path / ("b" * 32))
    far.close()
    old.close()
    (tmp_path / "a file").touch()
    (mine,) = find_dead(tmp_path, lambda endpoint: endpoint == "tcp://there:1")
    assert (mine.folder, mine.endpoint) == (far.folder, "tcp://there:1")
    # It is locked now: were it looked at, this would pass it over for that reason.
    (other,) = find_dead(tmp_path, lambda endpoint: endpoint == "")
    assert (other.folder, other.endpoint) == (old.folder, "")
    mine.release()
    other.remove()
    mine.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


def test_all_spools_can_be_looked_at_also_those_of_programs_that_run(tmp_path: Path) -> None:
    assert list(find_all(tmp_path / "nowhere")) == []
    living, dead = Spool(tmp_path / ("a" * 32)), Spool(tmp_path / ("b" * 32))
    dead.append(b"record")
    dead.close()
    (tmp_path / "in the making").mkdir()
    found = {spool.folder: (spool.waiting(), running) for spool, running in find_all(tmp_path)}
    assert found == {living.folder: (0, True), dead.folder: (10, False)}
    (left,) = find_dead(tmp_path)  # nothing is held
    left.remove()
    living.close()
