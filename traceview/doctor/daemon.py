"""The doctor's look at the daemon: its settings, itself, what waits for it, where it listens, its index."""

from __future__ import annotations

import json
from typing import Any

from traceview.doctor.check import Check, attention, count_text, failed, ok, size_text
from traceview.doctor.child import run_python
from traceview.doctor.endpoint import is_far
from traceview.protocol import control
from traceview.protocol.control import AgentError, AgentStatus, SearchIndex
from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import OTLP_HTTP_PORT, Places
from traceview.protocol.ports import port_owner
from traceview.protocol.version import VERSION


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


def spools(places: Places, *, running: bool) -> Check:
    """What programs that have ended could not hand over; the locks are held only while looking."""
    waiting = []
    for dead in find_dead(places.spool):
        try:
            waiting.append(sum(map(len, dead.bodies())))
        except OSError as error:
            return attention("spools", f"{dead.folder} can't be read: {error.strerror or error}", "see to the file")
        finally:
            dead.release()
    if not any(waiting):
        return ok("spools", f"{places.spool}, nothing waits")
    said = f"{size_text(sum(waiting))} wait in {places.spool}, left by {count_text(len(waiting), 'program')} that ended"
    if running:
        return ok("spools", f"{said}; the daemon is taking it over")
    return attention("spools", said, "traceview-agent start: the daemon takes it over")


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
