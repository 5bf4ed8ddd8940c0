"""What a scenario is played on: a home of its own, a daemon process, recording programs, and waiting with deadlines."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from comparing import Tally, compare
from waiting import Fault, until

from traceview.protocol import control
from traceview.protocol.control import AgentError, AgentStatus
from traceview.protocol.places import find_places

_PROGRAM: Final = Path(__file__).with_name("program.py")
ENDLESS: Final = 10**9


class Program:
    """One recording program and its notes."""

    def __init__(self, name: str, notes: Path, process: subprocess.Popen[bytes]) -> None:
        self.name, self.notes, self.process = name, notes, process

    def has_noted(self) -> bool:
        """Whether any of its calls has returned."""
        return self.notes.exists() and self.notes.stat().st_size > 0

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def finish(self) -> None:
        """Tells it to stop, and waits; raises Fault where it does not, or fails."""
        self.process.terminate()
        self.wait()

    def wait(self) -> None:
        """Waits for its own end; raises Fault where it hangs or fails."""
        until(lambda: self.process.poll() is not None, f"program {self.name} ended")
        # SIGTERM may have come before it could obey it.
        if self.process.returncode not in (0, -15):
            raise Fault(f"program {self.name} ended with {self.process.returncode}")


class Rig:
    """A home, at most one daemon, any number of programs; everything is gone after the `with`, except on a fault."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.home = Path(tempfile.mkdtemp(prefix="tv-"))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACEVIEW_")}
        self.environment |= {"TRACEVIEW_HOME": str(self.home), "TRACEVIEW_OTLP_PORT": "0"}
        self._programs: list[Program] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self.places = find_places(self.environment)
        self._far: dict[str, str] = {}
        # What a scenario needs for as long as there is anything to compare.
        self.borrowed = contextlib.ExitStack()

    def put_store(self, path: Path) -> None:
        """Keeps the store elsewhere; before anything is started."""
        self.environment["TRACEVIEW_STORE"] = str(path)
        self.places = find_places(self.environment)

    def put_programs_elsewhere(self) -> None:
        """Has programs run as on another machine: in a home of their own, whose spools the daemon doesn't see."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.environment["TRACEVIEW_ENDPOINT"] = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self.places = find_places(self.environment)
        self._far = {"TRACEVIEW_HOME": str(self.home / "far")}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:
            program.kill()
        self.kill_daemon()
        self.borrowed.close()
        if error is None:
            shutil.rmtree(self.home, ignore_errors=True)

    # The daemon

    def start_daemon(self, *, wait: bool = True) -> None:
        """Starts the daemon, if none runs; waits until it answers."""
        if self.daemon is None:
            with (self.home / "daemon.log").open("ab") as log:
                self.daemon = subprocess.Popen(
                    [sys.executable, "-P", "-m", "traceview_agent", "run"],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        if wait:
            until(lambda: self.status() is not None, "the daemon answers")

    def status(self) -> AgentStatus | None:
        """What the daemon says of itself; None while it can't be asked. Raises Fault when it ended by itself."""
        if self.daemon is None or self.daemon.poll() is not None:
            raise Fault(f"the daemon ended by itself: {self.daemon and self.daemon.returncode}")
        try:
            return control.status(self.places)
        except AgentError:
            return None

    def problem(self) -> str | None:
        """Why the daemon can't write its store, as it says."""
        status = self.status()
        return None if status is None else status.problem

    def daemon_pid(self) -> int:
        """Whom to trouble; raises Fault where none runs."""
        if self.daemon is None:
            raise Fault("no daemon runs")
        return self.daemon.pid

    def metrics(self) -> dict[str, float]:
        """The daemon's metrics that have no labels, by name."""
        status = self.status()
        assert status is not None
        address = next(receiver.address for receiver in status.receivers if receiver.name == "otlp-http").split(" ")[0]
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            lines = [line.split(" ") for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {line[0]: float(line[1]) for line in lines if "{" not in line[0]}

    def kill_daemon(self) -> None:
        """SIGKILL."""
        daemon, self.daemon = self.daemon, None
        if daemon is not None:
            daemon.kill()
            daemon.wait()

    def stop_daemon(self) -> None:
        """SIGTERM, as a service manager does; raises Fault where it does not stop cleanly."""
        daemon, self.daemon = self.daemon, None
        if daemon is not None:
            daemon.terminate()
            until(lambda: daemon.poll() is not None, "the daemon stopped")
            if daemon.returncode not in (0, -15):
                raise Fault(f"the daemon stopped with {daemon.returncode}")

    # Programs

    def start_program(self, most: int = ENDLESS, name: str | None = None) -> Program:
        """Starts a program that records `most` spans, or until it is told to stop. Its name is its alone by default."""
        name = name or f"p{len(self._programs)}"
        notes = self.home / f"{name}.notes"
        command = [sys.executable, str(_PROGRAM), name, str(notes), f"{self.seed}/{name}", str(most)]
        with (self.home / "programs.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.environment | self._far,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._programs.append(Program(name, notes, process))
        return self._programs[-1]

    def let_it_run(self, longest: float) -> None:
        """Lets a random time pass: the fault shall come at any instant."""
        time.sleep(self.random.uniform(0, longest))

    # The end

    def waiting(self) -> bool:
        """Whether any spool holds records."""
        try:
            return any(find_places(self.environment | self._far).spool.glob("*/*.seg"))
        except FileNotFoundError:  # one was removed while it was listed
            return True

    def settle(self) -> Tally:
        """Waits until the daemon has everything, stops it, and compares. Programs must have ended or be about to."""
        for program in self._programs:
            until(lambda program=program: program.process.poll() is not None, f"{program.name} ended")  # type: ignore[misc]
        self.start_daemon()
        if self._far:
            self._ship()
        until(self._is_all_stored, "every spool is taken over and the queue is empty")
        self.stop_daemon()
        return compare(self.places.store, {program.name: program.notes for program in self._programs})

    def _ship(self) -> None:
        """What no further program will ship; raises Fault where that is not all."""
        command = [sys.executable, "-P", "-m", "traceview", "spools", "--ship"]
        done = subprocess.run(command, env=self.environment | self._far, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Fault(f"not all was shipped: {done.stdout}{done.stderr}")

    def _is_all_stored(self) -> bool:
        if self.waiting():
            return False
        status = self.status()
        return status is not None and not status.queued and status.problem is None
