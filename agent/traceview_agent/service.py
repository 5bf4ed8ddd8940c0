"""`traceview-agent install` and `uninstall`: makes the system start the daemon at login, or no longer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceview.protocol import control
from traceview.protocol.control import AgentError
from traceview.protocol.places import Places
from traceview_agent import commands
from traceview_agent.service_files import LABEL, TASK_NAME, UNIT_NAME, launchd_plist, systemd_unit, windows_task

Command = tuple[str, ...]
_PATIENCE_S: Final = 90.0
_PROGRAMS_OWN: Final = ("TRACEVIEW_HOME", "TRACEVIEW_DISABLED", "TRACEVIEW_DEBUG")


@dataclass(frozen=True, slots=True)
class Service:
    """How one system is told: the file to write, and what to run; `probe` fails where the system doesn't answer."""

    path: Path
    content: bytes
    probe: Command
    start: tuple[Command, ...]
    stop: tuple[Command, ...]
    after: tuple[Command, ...] = ()


def service_for(
    platform: str, environ: Mapping[str, str], user: int, places: Places, command: Sequence[str]
) -> Service:
    """The service of this platform (sys.platform) that runs `command`."""
    if platform == "darwin":
        path = Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        domain = f"gui/{user}"
        return Service(
            path,
            launchd_plist(command),
            probe=("launchctl", "print", domain),
            start=(("launchctl", "bootstrap", domain, str(path)),),
            stop=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        )
    if platform == "win32":
        path = places.home / "traceview-agent.xml"
        return Service(
            path,
            windows_task(command),
            probe=("schtasks", "/Query", "/FO", "LIST"),
            start=(
                ("schtasks", "/Create", "/TN", TASK_NAME, "/XML", str(path), "/F"),
                ("schtasks", "/Run", "/TN", TASK_NAME),
            ),
            stop=(("schtasks", "/End", "/TN", TASK_NAME), ("schtasks", "/Delete", "/TN", TASK_NAME, "/F")),
        )
    config = environ.get("XDG_CONFIG_HOME")
    folder = Path(config) if config else Path.home() / ".config"
    manager = ("systemctl", "--user")
    return Service(
        folder / "systemd" / "user" / UNIT_NAME,
        systemd_unit(command),
        probe=(*manager, "show-environment"),
        start=((*manager, "daemon-reload"), (*manager, "enable", UNIT_NAME), (*manager, "restart", UNIT_NAME)),
        stop=((*manager, "disable", "--now", UNIT_NAME),),
        after=((*manager, "daemon-reload"),),
    )


def install(places: Places, arguments: Sequence[str]) -> int:
    """Writes the service and has it started; 1 where the system refuses, 0 also where it has to be told by hand."""
    service = _service(places, arguments)
    try:
        places.prepare()
        service.path.parent.mkdir(parents=True, exist_ok=True)
        service.path.write_bytes(service.content)
    except OSError as error:
        return _complain(f"{error.filename or service.path} can't be written: {error.strerror or error}", 2)
    print(f"written: {service.path}")
    for variable in _left_behind(os.environ):
        _complain(f"{variable} is set here but not for the service: say it in {places.config}", 0)
    if not _answers(service.probe):
        print(f"the system's service manager does not answer here; to start it, run: {_written(service.start)}")
        return 0
    if _runs(places) and (code := commands.stop(places)):  # one that was started by hand holds the home
        return code
    for command in service.start:
        if refusal := _refusal(command):
            return _complain(f"{' '.join(command)}: {refusal}", 1)
    print("started, and from now on at every login; `traceview-agent uninstall` ends that")
    return 0


def uninstall(places: Places) -> int:
    """Has the service stopped and takes it away; 1 where there is none. What was recorded stays."""
    service = _service(places, ())
    if not service.path.exists():
        return _complain(f"not installed: there is no {service.path}", 1)
    answers = _answers(service.probe)
    for command in service.stop if answers else ():
        if refusal := _refusal(command):
            _complain(f"{' '.join(command)}: {refusal}", 0)
    try:
        service.path.unlink()
    except OSError as error:
        return _complain(f"{service.path} can't be removed: {error.strerror or error}", 2)
    for command in service.after if answers else ():
        _refusal(command)
    print(f"removed: {service.path}")
    if not answers and _runs(places):
        print("the system's service manager does not answer here; to end the daemon, run: traceview-agent stop")
    return 0


def _service(places: Places, arguments: Sequence[str]) -> Service:
    # -P: a `logging.py` in the current folder must not replace the standard one.
    command = [_interpreter(), "-P", "-m", "traceview_agent", "run", *arguments]
    if os.environ.get("TRACEVIEW_HOME"):
        command += ["--home", str(places.home)]
    user = os.getuid() if hasattr(os, "getuid") else 0
    return service_for(sys.platform, os.environ, user, places, command)


def _interpreter() -> str:
    """This Python; on Windows the one without a console window, where there is one."""
    python = Path(sys.executable)
    windowless = python.with_name("pythonw.exe")
    return str(windowless if sys.platform == "win32" and windowless.exists() else python)


def _left_behind(environ: Mapping[str, str]) -> list[str]:
    return [name for name in sorted(environ) if name.startswith("TRACEVIEW_") and name not in _PROGRAMS_OWN]


def _runs(places: Places) -> bool:
    try:
        control.status(places)
    except AgentError:
        return False
    return True


def _answers(probe: Command) -> bool:
    return shutil.which(probe[0]) is not None and _refusal(probe) is None


def _refusal(command: Command) -> str | None:
    """Runs it; returns the last line of what it complained about, None if all went well."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return said[-1] if said else f"exit code {done.returncode}"


def _written(commands: Sequence[Command]) -> str:
    return " && ".join(" ".join(f"'{word}'" if " " in word else word for word in command) for command in commands)


def _complain(message: str, code: int) -> int:
    print(f"traceview-agent: {message}", file=sys.stderr)
    return code
