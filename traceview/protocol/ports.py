"""Who listens on a port of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"


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


def _inodes(table: Path, port: int) -> list[str]:
    # proc_net_tcp(5): sl, local address:port in hex, remote, state, queues, timers, retransmits, uid, timeout, inode
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    rows = (re.split(r"\s+", line.strip()) for line in lines)
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]
