"""`traceview doctor`: looks at everything that traceview needs, and says what to do where something is amiss."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from traceview.doctor import daemon, endpoint, machine
from traceview.doctor.check import Check, attention, failed
from traceview.protocol.places import Places

_MARKS: Final = {"ok": "✓", "attention": "!", "failed": "✗"}


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
    yield machine.python()
    yield machine.pyside(machine.version_of("PySide6-Essentials"), sys.version_info[:2])
    yield from _guarded("SQLite", machine.sqlite)
    yield from _guarded("ZeroMQ", machine.zeromq)
    yield machine.folder("home", places.home)
    yield machine.folder("runtime", places.control.parent)
    settings, check = daemon.settings(places)
    yield check
    status, check = daemon.running(places)
    yield check
    yield from _guarded("keys", lambda: endpoint.keys(places))
    if status is not None or endpoint.is_far(places.endpoint):
        yield from _guarded("endpoint", lambda: endpoint.hello(places))
    yield from daemon.spools(places, status)
    yield daemon.otlp_port(status, settings)
    for receiver in status.receivers if status is not None else ():
        if receiver.error is not None and receiver.name != "otlp-http":
            said, _, remedy = receiver.error.partition(": ")
            yield attention(receiver.name, said, remedy or f"see {places.log}")
    yield from _guarded("store", lambda: machine.store(places))
    if status is not None and status.search is not None:
        yield daemon.search(status.search)
    yield machine.disk(places)
    yield machine.qt(dict(os.environ))


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
        yield failed(name, f"{error.name} can't be imported ({error})", 'pip install "traceview[desktop]"')
