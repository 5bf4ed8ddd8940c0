"""The background thread that takes records from the outbox to the daemon and frees them once they are stored.

It sleeps on a bell while there is nothing to do; the first record after a silence rings it. While records come it looks
every few milliseconds by itself, so that a burst costs the program no system calls.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import zmq

from traceview.protocol.wire import Ack, Busy, Downstream, split_records
from traceview.sdk import guard
from traceview.sdk.handoff import Handoff
from traceview.sdk.leftovers import Leftovers
from traceview.sdk.link import Link, Standing
from traceview.sdk.outbox import Chunk
from traceview.sdk.sampling import count_left_out
from traceview.sdk.window import Window

MAX_BATCH_RECORDS: Final = 512
MAX_BATCH_BYTES: Final = 1_000_000
# So much is sent at once; less gathers for a while.
_ENOUGH_BYTES: Final = 256 * 1024

_FLUSH_SECONDS: Final = 0.005  # how long records gather before they are sent
# The same while the program computes: to run at all, this thread must take the interpreter from it, which was measured
# to cost the program 80 µs each time. A busy program is one whose threads use more than half a core.
_RARE_FLUSH_SECONDS: Final = 0.04
_BUSY: Final = 0.5
_LULL_SECONDS: Final = 0.05  # after so long without a record the thread sleeps on its bell
_DOZE_SECONDS: Final = 5.0  # how often it looks after its connection while asleep
_RELINK_SECONDS: Final = 2.0  # how long it leaves a daemon alone for which it has nothing of its own
_FIRST_RETRY_SECONDS: Final = 0.05
_LONGEST_RETRY_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 10.0
_ACK_SECONDS: Final = 10.0
_LONGEST_ACK_SECONDS: Final = 60.0
_FAREWELL_MS: Final = 50
# bin8 of 16 bytes, bin8 of 8 bytes: every record begins with its span's identity, behind an array's header, which is
# three bytes for 16 fields and more, else one.
_IDENTITY_BYTES: Final = 18 + 10
_ARRAY_16: Final = 0xDC


class Sender:
    """Sends what comes through one handoff to one endpoint, as one session; `run` is the body of its thread.

    `hello` is the session's Hello frame. Where `spools` is given, it also ships what programs that are gone left there
    for this endpoint, as far as its own records and whoever waits for them leave it time.
    """

    def __init__(
        self,
        handoff: Handoff,
        session: bytes,
        endpoint: str,
        hello: bytes,
        *,
        ack_seconds: float = _ACK_SECONDS,
        spools: Path | None = None,
    ) -> None:
        self._handoff, self._outbox = handoff, handoff.outbox
        self._endpoint = endpoint
        self._hello = hello
        self._window = Window(session)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.leftovers = None if spools is None else Leftovers(spools, endpoint, self._context)
        self._link: Link | None = None
        self._greeted = False
        self._refused = False
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._ack_seconds = self._patience = ack_seconds
        self._dropped = 0
        self._retry_at = self._pause_until = 0.0
        self._sent_at = self._progress_at = self._busy_at = time.monotonic()
        self._flush_seconds = _FLUSH_SECONDS
        self._pace_at, self._pace_cpu = self._sent_at, time.process_time()

    def run(self) -> None:
        """Serves until the handoff's deadline, or until everything is stored after one was set.

        Suspended, it leaves no thread of ZeroMQ's behind either, and is run again later.
        """
        suspended = False
        try:
            while not (suspended := self._may_leave()) and not self._is_over():
                try:
                    self._turn()
                except Exception as error:
                    guard.report("sender", error)
                    self._lose()
        finally:
            if self.leftovers is not None:
                self.leftovers.stop()
            self._hang_up()
            if suspended:
                self._renew_context()
                self._handoff.asleep = True  # the next record starts it again
            else:
                self._handoff.tell_ended()

    def _may_leave(self) -> bool:
        """Whether it is suspended and all is on its way, or nobody takes it now."""
        if not self._handoff.suspended:
            return False
        now = time.monotonic()
        unsent = self._window.next_unsent() is not None or (self._window.has_room and self._outbox.waiting())
        apart = now < self._pause_until or (self._link is None and now < self._retry_at)
        return not unsent or apart or now >= self._handoff.leave_by

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close(_FAREWELL_MS if self._window.in_flight else 0)
        self._context.destroy()  # unlike term() it can't hang on a socket that was left open
        self._window.rewind()
        self._greeted = False

    def _renew_context(self) -> None:
        """It has no thread before its first socket."""
        self._context = zmq.Context()
        if self.leftovers is not None:
            self.leftovers.context = self._context

    def _is_over(self) -> bool:
        deadline = self._handoff.deadline
        if deadline is None:
            return False
        hopeless = self._link is None and self._refused
        return hopeless or time.monotonic() >= deadline or not self._has_work()

    def _has_work(self) -> bool:
        self._dropped += self._outbox.take_dropped()
        return bool(len(self._window) or self._outbox.waiting() or self._dropped)

    def _turn(self) -> None:
        now = time.monotonic()
        if self._link is None:
            self._rest(now)
            return
        for answer in self._link.wait(self._gather(now)):
            self._hear(answer)
        if self._link.standing is Standing.READY:
            self._ship()
        now = time.monotonic()
        if self.leftovers is not None and self._has_time(now):
            self.leftovers.turn(rarely=self._flush_seconds == _RARE_FLUSH_SECONDS)
        stuck = self._window.in_flight and now - self._progress_at > self._patience
        if stuck:
            self._patience = min(self._patience * 2, _LONGEST_ACK_SECONDS)
        if stuck or self._link.standing is Standing.LOST:
            self._lose()
        elif now - self._busy_at > _LULL_SECONDS and not self._has_work():
            self._sleep(_DOZE_SECONDS if self.leftovers is None else min(_DOZE_SECONDS, self.leftovers.due_in))

    def _has_time(self, now: float) -> bool:
        """Whether the daemon is there and takes what it is sent, and nobody waits for our own records."""
        return self._greeted and not self._handoff.urgent and now >= self._pause_until

    def _rest(self, now: float) -> None:
        """Without a connection: sleeps until there is something to send and the time to try has come."""
        if not self._has_work() and not self._is_wanted(now):
            self._sleep(_DOZE_SECONDS if self.leftovers is None or not self.leftovers.waiting else _RELINK_SECONDS)
        elif now < self._retry_at and self._handoff.deadline is None:
            self._handoff.sleep(self._retry_at - now, until_appended=False)
        else:
            self._link = Link(self._context, self._endpoint)

    def _is_wanted(self, now: float) -> bool:
        """Whether a connection is worth trying only for what others left."""
        return self.leftovers is not None and self.leftovers.waiting and now >= self._retry_at + _RELINK_SECONDS

    def _sleep(self, seconds: float) -> None:
        self._handoff.sleep(seconds, until_appended=True)
        # What follows the record that woke us shall travel with it.
        self._sent_at = self._busy_at = time.monotonic()

    def _gather(self, now: float) -> float:
        """How long to wait for answers. While the program computes they don't wake us: first we sleep without them."""
        seconds = self._wait_seconds(now)
        self._set_pace(now)
        if self._flush_seconds == _FLUSH_SECONDS or self._handoff.urgent:
            return seconds
        self._handoff.sleep(seconds, until_appended=False)
        return 0.0

    def _set_pace(self, now: float) -> None:
        past = now - self._pace_at
        if past >= _RARE_FLUSH_SECONDS:
            cpu = time.process_time()
            busy = cpu - self._pace_cpu > _BUSY * past
            self._flush_seconds = _RARE_FLUSH_SECONDS if busy else _FLUSH_SECONDS
            self._pace_at, self._pace_cpu = now, cpu

    def _wait_seconds(self, now: float) -> float:
        if self._handoff.deadline is not None:
            return min(_FLUSH_SECONDS, max(0.0, self._handoff.deadline - now))
        if self._outbox.waiting() and self._window.has_room and now >= self._pause_until:
            ready = self._link is not None and self._link.standing is Standing.READY
            if self._handoff.urgent:  # at once, but without spinning while there is nobody to send it to
                return 0.0 if ready else _FLUSH_SECONDS
            return max(0.0 if ready else _FLUSH_SECONDS, self._sent_at + self._flush_seconds - now)
        # With nothing new for a while, only answers are awaited, and those end the wait.
        return _FLUSH_SECONDS if now - self._busy_at < _LULL_SECONDS else 4 * _FLUSH_SECONDS

    def _lose(self) -> None:
        link, self._link = self._link, None
        # At exit, one more attempt is worth it after a connection that was good.
        self._refused, self._greeted = not self._greeted, False
        self._window.rewind()
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(self._retry_seconds * 2, _LONGEST_RETRY_SECONDS)
        if link is not None:
            link.close()

    # Up

    def _ship(self) -> None:
        link, now = self._link, time.monotonic()
        assert link is not None
        if not self._greeted:
            if not link.send(self._hello):
                return
            self._greeted, self._refused = True, False
            self._handoff.tell_progress()
            self._retry_seconds = _FIRST_RETRY_SECONDS
        if now < self._pause_until:
            return
        self._fill(now)
        while (parcel := self._window.next_unsent()) and link.send(parcel.header, parcel.chunk.body):
            if not self._window.in_flight:
                self._progress_at = now
            self._window.mark_sent()
            self._sent_at = now

    def _fill(self, now: float) -> None:
        due = self._handoff.urgent or now - self._sent_at >= self._flush_seconds
        while self._window.has_room and (due or self._outbox.waiting() >= _ENOUGH_BYTES):
            chunk = self._outbox.take(MAX_BATCH_RECORDS, MAX_BATCH_BYTES)
            self._dropped += self._outbox.take_dropped()
            if chunk is None and not self._dropped:
                return
            self._window.add(chunk, self._dropped, count_left_out())
            self._dropped = 0
            self._busy_at = now

    # Down

    def _hear(self, answer: Downstream) -> None:
        now = time.monotonic()
        if isinstance(answer, Ack):
            self._free_upto(answer.upto)
        elif isinstance(answer, Busy):
            self._free_upto(answer.upto)
            self._window.rewind()
            self._pause_until = now + min(answer.retry_after_ms / 1000, _LONGEST_PAUSE_SECONDS)
            self._progress_at = now
        else:
            guard.say_once(f"reject:{answer.reason}", "the daemon refuses what is recorded: %s", answer.reason)
            parcel = self._window.reject(answer.seq)
            if parcel is not None:
                self._outbox.note_dropped(_count_spans(parcel.chunk))
                self._free([parcel.chunk])

    def _free_upto(self, upto: int) -> None:
        self._free([parcel.chunk for parcel in self._window.acknowledge(upto)])

    def _free(self, chunks: list[Chunk]) -> None:
        if chunks:
            for chunk in chunks:
                self._outbox.free(chunk)
            self._progress_at = time.monotonic()
            self._patience = self._ack_seconds
            self._handoff.tell_freed()


def _count_spans(chunk: Chunk) -> int:
    return len({_identity(record) for record in split_records(chunk.body)})


def _identity(record: memoryview) -> bytes:
    start = 3 if record[0] == _ARRAY_16 else 1
    return bytes(record[start : start + _IDENTITY_BYTES])
