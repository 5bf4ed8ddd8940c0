"""The way of a recorded part: encoded on the caller's thread, into the outbox, and off by one background thread."""

from __future__ import annotations

import atexit
import contextlib
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
_SEND_SECONDS: Final = 0.1
_SUSPEND_SECONDS: Final = 1.0
_GONE_SECONDS: Final = 0.05
_TASKS: Final = "/proc/self/task"


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


class Runs(Protocol):
    """The sender, which is imported where no program waits for it."""

    def run(self) -> None:
        """Serves until it is told to end, or suspended."""
        ...


class Recorder:
    """This process's way to the daemon: one session. The outbox opens and the thread starts with the first record."""

    def __init__(self, outbox: Outbox | None = None) -> None:
        self._session = os.urandom(16)
        self._handoff = None if outbox is None else Handoff(outbox)
        # Once it is open, the outbox's own method: a call less for every record.
        self._keep = self._open_and_keep if outbox is None else outbox.append
        self._sender: Runs | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._forker: int | None = None  # the thread that forks
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
        handoff = self._handoff or self._open()
        if handoff.suspended:
            return  # what comes now is seen to after the fork
        if self._thread is None or not self._thread.is_alive():
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
        self._go_on()
        return self._handoff is None or self._handoff.wait_until_stored(seconds)

    def close(self, patience: float) -> None:
        """Sends what is left, for `patience` seconds at most, and ends the thread. Safe twice.

        What would be lost with the process gets more time: ten times as much as long as the daemon takes it, and until
        zmq is imported, since a program may be done before.
        """
        self._go_on()
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

    def suspend(self) -> None:
        """Ends the thread while the process forks: from one without threads a child inherits no lock that is held.

        Python 3.12 and later warn of a fork beside threads, ZeroMQ's too. What waits stays; records are kept meanwhile.
        """
        if self._forker == threading.get_ident():
            return
        self._starting.acquire()  # until `resume`: no other thread is in the midst of opening the outbox either
        self._forker = threading.get_ident()
        if self._handoff is not None and self._thread is not None:
            # A module half imported by a thread stays so in the child for ever, where that thread doesn't exist.
            self._imported.wait(_IMPORT_SECONDS)
            tasks = _tasks(self._thread)
            self._handoff.suspend(_SEND_SECONDS)
            self._thread.join(_SUSPEND_SECONDS)
            _wait_until_gone(tasks)

    def resume(self) -> None:
        """The fork is over: the thread goes on with the next record, or at once where it changes nothing.

        Python looks for threads only after this.
        """
        if self._forker != threading.get_ident():
            return  # another thread loaded this module since the fork began
        self._forker = None
        try:
            if self._handoff is not None and self._handoff.suspended:
                self._handoff.suspended = False
                if sys.version_info < (3, 12) or threading.active_count() > 1:
                    self._go_on()
        finally:
            self._starting.release()

    def _go_on(self) -> None:
        handoff = self._handoff
        if handoff is not None and handoff.asleep and handoff.outbox.freed < handoff.outbox.appended:
            self._wake()

    def _open(self) -> Handoff:
        with self._starting:
            if self._handoff is None:
                from traceview.sdk.spool_outbox import open_outbox

                self._handoff = Handoff(open_outbox(self._session))
            return self._handoff

    def _start(self, handoff: Handoff) -> None:
        with self._starting:
            if self._closed or (self._thread is not None and self._thread.is_alive()):
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
            first, self._thread = self._thread is None, thread
        if first:
            _close_before_multiprocessing_exits(self)

    def _serve(self, handoff: Handoff) -> None:
        # The thread. zmq is imported here, where the program doesn't wait for it.
        try:
            if self._sender is None:
                try:
                    self._sender = self._new_sender(handoff)
                finally:
                    self._imported.set()
            self._sender.run()
        except Exception as error:
            self._closed = True  # trying again at every span would be dear
            report("sender", error)
            handoff.tell_ended()

    def _new_sender(self, handoff: Handoff) -> Runs:
        from traceview.protocol.places import find_places
        from traceview.protocol.wire import Hello, encode_header
        from traceview.sdk.resource import process_resource

        hello = encode_header(Hello(self._session, resource=process_resource()))
        # At once: whoever takes over from a program that dies young shall know what it was.
        handoff.outbox.introduce(hello)
        from traceview.sdk.sender import Sender

        places = find_places()
        # This home's own daemon finds the spools by itself.
        spools = places.spool if places.endpoint != places.own_endpoint else None
        sender = Sender(handoff, self._session, places.endpoint, hello, spools=spools)
        self._leftovers = sender.leftovers
        return sender


def _tasks(thread: threading.Thread) -> list[str]:
    """A thread and ZeroMQ's, as Linux lists them; elsewhere none."""
    tasks = []
    for task in os.listdir(_TASKS) if os.path.isdir(_TASKS) else ():
        with contextlib.suppress(OSError), open(f"{_TASKS}/{task}/comm") as name:
            if task == str(thread.native_id) or name.read().startswith("ZMQbg"):
                tasks.append(f"{_TASKS}/{task}")
    return tasks


def _wait_until_gone(tasks: list[str]) -> None:
    """A thread that was joined is counted by the system a moment longer, and Python asks the system."""
    until = time.monotonic() + _GONE_SECONDS
    while any(map(os.path.exists, tasks)) and time.monotonic() < until:
        time.sleep(0.0001)


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


def suspend() -> None:
    """Before a fork: ends this process's thread for a while. Twice does no harm."""
    _process.suspend()


def _resume() -> None:
    _process.resume()


def _renew_in_child() -> None:
    # What waits in the outbox is the parent's. So are ZeroMQ's sockets, should the thread not have ended in time: they
    # must not be touched here, and are kept from being collected.
    old = renew()
    old.abandon()
    old.forget_leftovers()
    count_anew()
    _inherited.append(old)


_inherited: Final[list[Recorder]] = []
atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    # After logging's, so that `suspend` is called before the lock of logging is taken: our thread may need it to end.
    os.register_at_fork(before=suspend, after_in_parent=_resume, after_in_child=_renew_in_child)
