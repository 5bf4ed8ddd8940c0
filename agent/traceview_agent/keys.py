"""The keys that open the daemon to other machines: a token for HTTP and gRPC, CurveZMQ keys for ZeroMQ.

They lie in `keys` in the home: `server.key`, `server.key_secret`, `token`, and below `clients` the public key of every
program that may connect. Key files have the form of CZMQ's certificates (https://rfc.zeromq.org/spec/26/ has the keys).
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHORTEST_TOKEN: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}", re.ASCII)
_HOW: Final = "make keys with `traceview-agent keys`"


class KeysError(Exception):
    """The keys are absent, damaged or not private; the message is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What the daemon needs to listen beyond this machine. The public keys of clients are read when one connects."""

    token: str
    public: bytes
    secret: bytes
    clients: Path

    def __repr__(self) -> str:
        return f"Keys(clients={self.clients})"  # neither token nor secret gets into a log

    def allow(self, key: bytes) -> bool:
        """Whether a client with this public key (32 bytes) may connect. A damaged file lets nobody in."""
        import zmq.auth
        from zmq.utils import z85

        for file in sorted(self.clients.glob("*.key")):
            try:
                if secrets.compare_digest(z85.decode(zmq.auth.load_certificate(file)[0]), key):
                    return True
            except (OSError, ValueError):
                continue
        return False


def load_keys(folder: Path) -> Keys:
    """Reads the daemon's keys; raises KeysError, also where others could read the secret ones."""
    import zmq.auth

    secret_file, token_file = folder / "server.key_secret", folder / "token"
    try:
        for file in (secret_file, token_file):
            if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise KeysError(f"{file} can be read by others: run `chmod 600 {file}`, or {_HOW} anew")
        public, secret = zmq.auth.load_certificate(secret_file)
        token = token_file.read_text().strip()
    except FileNotFoundError as error:
        raise KeysError(f"{error.filename} is missing: {_HOW}") from error
    except (OSError, ValueError) as error:
        raise KeysError(f"{folder} can't be used ({error}): {_HOW}") from error
    if secret is None or len(public) != 40 or len(secret) != 40:
        raise KeysError(f"{secret_file} holds no pair of CurveZMQ keys: delete it and {_HOW}")
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise KeysError(f"{token_file} must hold {_SHORTEST_TOKEN} plain characters or more: delete it and {_HOW}")
    return Keys(token, public, secret, folder / "clients")


def make_keys(folder: Path, client: str) -> None:
    """Makes what is missing: the daemon's pair and token, and a pair for this client. Raises KeysError or OSError."""
    if not _NAME.fullmatch(client):
        raise KeysError(f"{client!r} is no name for a client: use letters, digits, dots, dashes")
    clients = folder / "clients"
    for place in (folder, clients):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
    _make_pair(folder, "server")
    _make_pair(clients, client)
    if not (folder / "token").exists():
        _write(folder / "token", secrets.token_urlsafe(32) + "\n")


def _make_pair(folder: Path, name: str) -> None:
    import zmq
    import zmq.auth

    public_file, secret_file = folder / f"{name}.key", folder / f"{name}.key_secret"
    if not secret_file.exists():
        public, secret = (key.decode() for key in zmq.curve_keypair())
        _write(secret_file, f'curve\n    public-key = "{public}"\n    secret-key = "{secret}"\n')
        public_file.unlink(missing_ok=True)
    if not public_file.exists():
        public = zmq.auth.load_certificate(secret_file)[0].decode()
        _write(public_file, f'curve\n    public-key = "{public}"\n')


def _write(file: Path, text: str) -> None:
    """A file that was never readable by others, and is there as a whole or not at all."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)
