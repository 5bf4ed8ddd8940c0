"""The doctor's look at the daemon: its settings, itself, what waits for it, where it listens, its index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from traceview.doctor.check import Check, attention, count_text, failed, ok, size_text
from traceview.doctor.child import run_python
from traceview.doctor.endpoint import is_far
from traceview.protocol import control
from traceview.protocol.control import AgentError, AgentStatus, SearchIndex
from traceview.protocol.places import OTLP_HTTP_PORT, Places
from traceview.protocol.ports import port_owner
from traceview.protocol.version import VERSION
from traceview.spools import Waiting, find, how_to_ship


def settings(places: Places) -> tuple[dict[str, Any], Check]:
    """The daemon's settings as it reads them itself, {} where it can't."""
    code, out, error = run_python("-m", "traceview_agent", "config", "--json")
    if code != 0:
        said = error.splitlines()[-1].removeprefix("traceview-agent: ") if error else f"unreadable (exit code {code})"
        return {}, failed("settings", said, "correct it: the daemon does not start like this")
    rows = json.loads(out)["settings"]
    own = sum(row["from"] != "default" for row in rows.values())
    where = str(places.config) if places.config.exists() else "no config.toml"
    return {name: row["value"] for name, row in rows.items()}, ok("settings", f"{where}, {own} not the default")


def running(places: Places) -> tuple[AgentStatus | None, Check]:
    """Whether a daemon answers, of this version, and takes what is sent."""
    try:
        status = control.status(places)
    except AgentError as error:
        if is_far(places.endpoint):
            return None, ok("daemon", f"none here: programs send to {places.endpoint}")
        said, _, remedy = str(error).partition(": ")
        return None, attention("daemon", said, remedy or f"see {places.log}")
    if status.version != VERSION:
        said = f"of version {status.version}, this is {VERSION} (pid {status.pid})"
        return status, attention("daemon", said, "traceview-agent stop && traceview-agent start")
    if status.problem is not None:
        return status, failed("daemon", f"takes nothing: {status.problem}", f"see {places.log}")
    return status, ok(
        "daemon", f"{status.version}, running (pid {status.pid}), {count_text(status.queued, 'span')} queued"
    )


def spools(places: Places, status: AgentStatus | None) -> Iterator[Check]:
    """What programs that have ended could not hand over: to this home's daemon, and to those elsewhere."""
    try:
        ended = [waiting for waiting in find(places, status) if waiting.bytes and not waiting.running]
    except OSError as error:
        yield attention("spools", f"{error.filename} can't be read: {error.strerror or error}", "see to the file")
        return
    near = [waiting for waiting in ended if waiting.near]
    if not near:
        yield ok("spools", f"{places.spool}, nothing waits" + (" for this home's daemon" if ended else ""))
    elif status is not None:
        yield ok("spools", f"{_left(near, places)}; the daemon is taking it over")
    else:
        yield attention("spools", _left(near, places), "traceview-agent start: the daemon takes it over")
    for endpoint in sorted({waiting.endpoint or "" for waiting in ended if not waiting.near}):
        said = _left([waiting for waiting in ended if waiting.endpoint == endpoint], places)
        yield attention("far spools", f"{said}, for {endpoint}", how_to_ship(endpoint, places))


def _left(ended: list[Waiting], places: Places) -> str:
    size = size_text(sum(waiting.bytes for waiting in ended))
    return f"{size} wait in {places.spool}, left by {count_text(len(ended), 'program')} that ended"


def otlp_port(status: AgentStatus | None, settings: dict[str, Any]) -> Check:
    """Whether the daemon listens for OTLP over HTTP, or could."""
    for receiver in status.receivers if status is not None else ():
        if receiver.name == "otlp-http" and receiver.error is None:
            return ok("OTLP/HTTP", f"{receiver.address}, the daemon's")
        if receiver.name == "otlp-http":
            said, _, remedy = str(receiver.error).partition(": ")
            return attention("OTLP/HTTP", said, remedy)
    port = int(settings.get("agent.otlp_http_port", OTLP_HTTP_PORT))
    owner = port_owner(port) if port else None
    if owner is None:
        return ok("OTLP/HTTP", f"port {port} is free" if port else "any free port")
    remedy = "choose another with otlp_http_port in config.toml, or TRACEVIEW_OTLP_PORT"
    return attention("OTLP/HTTP", f"port {port} is taken by {owner}", remedy)


def search(index: SearchIndex) -> Check:
    """How the full-text index is, by the daemon's own account."""
    if index.problem is not None:
        said, _, remedy = index.problem.partition(": ")
        return attention("search", said, remedy or "see the daemon's log; searches read the whole store meanwhile")
    behind = f"{count_text(index.waiting, 'span')} to index" if index.waiting else "up to date"
    return ok("search", f"full-text index of {size_text(index.bytes)}, {behind}")
