"""Breaks a running traceview in every way we know, at random instants, and counts what is lost or there twice.

    python tests/end_to_end/faults/harness.py [--long] [--seed N] [--list] [SCENARIO …]

Each scenario prints one line of JSON; `lost` and `duplicated` count calls of the SDK that had returned. The exit code
is 1 where they are not 0. The same seed gives the same instants, as far as the machine lets it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from comparing import Tally
from disk import small_disk
from garbage import Thrower
from migrating import kill_migration
from rig import Rig
from strain import Absent
from strained import clock_jumps, disk_errors, slow_disk
from waiting import Fault, until

_LONGEST_RUN = 0.3
# Takeover begins with the daemon, which is half a second or so after its process.
_LONGEST_START = 1.2


def kill_program(rig: Rig, rounds: int) -> None:
    """SIGKILL of the program at any instant, also while it starts; the first one dies before any daemon runs."""
    for number in range(rounds):
        program = rig.start_program()
        if number:
            rig.start_daemon(wait=False)
        if rig.random.random() < 0.8:
            until(program.has_noted, "the program records")
        rig.let_it_run(_LONGEST_RUN)
        program.kill()


def kill_daemon(rig: Rig, rounds: int) -> None:
    """SIGKILL of the daemon at any instant, also while it starts; two programs go on."""
    programs = [rig.start_program(), rig.start_program()]
    for _ in range(rounds):
        rig.start_daemon(wait=rig.random.random() < 0.8)
        rig.let_it_run(_LONGEST_RUN)
        rig.kill_daemon()
    rig.start_daemon()
    for program in programs:
        program.finish()


def kill_both(rig: Rig, rounds: int) -> None:
    """SIGKILL of both, in any order."""
    for _ in range(rounds):
        program = rig.start_program()
        rig.start_daemon(wait=rig.random.random() < 0.8)
        until(program.has_noted, "the program records")
        faults = [program.kill, rig.kill_daemon]
        rig.random.shuffle(faults)
        for fault in faults:
            rig.let_it_run(_LONGEST_RUN)
            fault()


def kill_takeover(rig: Rig, rounds: int) -> None:
    """SIGKILL of the daemon while it takes over what programs recorded before any daemon ran."""
    for _ in range(rounds):
        if not rig.waiting():
            for program in [rig.start_program(most=800), rig.start_program(most=800)]:
                program.wait()
        rig.start_daemon(wait=False)
        rig.let_it_run(_LONGEST_START)
        rig.kill_daemon()


def kill_shipping(rig: Rig, rounds: int) -> None:
    """SIGKILL of programs that send to another machine and ship what those before them left; the daemon falls too."""
    rig.put_programs_elsewhere()
    for number in range(rounds):
        # Now and then the daemon is away, so that there is something to ship; two programs then do.
        if number % 3 == 0:
            rig.kill_daemon()
        else:
            rig.start_daemon(wait=rig.random.random() < 0.8)
        programs = [rig.start_program() for _ in range(1 + number % 2)]
        for program in programs:
            until(program.has_noted, "the program records")
            rig.let_it_run(_LONGEST_RUN)
            program.kill()


def restart_daemon(rig: Rig, rounds: int) -> None:
    """The daemon is stopped and started again under load."""
    programs = [rig.start_program(), rig.start_program()]
    for _ in range(rounds):
        rig.start_daemon()
        rig.let_it_run(_LONGEST_RUN)
        rig.stop_daemon()
    rig.start_daemon()
    for program in programs:
        program.finish()


def many_programs(rig: Rig, rounds: int) -> None:
    """As many programs as there are rounds, all at once; every third is killed."""
    rig.start_daemon()
    programs = [rig.start_program(most=200) for _ in range(rounds)]
    for program in programs[::3]:
        until(lambda program=program: program.has_noted() or program.process.poll() is not None, "it records")  # type: ignore[misc]
        rig.let_it_run(_LONGEST_RUN / 10)
        program.kill()
    for number, program in enumerate(programs):
        if number % 3:
            program.wait()


def garbage(rig: Rig, rounds: int) -> None:
    """Strangers throw garbage at every socket while a program records; the daemon must not fall."""
    rig.start_daemon()
    status = rig.status()
    assert status is not None
    program = rig.start_program()
    until(program.has_noted, "the program records")
    thrower = Thrower(rig.random, rig.places.endpoint, status)
    try:
        for _ in range(rounds):
            thrower.throw()
    finally:
        thrower.close()
    program.finish()


def disk_full(rig: Rig, rounds: int) -> None:
    """Something fills the store's disk to the last byte, and later lets go; the daemon goes on by itself."""
    disk = rig.borrowed.enter_context(small_disk(rig.home / "disk"))
    rig.put_store(disk.folder / "traces.db")
    rig.start_daemon()
    for number in range(rounds):
        program = rig.start_program()
        until(program.has_noted, "the program records")
        rig.let_it_run(_LONGEST_RUN)
        disk.fill()
        until(rig.problem, "the daemon says that its disk is full")
        rig.let_it_run(_LONGEST_RUN)
        if number % 2:
            program.kill()
        disk.free()
        until(lambda: not rig.problem(), "the daemon goes on by itself")
        if number % 2 == 0:
            program.finish()


def control(rig: Rig, rounds: int) -> None:
    """Loses and duplicates on purpose, to show that it would be noticed: a spool is deleted, numbers are used twice."""
    for _ in range(rounds):
        program = rig.start_program()
        until(program.has_noted, "the program records")
        program.kill()
        for spool in rig.places.spool.iterdir():
            shutil.rmtree(spool)
        for _ in range(2):
            rig.start_program(most=10, name="twin").wait()


@dataclass(frozen=True)
class Scenario:
    """A way to break it: how often in the short and in the long form, how many rounds share one home.

    `keep`: what is left after a failure stays to be looked at.
    """

    play: Callable[[Rig, int], None]
    short: int
    long: int
    at_once: int = 25
    keep: bool = True


SCENARIOS = {
    "kill-program": Scenario(kill_program, 8, 200),
    "kill-daemon": Scenario(kill_daemon, 3, 200),
    "kill-both": Scenario(kill_both, 3, 200),
    "kill-takeover": Scenario(kill_takeover, 2, 200),
    "kill-shipping": Scenario(kill_shipping, 5, 200),
    "kill-migration": Scenario(kill_migration, 3, 200, at_once=200),
    "restart-daemon": Scenario(restart_daemon, 2, 100),
    "many-programs": Scenario(many_programs, 20, 200, at_once=200),
    "garbage": Scenario(garbage, 60, 2_000, at_once=500),
    "disk-full": Scenario(disk_full, 2, 20, at_once=5),
    "disk-slow": Scenario(slow_disk, 1, 10, at_once=5),
    "disk-errors": Scenario(disk_errors, 2, 100),
    "clock-jumps": Scenario(clock_jumps, 2, 100),
}
# Must fail, and is played only when named.
CONTROL = {"control": Scenario(control, 1, 1, keep=False)}


def play(name: str, *, long: bool, seed: str) -> bool:
    """Plays one scenario and prints its line; False where something was lost, is there twice, or went wrong."""
    scenario = (SCENARIOS | CONTROL)[name]
    rounds = scenario.long if long else scenario.short
    began, tally = time.monotonic(), Tally()
    report: dict[str, object] = {"scenario": name, "rounds": rounds}
    try:
        for first in range(0, rounds, scenario.at_once):
            tally.add(_play_some(scenario, min(scenario.at_once, rounds - first), f"{seed}/{name}/{first}"))
    except Absent as reason:
        print(json.dumps(report | {"skipped": str(reason)}), flush=True)
        return True
    report |= {"recorded": tally.recorded, "stored": tally.stored, "lost": tally.lost, "duplicated": tally.duplicated}
    report |= {"spans": tally.spans, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(report), flush=True)
    for fault in tally.faults:
        print(f"{name}, seed {seed}: {fault}", file=sys.stderr)
    return not tally.faults


def _play_some(scenario: Scenario, rounds: int, seed: str) -> Tally:
    tally = Tally()
    with contextlib.suppress(_Kept), Rig(seed) as rig:
        try:
            scenario.play(rig, rounds)
            tally = rig.settle()
            if not tally.recorded:
                tally.blame("nothing was recorded, so nothing was shown")
        except Fault as fault:
            tally.blame(str(fault))
        if tally.faults and scenario.keep:
            tally.faults.append(f"what was left is in {rig.home}")
            raise _Kept
    return tally


class _Kept(Exception):
    """Leaves the rig so that its home stays."""


def main() -> int:
    """Plays what is asked for; all scenarios by default."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help="one of --list; by default all of them")
    parser.add_argument("--list", action="store_true", help="only say which scenarios there are")
    parser.add_argument("--long", action="store_true", help="hundreds of instants instead of a few")
    parser.add_argument("--seed", default="1", help="what the instants are drawn from (default: %(default)s)")
    wished = parser.parse_args()
    if wished.list:
        print("\n".join(SCENARIOS))
        return 0
    unknown = set(wished.scenario) - set(SCENARIOS | CONTROL)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    went_well = [play(name, long=wished.long, seed=wished.seed) for name in wished.scenario or SCENARIOS]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
