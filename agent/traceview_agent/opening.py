"""Opening the daemon to other machines: where it listens then, and that it never does without keys."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from traceview_agent.keys import Keys, KeysError, load_keys


class NotOpened(Exception):
    """The daemon must not or can't listen there; the message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The address beyond the loopback that is listened on, and what lets others in there."""

    address: str
    keys: Keys

    @property
    def host(self) -> str:
        """The address as a URL spells it."""
        return f"[{self.address}]" if ":" in self.address else self.address


def opening_at(address: str, keys: Path) -> Opening | None:
    """What `--listen` asks for; None where it stays on this machine ("" or a loopback address). Raises NotOpened."""
    if not address:
        return None
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        message = f"{address!r} is no address to listen on: write it as 192.168.1.5, 0.0.0.0 (all) or :: (all of IPv6)"
        raise NotOpened(message) from None
    if ip.is_loopback:
        return None
    try:
        return Opening(str(ip), load_keys(keys))
    except KeysError as error:
        raise NotOpened(f"won't listen on {ip}, which others can reach, without a token and keys: {error}") from error
