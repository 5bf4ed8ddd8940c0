"""What every receiver that answers requests does with one: wait for room, decode, queue, and wait for the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from traceview.formats.otlp import DecodedRequest
from traceview.store import ReadyPart, make_ready
from traceview_agent.intake import Intake, Load, Outcome, Stored
from traceview_agent.meters import Meters, Refusal

# Exporters give up after ten seconds; an answer just before lets them try again instead.
_ANSWER_SECONDS: Final = 8.0
# A full queue has room again within a second unless the store hangs. Waiting is better than turning away: not every
# client comes again.
_ROOM_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.02


class TurnedAway(Exception):
    """The request may come again later; `reason` is "behind", "store" or "stopping", the message one sentence."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason: Refusal = reason


class Admission:
    """The way from one receiver into the store. `problem` says why the store can't be written, or None."""

    def __init__(self, receiver: str, intake: Intake, meters: Meters, problem: Callable[[], str | None]) -> None:
        self._receiver = receiver
        self._intake, self._meters = intake, meters
        self._problem = problem

    async def admit(self, size: int, decode: Callable[[], DecodedRequest]) -> DecodedRequest:
        """Runs `decode` in a thread and returns what it gave once its parts are committed, more rejected perhaps.

        `size` is the request's length in bytes. Raises TurnedAway, and what `decode` raises.
        """
        deadline = asyncio.get_running_loop().time() + _ANSWER_SECONDS
        await self._room(size)
        # Twenty megabytes take a second: not on the loop.
        decoded, ready = await asyncio.to_thread(_decode_ready, decode)
        self._meters.add_rejected(self._receiver, "undecodable", decoded.rejected)
        if not ready:
            return decoded
        outcome = await self._commit(ready, size, deadline)
        if not isinstance(outcome, Stored):
            raise TurnedAway("stopping", "the daemon stops: send again later")
        if not outcome.rejected:
            return decoded
        message = decoded.message or "some spans can't be stored"
        return DecodedRequest(decoded.parts, decoded.rejected + outcome.rejected, message)

    async def _room(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ROOM_SECONDS
        while True:
            problem = self._problem()
            if problem is not None:
                raise TurnedAway("store", problem)
            if self._intake.has_room(1, size):
                return
            if self._intake.closed:
                raise TurnedAway("stopping", "the daemon stops: send again later")
            if loop.time() > deadline:
                raise TurnedAway("behind", "the daemon's queue is full: send again later")
            await asyncio.sleep(_POLL_SECONDS)

    async def _commit(self, ready: list[ReadyPart], size: int, deadline: float) -> Outcome:
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[Outcome] = loop.create_future()
        load = Load(ready, size, lambda outcome: _resolve(committed, outcome), self._receiver, receiver=self._receiver)
        if not self._intake.offer(load):
            raise TurnedAway("behind", "the daemon's queue is full: send again later")
        try:
            return await asyncio.wait_for(committed, deadline - loop.time())
        except TimeoutError:
            raise TurnedAway("store", self._problem() or "the store is slow: send again later") from None


def _decode_ready(decode: Callable[[], DecodedRequest]) -> tuple[DecodedRequest, list[ReadyPart]]:
    decoded = decode()
    return decoded, [make_ready(part) for part in decoded.parts]


def _resolve(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
