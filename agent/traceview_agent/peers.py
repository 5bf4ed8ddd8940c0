"""Which user is at the other end of a connection over the loopback, where the system tells (Linux)."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

_ROOT = 0


def is_stranger(transport: asyncio.BaseTransport | None, proc: Path = Path("/proc")) -> bool:
    """Whether the connection comes from another user's process. False where that can't be told."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    here = transport.get_extra_info("sockname") if transport is not None else None
    if not peer or not here or not hasattr(os, "getuid"):
        return False
    uid = uid_of(peer[0], peer[1], here[1], proc)
    return uid is not None and uid not in (os.getuid(), _ROOT)


def uid_of(address: str, port: int, to_port: int, proc: Path = Path("/proc")) -> int | None:
    """Whose the local socket is that is bound to this address and connected to that port; None if it isn't found."""
    # proc_net_tcp(5): sl, local address:port in hex, remote, state, queues, timers, retransmits, uid
    six = ":" in address
    local = f"{_spelled(address, six)}:{port:04X}"
    remote = f":{to_port:04X}"
    try:
        lines = (proc / "net" / ("tcp6" if six else "tcp")).read_text().splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[1] == local and fields[2].endswith(remote):
            return int(fields[7])
    return None


def _spelled(address: str, six: bool) -> str:
    """An address as the kernel prints it: words of 32 bits in the machine's order."""
    raw = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address.partition("%")[0])
    words = (raw[i : i + 4] for i in range(0, len(raw), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
