"""Where traceview keeps things: one home per user, a private runtime folder, the store's file, the daemon's sockets."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# sun_path holds 108 bytes on Linux and 104 on macOS and the BSDs, the closing NUL included (unix(7)).
_SOCKET_PATH_LIMIT: Final = 103

OTLP_HTTP_PORT: Final = 4318


@dataclass(frozen=True, slots=True)
class Places:
    """Every path and address of one home. Nothing is created by asking; `prepare()` makes the folders, 0700.

    `endpoint` is where programs send to: `own_endpoint`, this home's daemon, unless `TRACEVIEW_ENDPOINT` says another.
    """

    home: Path
    store: Path
    runtime: Path
    spool: Path
    endpoint: str
    own_endpoint: str
    control: Path
    agent_file: Path
    log: Path
    settings: Path
    config: Path

    @property
    def spool_note(self) -> str:
        """The endpoint that a spool notes; none in this home for its own daemon, which may spell the home otherwise."""
        own = self.endpoint == self.own_endpoint and self.spool == self.runtime / "spool"
        return "" if own else self.endpoint

    def prepare(self) -> None:
        """Makes the home and runtime folders, readable by this user only; raises OSError where that is impossible."""
        for folder in {self.home: None, self.runtime: None, self.control.parent: None}:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and self.control.parent.stat().st_uid != os.getuid():
            raise PermissionError(f"{self.control.parent} belongs to another user")


def find_places(environ: os._Environ[str] | dict[str, str] | None = None) -> Places:
    """The places of this user: `TRACEVIEW_HOME`, `TRACEVIEW_STORE` and `TRACEVIEW_ENDPOINT` win over the defaults.

    Without `TRACEVIEW_STORE`, `path` in the section `[store]` of the home's `config.toml` says where the store is.
    """
    env = os.environ if environ is None else environ
    chosen = env.get("TRACEVIEW_HOME")
    home = Path(chosen).expanduser().absolute() if chosen else _default_home(env)
    runtime = home / "run" if chosen else _default_runtime(env, home)
    store, spool = env.get("TRACEVIEW_STORE"), env.get("TRACEVIEW_SPOOL")
    own_endpoint = "ipc://" + str(_short(runtime / "agent.sock"))
    return Places(
        home=home,
        store=Path(store).expanduser().absolute() if store else _configured_store(home) or home / "traces.db",
        runtime=runtime,
        spool=Path(spool).expanduser().absolute() if spool else runtime / "spool",
        endpoint=env.get("TRACEVIEW_ENDPOINT") or own_endpoint,
        own_endpoint=own_endpoint,
        control=_short(runtime / "control.sock"),
        agent_file=runtime / "agent.json",
        log=home / "agent.log",
        settings=home / "settings.ini",
        config=home / "config.toml",
    )


def _configured_store(home: Path) -> Path | None:
    """What `config.toml` says; None where it says nothing. Its faults are the daemon's to tell: it reads all of it."""
    try:
        text = (home / "config.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    import tomllib  # only where there is something to read: the SDK asks for its places at the program's first span

    try:
        path = tomllib.loads(text)["store"]["path"]
        return home / Path(path).expanduser()
    except (LookupError, TypeError, ValueError, RecursionError, RuntimeError):
        return None


def _default_home(env: os._Environ[str] | dict[str, str]) -> Path:
    # The SDK may import nothing but msgspec and pyzmq, so these are platformdirs' user_data_dir rules by hand.
    if sys.platform == "win32":
        return Path(env.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "traceview"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "traceview"
    return Path(env.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "traceview"


def _default_runtime(env: os._Environ[str] | dict[str, str], home: Path) -> Path:
    runtime = env.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "traceview" if runtime and sys.platform == "linux" else home / "run"


def _short(socket: Path) -> Path:
    """A path that fits into sun_path: the wished one, else a private folder under the temporary one, named by hash."""
    if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT:
        return socket
    digest = hashlib.sha256(os.fsencode(socket.parent)).hexdigest()[:16]
    user = str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"traceview-{user}-{digest}" / socket.name


def is_same(endpoint: str, other: str) -> bool:
    """Whether two endpoints are the same, however the path to a socket is spelled."""
    if endpoint == other:
        return True
    paths = [text.removeprefix("ipc://") for text in (endpoint, other) if text.startswith("ipc://")]
    return len(paths) == 2 and os.path.realpath(paths[0]) == os.path.realpath(paths[1])


def is_far(endpoint: str) -> bool:
    """Whether other machines could reach it."""
    scheme, _, rest = endpoint.partition("://")
    return scheme == "tcp" and rest.rpartition(":")[0] not in ("127.0.0.1", "localhost", "[::1]")
