"""Keeps the full-text index up with the store, behind the writer: a thread that works while nothing is queued."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

from traceview.protocol.control import SearchIndex
from traceview.store import StoreError, TextIndex
from traceview.store.index_file import index_bytes, index_path, remove_index
from traceview_agent.intake import Intake

log = logging.getLogger(__name__)

# With its commit some 15 ms, of which it holds Python's lock for a few: spans that come in meanwhile wait no longer.
_SLICE_S: Final = 0.01
_YIELD_S: Final = 0.005
# While loads come in, nine tenths of the time are left to them also where the queue is empty in between: a program
# waits for its acknowledgements then. A tenth is enough for 1,500 spans a second.
_CALM_S: Final = 0.1
_REST: Final = 9
# Small transactions make a larger index: what arrives within this is taken in together.
_LOOK_EVERY_S: Final = 0.25
_COUNT_EVERY_S: Final = 2.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


def drop_index(store: Path) -> None:
    """Deletes the index that nobody keeps up: searches then read the store rather than what it was."""
    try:
        remove_index(index_path(store))
    except OSError as error:
        log.warning("%s can't be deleted (%s): searches go by it although it is old", error.filename, error.strerror)


class Indexer:
    """Owns the index. Whatever happens to it, the daemon goes on: `state` says what. `stop` is safe twice."""

    def __init__(self, store: Path, intake: Intake) -> None:
        self._store, self._intake = store, intake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)
        self._waiting = 0
        self._count_at = 0.0
        self._offered, self._offered_at = 0, 0.0
        self._problem: str | None = None

    @property
    def state(self) -> SearchIndex:
        """How the index is."""
        return SearchIndex(waiting=self._waiting, bytes=index_bytes(self._store), problem=self._problem)

    def start(self) -> None:
        """Begins; the store is there."""
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Ends after the slice under way, for `timeout` seconds at most; False if it hangs, which does no harm."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            before = self._problem
            try:
                self._follow()
                return
            except StoreError as error:
                self._say(str(error))
            except Exception:
                log.exception("the full-text index failed; it is tried again")
                self._problem = "the full-text index failed: see the log"
            pause = _FIRST_PAUSE_S if before is None else min(2 * pause, _LONGEST_PAUSE_S)
            self._stopping.wait(pause)

    def _follow(self) -> None:
        """Indexes what comes until it is to stop. Raises StoreError."""
        index = TextIndex(self._store)
        try:
            while not self._stopping.is_set():
                if self._is_wanted():
                    self._count(index)
                    self._stopping.wait(_YIELD_S)
                elif self._advance(index):
                    self._say(None)
                    self._count(index)
                else:
                    self._say(None)
                    self._waiting = 0
                    self._stopping.wait(_LOOK_EVERY_S)
        finally:
            index.close()

    def _advance(self, index: TextIndex) -> bool:
        """One slice, and a rest after a full one; False where nothing is left to index."""
        began = time.monotonic()
        more = index.advance(_SLICE_S, self._is_wanted)
        now = time.monotonic()
        if self._intake.offered != self._offered:
            self._offered, self._offered_at = self._intake.offered, now
        if more and now - began >= _SLICE_S and now - self._offered_at < _CALM_S:
            self._stopping.wait(_REST * (now - began))
        return more

    def _is_wanted(self) -> bool:
        """Whether somebody else is to go on."""
        return self._intake.queued > 0 or self._stopping.is_set()

    def _count(self, index: TextIndex) -> None:
        now = time.monotonic()
        if now >= self._count_at:
            self._waiting = index.waiting()
            self._count_at = now + _COUNT_EVERY_S

    def _say(self, problem: str | None) -> None:
        if problem == self._problem:
            return
        if problem is None:
            log.info("the full-text index goes on")
        else:
            log.warning("the full-text index has to wait: %s", problem)
        self._problem = problem
