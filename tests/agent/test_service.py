"""`traceview-agent install`: files that each system accepts, and what is run; systemd learns when it is ready."""

from __future__ import annotations

import os
import plistlib
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from traceview.protocol import control
from traceview.protocol.places import find_places
from traceview_agent import commands, service
from traceview_agent.__main__ import main
from traceview_agent.notify import notify
from traceview_agent.service import service_for
from traceview_agent.service_files import UNIT_NAME, launchd_plist, systemd_unit, windows_task

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
ODD = ["/opt/100% of $HOME/my python", "-P", "", 'a "quoted" \\ word', "$HOME", "%h"]
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


@pytest.fixture(autouse=True)
def a_users_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The unit goes to a folder of this test; TRACEVIEW_ variables of other tests' needs are known."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TRACEVIEW_OTLP_PORT", raising=False)
    yield tmp_path
    if find_places().agent_file.exists():
        commands.stop(find_places())


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return tmp_path / "config" / "systemd" / "user" / UNIT_NAME


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `systemctl` first in PATH which writes down what it is asked and then runs this shell script."""

    def make(script: str) -> Path:
        folder, calls = tmp_path / "bin", tmp_path / "calls"
        folder.mkdir()
        (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{script}\n')
        (folder / "systemctl").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        return calls

    return make


def test_install_and_uninstall_tell_systemd(
    systemctl: Callable[[str], Path], unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = systemctl("exit 0")
    assert main(["install", "--otlp-port", "0", "--durability", "power", "--verbose"]) == 0
    assert f"written: {unit}" in capsys.readouterr().out
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    assert line == (
        f"ExecStart={sys.executable} -P -m traceview_agent run --verbose --otlp-port 0 --durability power "
        f"--home {find_places().home}"
    )
    said = [
        "--user show-environment",
        "--user daemon-reload",
        f"--user enable {UNIT_NAME}",
        f"--user restart {UNIT_NAME}",
    ]
    assert calls.read_text().splitlines() == said
    calls.unlink()
    assert main(["uninstall"]) == 0
    assert not unit.exists()
    said = ["--user show-environment", f"--user disable --now {UNIT_NAME}", "--user daemon-reload"]
    assert calls.read_text().splitlines() == said
    assert main(["uninstall"]) == 1
    assert "not installed" in capsys.readouterr().err


def test_without_a_manager_it_says_what_to_run(
    systemctl: Callable[[str], Path], unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl("echo 'Failed to connect to bus' >&2; exit 1")
    assert main(["install"]) == 0
    assert "run: systemctl --user daemon-reload && systemctl --user enable" in capsys.readouterr().out
    assert unit.exists()
    assert main(["start", "--otlp-port", "0"]) == 0
    capsys.readouterr()
    assert main(["uninstall"]) == 0
    assert "run: traceview-agent stop" in capsys.readouterr().out
    assert not unit.exists()


def test_without_systemctl_it_says_what_to_run(
    unit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["install"]) == 0
    assert "to start it, run:" in capsys.readouterr().out


def test_what_systemd_refuses_is_told(
    systemctl: Callable[[str], Path], unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl('case "$*" in *enable*|*disable*) echo "nope\nUnit is masked." >&2; exit 1;; esac')
    assert main(["install"]) == 1
    assert f"systemctl --user enable {UNIT_NAME}: Unit is masked." in capsys.readouterr().err
    assert main(["uninstall"]) == 0
    assert "Unit is masked." in capsys.readouterr().err


def test_a_daemon_started_by_hand_makes_room(
    systemctl: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl("exit 0")
    assert main(["start", "--otlp-port", "0"]) == 0
    assert main(["install"]) == 0
    assert "traceview-agent stopped" in capsys.readouterr().out
    with pytest.raises(control.AgentError):
        control.status(find_places())


def test_variables_that_the_service_will_not_have_are_told(
    systemctl: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    systemctl("exit 0")
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")
    assert main(["install"]) == 0
    said = capsys.readouterr().err
    assert said == (
        f"traceview-agent: TRACEVIEW_OTLP_PORT is set here but not for the service: say it in {find_places().config}\n"
    )


def test_settings_that_stop_the_daemon_are_not_installed(unit: Path, home: Path) -> None:
    (home / "config.toml").write_text("[agent]\nx = 1")
    assert main(["install"]) == 2
    assert not unit.exists()


def test_folders_that_cannot_be_written_are_told(
    tmp_path: Path, unit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").touch()
    assert main(["install"]) == 2
    assert str(tmp_path / "config") in capsys.readouterr().err
    (tmp_path / "config").unlink()
    unit.mkdir(parents=True)
    assert main(["uninstall"]) == 2
    assert "can't be removed" in capsys.readouterr().err


def test_a_command_that_cannot_be_run_is_a_refusal() -> None:
    assert "No such file" in str(service._refusal(("/nowhere/systemctl",)))
    assert service._refusal(("false",)) == "exit code 1"


def test_the_files_in_packaging_are_those_that_install_writes() -> None:
    for file, content in {
        f"systemd/{UNIT_NAME}": systemd_unit(["/usr/bin/traceview-agent", "run"]),
        "launchd/org.traceview.agent.plist": launchd_plist(["/usr/local/bin/traceview-agent", "run"]),
        "windows/traceview-agent.xml": windows_task(["traceview-agent.exe", "run"]),
    }.items():
        assert (PACKAGING / file).read_bytes() == content, f"write it anew: packaging/{file}"


@pytest.mark.parametrize("command", [[sys.executable, "-P", "-m", "traceview_agent", "run"], None])
def test_systemd_accepts_the_unit(tmp_path: Path, command: list[str] | None) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")
    if command is None:
        program = tmp_path / "100% of $HOME" / "my python"
        program.parent.mkdir()
        program.symlink_to("/bin/true")
        command = [str(program), *ODD[1:]]
    path = tmp_path / UNIT_NAME
    path.write_bytes(systemd_unit(command))
    verify = ["systemd-analyze", "verify", "--user", "--man=no", str(path)]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, env=environ)
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(f"systemd-analyze can't work here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_expands_nothing_in_the_command() -> None:
    (line,) = [line for line in systemd_unit(ODD).decode().splitlines() if line.startswith("ExecStart=")]
    assert line == 'ExecStart="/opt/100%% of $HOME/my python" -P "" "a \\"quoted\\" \\\\ word" $$HOME %%h'


def test_launchd_gets_the_command_word_by_word() -> None:
    plist = plistlib.loads(launchd_plist(ODD))
    assert plist["ProgramArguments"] == [*ODD, "--detached"]
    assert plist["KeepAlive"] == {"SuccessfulExit": False}


def test_windows_gets_xml_with_the_command() -> None:
    task = windows_task(["C:\\Program Files\\a & b\\pythonw.exe", "-P", "--home", "C:\\my home"])
    root = ET.fromstring(task)
    assert root.findtext(f".//{TASK}Command") == "C:\\Program Files\\a & b\\pythonw.exe"
    assert root.findtext(f".//{TASK}Arguments") == '-P --home "C:\\my home" --detached'
    assert task[:2] in (b"\xff\xfe", b"\xfe\xff")


@pytest.mark.parametrize(
    ("platform", "file", "first"),
    [
        ("darwin", "Library/LaunchAgents/org.traceview.agent.plist", ("launchctl", "bootstrap", "gui/501")),
        ("win32", None, ("schtasks", "/Create", "/TN")),
        ("linux", ".config/systemd/user/traceview-agent.service", ("systemctl", "--user", "daemon-reload")),
    ],
)
def test_each_platform_has_its_place(tmp_path: Path, platform: str, file: str | None, first: tuple[str, ...]) -> None:
    places = find_places()
    made = service_for(platform, {}, 501, places, ["traceview-agent", "run"])
    assert made.path == (tmp_path / file if file else places.home / "traceview-agent.xml")
    assert made.start[0][:3] == first
    assert made.content


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_when_the_daemon_is_ready(tmp_path: Path, home: Path, abstract: bool) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("abstract sockets are Linux's")
    address = f"@{home.name}" if abstract else str(home / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + address[1:] if abstract else address)
        heard.settimeout(20)
        command = [sys.executable, "-P", "-m", "traceview_agent", "run", "--otlp-port", "0"]
        environ = {**os.environ, "NOTIFY_SOCKET": address}
        process: Any = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
        try:
            assert heard.recv(100) == b"READY=1"
            assert control.status(find_places()).pid == process.pid
        finally:
            process.terminate()
            assert process.wait(10) == 0


def test_telling_nobody_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    notify("READY=1")
