"""When the tail looks at the store: at once when something changed or was asked for, then no more often than it may."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

_log = logging.getLogger(__name__)
# Reading opens and closes files too; only these tell that somebody wrote.
_WRITES: Final = frozenset({"modified", "created", "moved", "deleted"})
_EMITTERS: Final = logging.getLogger("watchdog.observers.inotify")


class Alarm:
    """Wakes one sleeping thread: for a change after its rest is over, for a call at once, and to stop it for good."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._changed = False
        self._called = False
        self._stopped = False

    def change(self) -> None:
        """Something changed: worth looking when the rest is over."""
        with self._condition:
            self._changed = True
            self._condition.notify()

    def call(self) -> None:
        """The user wants something: look now."""
        with self._condition:
            self._called = True
            self._condition.notify()

    def stop(self) -> None:
        """Never sleep again."""
        with self._condition:
            self._stopped = True
            self._condition.notify()

    def sleep(self, rest_until: float, poll: float) -> bool:
        """Sleeps until called, or until changed and `rest_until` (monotonic seconds), or for `poll` seconds at most.

        Returns False when stopped.
        """
        with self._condition:
            end = max(time.monotonic() + poll, rest_until)
            while not (self._stopped or self._called):
                due = rest_until if self._changed else end
                wait = due - time.monotonic()
                if wait <= 0:
                    break
                self._condition.wait(wait)
            self._changed = self._called = False
            return not self._stopped


class StoreWatch:
    """Rings an alarm when a store's file or its write-ahead log is written. `close()` is safe twice."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._observer: Any = None
        self._folder: Path | None = None

    def watch(self, store: Path) -> bool:
        """Watches this store from now on; False where the system can't: then the caller has to look often."""
        if self._folder == store.parent:
            return self._observer is not None
        self.close()
        if not store.parent.is_dir():
            return False
        self._folder = store.parent
        try:
            self._observer = _observe(store, self._alarm)
        except (ImportError, OSError) as error:
            # inotify has a limit of watches per user; without one we poll.
            _log.info("%s can't be watched (%s): it is polled", store.parent, error)
        return self._observer is not None

    def close(self) -> None:
        """Stops watching."""
        observer, self._observer, self._folder = self._observer, None, None
        if observer is not None:
            with _late_events_are_no_error():
                observer.stop()
                observer.join()


@contextmanager
def _late_events_are_no_error() -> Iterator[None]:
    """While a watch is closed, watchdog's one complaint about that is not logged; anything else still is.

    Its emitter logs an error for a file event that comes between `stop()` and the end of its thread (7.1,
    InotifyEmitter.queue_events), and a store in use is written at any time.
    """

    def may_be_logged(record: logging.LogRecord) -> bool:
        return not record.getMessage().endswith("called when the thread is inactive")

    _EMITTERS.addFilter(may_be_logged)
    try:
        yield
    finally:
        _EMITTERS.removeFilter(may_be_logged)


def _observe(store: Path, alarm: Alarm) -> Any:
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    class _Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            names = (Path(str(path)).name for path in (event.src_path, event.dest_path))
            if event.event_type in _WRITES and any(name.startswith(store.name) for name in names):
                alarm.change()

    with ExitStack() as on_failure:
        observer = Observer()
        # It has a thread before it is started, which a failing start (a folder just gone, no watch left) would leave.
        on_failure.callback(observer.stop)
        # Resolved, since a link itself would be watched, and nothing ever happens to it.
        observer.schedule(_Handler(), str(store.parent.resolve()))
        observer.start()
        on_failure.pop_all()
    return observer
