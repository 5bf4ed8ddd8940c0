"""CurveZMQ keys for a daemon on another machine (`traceview-agent keys` makes them): whom to trust, and who we are."""

from __future__ import annotations

import os
from typing import Final

import zmq

_SERVER: Final = "TRACEVIEW_SERVER_KEY"
_CLIENT: Final = "TRACEVIEW_CLIENT_KEY"
_KEY_CHARACTERS: Final = 40


class KeysUnusable(Exception):
    """A key that was given can't be used; the message names the variable and what it must hold."""


def key_options(endpoint: str) -> list[tuple[int, bytes]]:
    """The socket options that encrypt a connection; none without TRACEVIEW_SERVER_KEY, or within this machine.

    TRACEVIEW_SERVER_KEY holds the daemon's public key (40 characters) or the path of `server.key`,
    TRACEVIEW_CLIENT_KEY the path of this client's `.key_secret`. Raises KeysUnusable: never goes on in clear.
    """
    server = os.environ.get(_SERVER, "")
    if not server or not endpoint.startswith("tcp://"):
        return []
    public, secret = _pair(_CLIENT, os.environ.get(_CLIENT, ""))
    if secret is None:
        raise KeysUnusable(f"{_CLIENT} must be the path of a .key_secret file, with both keys")
    trusted = server.encode() if len(server) == _KEY_CHARACTERS else _pair(_SERVER, server)[0]
    return [(zmq.CURVE_SERVERKEY, trusted), (zmq.CURVE_PUBLICKEY, public), (zmq.CURVE_SECRETKEY, secret)]


def _pair(variable: str, path: str) -> tuple[bytes, bytes | None]:
    import zmq.auth

    try:
        public, secret = zmq.auth.load_certificate(path)
    except (OSError, ValueError) as error:
        raise KeysUnusable(f"{variable} must be the path of a key file, not {path!r}: {error}") from error
    if len(public) != _KEY_CHARACTERS or (secret is not None and len(secret) != _KEY_CHARACTERS):
        raise KeysUnusable(f"{variable}: {path} holds no CurveZMQ key")
    return public, secret
