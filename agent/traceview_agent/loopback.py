"""Listening on this machine's loopback, and beyond where that was asked for; saying why where it is impossible."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
from pathlib import Path

from traceview.protocol.ports import port_owner

log = logging.getLogger(__name__)


def listen_on_loopback(port: int) -> list[socket.socket]:
    """Listening sockets on 127.0.0.1 and, where the machine has it, ::1 (`localhost` may mean either); 0 = any port.

    Raises OSError when 127.0.0.1 can't be had.
    """
    four = _listen(socket.AF_INET, "127.0.0.1", port)
    try:
        six = _listen(socket.AF_INET6, "::1", four.getsockname()[1])
    except OSError as error:
        log.info("no OTLP on [::1]: %s", error)
        return [four]
    return [four, six]


def listen_beyond(address: str, port: int) -> list[socket.socket]:
    """Listening sockets on the loopback as above, and on this address. Raises OSError when either can't be had.

    A wildcard address takes the place of its family's loopback, which it contains.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if not ipaddress.ip_address(address).is_unspecified:
        near = listen_on_loopback(port)
        try:
            return [*near, _listen(family, address, near[0].getsockname()[1])]
        except OSError:
            for listener in near:
                listener.close()
            raise
    far = _listen(family, address, port)
    other = (socket.AF_INET, "127.0.0.1") if family is socket.AF_INET6 else (socket.AF_INET6, "::1")
    try:
        return [far, _listen(*other, far.getsockname()[1])]
    except OSError as error:
        log.info("nothing listens on %s: %s", other[1], error)
        return [far]


def is_near(address: str) -> bool:
    """Whether a peer's address is this machine's loopback."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool(ip.is_loopback or (mapped is not None and mapped.is_loopback))


def why_not(port: int, error: OSError, proc: Path = Path("/proc")) -> str:
    """One sentence on why the port can't be had: who has it, if the system tells, and the remedy."""
    remedy = "choose another with --otlp-port or TRACEVIEW_OTLP_PORT"
    if error.errno == errno.EADDRINUSE:
        owner = port_owner(port, proc)
        return f"port {port} is taken{f' by {owner}' if owner else ''}: {remedy}"
    return f"port {port} can't be used ({error.strerror}): {remedy}"


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two processes share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
