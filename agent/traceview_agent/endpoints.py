"""Where the ZeroMQ receiver may listen, and how its socket is set up for that."""

from __future__ import annotations

import re
import socket as sockets
from pathlib import Path
from typing import Final

import zmq
import zmq.asyncio

from traceview.protocol import wire
from traceview.protocol.places import is_far
from traceview_agent.keys import Keys
from traceview_agent.zap import DOMAIN

LINGER_MS: Final = 200
_IPV4: Final = re.compile(r"tcp://[0-9.]+:")


def refusal_of(endpoint: str, *, open_to_keys: bool = False) -> str | None:
    """Why the daemon must not listen there, or None: only this user's files and this machine's loopback are private.

    With `open_to_keys` it asks clients for CurveZMQ keys, and may listen where others can reach it.
    """
    remedy = "set TRACEVIEW_ENDPOINT to ipc://PATH or tcp://127.0.0.1:PORT"
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc" and rest and not rest.startswith("@"):
        path = Path(rest)
        if not path.parent.is_dir():
            return f"can't listen on {endpoint}: the folder {path.parent} does not exist; {remedy}"
        if _answers(path):
            return f"can't listen on {endpoint}: another process does; {remedy}"
        return None
    if scheme == "tcp" and (open_to_keys or not is_far(endpoint)):
        return None
    return f"won't listen on {endpoint}, which others can reach: {remedy}, or make keys with `traceview-agent keys`"


def _answers(path: Path) -> bool:
    """Whether a live process listens on this Unix socket; ZeroMQ would silently take its place."""
    if not hasattr(sockets, "AF_UNIX") or not path.exists():
        return False
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def configure(socket: zmq.asyncio.Socket, endpoint: str) -> None:
    """Bounds what a stranger can cost."""
    socket.set(zmq.MAXMSGSIZE, wire.MAX_FRAME_BYTES)
    # Messages of one program that wait here; they have up to 1 MB each, and programs may be many.
    socket.set(zmq.RCVHWM, 4)
    socket.set(zmq.HANDSHAKE_IVL, 5000)
    socket.set(zmq.LINGER, LINGER_MS)
    # With it an address of IPv4 would be shown as one of IPv6.
    socket.set(zmq.IPV6, 0 if _IPV4.match(endpoint) else 1)


def demand_keys(socket: zmq.asyncio.Socket, keys: Keys) -> None:
    """Encrypts what goes over the socket, and asks the doorkeeper about every client (https://rfc.zeromq.org/spec/26/)."""
    socket.set(zmq.CURVE_SERVER, 1)
    socket.set(zmq.CURVE_SECRETKEY, keys.secret)
    socket.set(zmq.ZAP_DOMAIN, DOMAIN)
