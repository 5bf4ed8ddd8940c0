"""Writes numbered batches by the daemon's own writer and says which are acknowledged; strace looks on (powerloss.py).

    python power_writer.py STORE DURABILITY BATCHES

Prints `ACK n` when the daemon would acknowledge batch n. It dies as it may: a successor sends what is missing again, as
programs do, until all are acknowledged. DURABILITY is the daemon's "power" or "process", or "off": the control.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any, Final

from traceview.conventions import facts
from traceview.protocol.records import LOG_EVENT, Event, SpanPart, Status
from traceview.redaction import DEFAULT_RULES
from traceview.store import make_ready, opening
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.intake import Intake, Load, Outcome, Stored
from traceview_agent.meters import Meters
from traceview_agent.redaction import Redaction
from traceview_agent.writer import Settled, Writer

SESSION: Final = b"power-loss test."
_SPANS: Final = 5
_BATCHES_PER_TRACE: Final = 6
# So that a short log has checkpoints in it: otherwise there is one every 4,000 pages.
_CHECKPOINT_PAGES: Final = 40
_MOST_LIVES: Final = 200
_SECOND: Final = 10**9


def batch(number: int) -> list[SpanPart]:
    """Batch `number`, from 1: spans of which the last is ended by the next batch, with events and a growing talk."""
    trace = (number // _BATCHES_PER_TRACE + 1).to_bytes(16, "big")
    parts = []
    for place in range(_SPANS):
        index = number * _SPANS + place
        start = index * _SECOND
        talk = [{"role": "user", "content": f"{turn} " + "x" * 200} for turn in range(index % 30)]
        done: dict[str, Any] = {"end_ns": start + 1, "status": Status.OK, "output": index} if place < _SPANS - 1 else {}
        events = (Event(start, LOG_EVENT, {"message": f"event {index}"}),) * (place % 2)
        span = SpanPart(trace, index.to_bytes(8, "big"), name=f"s{index}", start_ns=start, input=talk, events=events)
        parts.append(SpanPart(**{name: getattr(span, name) for name in span.__struct_fields__} | done))
    before = number * _SPANS - 1
    if number > 1:
        trace = ((number - 1) // _BATCHES_PER_TRACE + 1).to_bytes(16, "big")
        parts.append(SpanPart(trace, before.to_bytes(8, "big"), end_ns=before * _SECOND + 9, output={"late": before}))
    return parts


def write(store: Path, durability: str, batches: int) -> None:
    """Sends batches one by one, each again until it is acknowledged."""
    decided = threading.Event()

    def deliver(settled: Settled) -> None:
        for load, outcome in settled:
            if isinstance(outcome, Stored):
                os.write(1, f"ACK {load.seq}\n".encode())
        decided.set()

    _prepare(durability)
    redaction, intake = Redaction(DEFAULT_RULES), Intake()
    letters = DeadLetters(store.with_name("rejected.jsonl"), redaction)
    kept = "power" if durability == "power" else "process"
    writer = Writer(store, facts, intake, Meters(), letters, deliver, durability=kept)
    writer.start()
    for number in range(1, batches + 1):
        decided.clear()
        intake.offer(Load([make_ready(part) for part in batch(number)], 1, _ignore, "power loss", SESSION, number))
        decided.wait()
    writer.stop(60.0)


def _prepare(durability: str) -> None:
    prepare = opening._prepare_writing

    def prepare_and_let_go(connection: Any, wanted: opening.Durability, journal: opening.Journal) -> None:
        prepare(connection, wanted, journal)
        if durability == "off":
            connection.execute("PRAGMA synchronous = OFF")

    opening._CHECKPOINT_PAGES = _CHECKPOINT_PAGES  # type: ignore[misc]
    opening._prepare_writing = prepare_and_let_go


def _ignore(outcome: Outcome) -> None:
    """What is decided is told by `deliver`."""


def main(store: Path, durability: str, batches: int) -> int:
    """Lets one process after the other write, until one of them comes to its end."""
    logging.disable()  # that the disk fails is no news here
    for _ in range(_MOST_LIVES):
        child = os.fork()
        if not child:
            write(store, durability, batches)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
