"""The way in for OpenTelemetry over gRPC. Present where grpcio is (`pip install "traceview[grpc]"`).

grpcio costs memory and time that most daemons never need. So the port is ours, and what connects to it is passed on to
grpcio's server, which the first client brings to life.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from traceview.formats import FormatError
from traceview.protocol.control import Receiver
from traceview_agent import otlp_answers as answers
from traceview_agent.admission import Admission, TurnedAway
from traceview_agent.http_guard import bears
from traceview_agent.intake import Intake
from traceview_agent.loopback import is_near, listen_beyond, listen_on_loopback, why_not
from traceview_agent.meters import Meters
from traceview_agent.opening import Opening
from traceview_agent.otlp_bounds import TooDense
from traceview_agent.otlp_http import decode_clean
from traceview_agent.redaction import Redaction

if TYPE_CHECKING:
    from traceview_agent.grpc_service import GrpcService

log = logging.getLogger(__name__)

NAME: Final = "otlp-grpc"
_MOST_CONNECTIONS: Final = 256
_PIECE: Final = 64 * 1024
# Longer than any call may take.
_CALL_SECONDS: Final = 30.0


def is_installed() -> bool:
    """Whether grpcio is here. Looks, and doesn't import it."""
    return importlib.util.find_spec("grpc") is not None


class OtlpGrpc:
    """Listens on the loopback, and where the daemon is opened to. `folder` is this user's: the inner server's socket
    lies there. What comes from other machines gets an inner server of its own, which asks for the token."""

    def __init__(
        self,
        port: int,
        folder: Path,
        intake: Intake,
        meters: Meters,
        redaction: Redaction,
        problem: Callable[[], str | None],
        opening: Opening | None = None,
    ) -> None:
        self._port, self._folder, self._opening = port, folder, opening
        self._meters, self._redaction = meters, redaction
        self._admission = Admission(NAME, intake, meters, problem)
        self._servers: list[asyncio.Server] = []
        self._links: set[asyncio.Task[None]] = set()
        self._services: dict[bool, asyncio.Task[GrpcService]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.receiver = Receiver(name=NAME, address=f"127.0.0.1:{port}")

    async def start(self) -> None:
        """Listens; where the port is taken `receiver.error` says so."""
        self._loop = asyncio.get_running_loop()
        far = self._opening
        try:
            listeners = listen_on_loopback(self._port) if far is None else listen_beyond(far.address, self._port)
        except OSError as error:
            self.receiver = msgspec.structs.replace(self.receiver, error=why_not(self._port, error))
            return
        for listener in listeners:
            self._servers.append(await asyncio.start_server(self._link, sock=listener, limit=_PIECE))
        port = listeners[0].getsockname()[1]
        address = f"127.0.0.1:{port}" + (f" and {far.host}:{port}" if far is not None else "")
        self.receiver = msgspec.structs.replace(self.receiver, address=address)

    async def pause(self) -> None:
        """Takes no new connections; calls under way are still answered."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def stop(self) -> None:
        """Ends every connection; safe twice."""
        await self.pause()
        for near in list(self._services):
            service = await self._inner_server(near)
            self._services.pop(near, None)
            if service is not None:
                await asyncio.to_thread(service.stop)
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        if os.name == "posix":
            for near in (True, False):
                self._socket(near).unlink(missing_ok=True)

    def _socket(self, near: bool) -> Path:
        return self._folder / ("grpc.sock" if near else "grpc-far.sock")

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one client's bytes to the inner server and back."""
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            if len(self._links) <= _MOST_CONNECTIONS:
                await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one side has gone, or the daemon stops; asyncio would report a cancelled handler as an error
        finally:
            self._links.discard(task)
            await _close(writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near = is_near(writer.get_extra_info("peername")[0])
        service = await self._inner_server(near)
        if service is None:
            return
        if os.name == "posix":
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket(near), limit=_PIECE)
        else:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", service.port, limit=_PIECE)
        try:
            there = asyncio.create_task(_pump(reader, inner_writer))
            back = asyncio.create_task(_pump(inner_reader, writer))
            _, rest = await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            for pump in rest:
                pump.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            await _close(inner_writer)

    async def _inner_server(self, near: bool) -> GrpcService | None:
        if near not in self._services:
            self._services[near] = asyncio.create_task(asyncio.to_thread(self._bring_up, near))
        try:
            return await asyncio.shield(self._services[near])
        except Exception as error:
            log.warning("OTLP over gRPC can't be served (%s); the next client tries again", error)
            self._services.pop(near, None)
            return None

    def _bring_up(self, near: bool) -> GrpcService:
        """On a thread: the import alone takes 80 ms."""
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write to stderr, past our log
        from traceview_agent.grpc_service import GrpcService

        export = self._export if near else self._export_if_known
        if os.name != "posix":
            return GrpcService("127.0.0.1:0", export)
        self._socket(near).unlink(missing_ok=True)
        return GrpcService(f"unix:{self._socket(near)}", export)

    def _export_if_known(self, request: bytes, metadata: Mapping[str, str]) -> bytes:
        from traceview_agent.grpc_service import Failure

        token = None if self._opening is None else self._opening.keys.token
        if not bears(token, metadata.get("authorization", "")):
            self._meters.add_refused(NAME, "token")
            raise Failure(answers.UNAUTHENTICATED, "send the token: authorization: Bearer …")
        return self._export(request, metadata)

    def _export(self, request: bytes, metadata: Mapping[str, str]) -> bytes:
        """One request, on a worker thread of the inner server; raises Failure."""
        from traceview_agent.grpc_service import Failure

        assert self._loop is not None
        decode = partial(decode_clean, self._redaction, request, answers.PROTOBUF)
        try:
            admitted = asyncio.run_coroutine_threadsafe(self._admission.admit(len(request), decode), self._loop)
            decoded = admitted.result(_CALL_SECONDS)
        except FormatError as error:
            self._meters.add_refused(NAME, "undecodable")
            raise Failure(answers.INVALID_ARGUMENT, str(error)) from error
        except TooDense as error:
            self._meters.add_refused(NAME, "too-large")
            raise Failure(answers.RESOURCE_EXHAUSTED, str(error)) from error
        except TurnedAway as away:
            self._meters.add_refused(NAME, away.reason)
            raise Failure(answers.UNAVAILABLE, str(away), again=True) from away
        except (TimeoutError, RuntimeError) as error:
            raise Failure(answers.UNAVAILABLE, "the daemon stops: send again later", again=True) from error
        return answers.encode_answer(answers.PROTOBUF, decoded.rejected, decoded.message)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
