"""What programs that are gone left for a daemon on another machine: shipped by the next program that sends there."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zmq

from traceview.protocol.dead_spool import DeadSpool, find_dead
from traceview.protocol.places import is_same
from traceview.sdk import guard
from traceview.sdk.link import Link
from traceview.sdk.shipment import NotShipped, Shipment

_STEP_SECONDS: Final = 0.02
# The same while the program computes: a step costs up to a millisecond of processor time, 256 KB read, copied and sent.
_RARE_STEP_SECONDS: Final = 0.1
_BATCH_BYTES: Final = 256 * 1024
_FIRST_RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 30.0


class Leftovers:
    """Ships the spools under `root` that were meant for `endpoint`, one after the other, in small steps.

    All of it on the sender's thread. A spool's lock sees to it that one process at a time ships it.
    """

    def __init__(self, root: Path, endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._root, self._endpoint, self.context = root, endpoint, context
        self._found: Iterator[DeadSpool] = iter(())
        self._dead: DeadSpool | None = None
        self._link: Link | None = None
        self._shipment: Shipment | None = None
        self._next_at = self._look_at = 0.0
        self._retry_seconds = _FIRST_RETRY_SECONDS
        # Whether there is something that could not be shipped yet, for which a connection is wanted.
        self.waiting = False

    @property
    def due_in(self) -> float:
        """In how many seconds the next turn has something to do."""
        return max(0.0, self._next_at - time.monotonic())

    def turn(self, *, rarely: bool = False) -> None:
        """Does the next step if it is due, `rarely` while the program computes. Never waits, never raises."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + (_RARE_STEP_SECONDS if rarely else _STEP_SECONDS)
        try:
            if self._shipment is None and not self._begin(now):
                self._next_at = self._look_at
            elif self._shipment is not None and self._shipment.step(0.0):
                self._dead = None  # it is gone, with its lock
                self._retry_seconds = _FIRST_RETRY_SECONDS
                self.stop()
        except (NotShipped, OSError, zmq.ZMQError):  # ZMQError: no more sockets are to be had
            self._give_up(now)
        except Exception as error:
            guard.report("leftovers", error)
            self._give_up(now)

    def _begin(self, now: float) -> bool:
        dead = next(self._found, None)
        if dead is None:
            if now < self._look_at:
                return False
            self._look_at = now + _LOOK_SECONDS
            self.waiting = False
            self._found = find_dead(self._root, lambda endpoint: is_same(endpoint, self._endpoint))
            dead = next(self._found, None)
        if dead is None:
            return False
        self._dead = dead
        if len(dead.session) != 16:  # no spool of ours
            self.stop()
            return True
        self.waiting = True
        self._link = Link(self.context, self._endpoint)
        self._shipment = Shipment(dead, self._link, _BATCH_BYTES)
        return True

    def _give_up(self, now: float) -> None:
        """This one stays, for the next who looks; it must not keep the others waiting."""
        self.stop()
        self._next_at = self._look_at = now + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _LOOK_SECONDS)

    def stop(self) -> None:
        """Lets go of what is under way: what the daemon has acknowledged is not sent again. Safe twice."""
        link, dead = self._link, self._dead
        self._link = self._dead = self._shipment = None
        if link is not None:
            link.close()
        if dead is not None:
            dead.release()

    def forget(self) -> None:
        """In a fork: closes the lock that it shares with its parent, and leaves it locked."""
        dead, self._dead = self._dead, None
        if dead is not None:
            with contextlib.suppress(OSError):
                os.close(dead.lock)
