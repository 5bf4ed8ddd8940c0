"""The way of a recorded part: encoded on the caller's thread, into the outbox, and off by one background thread."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from traceview.sdk.guard import guarded, report, say_once
from traceview.sdk.handoff import Handoff
from traceview.sdk.outbox import Outbox
from traceview.sdk.sampling import count_anew, count_left_out

if TYPE_CHECKING:
    from traceview.sdk.leftovers import Leftovers

_EXIT_SECONDS: Final = 0.2
_IMPORT_SECONDS: Final = 2.0


class Sink(Protocol):
    """Where records go."""

    def append(self, record: bytes) -> bool:
        """Takes one record; False if it is lost. Never waits."""
        ...

    def note_dropped(self) -> None:
        """Counts one more span of which something was lost."""
        ...

    def flush(self, seconds: float) -> bool:
        """Waits until all is stored; False if that takes longer."""
        ...


class Recorder:
    """This process's way to the daemon: one session. The outbox opens and the thread starts with the first record."""

    def __init__(self, outbox: Outbox | None = None) -> None:
        self._session = os.urandom(16)
        self._handoff = None if outbox is None else Handoff(outbox)
        # Once it is open, the outbox's own method: a call less for every record.
        self._keep = self._open_and_keep if outbox is None else outbox.append
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._imported = threading.Event()
        self._closed = False
        self._leftovers: Leftovers | None = None
        self._told_left_out = 0

    def append(self, record: bytes) -> bool:
        """Keeps the record until the daemon has stored it; False if the outbox is full."""
        kept = self._keep(record)
        if self._handoff.asleep:  # type: ignore[union-attr]  # what keeps has opened it
            self._wake()
        return kept

    def _open_and_keep(self, record: bytes) -> bool:
        outbox = self._open().outbox
        self._keep = outbox.append
        return outbox.append(record)

    def _wake(self) -> None:
        handoff = self._open()
        if self._thread is None:
            self._start(handoff)
        handoff.ring()

    def note_dropped(self) -> None:
        """Counts a span of which something was lost, and says so once."""
        (self._handoff or self._open()).outbox.note_dropped()
        say_once(
            "full",
            "spans are being lost: too many wait for traceview-agent. Is it running? See `traceview-agent status`",
        )

    def flush(self, seconds: float) -> bool:
        """Waits until all that was recorded is stored; False if that takes longer."""
        return self._handoff is None or self._handoff.wait_until_stored(seconds)

    def close(self, patience: float) -> None:
        """Sends what is left, for `patience` seconds at most, and ends the thread. Safe twice.

        What would be lost with the process gets more time: ten times as much as long as the daemon takes it, and until
        zmq is imported, since a program may be done before.
        """
        self._closed = True
        if self._thread is not None:
            assert self._handoff is not None
            outlives = self._handoff.outbox.outlives
            end = time.monotonic() + (patience if outlives else 10 * patience)
            self._imported.wait(patience if outlives else _IMPORT_SECONDS)
            left = max(0.0, end - time.monotonic())
            # Some of it for closing the connection.
            self._handoff.stop(min(patience, 0.75 * left) if outlives else patience, left)
            self._thread.join(left if outlives else left + _EXIT_SECONDS)
        guarded(self.tell_left_out)()
        self.abandon()

    def tell_left_out(self) -> None:
        """Leaves a note of the traces that were left out, for the daemon, which else hears of them with other records.

        A program of which nothing was recorded leaves one only where this home's daemon runs, which takes it away.
        """
        left_out = count_left_out()
        if left_out == self._told_left_out:
            return
        self._told_left_out = left_out
        if self._handoff is not None:
            self._handoff.outbox.note_left_out(left_out)
            return
        from traceview.sdk.spool_outbox import leave_note

        leave_note(self._session, left_out)

    def abandon(self) -> None:
        """Lets go of the outbox: at the end of the process, or in a fork of it. Safe twice."""
        if self._handoff is not None:
            self._handoff.outbox.close()

    def forget_leftovers(self) -> None:
        """In a fork: what dead programs left is the parent's to ship."""
        if self._leftovers is not None:
            self._leftovers.forget()

    def wait_for_imports(self) -> None:
        """Waits until the thread is through its imports, if it is running."""
        if self._thread is not None:
            self._imported.wait(_IMPORT_SECONDS)

    def _open(self) -> Handoff:
        with self._starting:
            if self._handoff is None:
                from traceview.sdk.spool_outbox import open_outbox

                self._handoff = Handoff(open_outbox(self._session))
            return self._handoff

    def _start(self, handoff: Handoff) -> None:
        with self._starting:
            if self._thread is not None or self._closed:
                return
            thread = threading.Thread(target=self._serve, args=(handoff,), name="traceview sender", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # No thread is to be had: the interpreter is shutting down, or a limit is reached. Trying at every span
                # would be dear.
                self._closed = True
                report("sender", error)
                return
            self._thread = thread
        _close_before_multiprocessing_exits(self)

    def _serve(self, handoff: Handoff) -> None:
        # The thread. zmq is imported here, where the program doesn't wait for it.
        try:
            try:
                from traceview.protocol.places import find_places
                from traceview.protocol.wire import Hello, encode_header
                from traceview.sdk.resource import process_resource

                hello = encode_header(Hello(self._session, resource=process_resource()))
                # At once: whoever takes over from a program that dies young shall know what it was.
                handoff.outbox.introduce(hello)
                from traceview.sdk.sender import Sender
            finally:
                self._imported.set()
            places = find_places()
            # This home's own daemon finds the spools by itself.
            spools = places.spool if places.endpoint != places.own_endpoint else None
            sender = Sender(handoff, self._session, places.endpoint, hello, spools=spools)
            self._leftovers = sender.leftovers
            sender.run()
        except Exception as error:
            report("sender", error)
            handoff.tell_ended()


def _close_before_multiprocessing_exits(recorder: Recorder) -> None:
    # A process forked by multiprocessing leaves by os._exit, without atexit; it runs only these finalisers.
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, recorder.close, args=(_EXIT_SECONDS,), exitpriority=-100)


_process = Recorder()
_sink: Sink = _process


def keep(record: bytes) -> bool:
    """Keeps one record; False if it was lost. Never raises, never waits."""
    try:
        return _sink.append(record)
    except Exception as error:
        report("record", error)
        return False


def note_dropped() -> None:
    """Counts one more span of which something was lost."""
    _sink.note_dropped()


def flush(seconds: float) -> bool:
    """Waits until all that was recorded is stored by the daemon; False if that takes longer."""
    return _sink.flush(seconds)


def redirect(sink: Sink | None) -> Sink:
    """Sends all records of this process elsewhere, or to the daemon again (None). Returns where they went."""
    global _sink
    before, _sink = _sink, sink or _process
    return before


def renew() -> Recorder:
    """Gives this process a fresh outbox and session, and returns the old ones, as they are."""
    global _process, _sink
    old, _process = _process, Recorder()
    if _sink is old:
        _sink = _process
    return old


def _close_at_exit() -> None:
    _process.close(_EXIT_SECONDS)


def _wait_before_fork() -> None:
    # A module half imported by a thread stays so in the child for ever, where that thread doesn't exist.
    _process.wait_for_imports()


def _renew_after_fork() -> None:
    # The thread stayed in the parent, and so did what waits in the outbox. ZeroMQ's sockets must not be touched here:
    # they are the parent's, and are kept from being collected.
    old = renew()
    old.abandon()
    old.forget_leftovers()
    count_anew()
    _inherited.append(old)


_inherited: Final[list[Recorder]] = []
atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_before_fork, after_in_child=_renew_after_fork)
