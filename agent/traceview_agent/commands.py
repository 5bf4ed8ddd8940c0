"""`traceview-agent start`, `stop`, `status` and `config`: what can be asked of a daemon from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from traceview.protocol import control
from traceview.protocol.control import AgentError, AgentStatus, SearchIndex
from traceview.protocol.places import Places
from traceview_agent.config import settings
from traceview_agent.config_sources import Loaded
from traceview_agent.instance import AlreadyRunningError, locks_for

_START_SECONDS: Final = 60.0  # a large store may be migrated first
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_COMPLAINT: Final = "traceview-agent: "


def status(places: Places, *, as_json: bool, verbose: bool = False) -> int:
    """Prints what the daemon says of itself, and `verbose` what is not installed; 0 when it is up, 1 when not."""
    try:
        answer = control.status(places)
    except AgentError as error:
        if as_json:
            print(json.dumps({"running": False, "error": str(error)}))
        print(error, file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps({"running": True, **msgspec.to_builtins(answer)}))
    else:
        print(_describe(answer))
        for absent in answer.absent if verbose else ():
            print(f"  absent     {absent}")
    return 0


def start(places: Places, arguments: Sequence[str]) -> int:
    """Runs a daemon in the background with these arguments and returns once it answers; 0 also when one runs."""
    running = _running(places)
    if running is not None:
        print(f"traceview-agent is already running (pid {running.pid})")
        return 0
    try:
        places.prepare()
        before = places.log.stat().st_size if places.log.exists() else 0
        process = _detach(places, arguments)
    except OSError as error:
        return _complain(f"{error.filename or places.home} can't be used: {error.strerror or error}", 2)
    if not _until(lambda: process.poll() is not None or _running(places) is not None, _START_SECONDS):
        return _complain(f"the daemon (pid {process.pid}) does not answer: see {places.log}", 2)
    if process.returncode == 1 and _holder(places):
        # Another one was faster, and may still be at it.
        _until(lambda: _running(places) is not None, _START_SECONDS)
    answer = _running(places)
    if answer is None:
        return _complain(_last_complaint(places.log, before), process.returncode or 2)
    process.returncode = process.returncode or 0  # it lives on and is not ours to wait for
    print(f"traceview-agent started (pid {answer.pid}), log {places.log}")
    for receiver in answer.receivers:
        if receiver.error:
            _complain(receiver.error, 0)
    return 0


def stop(places: Places) -> int:
    """Asks the daemon to stop and waits until it is gone; 1 when none runs or it does not go."""
    try:
        pid = int(control.ask(places, "stop")["stopping"])
    except AgentError:
        pid = _holder(places)
        if not pid:
            return _complain(f"not running for {places.home}", 1)
        _terminate(pid)
    if not _until(lambda: not _alive(pid), _STOP_SECONDS / 2):
        _terminate(pid)
        if not _until(lambda: not _alive(pid), _STOP_SECONDS / 2):
            return _complain(f"the daemon (pid {pid}) does not stop: see {places.log}", 1)
    print(f"traceview-agent stopped (pid {pid})")
    return 0


def config(places: Places, loaded: Loaded, *, as_json: bool) -> int:
    """Prints the settings in force and where each came from; 0."""
    values = dict(_values(loaded))
    values["store.path"] = str(places.store)
    if as_json:
        rows = {name: {"value": value, "from": loaded.origins.get(name, "default")} for name, value in values.items()}
        print(json.dumps({"file": str(places.config), "settings": rows}, ensure_ascii=False))
        return 0
    shown = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    width = min(40, max(map(len, shown.values())))
    for name, value in shown.items():
        print(f"{name:<22} {value:<{width}} {loaded.origins.get(name, 'default')}")
    return 0


def _values(loaded: Loaded) -> Iterator[tuple[str, Any]]:
    for setting in settings():
        yield setting.name, getattr(getattr(loaded.config, setting.section), setting.key)


def _running(places: Places) -> AgentStatus | None:
    try:
        return control.status(places)
    except AgentError:
        return None


def _detach(places: Places, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # -P: a `logging.py` in the current folder must not replace the standard one.
    command = [sys.executable, "-P", "-m", "traceview_agent", "run", "--detached", *arguments]
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        options = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with os.fdopen(os.open(places.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=places.home,  # the folder it was started in stays free to be removed
            env=_environment(places),
            **options,
        )


def _environment(places: Places) -> dict[str, str]:
    """Ours, with paths that mean the same in another folder."""
    absolute = {"TRACEVIEW_HOME": places.home, "TRACEVIEW_STORE": places.store}
    return os.environ | {name: str(path) for name, path in absolute.items() if os.environ.get(name)}


def _last_complaint(log: Path, before: int) -> str:
    """Why the child ended: its last words to stderr, which went to the log."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(before)
        for line in reversed(file.read().decode(errors="replace").splitlines()):
            if line.startswith(_COMPLAINT):
                return line.removeprefix(_COMPLAINT)
    return f"the daemon did not start: see {log}"


def _holder(places: Places) -> int:
    """The pid of the daemon that holds the home's lock, 0 when nobody does."""
    lock = locks_for(places)[0]
    try:
        lock.acquire()
    except AlreadyRunningError as error:
        return error.pid or 0
    except OSError:
        return 0
    lock.release()
    return 0


def _terminate(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    # One that nobody has waited for is gone for our purposes (proc_pid_stat(5): the state follows the name).
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _complain(message: str, code: int) -> int:
    print(f"{_COMPLAINT}{message}", file=sys.stderr)
    return code


def _describe(answer: AgentStatus) -> str:
    lines = [
        f"traceview-agent {answer.version} is running (pid {answer.pid})",
        f"  store      {answer.store}, {answer.store_bytes / 1e6:.1f} MB",
        f"  spans      {answer.spans} stored since the start, {answer.spans_per_second:.1f} a second, "
        f"{answer.queued} queued, {answer.rejected} rejected, {answer.dropped} lost in programs, "
        f"{answer.redacted} secrets taken out",
    ]
    if answer.sampled_out:
        traces, spans = (sum(getattr(each, what) for each in answer.sampled_out) for what in ("traces", "spans"))
        by_rule = ", ".join(f"{each.rule}: {each.traces}" for each in answer.sampled_out)
        lines.append(f"  sampling   {traces} runs ({spans} spans) left out of the store so far ({by_rule})")
    if answer.left_out:
        runs = f"{answer.left_out} run{'' if answer.left_out == 1 else 's'}"
        lines.append(f"  left out   {runs} not recorded, by programs' own sampling, since the start")
    lines += [f"  {receiver.name:<10} {receiver.error or receiver.address}" for receiver in answer.receivers]
    if answer.search is not None:
        lines.append(f"  search     {_describe_search(answer.search)}")
    if answer.problem is not None:
        lines.append(f"  problem    {answer.problem}")
    return "\n".join(lines)


def _describe_search(index: SearchIndex) -> str:
    if index.problem is not None:
        return index.problem
    behind = f"{index.waiting} spans wait" if index.waiting else "up to date"
    return f"full-text index of {index.bytes / 1e6:.1f} MB, {behind}"
