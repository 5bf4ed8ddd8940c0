"""Tells systemd how far the daemon is (sd_notify(3)), where systemd started it as `Type=notify`."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Sends a line such as `READY=1`; does nothing where nobody asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        try:
            link.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            pass  # systemd will say itself that it heard nothing
