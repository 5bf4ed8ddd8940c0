"""The outbox that survives its process: records in a spool, which the daemon takes over when the process is gone."""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path
from typing import Final

from traceview.protocol.places import find_places, is_far
from traceview.protocol.spool import SPOOL_BYTES, Spool
from traceview.sdk import guard
from traceview.sdk.outbox import Chunk, MemoryOutbox, Outbox

_NOTE_BYTES: Final = 4096
_LIMIT_VARIABLE: Final = "TRACEVIEW_SPOOL_MB"


def open_outbox(session: bytes) -> Outbox:
    """A spool for this session; where none can be made (nowhere to write), memory, and the log says so once."""
    try:
        places = find_places()
        for folder in (places.runtime, places.spool):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool = _make_spool(places.spool / session.hex(), places.spool_note)
        # A daemon on another machine takes over no spools of this one.
        return SpoolOutbox(spool, outlives=not is_far(places.endpoint))
    except (OSError, RuntimeError) as error:  # Path.home() raises RuntimeError where there is none
        guard.say_once("spool", "spans wait in memory and die with the program, since no spool can be made: %s", error)
        return MemoryOutbox()


def leave_note(session: bytes, left_out: int) -> None:
    """A spool without records, for a daemon that runs here: how many traces a program left out that recorded none."""
    places = find_places()
    if places.agent_file.exists() and places.endpoint == places.own_endpoint:
        places.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool = Spool(places.spool / session.hex(), segment=_NOTE_BYTES, endpoint=places.spool_note)
        spool.note_left_out(left_out)
        spool.close()


def _make_spool(folder: Path, endpoint: str) -> Spool:
    """The spool; tried twice, since without one the program's spans die with it."""
    try:
        return Spool(folder, limit=_limit(), endpoint=endpoint)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return Spool(folder, limit=_limit(), endpoint=endpoint)


def _limit() -> int:
    """The bound of the spool in bytes: `TRACEVIEW_SPOOL_MB`, 256 MiB by default."""
    wished = os.environ.get(_LIMIT_VARIABLE, "")
    return max(1, int(wished)) * 1024 * 1024 if wished.isdigit() else SPOOL_BYTES


class SpoolOutbox:
    """Records of one session in a spool. What `append` returned from outlives the process, however it ends.

    `outlives`: there is a daemon on this machine to take it over.
    """

    def __init__(self, spool: Spool, *, outlives: bool = True) -> None:
        self.outlives = outlives
        self._spool = spool
        # The spool's own: a call less for every record. Keeps a record; False if the spool is full.
        self.append = spool.append
        self._dropped_taken = 0
        # Chunks under way in order, each with the position behind it and whether it is done with: a refused one may
        # be done before those that were cut earlier.
        self._under_way: deque[list[object]] = deque()

    def note_dropped(self, spans: int = 1) -> None:
        """Counts lost spans."""
        self._spool.note_dropped(spans)

    def take_dropped(self) -> int:
        """The spans lost since the last call; the sender's only."""
        total = self._spool.dropped
        new, self._dropped_taken = total - self._dropped_taken, total
        return new

    @property
    def appended(self) -> int:
        """How much was kept so far, in bytes."""
        return self._spool.written

    @property
    def freed(self) -> int:
        """How much of it is done with."""
        return self._spool.freed

    def waiting(self) -> int:
        """How much of it was not taken yet."""
        return len(self._spool)

    def take(self, max_records: int, max_bytes: int) -> Chunk | None:
        """The next records as a chunk; the sender's only."""
        self._spool.prepare()
        cut = self._spool.cut(max_records, max_bytes)
        if cut is None:
            return None
        chunk = Chunk(cut.body, cut.count, len(cut.body))
        self._under_way.append([chunk, cut.upto, False])
        return chunk

    def free(self, chunk: Chunk) -> None:
        """A chunk is done with; the sender's only."""
        for entry in self._under_way:
            if entry[0] is chunk:
                entry[2] = True
        upto = None
        while self._under_way and self._under_way[0][2]:
            upto = self._under_way.popleft()[1]
        if isinstance(upto, int):
            self._spool.free(upto)

    def note_left_out(self, traces: int) -> None:
        """Keeps in the spool how many traces were left out."""
        self._spool.note_left_out(traces)

    def introduce(self, hello: bytes) -> None:
        """Keeps the session's Hello in the spool."""
        try:
            self._spool.introduce(hello)
        except OSError as error:
            guard.report("spool", error)

    def close(self) -> None:
        """Lets go of the spool: the daemon takes over what is left, and ends the spans that are open."""
        self._spool.close()
