"""A dead program's spool on its way to the daemon it was meant for, when that daemon is on another machine."""

from __future__ import annotations

import os
import time
from typing import Final

from traceview.protocol.dead_spool import DeadCut, DeadSpool
from traceview.protocol.wire import (
    Ack,
    Busy,
    Downstream,
    Hello,
    Left,
    encode_header,
)
from traceview.sdk.link import Link, Standing

_PATIENCE_SECONDS: Final = 10.0
_SLOWEST: Final = 50_000  # bytes a second: a long record needs its time
_LONGEST_PAUSE_SECONDS: Final = 10.0


class NotShipped(Exception):
    """The rest of a spool stays where it is; the message says why, in words that follow "since"."""


class Shipment:
    """One spool over a connection of its own: a batch, its acknowledgement, the next; last, that its process died.

    Only one message is under way, so that nothing depends on what the dead program had under way, or another one that
    began to ship the same: the daemon knows again what it has. The caller closes the link.
    """

    def __init__(self, dead: DeadSpool, link: Link, most_bytes: int) -> None:
        self._dead, self._link = dead, link
        # Before anything of the spool is written.
        self._ended_ns = min(dead.touched_ns(), time.time_ns())
        self._cuts = dead.cuts(most_bytes)
        self._cut: DeadCut | None = None
        self._seq = 0
        # To whom the connection belongs; the dead one's own number of batches is nobody's concern here.
        self._message: tuple[bytes, ...] = (encode_header(Hello(os.urandom(16), left=True)),)
        self._is_sent = self._is_last = False
        self._pause_until = 0.0
        self._progress_at = time.monotonic()
        # Bytes that the daemon has taken; why it could not read some of them, which it keeps aside; and why it takes
        # nothing just now.
        self.stored = 0
        self.refused: str | None = None
        self.held_up: str | None = None

    def step(self, seconds: float) -> bool:
        """Waits for an answer, so long at most, and sends what is next; True once all is stored, and the spool gone.

        Raises NotShipped, or OSError where the spool can't be read.
        """
        for answer in self._link.wait(seconds):
            if self._hear(answer):
                return True
        now = time.monotonic()
        if self._link.standing is Standing.LOST:
            raise NotShipped("the connection was lost" if self._seq or self._is_sent else "it can't be reached")
        patience = _PATIENCE_SECONDS + sum(map(len, self._message)) / _SLOWEST
        if now - max(self._progress_at, self._pause_until) > patience:
            raise NotShipped(f"it has not answered for {patience:.0f} s")
        if self._link.standing is Standing.READY and not self._is_sent and now >= self._pause_until:
            self._is_sent = self._link.send(*self._message)
        return False

    def _hear(self, answer: Downstream) -> bool:
        now = self._progress_at = time.monotonic()
        if isinstance(answer, Busy):
            self.held_up = answer.reason
            self._pause_until = now + min(answer.retry_after_ms / 1000, _LONGEST_PAUSE_SECONDS)
            self._is_sent = False
            return False
        if isinstance(answer, Ack):
            if self._seq == 0 and not answer.left:
                raise NotShipped("its version is too old for this: update it")
            return answer.upto >= self._seq and self._is_sent and self._go_on()
        if answer.seq == 0 or self._is_last:
            raise NotShipped(f"it refuses: {answer.reason}")
        if answer.seq == self._seq:
            self.refused = answer.reason
            return self._go_on()
        return False

    def _go_on(self) -> bool:
        """After an answer: what is next, or that nothing is."""
        if self._is_last:
            self._dead.remove()
            return True
        if self._cut is not None:
            self._dead.acknowledge(self._cut)
            self.stored += len(self._cut.body)
        self.held_up = None
        self._seq += 1
        resource = self._dead.resource() if self._seq == 1 else {}
        session, self._cut = self._dead.session, next(self._cuts, None)
        if self._cut is None:
            self._is_last = True
            lost, left_out = self._dead.dropped(), self._dead.left_out()
            end = Left(session, self._seq, 0, lost, resource, self._ended_ns, left_out)
            self._message = (encode_header(end),)
        else:
            header = encode_header(Left(session, self._seq, self._cut.count, resource=resource))
            self._message = (header, self._cut.body)
        self._is_sent = False
        return False
