"""Cuts the power while a store is written, at hundreds of instants, and looks what of the acknowledged is left.

    python tests/end_to_end/faults/powerloss.py [--long] [--states N] [--seed N] [DURABILITY …]

The daemon's own writer runs under strace. Its writes and fsyncs are replayed up to an instant on a disk that keeps of
the unsynced what it likes (disk_model.py); the product opens what is left, and every byte is compared. That is done for
a writer that runs through, one that is killed in fsync, again and again, and one whose fsyncs fail now and then.

Prints a line of JSON for each durability. "power" must lose nothing that was acknowledged; "process" at most what no
fsync of the log covered; both are never damaged and hold whole batches, in order. "off" (synchronous = OFF), played
only when named, is the control: it must show damage or loss.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from disk_log import Deed, Said, Sync, record
from disk_model import Disk
from power_writer import SESSION, batch
from strain import Absent

from traceview.conventions import facts
from traceview.store import StoreError, StoreReader, StoreWriter
from traceview.store.checkup import check_store

_NAME: Final = "traces.db"
_STRAINS: Final = {
    "runs through": (),
    "killed in fsync": ("-e", "inject=fsync,fdatasync:signal=KILL:when=14"),
    "fsync fails": ("-e", "inject=fsync,fdatasync:error=EIO:when=7+11"),
}
_MODES: Final = ("power", "process")
CONTROL: Final = "off"
# Batches that are written, and states that are looked at.
_SHORT, _LONG = (24, 102), (60, 2_001)
_MOST_FAULTS: Final = 10


@dataclass(frozen=True, slots=True)
class Promise:
    """What must be there after a loss of power: batches up to `kept`; up to `acknowledged` is known to programs."""

    acknowledged: int = 0
    kept: int = 0


def promise(deeds: Sequence[Deed], durability: str) -> Promise:
    """What these deeds oblige to: by acknowledgements, or by what an fsync of the log came after."""
    acknowledged = kept = 0
    for deed in deeds:
        if isinstance(deed, Said):
            acknowledged = max(acknowledged, int(deed.line.split()[1]))
        elif isinstance(deed, Sync) and not deed.failed and deed.name == f"{_NAME}-wal":
            kept = acknowledged
    return Promise(acknowledged, acknowledged if durability == "power" else kept)


def contents(store: Path) -> str:
    """A digest of everything a reader finds."""
    found = hashlib.sha256()
    reader = StoreReader(store)
    try:
        for trace in sorted(reader.traces(), key=lambda trace: trace.trace_id):
            rows = sorted(reader.spans(trace.trace_id), key=lambda row: row.span_id)
            payloads = dict(reader.payloads(trace.trace_id))
            events = sorted((event.time_ns, event.span_id, event.name) for event in reader.events(trace.trace_id))
            sums = (trace.name, trace.status, trace.start_ns, trace.end_ns, trace.spans, trace.running, trace.dropped)
            said = [(row.name, row.status, row.start_ns, row.end_ns, payloads[row.span_id]) for row in rows]
            found.update(repr((sums, said, events)).encode())
    finally:
        reader.close()
    return found.hexdigest()


def expected(folder: Path, batches: int) -> list[str]:
    """What the store must hold when its last batch is number 0, 1, 2 …"""
    store = folder / "expected.db"
    writer = StoreWriter(store, facts, floor_bytes=0)
    found = [contents(store)]
    for number in range(1, batches + 1):
        writer.apply(batch(number), session=SESSION, seq=number)
        found.append(contents(store))
    writer.close()
    return found


def judge(files: dict[str, bytes], folder: Path, promised: Promise, right: Sequence[str]) -> tuple[str, int]:
    """What is wrong with what is left ("" nothing), and how many acknowledged batches are lost."""
    folder.mkdir()
    try:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        store = folder / _NAME
        writer = StoreWriter(store, facts, floor_bytes=0)
        last = max(0, writer.last_seq(SESSION))
        writer.close()
        problem = check_store(store, 60.0).problem
        if problem:
            return f"damaged: {problem}", 0
        if contents(store) != right[last]:
            return f"torn: batches up to {last} are there, but not as they were written", 0
    except Exception as error:
        if not isinstance(error, StoreError) and not type(error).__module__.startswith(("sqlite3", "pysqlite3")):
            raise
        return f"damaged: {error}", 0
    finally:
        shutil.rmtree(folder)
    lost = max(0, promised.acknowledged - last)
    return (f"lost: kept {last}, owed {promised.kept}" if last < promised.kept else ""), lost


def play(
    durability: str, *, states: int, seed: str, right: Sequence[str], folder: Path
) -> tuple[dict[str, object], list[str]]:
    """Cuts the power so often; the line to print, with the first faults in words."""
    rng, began = random.Random(f"{seed}/{durability}"), time.monotonic()
    found: Counter[str] = Counter()
    faults: list[str] = []
    losses = []
    batches = len(right) - 1
    for strain, flags in _STRAINS.items():
        home = folder / f"{durability} {strain}".replace(" ", "-")
        home.mkdir()
        writer = [sys.executable, Path(__file__).with_name("power_writer.py"), home / _NAME, durability, str(batches)]
        deeds = record(writer, home, *flags)
        assert promise(deeds, durability).acknowledged == batches
        # Half of the instants are the worst: an acknowledgement has just been given.
        worst = [place + 1 for place, deed in enumerate(deeds) if isinstance(deed, Said)]
        for number in range(states // len(_STRAINS)):
            cut = rng.choice(worst) if number % 2 else rng.randrange(len(deeds) + 1)
            disk = Disk()
            for deed in deeds[:cut]:
                disk.do(deed)
            promised = promise(deeds[:cut], durability)
            fault, lost = judge(disk.cut_power(rng), folder / "after", promised, right)
            losses.append(lost)
            if fault:
                found[fault.partition(":")[0]] += 1
                faults.append(f"a writer that {strain}, cut after call {cut}: {fault}")
    said: dict[str, object] = {"scenario": "power-loss", "durability": durability, "states": len(losses)}
    said |= {"acknowledged_lost_in": sum(lost > 0 for lost in losses), "most_batches_lost": max(losses)}
    said |= {kind: found[kind] for kind in ("damaged", "torn")} | {"broken_promises": sum(found.values())}
    return said | {"seconds": round(time.monotonic() - began, 1)}, faults[:_MOST_FAULTS]


def main() -> int:
    """Plays what is asked for; 1 where a promise was broken (or the control broke none)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("durability", nargs="*", help=f"of {', '.join(_MODES)} (both by default), {CONTROL}")
    parser.add_argument("--long", action="store_true", help=f"{_LONG[1]:,} states instead of {_SHORT[1]}")
    parser.add_argument("--states", type=int, help="another number of states")
    parser.add_argument("--seed", default="1", help="what the instants are drawn from (default: %(default)s)")
    wished = parser.parse_args()
    unknown = set(wished.durability) - {*_MODES, CONTROL}
    if unknown:
        parser.error(f"no such durability: {', '.join(sorted(unknown))}")
    batches, states = _LONG if wished.long else _SHORT
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="tv-", dir=memory if memory.is_dir() else None) as folder:
        right = expected(Path(folder), batches)
        play_it = partial(play, states=wished.states or states, seed=wished.seed, right=right, folder=Path(folder))
        try:
            went_well = [_tell(*play_it(durability)) for durability in wished.durability or _MODES]
        except Absent as reason:
            print(json.dumps({"scenario": "power-loss", "skipped": str(reason)}))
            return 0
    return 0 if all(went_well) else 1


def _tell(said: dict[str, object], faults: Sequence[str]) -> bool:
    print(json.dumps(said), flush=True)
    for fault in faults:
        print(f"power-loss: {fault}", file=sys.stderr)
    return not said["broken_promises"]


if __name__ == "__main__":
    sys.exit(main())
