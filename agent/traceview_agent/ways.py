"""The ways in: which receivers a daemon has, and what each is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from traceview.protocol.control import AgentStatus, Receiver
from traceview.protocol.places import Places, is_far
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.http_bodies import Bodies
from traceview_agent.http_guard import Guard
from traceview_agent.http_server import HttpServer
from traceview_agent.intake import Intake
from traceview_agent.keys import Keys, KeysError, load_keys
from traceview_agent.limits import most_connections
from traceview_agent.meters import Meters
from traceview_agent.metrics import Metrics
from traceview_agent.opening import Opening, opening_at
from traceview_agent.options import Options
from traceview_agent.otlp_grpc import OtlpGrpc, is_installed
from traceview_agent.otlp_http import OtlpHttp
from traceview_agent.read_api import ReadApi
from traceview_agent.redaction import Redaction
from traceview_agent.span_batch import SpanBatch
from traceview_agent.status_pages import StatusPages
from traceview_agent.zmq_receiver import ZmqReceiver


class Way(Protocol):
    """A way in. Where it can't listen, `receiver.error` says why and the daemon goes on with the others."""

    @property
    def receiver(self) -> Receiver: ...
    async def start(self) -> None: ...
    async def pause(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Common:
    """What all ways share. `problem` says why the store can't be written, or None."""

    intake: Intake
    meters: Meters
    redaction: Redaction
    letters: DeadLetters
    problem: Callable[[], str | None]
    status: Callable[[], AgentStatus]


def make_ways(places: Places, options: Options, common: Common) -> tuple[Way, ...]:
    """All ways in, not started; raises NotOpened where the daemon must not listen as it was told to."""
    opening = opening_at(options.listen, places.home / "keys")
    ways: list[Way] = [_zeromq(places.endpoint, common, "zeromq", _keys_for(places))]
    ways.append(_http(places, options, common, opening))
    if is_installed():
        folder = places.control.parent
        intake, meters, redaction = common.intake, common.meters, common.redaction
        ways.append(OtlpGrpc(options.grpc_port, folder, intake, meters, redaction, common.problem, opening))
    if opening is not None:
        endpoint = f"tcp://{opening.host}:{options.tcp_port or '*'}"
        ways.append(_zeromq(endpoint, common, "zeromq-tcp", opening.keys))
    return tuple(ways)


def absent_ways() -> tuple[str, ...]:
    """Ways that would be there if something were installed, and what."""
    return () if is_installed() else ('otlp-grpc: pip install "traceview[grpc]" brings it',)


def _zeromq(endpoint: str, common: Common, name: str, keys: Keys | None) -> ZmqReceiver:
    return ZmqReceiver(
        endpoint,
        common.intake,
        common.meters,
        common.redaction,
        common.letters,
        common.problem,
        max_connections=most_connections(),
        name=name,
        keys=keys,
    )


def _keys_for(places: Places) -> Keys | None:
    """Keys for an endpoint that others can reach; without them the receiver refuses to listen there, and says so."""
    if not is_far(places.endpoint):
        return None
    try:
        return load_keys(places.home / "keys")
    except KeysError:
        return None


def _http(places: Places, options: Options, common: Common, opening: Opening | None) -> HttpServer:
    intake, meters, redaction, problem = common.intake, common.meters, common.redaction, common.problem
    bodies = Bodies()
    guard = Guard("otlp-http", meters, None if opening is None else opening.keys.token)
    pages = (
        StatusPages(Metrics(meters, intake, redaction, common.status), problem),
        ReadApi(places.store, guard),
        SpanBatch(intake, meters, redaction, bodies, problem),
        OtlpHttp(intake, meters, redaction, bodies, problem),  # takes every path: the last
    )
    return HttpServer(options.otlp_port, guard, pages, opening)
