"""Work off the GUI thread: the latest request of a kind wins, answers to older ones are dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Jobs(QObject):
    """Runs functions on one worker thread and hands their answers back on the GUI thread.

    A second `latest()` with the same key cancels the first one's answer. `close()` waits for what is running; safe
    twice.
    """

    _finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traceview-jobs")
        self._tickets: dict[str, int] = {}
        self._closed = False
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def latest(
        self,
        key: str,
        work: Callable[[], Answer],
        done: Callable[[Answer], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Runs `work` on the worker; then `done(answer)` or `failed(error)` here, unless a newer `key` came."""
        if self._closed:
            return
        ticket = self._tickets[key] = self._tickets.get(key, 0) + 1

        def current() -> bool:
            return not self._closed and self._tickets.get(key) == ticket

        def run() -> None:
            if not current():
                return
            try:
                answer = work()
            except Exception as error:
                deliver = partial(self._fail, key, error, failed)
            else:
                deliver = partial(done, answer)
            self._finished.emit((current, deliver))

        self._pool.submit(run)

    def cancel(self, key: str) -> None:
        """Drops the answer of whatever runs under this key."""
        self._tickets[key] = self._tickets.get(key, 0) + 1

    def close(self) -> None:
        """Stops taking work, waits for the piece that runs, drops all answers."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @Slot(object)
    def _deliver(self, answer: tuple[Callable[[], bool], Callable[[], None]]) -> None:
        current, deliver = answer
        if current():
            deliver()

    def _fail(self, key: str, error: Exception, failed: Callable[[Exception], None] | None) -> None:
        if failed is None:
            _log.error("job %s failed", key, exc_info=error)
        else:
            failed(error)
