"""`traceview doctor`: looks at everything that traceview needs, and says what to do where something is amiss."""

from __future__ import annotations

import importlib.metadata
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from traceview.protocol import control, wire
from traceview.protocol.control import AgentError, AgentStatus, SearchIndex
from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import OTLP_HTTP_PORT, Places
from traceview.protocol.ports import port_owner
from traceview.protocol.version import VERSION

_ANSWER_MS: Final = 2_000
_READING_S: Final = 10.0
_CHILD_S: Final = 60.0
# Below the first the store takes no more spans (StoreWriter's floor); below the second that is near.
_FLOOR_BYTES: Final = 64 * 1024 * 1024
_NEAR_BYTES: Final = 1024 * 1024 * 1024
_KEY_VARIABLES: Final = ("TRACEVIEW_SERVER_KEY", "TRACEVIEW_CLIENT_KEY")
_GET_KEYS: Final = (
    "`traceview-agent keys --client NAME` on the daemon's machine prints what to set as TRACEVIEW_SERVER_KEY and "
    "TRACEVIEW_CLIENT_KEY here"
)
_MARKS: Final = {"ok": "✓", "attention": "!", "failed": "✗"}
_QT_LIBRARIES: Final = "libgl1 libegl1 libxkbcommon0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libxcb-cursor0"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and found; `remedy` says what to do unless all is well."""

    name: str
    state: Literal["ok", "attention", "failed"]
    found: str
    remedy: str | None = None


def run(places: Places, *, as_json: bool) -> int:
    """Prints all checks as they are made; returns 0 if all is fine, 1 if something needs attention."""
    checks = []
    for check in examine(places):
        checks.append(check)
        if not as_json:
            print(describe(check), flush=True)
    if as_json:
        print(json.dumps(document(checks)))
    return 0 if is_fine(checks) else 1


def examine(places: Places) -> Iterator[Check]:
    """All checks, one after the other; nothing is changed, started or stopped."""
    yield _python()
    yield _pyside(_version_of("PySide6-Essentials"), sys.version_info[:2])
    yield from _guarded("SQLite", _sqlite)
    yield from _guarded("ZeroMQ", _zeromq)
    yield _folder("home", places.home)
    yield _folder("runtime", places.control.parent)
    settings, check = _settings(places)
    yield check
    status, check = _daemon(places)
    yield check
    yield from _guarded("keys", lambda: _keys(places))
    if status is not None or _is_far(places.endpoint):
        yield from _guarded("endpoint", lambda: _endpoint(places))
    yield _spools(places, running=status is not None)
    yield _otlp_port(status, settings)
    for receiver in status.receivers if status is not None else ():
        if receiver.error is not None and receiver.name != "otlp-http":
            said, _, remedy = receiver.error.partition(": ")
            yield _attention(receiver.name, said, remedy or f"see {places.log}")
    yield from _guarded("store", lambda: _store(places))
    if status is not None and status.search is not None:
        yield _search(status.search)
    yield _disk(places)
    yield _qt(dict(os.environ))


def describe(check: Check) -> str:
    """The check as a line, and its remedy as another."""
    line = f"{_MARKS[check.state]} {check.name:<10} {check.found}"
    return line if check.remedy is None else f"{line}\n  {'':<10} → {check.remedy}"


def document(checks: list[Check]) -> dict[str, Any]:
    """All checks for `--json`; `ok` says whether nothing needs attention."""
    return {"ok": is_fine(checks), "checks": [msgspec.to_builtins(check) for check in checks]}


def is_fine(checks: list[Check]) -> bool:
    """Whether nothing needs attention."""
    return all(check.state == "ok" for check in checks)


def _guarded(name: str, look: Callable[[], Check]) -> Iterator[Check]:
    """The check; where a library that it needs is absent, that."""
    try:
        yield look()
    except ImportError as error:
        yield _failed(name, f"{error.name} can't be imported ({error})", 'pip install "traceview[desktop]"')


# Versions


def _python() -> Check:
    return _ok("Python", f"{sys.version.split()[0]}, traceview {VERSION}, {sys.executable}")


def _pyside(found: str | None, python: tuple[int, ...]) -> Check:
    """PySide6 6.12.0 drops a reference to None in every call that returns nothing: Python before 3.12 dies of it."""
    if found is None:
        return _attention("PySide6", "not installed: there is no window", 'pip install "traceview[desktop]"')
    if _numbers(found) >= (6, 12) and python < (3, 12):
        said = f"{found} crashes Python {'.'.join(map(str, python))} after some thousand calls"
        return _failed("PySide6", said, 'pip install "PySide6-Essentials<6.12"')
    return _ok("PySide6", found)


def _sqlite() -> Check:
    from traceview.store.checkup import sqlite_version

    version, safe = sqlite_version()
    if safe:
        return _ok("SQLite", version)
    said = f"{version} has a rare bug in its write-ahead log, fixed in 3.51.3"
    remedy = "pip install pysqlite3" if sys.platform == "linux" else "use a Python with a newer SQLite"
    return _attention("SQLite", said, remedy)


def _zeromq() -> Check:
    import zmq

    return _ok("ZeroMQ", f"{zmq.zmq_version()}, pyzmq {zmq.__version__}")


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


# Places


def _folder(name: str, folder: Path) -> Check:
    if not folder.exists():
        return _missing_folder(name, folder)
    if not folder.is_dir():
        return _failed(name, f"{folder} is not a folder", "move it away, or set TRACEVIEW_HOME to another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        return _failed(name, f"{folder} can't be written", f"chmod u+rwx '{folder}', or set TRACEVIEW_HOME")
    about = folder.stat()
    if os.name == "posix" and about.st_uid != os.getuid():
        return _failed(name, f"{folder} belongs to another user", "set TRACEVIEW_HOME to a folder of yours")
    if os.name == "posix" and about.st_mode & 0o077:
        said = f"{folder} is open to other users ({about.st_mode & 0o777:04o})"
        return _attention(name, said, f"chmod 700 '{folder}'")
    return _ok(name, f"{folder}, writable, only yours")


def _missing_folder(name: str, folder: Path) -> Check:
    parent = next(each for each in folder.parents if each.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return _ok(name, f"{folder}, made when the daemon first starts")
    return _failed(name, f"{folder} can't be made in {parent}", "set TRACEVIEW_HOME to a folder you can write")


def _disk(places: Places) -> Check:
    folder = next(each for each in (places.store.parent, *places.store.parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    said = f"{_size(free)} free at {folder}"
    if free < _FLOOR_BYTES:
        return _failed("disk", f"{said}: the store takes no more spans", "free some space")
    if free < _NEAR_BYTES:
        return _attention("disk", said, f"free some space: below {_size(_FLOOR_BYTES)} the store takes no more spans")
    return _ok("disk", said)


# The daemon


def _settings(places: Places) -> tuple[dict[str, Any], Check]:
    """The daemon's settings as it reads them itself, {} where it can't."""
    code, out, error = _run("-m", "traceview_agent", "config", "--json")
    if code != 0:
        said = error.splitlines()[-1].removeprefix("traceview-agent: ") if error else f"unreadable (exit code {code})"
        return {}, _failed("settings", said, "correct it: the daemon does not start like this")
    rows = json.loads(out)["settings"]
    own = sum(row["from"] != "default" for row in rows.values())
    where = str(places.config) if places.config.exists() else "no config.toml"
    return {name: row["value"] for name, row in rows.items()}, _ok("settings", f"{where}, {own} not the default")


def _daemon(places: Places) -> tuple[AgentStatus | None, Check]:
    try:
        status = control.status(places)
    except AgentError as error:
        if _is_far(places.endpoint):
            return None, _ok("daemon", f"none here: programs send to {places.endpoint}")
        said, _, remedy = str(error).partition(": ")
        return None, _attention("daemon", said, remedy or f"see {places.log}")
    if status.version != VERSION:
        said = f"of version {status.version}, this is {VERSION} (pid {status.pid})"
        return status, _attention("daemon", said, "traceview-agent stop && traceview-agent start")
    if status.problem is not None:
        return status, _failed("daemon", f"takes nothing: {status.problem}", f"see {places.log}")
    return status, _ok(
        "daemon", f"{status.version}, running (pid {status.pid}), {_count(status.queued, 'span')} queued"
    )


def _is_far(endpoint: str) -> bool:
    """Whether programs send to another machine."""
    host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
    try:
        return endpoint.startswith("tcp://") and not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _keys(places: Places) -> Check:
    """The CurveZMQ keys of programs that send to another machine."""
    from traceview.sdk.curve import KeysUnusable, key_options

    endpoint, server, client = places.endpoint, *map(os.environ.get, _KEY_VARIABLES)
    if not endpoint.startswith("tcp://"):
        if not server and not client:
            return _ok("keys", "none needed: programs send within this machine")
        said = f"{' and '.join(filter(os.environ.get, _KEY_VARIABLES))} set, but {endpoint} is within this machine"
        return _attention("keys", said, "set TRACEVIEW_ENDPOINT=tcp://ADDRESS:4316 too, or unset them")
    if not server:
        if not _is_far(endpoint):
            return _ok("keys", f"none needed: {endpoint} is this machine")
        return _failed("keys", f"TRACEVIEW_SERVER_KEY is not set: {endpoint} takes nothing in clear", _GET_KEYS)
    try:
        key_options(endpoint)
    except KeysUnusable as error:
        return _failed("keys", str(error), _GET_KEYS)
    if os.name == "posix" and client and Path(client).stat().st_mode & 0o077:
        return _attention("keys", f"{client} can be read by other users", f"chmod 600 '{client}'")
    return _ok("keys", f"{client} for {endpoint}")


def _endpoint(places: Places) -> Check:
    """Says hello as a program would, and waits for the answer."""
    import zmq

    from traceview.sdk.curve import KeysUnusable, key_options

    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.linger, link.ipv6 = 0, True
        try:
            options = key_options(places.endpoint)
            for option, value in options:
                link.set(option, value)
            with link.get_monitor_socket(zmq.EVENT_CONNECTED) as events:
                link.connect(places.endpoint)
                link.send(wire.encode_header(wire.Hello(uuid.uuid4().bytes)))
                frames = link.recv_multipart() if link.poll(_ANSWER_MS) else []
                reached = bool(events.poll(0))
                link.disable_monitor()
        except KeysUnusable as error:
            return _failed("endpoint", f"{places.endpoint} was not tried: {error}", _GET_KEYS)
        except zmq.ZMQError as error:
            said = f"{places.endpoint} can't be used: {error}"
            return _failed("endpoint", said, "set TRACEVIEW_ENDPOINT to ipc://PATH or tcp://127.0.0.1:PORT")
    if not frames and places.endpoint.startswith("tcp://"):
        return _silent(places.endpoint, reached=reached, keys=bool(options))
    try:
        answer = wire.decode_downstream(frames[0]) if frames else None
    except wire.WireError:
        return _failed("endpoint", f"another program answers on {places.endpoint}", "set TRACEVIEW_ENDPOINT")
    if isinstance(answer, wire.Ack):
        return _ok("endpoint", f"{places.endpoint} answers")
    if answer is not None:
        said = f"{places.endpoint} refuses: {answer.reason}"
        return _failed("endpoint", said, "install the same traceview for the program and the daemon")
    remedy = "is TRACEVIEW_ENDPOINT the same for the daemon? traceview-agent stop && traceview-agent start"
    return _failed("endpoint", f"{places.endpoint} does not answer", remedy)


def _silent(endpoint: str, *, reached: bool, keys: bool) -> Check:
    """Why an address on the network does not answer."""
    if not reached:
        remedy = (
            "is the daemon there up (traceview-agent status), does it --listen, does a firewall let the port through?"
        )
        return _failed("endpoint", f"{endpoint} can't be reached", remedy)
    if not keys:
        return _failed("endpoint", f"{endpoint} does not answer what is sent in clear", _GET_KEYS)
    remedy = "is TRACEVIEW_SERVER_KEY that daemon's, and this client's .key in its keys/clients? " + _GET_KEYS
    return _failed("endpoint", f"{endpoint} does not take these keys", remedy)


def _spools(places: Places, *, running: bool) -> Check:
    """What programs that have ended could not hand over; the locks are held only while looking."""
    waiting = []
    for dead in find_dead(places.spool):
        try:
            waiting.append(sum(map(len, dead.bodies())))
        except OSError as error:
            return _attention("spools", f"{dead.folder} can't be read: {error.strerror or error}", "see to the file")
        finally:
            dead.release()
    if not any(waiting):
        return _ok("spools", f"{places.spool}, nothing waits")
    said = f"{_size(sum(waiting))} wait in {places.spool}, left by {_count(len(waiting), 'program')} that ended"
    if running:
        return _ok("spools", f"{said}; the daemon is taking it over")
    return _attention("spools", said, "traceview-agent start: the daemon takes it over")


def _otlp_port(status: AgentStatus | None, settings: dict[str, Any]) -> Check:
    for receiver in status.receivers if status is not None else ():
        if receiver.name == "otlp-http" and receiver.error is None:
            return _ok("OTLP/HTTP", f"{receiver.address}, the daemon's")
        if receiver.name == "otlp-http":
            said, _, remedy = str(receiver.error).partition(": ")
            return _attention("OTLP/HTTP", said, remedy)
    port = int(settings.get("agent.otlp_http_port", OTLP_HTTP_PORT))
    owner = port_owner(port) if port else None
    if owner is None:
        return _ok("OTLP/HTTP", f"port {port} is free" if port else "any free port")
    remedy = "choose another with otlp_http_port in config.toml, or TRACEVIEW_OTLP_PORT"
    return _attention("OTLP/HTTP", f"port {port} is taken by {owner}", remedy)


# The store


def _store(places: Places) -> Check:
    from traceview.store import StoreError
    from traceview.store.checkup import check_store

    path = places.store
    if not path.exists():
        return _ok("store", f"{path}, made when the daemon first starts")
    try:
        health = check_store(path, _READING_S)
    except StoreError as error:
        said, _, remedy = str(error).partition(": ")
        return _failed("store", said, remedy or "restore it from a copy, or move it away")
    if health.problem is not None:
        return _failed("store", health.problem, "restore it from a copy, or move it away to start afresh")
    size = sum(each.stat().st_size for each in (path, path.with_name(path.name + "-wal")) if each.exists())
    read = "sound" if health.whole else f"sound as far as read in {_READING_S:g} s"
    kept = f"{_count(health.traces, 'trace')}, {_count(health.spans, 'span')}"
    return _ok("store", f"{path}, {_size(size)}, {kept}, version {health.version}, {read}")


def _search(index: SearchIndex) -> Check:
    """How the full-text index is, by the daemon's own account."""
    if index.problem is not None:
        said, _, remedy = index.problem.partition(": ")
        return _attention("search", said, remedy or "see the daemon's log; searches read the whole store meanwhile")
    behind = f"{_count(index.waiting, 'span')} to index" if index.waiting else "up to date"
    return _ok("search", f"full-text index of {_size(index.bytes)}, {behind}")


# The window


def _qt(environ: dict[str, str]) -> Check:
    """In a process of its own: Qt ends the process where it can't load its platform."""
    if _version_of("PySide6-Essentials") is None:
        return _attention("Qt", "not installed", 'pip install "traceview[desktop]"')
    shown = sys.platform != "linux" or any(map(environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")))
    said = "" if shown else ", but there is no display: only verbs work here"
    if not shown:
        environ["QT_QPA_PLATFORM"] = "offscreen"
    script = "from PySide6.QtGui import QGuiApplication as A; print(A([]).platformName())"
    code, out, error = _run("-c", script, environ=environ)
    if code == 0:
        return _ok("Qt", f"platform {out.strip()} loads{said}")
    why = next((line for line in error.splitlines() if "Could not" in line or "Error" in line), f"exit code {code}")
    remedy = "set QT_QPA_PLATFORM to another, or start from a desktop session"
    if sys.platform == "linux":
        remedy = f"install what it misses (Debian: apt install {_QT_LIBRARIES})"
    return _failed("Qt", f"its platform can't be loaded: {why.strip()}", remedy)


# Small things


def _run(*arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Runs this Python; -P: a `logging.py` in the current folder must not replace the standard one."""
    command = [sys.executable, "-P", *arguments]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_CHILD_S, check=False)
    except subprocess.TimeoutExpired:
        return -1, "", f"no answer within {_CHILD_S:g} s"
    return done.returncode, done.stdout, done.stderr.strip()


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _ok(name: str, found: str) -> Check:
    return Check(name=name, state="ok", found=found)


def _attention(name: str, found: str, remedy: str) -> Check:
    return Check(name=name, state="attention", found=found, remedy=remedy)


def _failed(name: str, found: str, remedy: str) -> Check:
    return Check(name=name, state="failed", found=found, remedy=remedy)
