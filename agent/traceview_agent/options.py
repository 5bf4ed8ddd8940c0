"""What can be chosen of a daemon."""

from __future__ import annotations

from dataclasses import dataclass

from traceview.protocol.places import OTLP_HTTP_PORT
from traceview.redaction import DEFAULT_RULES, Rules
from traceview.store import Limits
from traceview_agent.sampling import Policy
from traceview_agent.upkeep import NO_LIMITS
from traceview_agent.writer import Durability


@dataclass(frozen=True, slots=True)
class Options:
    """Port 0 takes any free one; durability "power" survives power loss, "process" any kill.

    `listen` is an address beyond this machine ("" for none), where keys are needed. OTLP over gRPC and ZeroMQ over tcp
    listen, where nothing else is said, one and two ports below OTLP over HTTP: 4317 and 4316. `redaction` says what is
    taken out of spans before they are stored; None takes out nothing. `limits` say how much the store keeps, `sampling`
    which traces; None keeps all. `index_text` says whether its text is indexed.
    """

    otlp_port: int = OTLP_HTTP_PORT
    otlp_grpc_port: int | None = None
    zeromq_port: int | None = None
    listen: str = ""
    durability: Durability = "power"
    redaction: Rules | None = DEFAULT_RULES
    limits: Limits = NO_LIMITS
    sampling: Policy | None = None
    index_text: bool = True

    @property
    def grpc_port(self) -> int:
        """Where OTLP over gRPC listens."""
        return max(0, self.otlp_port - 1) if self.otlp_grpc_port is None else self.otlp_grpc_port

    @property
    def tcp_port(self) -> int:
        """Where ZeroMQ listens beyond this machine."""
        return max(0, self.otlp_port - 2) if self.zeromq_port is None else self.zeromq_port
