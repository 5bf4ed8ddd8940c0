"""Scenarios in which nothing is killed by us: a disk that is slow, a disk that fails, clocks that jump."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from rig import Program, Rig
from strain import Absent, Clock, injected, waits_by_wall_clock
from waiting import Fault, until

from traceview.store.driver import driver

_SYNCS: Final = ("fsync", "fdatasync")
# So long takes every fsync of a slow disk.
_SLOW_S: Final = 1.5
# A program that records with pauses of 20 ms at most must have got on within this, however busy the machine is.
_LONGEST_STILL_S: Final = _SLOW_S * 0.7
_DISK_FAULTS: Final = (_SYNCS, ("pwrite64",), (*_SYNCS, "pwrite64"))
_HOUR: Final = 3600
_JUMPS: Final = (0, 1, -1, _HOUR, -_HOUR, 26 * _HOUR, -26 * _HOUR, 87_600 * _HOUR)
_LOOK_AT_WAITS_S: Final = 1.0


def slow_disk(rig: Rig, rounds: int) -> None:
    """Every fsync takes more than a second: programs go on as if it did not, and the daemon tells what waits."""
    rig.start_daemon()
    for _ in range(rounds):
        programs = [rig.start_program(), rig.start_program()]
        for program in programs:
            until(program.has_noted, "the program records")
        with injected(rig.daemon_pid(), rig.places.store, f"delay_exit={int(_SLOW_S * 1e6)}", *_SYNCS):
            _watch(programs, 2.5 * _SLOW_S)
            until(lambda: rig.metrics()["traceview_queue_spans"] > 0, "metrics tell of what waits")
            until(lambda: _waits(rig), "status tells of what waits")
        for program in programs:
            program.finish()
    until(lambda: not _waits(rig), "what waited is stored")


def _waits(rig: Rig) -> bool:
    status = rig.status()
    return status is not None and status.queued > 0


def _watch(programs: list[Program], seconds: float) -> None:
    """Raises Fault where a program stands still."""
    began = time.monotonic()
    grown = {program.name: (0, began) for program in programs}
    while (now := time.monotonic()) - began < seconds:
        for program in programs:
            size, since = program.notes.stat().st_size, grown[program.name]
            if size > since[0]:
                grown[program.name] = (size, now)
            elif now - since[1] > _LONGEST_STILL_S:
                raise Fault(f"{program.name} recorded nothing for {now - since[1]:.1f} s while the disk was slow")
        time.sleep(0.005)


def disk_errors(rig: Rig, rounds: int) -> None:
    """The store's disk reports errors for a while, in writing, in fsync, or in both; then the daemon goes on."""
    rig.start_daemon()
    for number in range(rounds):
        program = rig.start_program()
        until(program.has_noted, "the program records")
        rig.let_it_run(0.3)
        with injected(rig.daemon_pid(), rig.places.store, "error=EIO", *rig.random.choice(_DISK_FAULTS)):
            until(rig.problem, "the daemon says that its disk fails")
            rig.let_it_run(0.3)
            if number % 2:
                program.kill()
        until(lambda: not rig.problem(), "the daemon goes on by itself")
        if number % 2 == 0:
            program.finish()


def clock_jumps(rig: Rig, rounds: int) -> None:
    """The clock that daemon and programs live by is set, by seconds to years, while they record, die and are restarted.

    The daemon forgets what is older than 30 days, so that it would lose everything if it believed every clock.
    """
    clock = Clock(rig.home / "clock")
    rig.environment |= clock.environment | {"TRACEVIEW_RETENTION_MAX_AGE_DAYS": "30"}
    rig.start_daemon()
    # A daemon that has never seen a right clock on this store has nothing to compare a wrong one with.
    until(lambda: _knows_the_time(rig.places.store), "the daemon has noted the time")
    for number in range(rounds):
        programs = [rig.start_program(), rig.start_program()]
        for program in programs:
            until(program.has_noted, "the program records")
        for _ in range(3):
            clock.set(rig.random.choice(_JUMPS))
            rig.let_it_run(0.3)
        programs[0].kill()
        clock.set(rig.random.choice(_JUMPS))
        if number % 2:
            rig.kill_daemon()
            rig.start_daemon()
        programs[1].finish()
    try:
        waits = waits_by_wall_clock(rig.daemon_pid(), _LOOK_AT_WAITS_S)
    except Absent:
        return  # without strace it is only seen that nothing hangs
    if waits:
        raise Fault(f"the daemon waits by a clock that can be set: {waits[0].strip()}")


def _knows_the_time(store: Path) -> bool:
    connection = driver().connect(f"{store.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT 1 FROM meta WHERE key = 'believed_ns'").fetchone() is not None
    finally:
        connection.close()
