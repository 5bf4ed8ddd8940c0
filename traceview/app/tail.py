"""Reads what is new in the store, on a thread of its own, and hands it to the window as frozen records."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from traceview.app.state.open_run import Source
from traceview.app.wakeup import Alarm, StoreWatch
from traceview.protocol.records import TraceSummary

if TYPE_CHECKING:
    from traceview.app.run_reader import RunReader
    from traceview.store import StoreReader

_log = logging.getLogger(__name__)

# At most 20 updates a second, and at most a quarter of the time spent on building them.
_SHORTEST_REST_S: Final = 0.05
_REST_PER_WORK: Final = 3.0
_POLL_WATCHED_S: Final = 0.25
_POLL_BLIND_S: Final = 0.05
_POLL_TROUBLE_S: Final = 0.5
_LONGEST_TAKING_S: Final = 1.0
_SETTLE_MS: Final = 50
# Old traces are forgotten one by one: the list is read afresh at most this often for that.
_RELOAD_EVERY_S: Final = 2.0
# The list shows these at once; the rest follows.
_FIRST_TRACES: Final = 500


@dataclass(frozen=True, slots=True)
class TracesRead:
    """Traces of a source that are new or changed; with `whole`, all before them are to be forgotten, else those `gone`.

    `complete` says whether the source has been read to its end.
    """

    source: Source
    traces: tuple[TraceSummary, ...]
    whole: bool
    complete: bool
    gone: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    source: Source
    trace_id: bytes | None


class Tail(QObject):
    """Follows one source and, in it, one run. `start()` begins; `close()` ends within two seconds, safe twice.

    Signals:
        traces_read(TracesRead): the list's news.
        run_read(OpenRun): the open run as of now; for a huge run first without moments, then with.
        problem_changed(str): why the source can't be read, or "" when it can again. It keeps trying.
    """

    traces_read = Signal(object)
    run_read = Signal(object)
    problem_changed = Signal(str)
    _delivered = Signal()

    def __init__(self, source: Source, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._alarm = Alarm()
        self._wish = _Wish(source, None)
        self._thread = threading.Thread(target=self._work, name="traceview-tail", daemon=True)
        self._problem = ""
        self._taken = threading.Event()
        self._delivered.connect(lambda: QTimer.singleShot(_SETTLE_MS, self._taken.set))

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def show_source(self, source: Source) -> None:
        """Follows another source from now on; no run is open then."""
        self._wish = _Wish(source, None)
        self._alarm.call()

    def open_run(self, trace_id: bytes | None) -> None:
        """Follows this run of the source too."""
        self._wish = _Wish(self._wish.source, trace_id)
        self._alarm.call()

    def close(self) -> None:
        """Stops reading and closes the files."""
        self._alarm.stop()
        self._taken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    # On the thread

    def _work(self) -> None:
        watch = StoreWatch(self._alarm)
        following = _Following(self)
        rest_until, poll = 0.0, 0.0
        try:
            while self._alarm.sleep(rest_until, poll):
                wish = self._wish
                started = time.monotonic()
                read = self._look(following, wish)
                ended = time.monotonic()
                if read is None:
                    poll = _POLL_TROUBLE_S
                    continue
                poll = _POLL_WATCHED_S if watch.watch(wish.source.path) else _POLL_BLIND_S
                if following.list_unfinished:
                    rest_until = poll = 0.0
                elif read:
                    rest_until = max(started + _SHORTEST_REST_S, ended + _REST_PER_WORK * (ended - started))
        finally:
            watch.close()
            following.close()

    def _look(self, following: _Following, wish: _Wish) -> bool | None:
        """Reads what is new; returns whether there was anything, None where the store can't be read."""
        from traceview.store import StoreError

        try:
            read = following.look(wish)
        except StoreError as error:
            following.close()
            self._tell_problem(str(error))
            return None
        except OSError as error:
            following.close()
            self._tell_problem(f"{wish.source.path} can't be read: {error.strerror or error}")
            return None
        self._tell_problem(following.trouble)
        return read

    def wait_until_painted(self) -> None:
        """Waits, on the tail's thread, until the window has taken and painted what was emitted.

        Working on meanwhile would slow that down (of Python's threads one runs at a time), and what the user then
        wishes comes before what is left to do.
        """
        self._taken.clear()
        self._delivered.emit()
        self._taken.wait(_LONGEST_TAKING_S)

    def _tell_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self.problem_changed.emit(problem)


class _Following:
    """What has been read of the wished source and run so far; lives on the tail's thread."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._source: Source | None = None
        self._reader: StoreReader | None = None
        self._file: tuple[int, int] | None = None
        self._last_file: tuple[int, int] | None = None
        self._version = -1
        self._list_change = -1
        self._forgotten = self._decided = 0
        self._reload_at = 0.0
        self._run: RunReader | None = None
        self._asked: bytes | None = None
        self.trouble = ""
        self.list_unfinished = False

    def look(self, wish: _Wish) -> bool:
        """Reads what is new and tells the tail's signals; returns whether anything was. Raises StoreError, OSError."""
        if wish.source != self._source:
            self.close()
            self._source, self._list_change, self._last_file = wish.source, -1, None
            self.trouble, self.list_unfinished = "", False
        reader = self._open(wish.source)
        if reader is None:
            return False
        asked = wish.trace_id != self._asked
        version = reader.data_version()
        if version == self._version and not asked and not self.list_unfinished:
            return False
        self._version = version
        # A run that was just asked for comes before the list: it is what the user looks at.
        read_run = self._read_run(reader, wish)
        read_list = self._read_list(reader, wish.source)
        return read_run or read_list

    def close(self) -> None:
        """Closes the file; the next look opens it afresh. What the list has been told stays valid."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._file, self._version = None, None, -1
        self._run, self._asked = None, None

    def _open(self, source: Source) -> StoreReader | None:
        """The reader; None while the live store is not there yet. A file that was replaced is read from its start."""
        from traceview.store import StoreReader

        file = _identity(source.path)
        if file is None or (source.live and self._reader is None and not source.path.stat().st_size):
            self._wait_for_file(source)
            return None
        if file != self._file:
            self.close()
            self._reader, self._file = StoreReader(source.path), file
            if self._last_file not in (None, file) or self.trouble:
                self._list_change, self.list_unfinished = -1, False
            self._last_file = file
        self.trouble = ""
        return self._reader

    def _wait_for_file(self, source: Source) -> None:
        if self._reader is not None or not source.live:
            self.trouble = f"{source.path} is gone: what is shown is what was read before it was moved or deleted"
            self.close()
        elif self._list_change < 0 and not self.trouble:
            self._list_change = 0
            self._tail.traces_read.emit(TracesRead(source, (), whole=True, complete=True))

    def _read_list(self, reader: StoreReader, source: Source) -> bool:
        head, forgotten = reader.head(), reader.forgotten()
        gone = self._read_gone(reader, forgotten)
        if self._must_reload(forgotten):
            self._decided = reader.last_decision()
            rest = reader.traces()
            self._tell_list(source, rest, whole=True, complete=True)
            self._forgotten = forgotten
        elif self.list_unfinished:
            rest = reader.traces()
            self._tell_list(source, rest, whole=False, complete=True)
            self.list_unfinished = False
        elif 0 <= self._list_change <= head:
            rest = reader.traces(changed_after=self._list_change)
            if rest or gone:
                self._tell_list(source, rest, whole=False, complete=True, gone=gone)
        else:
            self._decided = reader.last_decision()
            rest = reader.traces(limit=_FIRST_TRACES)
            self.list_unfinished = len(rest) == _FIRST_TRACES
            self._tell_list(source, rest, whole=True, complete=not self.list_unfinished)
            self._forgotten = forgotten
            if self.list_unfinished:
                self._tail.wait_until_painted()
        self._list_change = head
        return bool(rest or gone)

    def _read_gone(self, reader: StoreReader, forgotten: int) -> tuple[bytes, ...]:
        """The traces that were sampled out since, where those are all that are gone from the store."""
        if forgotten <= self._forgotten or self._list_change < 0 or self.list_unfinished:
            return ()
        found = reader.left_out_after(self._decided)
        if len(found) < forgotten - self._forgotten:
            return ()
        self._decided = found[-1][0]
        self._forgotten += len(found)
        return tuple(trace_id for _, trace_id in found)

    def _must_reload(self, forgotten: int) -> bool:
        """Whether traces of the list are gone from the store (retention), and it is time to read it afresh."""
        if forgotten <= self._forgotten or self._list_change < 0 or self.list_unfinished:
            return False
        now = time.monotonic()
        if now < self._reload_at:
            self._version = -1  # look again, whether or not anything is written
            return False
        self._reload_at = now + _RELOAD_EVERY_S
        return True

    def _tell_list(
        self,
        source: Source,
        traces: list[TraceSummary],
        *,
        whole: bool,
        complete: bool,
        gone: tuple[bytes, ...] = (),
    ) -> None:
        self._tail.traces_read.emit(TracesRead(source, tuple(traces), whole, complete, gone))

    def _read_run(self, reader: StoreReader, wish: _Wish) -> bool:
        from traceview.app.run_reader import RunReader

        if wish.trace_id is None:
            self._run = self._asked = None
            return False
        if wish.trace_id != self._asked or self._run is None:
            self._run, self._asked = RunReader(wish.source, wish.trace_id), wish.trace_id
        found = False
        for run in self._run.read(reader):
            self._tail.run_read.emit(run)
            found = True
            if not run.moments:
                self._tail.wait_until_painted()
        return found


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino
