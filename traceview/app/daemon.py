"""Watches over the daemon from the window: starts one if none runs, asks how it is, has runs kept."""

from __future__ import annotations

import logging
import threading

from PySide6.QtCore import QObject, Signal

from traceview.protocol.control import AgentError, AgentStatus, ask, ensure_agent, status
from traceview.protocol.places import Places

_log = logging.getLogger(__name__)
_POLL_S = 1.0


class DaemonWatch(QObject):
    """Asks on a thread of its own. `start()` begins, `start_daemon()` tries to start one; `close()` is safe twice.

    `keep()` has a run spared by the daemon's sampling rules, where there are any.

    Signals:
        status_changed(AgentStatus | None, str): how the daemon is, or None and why nothing is known of it.
        start_failed(str): why none could be started when one was wanted; "" once one runs.
    """

    status_changed = Signal(object, str)
    start_failed = Signal(str)

    def __init__(self, places: Places, *, start_daemon: bool = True, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._places = places
        self._condition = threading.Condition()
        self._closed = False
        self._must_start = start_daemon
        self._said: tuple[AgentStatus | None, str] | None = None
        self._to_keep: set[bytes] = set()
        self._kept: set[bytes] = set()
        self._start_failure = ""
        # Starting a daemon may take seconds; it must not hold up the end of the window.
        self._thread = threading.Thread(target=self._work, name="traceview-daemon-watch", daemon=True)

    def start(self) -> None:
        """Begins to ask."""
        self._thread.start()

    def start_daemon(self) -> None:
        """Starts a daemon, off this thread; what comes of it is told by `status_changed`."""
        with self._condition:
            self._must_start = True
            self._condition.notify()

    def keep(self, trace_id: bytes) -> None:
        """Has this run of the live store kept, whatever the sampling rules say."""
        with self._condition:
            if trace_id not in self._kept:
                self._to_keep.add(trace_id)
                self._condition.notify()

    def close(self) -> None:
        """Stops asking."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def _work(self) -> None:
        failure = ""
        while not self._closed:
            with self._condition:
                must_start, self._must_start = self._must_start, False
            try:
                answer = ensure_agent(self._places) if must_start else status(self._places)
                failure = ""
            except AgentError as error:
                # Why it could not be started says more than that it doesn't run.
                failure = str(error) if must_start or not failure else failure
                if must_start:
                    self._tell_start(failure)
                self._tell(None, failure)
            else:
                self._keep(answer.sampling)
                self._tell_start("")
                self._tell(answer, "")
            with self._condition:
                if not self._closed and not self._must_start:
                    self._condition.wait(_POLL_S)

    def _keep(self, sampling: bool) -> None:
        with self._condition:
            wanted, self._to_keep = self._to_keep, set()
        for trace_id in wanted if sampling else ():
            try:
                ask(self._places, "keep", trace=trace_id.hex())
            except AgentError as error:
                _log.debug("a run can't be kept yet: %s", error)
                with self._condition:
                    self._to_keep.add(trace_id)
            else:
                self._kept.add(trace_id)

    def _tell_start(self, failure: str) -> None:
        if not self._closed and failure != self._start_failure:
            self._start_failure = failure
            self.start_failed.emit(failure)

    def _tell(self, answer: AgentStatus | None, failure: str) -> None:
        if not self._closed and (answer, failure) != self._said:
            self._said = (answer, failure)
            self.status_changed.emit(answer, failure)
