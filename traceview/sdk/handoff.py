"""What the program's threads and the sender's thread share: the outbox, and how either side wakes the other."""

from __future__ import annotations

import threading
import time

from traceview.sdk.outbox import Outbox


class Handoff:
    """The outbox with a bell for the sender and a signal for whoever waits until everything is stored."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.asleep = True  # the first record starts the sender
        self.deadline: float | None = None
        self.leave_by = 0.0
        self.suspended = False  # while the process forks: the sender ends, and is started again
        # A bare lock: unlike an Event's, its release may be interrupted by a finaliser that releases it too.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._changed = threading.Condition()
        self._waiters = 0
        self._ended = False
        self._patience = self._last_deadline = 0.0

    # The program's side

    def ring(self) -> None:
        """Wakes the sender if it sleeps. Never waits."""
        self.asleep = False
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it was rung already

    def stop(self, patience: float, at_most: float) -> None:
        """Asks the sender to send what is left and to end: after `patience` seconds without progress, or `at_most`."""
        now = time.monotonic()
        self._patience, self._last_deadline = patience, now + at_most
        self.deadline = now + patience
        self.ring()

    def suspend(self, seconds: float) -> None:
        """Asks the sender to end for a while, once it has sent what waits, or tried for so long."""
        self.leave_by = time.monotonic() + seconds
        self.suspended = True
        self.ring()

    def wait_until_stored(self, seconds: float) -> bool:
        """Waits until every record kept so far is done with; False if that takes longer or the sender has ended."""
        target = self.outbox.appended
        if self.outbox.freed >= target:
            return True
        with self._changed:
            self._waiters += 1
            self.ring()
            try:
                self._changed.wait_for(lambda: self._ended or self.outbox.freed >= target, seconds)
            finally:
                self._waiters -= 1
        return self.outbox.freed >= target

    # The sender's side

    @property
    def urgent(self) -> bool:
        """Whether somebody waits until everything is stored, or for the end."""
        return self._waiters > 0 or self.suspended or self.deadline is not None

    def sleep(self, seconds: float, *, until_appended: bool) -> None:
        """Sleeps until the bell rings; `until_appended`: the next record rings it."""
        self.asleep = until_appended
        # A record that came before `asleep` was set did not ring.
        if not (until_appended and self.outbox.waiting()):
            self._bell.acquire(timeout=seconds)
        self.asleep = False

    def tell_progress(self) -> None:
        """The daemon is there and takes what it is sent: it is worth while to wait for it a little longer."""
        if self.deadline is not None:
            self.deadline = min(time.monotonic() + self._patience, self._last_deadline)

    def tell_freed(self) -> None:
        """Records are done with."""
        self.tell_progress()
        with self._changed:
            self._changed.notify_all()

    def tell_ended(self) -> None:
        """The sender's thread ends; nothing will be freed any more."""
        self._ended = True
        self.tell_freed()
