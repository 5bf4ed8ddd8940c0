"""Open to other machines: never without keys, and then only for those who have them."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth

from traceview.protocol import wire
from traceview_agent.__main__ import main
from traceview_agent.daemon import CannotStart
from traceview_agent.keys import KeysError, load_keys, make_keys
from traceview_agent.loopback import is_near

SPANS = [{"trace_id": "5b" * 16, "span_id": "ee" * 8, "name": "far", "start_ns": 1, "end_ns": 2}]


@pytest.fixture(scope="module")
def address() -> str:
    """An address of this machine that others reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses the way
        except OSError:
            pytest.skip("this machine has no network")
        found: str = probe.getsockname()[0]
    if is_near(found):
        pytest.skip("this machine has no network")
    return found


@pytest.fixture
def folder(home: Path) -> Path:
    make_keys(home / "keys", "laptop")
    return home / "keys"


@pytest.fixture
def far_daemon(start_daemon: Any, address: str, folder: Path) -> Any:
    return start_daemon(listen=address)


def ways(daemon: Any) -> dict[str, Any]:
    return {receiver.name: receiver for receiver in daemon.status.receivers}


def ask(host: str, port: int, method: str = "GET", path: str = "/api/v1/traces", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        body = json.dumps(SPANS) if method == "POST" else None
        kind = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, body, kind | {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def port_of(receiver: Any) -> int:
    return int(receiver.address.rpartition(":")[2])


def test_without_keys_it_does_not_start(start_daemon: Any) -> None:
    with pytest.raises(CannotStart, match=r"won't listen on 0\.0\.0\.0.*traceview-agent keys") as error:
        start_daemon(listen="0.0.0.0")
    assert error.value.code == 2


@pytest.mark.parametrize("listen", ["example.org", "1.2.3", "0.0.0.0:80", " "])
def test_what_is_no_address_is_named(start_daemon: Any, listen: str) -> None:
    with pytest.raises(CannotStart, match="no address to listen on"):
        start_daemon(listen=listen)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", "127.0.0.5", "::1"])
def test_the_loopback_needs_no_keys(start_daemon: Any, listen: str) -> None:
    assert "zeromq-tcp" not in ways(start_daemon(listen=listen))


def test_every_way_listens_there_too(far_daemon: Any, address: str) -> None:
    found = ways(far_daemon)
    assert all(receiver.error is None for receiver in found.values())
    assert found["otlp-http"].address.endswith(f" and http://{address}:{port_of(found['otlp-http'])}")
    assert found["zeromq-tcp"].address.startswith(f"tcp://{address}:")
    assert found["zeromq"].address.startswith("ipc://")


# HTTP


def test_http_from_elsewhere_needs_the_token(far_daemon: Any, address: str, folder: Path) -> None:
    port, token = port_of(ways(far_daemon)["otlp-http"]), (folder / "token").read_text().strip()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {token}"}, {"Host": "localhost"}):
        for method, path in (("GET", "/api/v1/traces"), ("POST", "/api/v1/spans/batch"), ("GET", "/metrics")):
            status, answered = ask(address, port, method, path, **headers)
            assert status == 401
            assert answered["WWW-Authenticate"].startswith("Bearer")
    assert far_daemon.stored() == []
    assert ask(address, port, "POST", "/api/v1/spans/batch", Authorization=f"Bearer {token}")[0] == 200
    assert ask(address, port, Authorization=f"bearer  {token}")[0] == 200
    assert far_daemon.stored() == ["far"]


def test_http_from_here_needs_none(far_daemon: Any) -> None:
    port = port_of(ways(far_daemon)["otlp-http"])
    assert ask("127.0.0.1", port)[0] == 200
    assert ask("127.0.0.1", port, Authorization="Basic of-another-vendor")[0] == 200


def test_a_page_of_elsewhere_needs_the_token_too(far_daemon: Any, folder: Path) -> None:
    port, token = port_of(ways(far_daemon)["otlp-http"]), (folder / "token").read_text().strip()
    for header in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert ask("127.0.0.1", port, **header)[0] == 401
        assert ask("127.0.0.1", port, **header, Authorization=f"Bearer {token}")[0] == 200


def test_a_token_opens_nothing_that_was_not_opened(start_daemon: Any, folder: Path) -> None:
    token = (folder / "token").read_text().strip()
    port = port_of(ways(start_daemon())["otlp-http"])
    assert ask("127.0.0.1", port, Host="evil.example", Authorization=f"Bearer {token}")[0] == 403


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_wildcard_listens_on_the_loopback_as_well(start_daemon: Any, folder: Path, wildcard: str) -> None:
    if ":" in wildcard and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    port = port_of(ways(start_daemon(listen=wildcard))["otlp-http"])
    assert ask("127.0.0.1", port)[0] == 200
    try:
        assert ask("::1", port)[0] == 200
    except OSError:
        assert wildcard == "0.0.0.0"


# gRPC


def test_grpc_from_elsewhere_needs_the_token(far_daemon: Any, address: str, folder: Path) -> None:
    grpc = pytest.importorskip("grpc")
    port, token = port_of(ways(far_daemon)["otlp-grpc"]), (folder / "token").read_text().strip()

    def export(host: str, *metadata: tuple[str, str]) -> str:
        method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            try:
                channel.unary_unary(method)(b"", timeout=20, metadata=metadata)
            except grpc.RpcError as error:
                code: str = error.code().name
                return code
        return "OK"

    assert export(address) == "UNAUTHENTICATED"
    assert export(address, ("authorization", "Bearer wrong")) == "UNAUTHENTICATED"
    assert export(address, ("authorization", f"Bearer {token}")) == "OK"
    assert export("127.0.0.1") == "OK"


# ZeroMQ


@pytest.fixture
def connect(far_daemon: Any) -> Iterator[Any]:
    """A DEALER to the encrypted endpoint, with these keys or none."""
    context = zmq.Context()
    sockets: list[Any] = []

    def dial(server: bytes | None, public: bytes = b"", secret: bytes = b"") -> Any:
        link = context.socket(zmq.DEALER)
        link.linger = 0
        if server is not None:
            link.curve_serverkey, link.curve_publickey, link.curve_secretkey = server, public, secret
        link.connect(ways(far_daemon)["zeromq-tcp"].address)
        sockets.append(link)
        return link

    yield dial
    for link in sockets:
        link.close()
    context.term()


def hears(link: Any, seconds: float = 10.0) -> bool:
    link.send(wire.encode_header(wire.Hello(b"f" * 16)))
    return bool(link.poll(int(seconds * 1000)))


def test_zeromq_lets_in_whom_it_knows(far_daemon: Any, connect: Any, folder: Path) -> None:
    server, _ = zmq.auth.load_certificate(folder / "server.key")
    link = connect(server, *zmq.auth.load_certificate(folder / "clients" / "laptop.key_secret"))
    assert hears(link)
    assert wire.decode_downstream(link.recv()) == wire.Ack(0)


@pytest.mark.expects_log
def test_zeromq_lets_in_nobody_else(far_daemon: Any, connect: Any, folder: Path, until: Any) -> None:
    server, _ = zmq.auth.load_certificate(folder / "server.key")
    stranger = zmq.curve_keypair()
    assert not hears(connect(None), 0.5)
    assert not hears(connect(stranger[0], *zmq.auth.load_certificate(folder / "clients" / "laptop.key_secret")), 0.5)
    link = connect(server, *stranger)
    assert not hears(link, 0.5)
    make_keys(folder, "newcomer")  # while the daemon runs
    assert hears(connect(server, *zmq.auth.load_certificate(folder / "clients" / "newcomer.key_secret")))
    (folder / "clients" / "newcomer.key").unlink()
    assert not hears(connect(server, *zmq.auth.load_certificate(folder / "clients" / "newcomer.key_secret")), 0.5)
    refused = far_daemon.daemon._meters.figures().refused
    assert refused["zeromq-tcp", "forbidden"] >= 2


def test_an_endpoint_that_others_reach_is_encrypted_too(
    start_daemon: Any, folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIEW_ENDPOINT", f"tcp://{address}:*")
    endpoint = ways(start_daemon())["zeromq"]
    assert endpoint.error is None
    context = zmq.Context()
    link = context.socket(zmq.DEALER)
    link.linger = 0
    link.connect(endpoint.address)
    assert not hears(link, 0.5)
    link.close()
    context.term()


def run_program(address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A traced program of a user with a home of its own."""
    code = (
        "import logging; logging.basicConfig()\n"
        "import traceview as tv\n"
        "with tv.span('from afar'): pass\n"
        "print(tv.flush(5))"
    )
    keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR") if name in os.environ}
    variables = {**keep, "TRACEVIEW_ENDPOINT": address, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=variables)


def test_our_sdk_speaks_through_keys(far_daemon: Any, folder: Path, tmp_path: Path) -> None:
    address = ways(far_daemon)["zeromq-tcp"].address
    keys = {
        "TRACEVIEW_HOME": str(tmp_path / "far"),
        "TRACEVIEW_SERVER_KEY": load_keys(folder).public.decode(),
        "TRACEVIEW_CLIENT_KEY": str(folder / "clients" / "laptop.key_secret"),
    }
    done = run_program(address, **keys)
    assert far_daemon.stored() == ["from afar"], done.stderr
    by_file = run_program(address, **{**keys, "TRACEVIEW_SERVER_KEY": str(folder / "server.key")})
    assert far_daemon.stored() == ["from afar", "from afar"], by_file.stderr


# The keys themselves


def test_keys_are_made_once_and_private(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--client", "laptop"]) == 0
    told = capsys.readouterr().out
    before = {file: file.read_bytes() for file in (home / "keys").rglob("*") if file.is_file()}
    assert main(["keys", "--client", "other"]) == 0
    assert {file: file.read_bytes() for file in before} == before
    names = {str(file.relative_to(home / "keys")) for file in (home / "keys").rglob("*") if file.is_file()}
    clients = {f"clients/{name}" for name in ("laptop.key", "laptop.key_secret", "other.key", "other.key_secret")}
    assert names == {"server.key", "server.key_secret", "token"} | clients
    for file in before:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for place in (home / "keys", home / "keys" / "clients"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    keys = load_keys(home / "keys")
    assert keys.public.decode() in told
    assert keys.token not in told
    assert keys.secret.decode() not in told
    assert keys.token not in repr(keys)


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b", "x" * 100])
def test_a_clients_name_is_a_plain_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--client", name]) == 2
    assert "no name for a client" in capsys.readouterr().err


def test_keys_that_cannot_be_written_are_one_clear_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "keys").touch()
    assert main(["keys"]) == 2
    assert str(home / "keys") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: (folder / "token").chmod(0o644), "chmod 600"),
        (lambda folder: (folder / "server.key_secret").chmod(0o640), "chmod 600"),
        (lambda folder: (folder / "token").write_text("short\n"), "16 plain characters"),
        (lambda folder: (folder / "token").write_text("long enough but ä\n"), "16 plain characters"),
        (lambda folder: (folder / "token").unlink(), "token is missing"),
        (lambda folder: (folder / "server.key_secret").write_text("nothing"), "can't be used"),
        (lambda folder: (folder / "server.key_secret").write_text('public-key = "short"'), "no pair"),
    ],
)
def test_keys_that_are_not_right_are_refused(folder: Path, spoil: Any, why: str) -> None:
    spoil(folder)
    with pytest.raises(KeysError, match=why):
        load_keys(folder)


def test_a_damaged_key_of_a_client_lets_nobody_in(folder: Path) -> None:
    (folder / "clients" / "a-damaged.key").write_text("nothing")
    (folder / "clients" / "a-short.key").write_text('public-key = "abc"')
    keys = load_keys(folder)
    assert not keys.allow(b"\0" * 32)
    from zmq.utils import z85

    assert keys.allow(z85.decode(zmq.auth.load_certificate(folder / "clients" / "laptop.key")[0]))


def test_a_lost_public_key_is_made_again_from_the_secret_one(folder: Path) -> None:
    before = (folder / "server.key").read_bytes()
    (folder / "server.key").unlink()
    make_keys(folder, "laptop")
    assert (folder / "server.key").read_bytes() == before


@pytest.mark.parametrize(
    ("address", "near"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False),
     ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False), ("::", False)],
)  # fmt: skip
def test_near_is_this_machine(address: str, near: bool) -> None:
    assert is_near(address) is near
