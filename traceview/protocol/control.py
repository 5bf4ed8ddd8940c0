"""Asking the daemon for its status, to stop, to import a file, to keep a run: one JSON line each way, a private socket.

The daemon listens on a Unix socket in the runtime folder; where the platform has none, on a loopback port written, with
a token, to `agent.json`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from traceview.protocol.places import Places
from traceview.protocol.sampling import SampledOut


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """One way in: where it listens, or why it could not (`error`, one sentence with the remedy)."""

    name: str
    address: str
    error: str | None = None


class SearchIndex(msgspec.Struct, frozen=True, kw_only=True):
    """How the full-text index is: spans it does not have yet, its bytes on disk, why it does not go on, if so."""

    waiting: int
    bytes: int
    problem: str | None = None


class AgentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon says of itself. `spans_per_second` is the mean over the last five seconds.

    `redacted` counts the secrets that were taken out of spans; `absent` names ways in that are not installed;
    `sampled_out` counts what sampling rules have left out of the store since there is one, `sampling` says whether any
    are in force; `left_out` counts the runs that programs did not record, by their own sampling, since the start;
    `search` is None where text is not indexed.
    """

    pid: int
    version: str
    started_ns: int
    store: str
    store_bytes: int
    spans: int
    rejected: int
    dropped: int
    queued: int
    spans_per_second: float
    receivers: tuple[Receiver, ...]
    problem: str | None = None
    redacted: int = 0
    left_out: int = 0
    absent: tuple[str, ...] = ()
    sampling: bool = False
    sampled_out: tuple[SampledOut, ...] = ()
    search: SearchIndex | None = None


class AgentFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `agent.json` in the runtime folder says while a daemon runs."""

    pid: int
    version: str
    control_port: int | None = None
    token: str | None = None


class AgentError(Exception):
    """The daemon can't be reached, or refused; the message is one sentence for the user."""


def ask(places: Places, verb: str, *, timeout: float = 5.0, **arguments: Any) -> dict[str, Any]:
    """Sends one request to the daemon and returns its answer; raises AgentError when none runs or it refuses."""
    try:
        with _connect(places, timeout) as link:
            request = {"verb": verb, **arguments}
            token = _token(places)
            if token:
                request["token"] = token
            link.sendall(json.dumps(request).encode() + b"\n")
            line = _read_line(link)
    except TimeoutError as error:
        raise AgentError(f"traceview-agent did not answer within {timeout:g} s: its log is {places.log}") from error
    except OSError as error:
        raise AgentError(
            f"traceview-agent is not running for {places.home}: start it with `traceview-agent start`"
        ) from error
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AgentError(
            "traceview-agent gave an answer that is not JSON: is another program on its socket?"
        ) from error
    if not isinstance(answer, dict) or "error" in answer:
        raise AgentError(str(answer.get("error") if isinstance(answer, dict) else answer))
    return answer


def status(places: Places, *, timeout: float = 2.0) -> AgentStatus:
    """The daemon's status; raises AgentError when none runs."""
    answer = ask(places, "status", timeout=timeout)
    try:
        return msgspec.convert(answer, AgentStatus)
    except msgspec.ValidationError as error:
        raise AgentError(
            f"traceview-agent is of another version ({error}): stop it with `traceview-agent stop` and start it anew"
        ) from error


def ensure_agent(places: Places, *, timeout: float = 10.0) -> AgentStatus:
    """The daemon's status; starts one, in the background, if none runs. Raises AgentError where it can't start."""
    try:
        return status(places)
    except AgentError:
        pass
    # -P: a `logging.py` in the current folder must not replace the standard one.
    command = [sys.executable, "-P", "-m", "traceview_agent", "start"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"the daemon did not start: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise AgentError(said[-1] if said else f"the daemon did not start (exit code {done.returncode})")
    return status(places)


def read_agent_file(path: Path) -> AgentFile | None:
    """What the running daemon wrote about itself, or None where there is no (readable) file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AgentFile)
    except (OSError, msgspec.DecodeError):
        return None


def _connect(places: Places, timeout: float) -> socket.socket:
    if hasattr(socket, "AF_UNIX") and os.name == "posix":
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(timeout)
        try:
            link.connect(str(places.control))
        except OSError:
            link.close()
            raise
        return link
    about = read_agent_file(places.agent_file)
    if about is None or about.control_port is None:
        raise ConnectionRefusedError("no daemon")
    return socket.create_connection(("127.0.0.1", about.control_port), timeout)


def _token(places: Places) -> str | None:
    if os.name == "posix":
        return None
    about = read_agent_file(places.agent_file)
    return about.token if about else None


def _read_line(link: socket.socket) -> bytes:
    chunks: list[bytes] = []
    while not (chunks and chunks[-1].endswith(b"\n")):
        chunk = link.recv(65536)
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks)
