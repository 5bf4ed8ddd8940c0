"""`traceview doctor`: each thing that can be amiss is told with a remedy, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
import zmq.auth

from traceview import doctor
from traceview.cli import main
from traceview.conventions import facts
from traceview.doctor import child, machine
from traceview.doctor import daemon as the_daemon
from traceview.doctor import endpoint as the_endpoint
from traceview.doctor.check import Check
from traceview.protocol import control, wire
from traceview.protocol.control import SearchIndex
from traceview.protocol.dead_spool import find_dead
from traceview.protocol.places import Places, find_places
from traceview.protocol.spool import Spool
from traceview.store import StoreWriter
from traceview.store.identity import SCHEMA_VERSION
from traceview.testing import build_trace


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")


@pytest.fixture
def daemon(home: Path) -> Iterator[Places]:
    """A real daemon of this test's home, in a process of its own."""
    places = find_places()
    control.ensure_agent(places, timeout=60)
    yield places
    if places.agent_file.exists():
        control.ask(places, "stop")
    while places.agent_file.exists():
        threading.Event().wait(0.01)


def checks() -> dict[str, Check]:
    return {check.name: check for check in doctor.examine(find_places())}


def test_with_a_daemon_all_is_well(daemon: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line[0] for line in lines} == {"✓"}
    names = {line.split()[1] for line in lines}
    assert names >= {
        "Python",
        "PySide6",
        "SQLite",
        "ZeroMQ",
        "home",
        "daemon",
        "endpoint",
        "store",
        "search",
        "disk",
        "Qt",
    }
    assert len({line.index(line.split(maxsplit=2)[2]) for line in lines}) == 1  # aligned
    assert control.status(daemon).spans == 0  # its hello left nothing behind


def test_json_is_one_document(daemon: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {check["state"] for check in document["checks"]} == {"ok"}


def test_in_a_fresh_home_only_the_daemon_is_missing_and_nothing_is_made(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.startswith(("!", "✗"))]
    assert "traceview-agent is not running" in lines[place]
    assert lines[place + 1].strip() == "→ start it with `traceview-agent start`"
    assert list(home.iterdir()) == []


def test_a_home_that_others_can_read_is_told(home: Path) -> None:
    home.chmod(0o755)
    check = checks()["home"]
    assert (check.state, check.remedy) == ("attention", f"chmod 700 '{home}'")
    home.chmod(0o700)


def test_homes_that_cannot_be_used_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert machine.folder("home", tmp_path / "file").state == "failed"
    assert machine.folder("home", tmp_path / "file" / "sub").state == "failed"
    assert machine.folder("home", tmp_path / "new" / "sub").state == "ok"
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert "can't be written" in machine.folder("home", tmp_path).found
    assert "can't be made" in machine.folder("home", tmp_path / "new").found
    monkeypatch.undo()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert "belongs to another user" in machine.folder("home", tmp_path).found


def test_the_version_of_qt_that_crashes_is_told() -> None:
    check = machine.pyside("6.12.0", (3, 11))
    assert (check.state, check.remedy) == ("failed", 'pip install "PySide6-Essentials<6.12"')
    assert machine.pyside("6.12.0", (3, 12)).state == "ok"
    assert machine.pyside("6.11.3", (3, 11)).state == "ok"
    assert machine.pyside(None, (3, 11)).state == "attention"
    assert machine.version_of("no-such-distribution") is None


def test_an_old_sqlite_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceview.store.checkup.sqlite_version", lambda: ("3.40.1", False))
    check = checks()["SQLite"]
    assert check.state == "attention"
    assert "3.40.1 has a rare bug" in check.found


def test_a_library_that_is_absent_is_told() -> None:
    def look() -> Check:
        raise ModuleNotFoundError("No module named 'zstandard'", name="zstandard")

    (check,) = doctor._guarded("store", look)
    assert (check.state, check.remedy) == ("failed", 'pip install "traceview[desktop]"')


def test_settings_that_stop_the_daemon_are_told(home: Path) -> None:
    (home / "config.toml").write_text("[agent]\ndurabilty = 'power'\n")
    check = checks()["settings"]
    assert check.state == "failed"
    assert check.found == f"{home}/config.toml, line 2: agent.durabilty is not a setting: did you mean durability?"


def test_a_taken_port_is_told_with_its_owner(
    home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("TRACEVIEW_OTLP_PORT", str(port))
        check = checks()["OTLP/HTTP"]
        assert check.state == "attention"
        assert (
            check.found == f"port {port} is taken by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"
        )
        request.getfixturevalue("daemon")
        check = checks()["OTLP/HTTP"]
        assert check.state == "attention"
        assert f"port {port} is taken" in check.found


def test_a_free_port_is_fine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", str(port))
    assert checks()["OTLP/HTTP"].found == f"port {port} is free"


def test_another_version_or_a_problem_of_the_daemon_is_told(daemon: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    status = control.status(daemon)
    older = msgspec.structs.replace(status, version="0.0.1")
    monkeypatch.setattr(control, "status", lambda places: older)
    assert "of version 0.0.1" in the_daemon.running(daemon)[1].found
    stuck = msgspec.structs.replace(status, problem="the disk is full")
    monkeypatch.setattr(control, "status", lambda places: stuck)
    check = the_daemon.running(daemon)[1]
    assert (check.state, check.found) == ("failed", "takes nothing: the disk is full")
    shut = control.Receiver(name="otlp-grpc", address="127.0.0.1:4317", error="port 4317 is taken: choose another")
    monkeypatch.setattr(control, "status", lambda places: msgspec.structs.replace(status, receivers=(shut,)))
    found = checks()["otlp-grpc"]
    assert (found.state, found.found, found.remedy) == ("attention", "port 4317 is taken", "choose another")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (wire.encode_header(wire.Reject(0, "the daemon speaks version 2")), "refuses: the daemon speaks version 2"),
        (b"HTTP/1.1", "another program answers"),
    ],
)
def test_an_endpoint_that_is_not_right_is_told(home: Path, answer: bytes, said: str) -> None:
    places = find_places()
    places.prepare()
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.bind(places.endpoint)

    def serve() -> None:
        identity, _ = router.recv_multipart()
        router.send_multipart([identity, answer])

    serving = threading.Thread(target=serve)
    serving.start()
    check = the_endpoint.hello(places)
    serving.join()
    router.close()
    context.term()
    assert check.state == "failed"
    assert said in check.found


def test_a_silent_or_impossible_endpoint_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(the_endpoint, "_ANSWER_MS", 50)
    assert "does not answer" in the_endpoint.hello(find_places()).found
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", "carrier-pigeon://roof")
    assert "can't be used" in the_endpoint.hello(find_places()).found


@pytest.fixture
def curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A socket that speaks CurveZMQ and acknowledges every hello: the folder of the keys, and its endpoint."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("server", "laptop", "other"):
        zmq.auth.create_certificates(keys, name)
    public, secret = zmq.auth.load_certificate(keys / "server.key_secret")
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.curve_server, router.curve_publickey, router.curve_secretkey = True, public, secret
    port = router.bind_to_random_port("tcp://127.0.0.1")
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            if router.poll(20):
                identity, _ = router.recv_multipart()
                router.send_multipart([identity, wire.encode_header(wire.Ack(0))])

    serving = threading.Thread(target=serve)
    serving.start()
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", f"tcp://127.0.0.1:{port}")
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", public.decode())
    monkeypatch.setenv("TRACEVIEW_CLIENT_KEY", str(keys / "laptop.key_secret"))
    (keys / "laptop.key_secret").chmod(0o600)
    yield keys, f"tcp://127.0.0.1:{port}"
    stopping.set()
    serving.join()
    router.close()
    context.term()


def test_keys_that_fit_are_used(curve: tuple[Path, str]) -> None:
    assert the_endpoint.keys(find_places()).state == "ok"
    assert the_endpoint.hello(find_places()).found == f"{curve[1]} answers"


def test_keys_of_another_daemon_are_told(curve: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", str(curve[0] / "other.key"))
    monkeypatch.setattr(the_endpoint, "_ANSWER_MS", 300)
    check = the_endpoint.hello(find_places())
    assert (check.state, check.found) == ("failed", f"{curve[1]} does not take these keys")
    assert "keys/clients" in (check.remedy or "")


def test_sending_in_clear_to_one_who_wants_keys_is_told(
    curve: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACEVIEW_SERVER_KEY")
    monkeypatch.setattr(the_endpoint, "_ANSWER_MS", 300)
    assert "in clear" in the_endpoint.hello(find_places()).found
    assert the_endpoint.keys(find_places()).state == "ok"  # it is this machine


@pytest.mark.parametrize(
    ("endpoint", "server", "client", "state", "said"),
    [
        ("", "", "", "ok", "none needed"),
        ("", "k" * 40, "", "attention", "TRACEVIEW_SERVER_KEY set, but ipc://"),
        ("tcp://192.0.2.7:4316", "", "", "failed", "TRACEVIEW_SERVER_KEY is not set"),
        ("tcp://build.example.org:4316", "", "", "failed", "takes nothing in clear"),
        ("tcp://[::1]:4316", "", "", "ok", "is this machine"),
        ("tcp://192.0.2.7:4316", "k" * 40, "nowhere.key_secret", "failed", "TRACEVIEW_CLIENT_KEY must be the path"),
        ("tcp://192.0.2.7:4316", "nowhere.key", "KEY", "failed", "TRACEVIEW_SERVER_KEY must be the path"),
        ("tcp://192.0.2.7:4316", "k" * 40, "KEY", "attention", "can be read by other users"),
    ],
)
def test_keys_that_are_missing_unusable_or_open_are_told(
    curve: tuple[Path, str], monkeypatch: pytest.MonkeyPatch,
    endpoint: str, server: str, client: str, state: str, said: str,
) -> None:  # fmt: skip
    secret = curve[0] / "laptop.key_secret"
    secret.chmod(0o644)
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", endpoint)
    monkeypatch.setenv("TRACEVIEW_SERVER_KEY", server)
    monkeypatch.setenv("TRACEVIEW_CLIENT_KEY", str(secret) if client == "KEY" else client)
    check = the_endpoint.keys(find_places())
    assert check.state == state
    assert said in check.found
    assert (check.remedy is None) == (state == "ok")


def test_unusable_keys_are_not_tried_in_clear(curve: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_CLIENT_KEY", "nowhere")
    assert "was not tried" in the_endpoint.hello(find_places()).found


def test_without_a_daemon_here_an_endpoint_elsewhere_is_still_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", f"tcp://elsewhere.invalid:{port}")
    monkeypatch.setattr(the_endpoint, "_ANSWER_MS", 100)
    found = checks()
    assert found["daemon"].found.startswith("none here: programs send to tcp://elsewhere")
    assert (found["endpoint"].state, found["keys"].state) == ("failed", "failed")
    assert "can't be reached" in found["endpoint"].found


def test_what_dead_programs_left_is_told(home: Path) -> None:
    places = find_places()
    spool = Spool(places.spool / ("ab" * 16))
    assert spool.append(b"x" * 500_000)
    assert checks()["spools"].found == f"{places.spool}, nothing waits"  # its program lives
    script = (
        "import os; from traceview.protocol.places import find_places; from traceview.protocol.spool import Spool\n"
        "spool = Spool(find_places().spool / ('cd' * 16)); spool.append(b'x' * 500_000); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    check = checks()["spools"]
    assert (check.state, check.remedy) == ("attention", "traceview-agent start: the daemon takes it over")
    assert check.found == f"0.5 MB wait in {places.spool}, left by 1 program that ended"
    status = control.AgentStatus(
        pid=1,
        version="1",
        started_ns=0,
        store="",
        store_bytes=0,
        spans=0,
        rejected=0,
        dropped=0,
        queued=0,
        spans_per_second=0.0,
        receivers=(),
    )
    (running,) = the_daemon.spools(places, status)
    assert "is taking it over" in running.found
    (left,) = find_dead(places.spool)  # looking took nothing and holds nothing
    assert left.folder.name == "cd" * 16
    left.release()
    spool.close()


def test_what_is_left_for_a_daemon_elsewhere_is_told_with_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = find_places()
    far = Spool(places.spool / ("ef" * 16), endpoint="tcp://192.0.2.1:4316")
    assert far.append(b"x" * 500_000)
    far.close()
    found = checks()
    assert found["spools"].found == f"{places.spool}, nothing waits for this home's daemon"
    said = f"0.5 MB wait in {places.spool}, left by 1 program that ended, for tcp://192.0.2.1:4316"
    assert (found["far spools"].state, found["far spools"].found) == ("attention", said)
    remedy = str(found["far spools"].remedy)
    assert "`traceview spools --ship` with TRACEVIEW_ENDPOINT=tcp://192.0.2.1:4316 (and its keys" in remedy
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", "tcp://192.0.2.1:4316")
    (check,) = (check for check in the_daemon.spools(find_places(), None) if check.name == "far spools")
    assert str(check.remedy).endswith("to send it now: `traceview spools --ship`")


def test_a_spool_that_can_not_be_read_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*arguments: object) -> list[object]:
        raise OSError(5, "Input/output error", "/spool/1.seg")

    monkeypatch.setattr(the_daemon, "find", find)
    (check,) = the_daemon.spools(find_places(), None)
    assert (check.state, check.found) == ("attention", "/spool/1.seg can't be read: Input/output error")


def test_a_store_is_opened_and_read(home: Path) -> None:
    writer = StoreWriter(find_places().store, facts)
    writer.apply(build_trace("plan > (a, b)").parts)
    writer.close()
    check = checks()["store"]
    assert check.state == "ok"
    assert f"1 trace, 3 spans, version {SCHEMA_VERSION}, sound" in check.found


def test_a_store_too_large_to_read_in_time_is_sound_as_far_as_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = StoreWriter(find_places().store, facts)
    for number in range(40):
        writer.apply(build_trace("plan > (a, b, c, d, e, f, g, h)", trace=f"t{number}").parts)
    writer.close()
    monkeypatch.setattr(machine, "_READING_S", 0.0)
    monkeypatch.setattr("traceview.store.checkup._STEPS", 1)
    assert "sound as far as read in 0 s" in checks()["store"].found


def test_a_damaged_store_is_told(home: Path) -> None:
    path = find_places().store
    writer = StoreWriter(path, facts)
    for number in range(40):
        writer.apply(build_trace("plan > (a, b, c, d, e, f, g, h)", trace=f"t{number}").parts)
    writer.close()
    with path.open("r+b") as file:
        file.seek(8192 * 2)
        file.write(b"\xff" * 8192 * 6)
    check = checks()["store"]
    assert check.state == "failed"
    assert "damaged" in check.found
    assert check.remedy
    path.write_bytes(b"no database" * 1000)
    check = checks()["store"]
    assert (check.state, check.remedy) == ("failed", "choose another file, this one was not touched")


@pytest.mark.parametrize(("free", "state"), [(10 << 20, "failed"), (500 << 20, "attention"), (5 << 30, "ok")])
def test_little_room_on_the_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    usage = type("Usage", (), {"free": free})()
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    assert machine.disk(find_places()).state == state


def test_how_far_the_index_is_is_told() -> None:
    fine = the_daemon.search(SearchIndex(waiting=0, bytes=2_500_000))
    assert (fine.state, fine.found) == ("ok", "full-text index of 2.5 MB, up to date")
    assert the_daemon.search(SearchIndex(waiting=1, bytes=0)).found.endswith("1 span to index")
    stuck = the_daemon.search(SearchIndex(waiting=1, bytes=0, problem="/x.search.db does not grow: free some space"))
    assert (stuck.state, stuck.remedy) == ("attention", "free some space")


def test_a_qt_platform_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check = machine.qt({**os.environ, "QT_QPA_PLATFORM": "no-such-platform"})
    assert check.state == "failed"
    assert "no-such-platform" in check.found
    assert "install what it misses" in str(check.remedy)
    bare = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    bare.pop("QT_QPA_PLATFORM", None)
    assert "there is no display" in machine.qt(bare).found
    monkeypatch.setattr(machine, "version_of", lambda name: None)
    assert machine.qt({}).state == "attention"


def test_a_child_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_CHILD_S", 0.2)
    assert child.run_python("-c", "import time; time.sleep(60)") == (-1, "", "no answer within 0.2 s")


def test_it_needs_neither_qt_nor_sqlalchemy_itself(home: Path) -> None:
    script = (
        "import sys; from traceview.cli import main; main(['doctor', '--json'])\n"
        "print([name for name in ('PySide6', 'sqlalchemy', 'numpy', 'aiohttp') if name in sys.modules])"
    )
    done: Any = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[1] == "[]", done.stderr
