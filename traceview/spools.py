"""`traceview spools`: what programs recorded and no daemon has yet, and `--ship`, which sends what is due elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from traceview.analysis.figures import bytes_text, duration_text
from traceview.protocol import control
from traceview.protocol.control import AgentError, AgentStatus
from traceview.protocol.dead_spool import DeadSpool, find_all, find_dead
from traceview.protocol.places import Places, is_same
from traceview.protocol.wire import Hello, WireError, decode_upstream
from traceview.terminal import plain

_BATCH_BYTES: Final = 1_000_000
_PROGRESS_SECONDS: Final = 0.2
_KEYS: Final = "TRACEVIEW_SERVER_KEY, TRACEVIEW_CLIENT_KEY"


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A spool with something in it: its program, where that sends to (None: this home's daemon), and whether it runs.

    `near`: the daemon of this home takes it over. `bytes` were recorded and are not acknowledged, `dropped` spans lost;
    `last_ns` is the last sign of life, ns since 1970. One that has ended waits also without bytes where its daemon does
    not know yet that it ended.
    """

    session: str
    program: str
    pid: int | None
    host: str | None
    endpoint: str | None
    near: bool
    running: bool
    bytes: int
    dropped: int
    last_ns: int
    folder: str


class Outcome(msgspec.Struct, kw_only=True):
    """What `--ship` did: the spools that the daemon has now, why it ended early if so, and what is left."""

    endpoint: str
    shipped: list[dict[str, Any]] = []
    problem: str | None = None
    left: list[Waiting] = []


def find(places: Places, status: AgentStatus | None) -> list[Waiting]:
    """What waits, the oldest first; `status` is the daemon's of this home. Raises OSError where one can't be read."""
    found = []
    near = {places.own_endpoint, *(receiver.address for receiver in (status.receivers if status else ()))}
    for spool, running in find_all(places.spool):
        try:
            is_near = not spool.endpoint or any(is_same(spool.endpoint, endpoint) for endpoint in near)
            waiting = _look_at(spool, running, near=is_near)
        except FileNotFoundError:  # acknowledged, or taken over, just now
            continue
        if waiting.bytes or not (running or waiting.near):
            found.append(waiting)
    return sorted(found, key=lambda waiting: waiting.last_ns)


def how_to_ship(endpoint: str, places: Places) -> str:
    """How what waits for a daemon elsewhere gets there."""
    how = "`traceview spools --ship`"
    if endpoint != places.endpoint:
        how += f" with TRACEVIEW_ENDPOINT={endpoint} (and its keys: {_KEYS})"
    return f"the next program that sends there hands it over; to send it now: {how}"


def run(places: Places, *, ship: bool, as_json: bool) -> int:
    """Prints what waits, or ships it; returns 0, or 1 where something that has ended is still here after shipping."""
    try:
        return _ship(places, as_json=as_json) if ship else _list(places, as_json=as_json)
    except OSError as error:
        print(f"traceview: {error.filename}: can't be read: {error.strerror or error}", file=sys.stderr)
        return 2


def _list(places: Places, *, as_json: bool) -> int:
    found = find(places, _status(places))
    if as_json:
        _print_json(found)
        return 0
    for waiting in found:
        print(_line(waiting, time.time_ns()))
    for advice in _advice(found, places) if found else [f"nothing waits in {places.spool}"]:
        print(advice)
    return 0


def _line(waiting: Waiting, now_ns: int) -> str:
    size = bytes_text(waiting.bytes) if waiting.bytes else "its end"
    when = "running" if waiting.running else f"ended {duration_text(max(0, now_ns - waiting.last_ns))} ago"
    lost = f", {waiting.dropped} spans lost" if waiting.dropped else ""
    return plain(f"{size:>9}  {_who(waiting)}, {when}{lost}, for {waiting.endpoint or 'this home'}")


def _who(waiting: Waiting) -> str:
    return waiting.program if waiting.pid is None else f"{waiting.program} (pid {waiting.pid})"


def _advice(found: Iterable[Waiting], places: Places) -> list[str]:
    ended = [waiting for waiting in found if not waiting.running]
    far = sorted({waiting.endpoint or "" for waiting in ended if not waiting.near})
    advice = [f"for {endpoint}: {how_to_ship(endpoint, places)}" for endpoint in far]
    if any(waiting.near for waiting in ended):
        advice.append("for this home's daemon: it takes it over as soon as it runs (`traceview-agent start`)")
    return advice


def _status(places: Places) -> AgentStatus | None:
    try:
        return control.status(places)
    except AgentError:
        return None


def _look_at(spool: DeadSpool, running: bool, *, near: bool) -> Waiting:
    resource: dict[str, Any] = {}
    try:
        hello = decode_upstream(spool.hello())
        resource = hello.resource if isinstance(hello, Hello) else {}
    except WireError:
        pass  # its program died before it said who it is
    pid, host = resource.get("process.pid"), resource.get("host.name")
    return Waiting(
        session=spool.folder.name,
        program=str(resource.get("service.name") or "a program"),
        pid=pid if isinstance(pid, int) else None,
        host=host if isinstance(host, str) else None,
        endpoint=spool.endpoint or None,
        near=near,
        running=running,
        bytes=spool.waiting(),
        dropped=spool.dropped(),
        last_ns=spool.touched_ns(),
        folder=str(spool.folder),
    )


# Shipping


def _ship(places: Places, *, as_json: bool) -> int:
    outcome, status = Outcome(endpoint=places.endpoint), _status(places)
    if places.endpoint != places.own_endpoint:
        due = {waiting.folder: waiting for waiting in find(places, status)}
        try:
            _ship_all(places, due, outcome, quiet=as_json)
        except OSError as error:
            outcome.problem = f"{error.filename} can't be read: {error.strerror or error}"
    outcome.left = [waiting for waiting in find(places, status) if not waiting.running]
    if as_json:
        _print_json(outcome)
    else:
        _tell(outcome, places)
    return 1 if outcome.left or outcome.problem else 0


def _ship_all(places: Places, due: dict[str, Waiting], outcome: Outcome, *, quiet: bool) -> None:
    """All that is meant for the endpoint, one after the other, until one can't be shipped."""
    import zmq

    from traceview.sdk.curve import KeysUnusable
    from traceview.sdk.link import Link
    from traceview.sdk.shipment import NotShipped, Shipment

    with zmq.Context() as context:
        for dead in find_dead(places.spool, lambda endpoint: is_same(endpoint, places.endpoint)):
            waiting = due.get(str(dead.folder)) or _look_at(dead, running=False, near=False)
            link = None
            try:
                link = Link(context, places.endpoint)
                shipment = Shipment(dead, link, _BATCH_BYTES)
                progress = _Progress(waiting, quiet=quiet)
                while not shipment.step(0.1):
                    progress.tell(shipment.stored, shipment.held_up)
            except (NotShipped, KeysUnusable, zmq.ZMQError) as error:
                dead.release()
                outcome.problem = str(error)
                return
            except BaseException:
                dead.release()
                raise
            finally:
                if link is not None:
                    link.close()
            shipped = {"session": waiting.session, "program": waiting.program, "bytes": shipment.stored}
            outcome.shipped.append({**shipped, "refused": shipment.refused})
            progress.end(shipment.refused)


class _Progress:
    """Lines about one spool: on a terminal how far it is, else only that it is through."""

    def __init__(self, waiting: Waiting, *, quiet: bool) -> None:
        self._waiting, self._quiet = waiting, quiet
        self._live = not quiet and sys.stderr.isatty()
        self._next_at = time.monotonic() + _PROGRESS_SECONDS
        self._held_up: str | None = None

    def tell(self, stored: int, held_up: str | None) -> None:
        if held_up != self._held_up and held_up is not None and not self._quiet:
            print(f"traceview: the daemon takes nothing just now: {plain(held_up)}", file=sys.stderr)
        self._held_up = held_up
        if self._live and time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _PROGRESS_SECONDS
            share = f"{bytes_text(stored)} of {bytes_text(self._waiting.bytes)}"
            print(f"\r\x1b[K{plain(_who(self._waiting))}: {share}", end="", file=sys.stderr, flush=True)

    def end(self, refused: str | None) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if not self._quiet:
            size = bytes_text(self._waiting.bytes) if self._waiting.bytes else "its end"
            aside = f"; what could not be read is in the daemon's rejected.jsonl ({refused})" if refused else ""
            print(plain(f"{size:>9}  {_who(self._waiting)}: stored{aside}"), flush=True)


def _tell(outcome: Outcome, places: Places) -> None:
    if outcome.problem is not None:
        problem = f"{outcome.endpoint} did not take it since {plain(outcome.problem)}: see `traceview doctor`"
        print(f"traceview: {problem}", file=sys.stderr)
    if outcome.left:
        size = bytes_text(sum(waiting.bytes for waiting in outcome.left))
        print(f"{len(outcome.shipped)} shipped; {size} of {_count(len(outcome.left))} still here")
        for advice in _advice(outcome.left, places):
            print(advice)
    elif outcome.shipped:
        print(f"{len(outcome.shipped)} shipped to {outcome.endpoint}; nothing is left")
    else:
        print(f"nothing waits in {Path(places.spool)}")


def _count(programs: int) -> str:
    return f"{programs} program" if programs == 1 else f"{programs} programs"


def _print_json(answer: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
