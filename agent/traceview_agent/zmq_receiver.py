"""The way in for our SDK: a ZeroMQ ROUTER that speaks protocol/wire.py and acknowledges what is committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

import msgspec
import zmq
import zmq.asyncio

from traceview.protocol import wire
from traceview.protocol.control import Receiver
from traceview.protocol.places import is_far
from traceview.redaction import Alarms
from traceview.store import ReadyPart, digest, make_ready
from traceview_agent.connection_gate import ConnectionGate
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.endpoints import LINGER_MS, configure, demand_keys, refusal_of
from traceview_agent.intake import Intake, Load, Missing, Outcome, Stored
from traceview_agent.keys import Keys
from traceview_agent.meters import Meters, Refusal
from traceview_agent.redaction import Redaction
from traceview_agent.sessions import Session, Sessions
from traceview_agent.takeover import latest_ns
from traceview_agent.zap import Doorkeeper

log = logging.getLogger(__name__)

_FULL_RETRY_MS: Final = 100
_ROOM_SECONDS: Final = 0.005
_GAP_RETRY_MS: Final = 10
_PROBLEM_RETRY_MS: Final = 1000
_FRAMES_PER_BREATH: Final = 1000
# A batch with more bad records than this is no batch of ours; reading it to its end could take minutes.
_MOST_FAULTS: Final = 1000
_MOST_LETTERS: Final = 20
_LENGTH_BYTES: Final = 4
# Our SDK's batches are shorter, unless a single record is longer. Decoding that much takes 10 ms.
_LONG_BYTES: Final = 1024 * 1024
# Twice what our SDK has under way.
_MOST_BEHIND: Final = 64
_SOURCE: Final = "ZeroMQ"
_FULL: Final = "the daemon's queue is full"


class _Reading:
    """How a body was decoded: `good` records of it, and what is wrong with each other one."""

    def __init__(self, decode: Callable[[], tuple[list[ReadyPart], list[str]]]) -> None:
        self._decode = decode
        self.good = 0
        self.faults: list[str] = []

    def parts(self) -> list[ReadyPart]:
        """Decodes it, once, on any thread; never raises."""
        try:
            parts, self.faults = self._decode()
        except Exception as error:  # a fault of ours; the writer must not stand still for it
            log.exception("a batch can't be read; the daemon goes on without it")
            parts, self.faults = [], [repr(error)]
        self.good = len(parts)
        return parts


class ZmqReceiver:
    """Reads batches into the intake. `problem` says why the store can't be written, or None.

    With `keys` it may listen where others can reach it, and then lets in only clients whose CurveZMQ keys are known.
    """

    def __init__(
        self,
        endpoint: str,
        intake: Intake,
        meters: Meters,
        redaction: Redaction,
        dead_letters: DeadLetters,
        problem: Callable[[], str | None],
        *,
        max_connections: int = 10_000,
        name: str = "zeromq",
        keys: Keys | None = None,
    ) -> None:
        self._endpoint, self._name, self._keys = endpoint, name, keys
        self._intake, self._meters = intake, meters
        self._redaction, self._dead_letters = redaction, dead_letters
        self._problem = problem
        self._sessions = Sessions()
        self._acks: dict[bytes, int] = {}
        self._told: set[str] = set()
        self._long: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()  # each takes six times its bytes while it is searched
        self._max_connections = max_connections
        self._context: zmq.asyncio.Context | None = None
        self._socket: zmq.asyncio.Socket | None = None
        self._gate: ConnectionGate | None = None
        self._reading: asyncio.Task[None] | None = None
        self._doorkeeper: Doorkeeper | None = None
        self.receiver = Receiver(name=name, address=endpoint)

    async def start(self) -> None:
        """Binds and reads; where that is impossible `receiver.error` says why, and nothing runs."""
        error = refusal_of(self._endpoint, open_to_keys=self._keys is not None)
        if error is None:
            self._context = zmq.asyncio.Context(io_threads=1)
            self._socket = self._context.socket(zmq.ROUTER)
            configure(self._socket, self._endpoint)
            try:
                if self._keys is not None and is_far(self._endpoint):
                    self._doorkeeper = Doorkeeper(self._context, self._keys.allow, self._turn_away)
                    demand_keys(self._socket, self._keys)
                self._gate = ConnectionGate(self._socket, self._endpoint, self._max_connections)
                self._socket.bind(self._endpoint)
                address = self._socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
                self.receiver = msgspec.structs.replace(self.receiver, address=address)
            except (zmq.ZMQError, ValueError) as refused:
                error = f"can't listen on {self._endpoint}: {refused}; choose another address with TRACEVIEW_ENDPOINT"
        if error is not None:
            self.receiver = msgspec.structs.replace(self.receiver, error=error)
            await self.stop()
            return
        assert self._gate is not None
        self._gate.open()
        self._reading = asyncio.create_task(self._read(), name="zeromq receiver")

    async def pause(self) -> None:
        """Reads no more; acknowledgements still go out."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    async def stop(self) -> None:
        """Sends the last acknowledgements and closes; safe twice."""
        await self.pause()
        await asyncio.gather(*self._long, return_exceptions=True)
        self._flush()
        if self._gate is not None:
            await self._gate.close()
        if self._socket is not None:
            self._socket.close(linger=LINGER_MS)
        if self._doorkeeper is not None:
            await self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            self._context.term()
        self._gate = self._socket = self._context = None

    def _turn_away(self) -> None:
        self._meters.add_refused(self._name, "forbidden")
        if "key" not in self._told:
            self._told.add("key")
            log.warning("a client with an unknown key was not let in at %s (said once)", self._endpoint)

    async def _read(self) -> None:
        assert self._socket is not None
        while True:
            frames = await self._message(self._socket)
            try:
                await self._take(frames)
            except wire.WireError as error:
                self._garbage(str(error))
            except Exception:
                # Nothing that arrives may end the receiver; what reaches this line is a fault of ours.
                log.exception("a ZeroMQ message could not be handled")
            del frames  # or the message would stay until the next one comes
            # A flood leaves recv() never waiting, which would starve the acknowledgements.
            await asyncio.sleep(0)

    async def _message(self, socket: zmq.asyncio.Socket) -> list[zmq.Frame]:
        """The next message's frames; of one with too many, as many as show that."""
        frame = await socket.recv(copy=False)
        frames, count = [frame], 1
        while frame.more:
            # A message arrives whole, so that its other frames are there. MAXMSGSIZE bounds a frame, not a message.
            frame = await socket.recv(flags=zmq.NOBLOCK, copy=False)
            count += 1
            if count <= wire.MAX_FRAMES + 1:
                frames.append(frame)
            if count % _FRAMES_PER_BREATH == 0:
                await asyncio.sleep(0)
        return frames

    async def _take(self, frames: list[zmq.Frame]) -> None:
        if not 2 <= len(frames) <= wire.MAX_FRAMES:
            raise wire.WireError("a message is a header and at most one body")
        identity = frames[0].bytes
        message = wire.decode_upstream(frames[1].bytes)
        if len(message.session) != 16:
            raise wire.WireError("a session id has 16 bytes")
        if isinstance(message, wire.Left):
            session = self._left_behind(message, identity)
        else:
            session = self._sessions.heard(message.session, identity)
        if isinstance(message, wire.Hello):
            self._hello(session, message)
        else:
            body = memoryview(frames[2].buffer if len(frames) == wire.MAX_FRAMES else b"")
            await self._room(message, body)
            self._batch(session, message, body)

    def _left_behind(self, left: wire.Left, identity: bytes) -> Session:
        """The dead session as whoever ships it on this connection numbers it: its own batches have other numbers."""
        session = self._sessions.heard(left.session + identity, identity)
        if left.resource:
            session.resource = self._redaction.resource(left.resource)
        return session

    async def _room(self, batch: wire.Batch | wire.Left, body: memoryview) -> None:
        """Waits while the queue is full. What comes meanwhile stays in the sockets and slows its programs' senders.

        Turned away instead, twenty programs sent their windows of 8 MiB again and again, and nothing else got through.
        """
        weight, size = max(1, batch.count), len(body)
        while True:
            if self._intake.has_room(weight, size) or self._intake.closed or self._problem():
                return
            await asyncio.sleep(_ROOM_SECONDS)

    def _hello(self, session: Session, hello: wire.Hello) -> None:
        session.resource = self._redaction.resource(hello.resource)
        session.refusal = None
        if hello.version != wire.VERSION:
            self._meters.add_refused(self._name, "unsupported")
            session.refusal = f"the daemon speaks version {wire.VERSION}, the program version {hello.version}"
            self._send(session.identity, wire.Reject(0, session.refusal))
        else:
            self._send(session.identity, wire.Ack(session.committed, left=hello.left))

    def _batch(self, session: Session, batch: wire.Batch | wire.Left, body: memoryview) -> None:
        if session.refusal is not None:
            self._send(session.identity, wire.Reject(batch.seq, session.refusal))
        elif batch.seq < 1:
            self._send(session.identity, wire.Reject(batch.seq, "a session's batches are numbered from 1"))
        elif session.refused is not None and batch.seq > session.refused:
            pass  # under way when that one was refused: both will be sent again
        elif batch.seq in session.pending:
            pass  # sent again too early: it will be acknowledged when it is committed
        elif (problem := self._problem()) is not None:
            self._refuse(session, batch, "store", _PROBLEM_RETRY_MS, problem)
        elif self._queue(session, batch, body):
            session.refused = None
        else:
            self._refuse(session, batch, "behind", _FULL_RETRY_MS, _FULL)

    def _queue(self, session: Session, batch: wire.Batch | wire.Left, body: memoryview) -> bool:
        if session.decoding:
            if len(session.behind) >= _MOST_BEHIND:
                return False
            session.behind.append((batch, body))
            return True
        if not self._intake.has_room(max(1, batch.count), len(body)):
            return False  # before decoding, which costs more than refusing
        alarms = self._redaction.alarms(body)
        reading = _Reading(partial(self._decode, body, alarms))
        if isinstance(batch, wire.Batch) and len(body) <= _LONG_BYTES:
            alarms.look()
            return self._offer(session, batch, len(body), reading)
        session.decoding = True
        session.pending.add(batch.seq)
        task = asyncio.create_task(self._queue_long(session, batch, len(body), reading))
        self._long.add(task)
        task.add_done_callback(self._long.discard)
        return True

    async def _queue_long(self, session: Session, batch: wire.Batch | wire.Left, size: int, reading: _Reading) -> None:
        """Decodes on a thread, since 100 MB take a second, or several; then takes what waited behind it."""
        try:
            async with self._one_at_a_time:
                parts = await asyncio.to_thread(reading.parts)
        finally:
            session.decoding = False
            session.pending.discard(batch.seq)
        behind, session.behind = session.behind, []
        if self._offer(session, batch, size, reading, parts):
            for later, its_body in behind:
                self._batch(session, later, its_body)
        else:  # those behind it will come again as well
            self._refuse(session, batch, "behind", _FULL_RETRY_MS, _FULL)

    def _offer(
        self,
        session: Session,
        batch: wire.Batch | wire.Left,
        size: int,
        reading: _Reading,
        parts: Sequence[ReadyPart] | None = None,
    ) -> bool:
        load = Load(
            parts=parts or (),
            size=size,
            done=partial(self._done, session, batch, reading),
            source=_SOURCE,
            session=batch.session,
            seq=batch.seq,
            dropped=batch.dropped,
            left_out=batch.left_out,
            resource=session.resource,
            receiver=self._name,
            decode=reading.parts if parts is None else None,
            count=batch.count,
        )
        if isinstance(batch, wire.Left):
            load = self._as_left(session, batch, load)
        if not self._intake.offer(load):
            return False
        session.pending.add(batch.seq)
        return True

    def _as_left(self, session: Session, left: wire.Left, load: Load) -> Load:
        """The load as what a dead process left: without a number, and at last with the time of its death."""
        session.latest_ns = max(session.latest_ns, latest_ns(each.part for each in load.parts))
        ended_ns = None if left.ended_ns is None else max(left.ended_ns, session.latest_ns)
        return replace(load, seq=None, ended_ns=ended_ns, is_gone=True)

    def _refuse(self, session: Session, batch: wire.Batch | wire.Left, why: Refusal, retry_ms: int, words: str) -> None:
        session.refused = batch.seq
        self._meters.add_refused(self._name, why)
        self._send(session.identity, wire.Busy(session.committed, retry_ms, words))

    def _decode(self, body: memoryview, alarms: Alarms) -> tuple[list[ReadyPart], list[str]]:
        """The good records, without secrets and ready for the writer, and what is wrong with each bad one, which goes
        to the dead letters.

        Releases the body as soon as it is read: while secrets are looked for, 100 MB needn't lie there as well.
        """
        faults: list[str] = []
        long = len(body) >= _LONG_BYTES
        parts, suspects = self._read_records(body, alarms, faults)
        body.release()
        for place in suspects:
            suspect = parts[place]
            parts[place] = self._redaction.cleaned(suspect.part, suspect.mark, long=long)
        return parts, faults

    def _read_records(self, body: memoryview, alarms: Alarms, faults: list[str]) -> tuple[list[ReadyPart], list[int]]:
        """The good records, to be stored as they lie in the body; of those that may hold a secret or are nested too
        deeply, which are listed by their places, only part and digest."""
        parts: list[ReadyPart] = []
        suspects: list[int] = []
        end = 0
        try:
            for record in wire.split_records(body):
                start = end
                end += _LENGTH_BYTES + len(record)
                try:
                    try:
                        part, suspect = wire.decode_flat(record), alarms.within(start, end)
                    except wire.TooDeep:
                        part, suspect = wire.decode_part(record), True
                    if suspect:
                        suspects.append(len(parts))
                        parts.append(ReadyPart(part, b"", digest(record)))
                    else:
                        parts.append(make_ready(part, record, long=len(record) >= _LONG_BYTES))
                except wire.WireError as error:
                    self._fault(faults, str(error), record)
                except Exception as error:  # a fault of ours; the others must not come again and again for its sake
                    log.exception("a record can't be made ready to be stored")
                    self._fault(faults, repr(error), record)
        except wire.WireError as error:
            self._fault(faults, str(error), body)
        return parts, suspects

    def _fault(self, faults: list[str], fault: str, record: memoryview) -> None:
        faults.append(fault)
        if len(faults) <= _MOST_LETTERS:
            self._dead_letters.keep(_SOURCE, fault, record)
        if len(faults) == _MOST_FAULTS:
            raise wire.WireError("too many bad records: the rest of the batch is not read")

    def _done(self, session: Session, batch: wire.Batch | wire.Left, reading: _Reading, outcome: Outcome) -> None:
        session.pending.discard(batch.seq)
        match outcome:
            case Stored(upto=upto):
                session.committed = max(session.committed, upto or batch.seq)
                if faults := reading.faults:
                    missing = max(len(faults), batch.count - reading.good)
                    self._meters.add_rejected(self._name, "undecodable", missing)
                    if not reading.good:
                        self._send(session.identity, wire.Reject(batch.seq, faults[0]))
                if not self._acks:
                    # One acknowledgement for all that was committed in one go.
                    asyncio.get_running_loop().call_soon(self._flush)
                self._acks[session.identity] = session.committed
            case Missing(upto=upto):
                session.committed = max(session.committed, upto)
                self._meters.add_refused(self._name, "gap")
                self._send(session.identity, wire.Busy(upto, _GAP_RETRY_MS, "batches before this one are missing"))
            case _:
                pass  # no acknowledgement: the program sends it again to the next daemon

    def _flush(self) -> None:
        acks, self._acks = self._acks, {}
        for identity, upto in acks.items():
            self._send(identity, wire.Ack(upto))

    def _send(self, identity: bytes, message: wire.Downstream) -> None:
        if self._socket is None:
            return
        frame = wire.encode_header(message)
        # NOBLOCK has happened, for better or worse, when the call returns.
        sent = cast("asyncio.Future[Any]", self._socket.send_multipart([identity, frame], flags=zmq.NOBLOCK))
        if sent.exception() is not None:
            log.debug("an answer could not be sent: %s", sent.exception())  # the program asks again

    def _garbage(self, reason: str) -> None:
        self._meters.add_rejected(self._name, "protocol")
        kind = reason.partition(":")[0]
        if kind not in self._told:
            self._told.add(kind)
            log.warning("ignored a ZeroMQ message that does not follow the protocol: %s (said once)", reason)
