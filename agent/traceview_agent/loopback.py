"""Listening on this machine's loopback, and saying why where that is impossible."""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_LISTEN: Final = "0A"


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


def why_not(port: int, error: OSError, proc: Path = Path("/proc")) -> str:
    """One sentence on why the port can't be had: who has it, if the system tells, and the remedy."""
    remedy = "choose another with --otlp-port or TRACEVIEW_OTLP_PORT"
    if error.errno == errno.EADDRINUSE:
        owner = port_owner(port, proc)
        return f"port {port} is taken{f' by {owner}' if owner else ''}: {remedy}"
    return f"port {port} can't be used ({error.strerror}): {remedy}"


def port_owner(port: int, proc: Path = Path("/proc")) -> str | None:
    """The listener on a local port as `name (pid 123)`, or None where it can't be found (other users', not Linux)."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(proc / "net" / table, port)}
    for process in proc.glob("[0-9]*") if sockets else ():
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # another user's, or just gone
    return None


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


def _inodes(table: Path, port: int) -> list[str]:
    # proc_net_tcp(5): sl, local address:port in hex, remote, state, queues, timers, retransmits, uid, timeout, inode
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = (re.split(r"\s+", line.strip()) for line in lines)
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]
