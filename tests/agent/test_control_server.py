"""The control socket: what may be asked, and what an unwelcome request is answered."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from typing import Any

import pytest

from traceview.protocol import control
from traceview.protocol.places import find_places
from traceview_agent.control_server import ControlServer, Refused


def raw(data: bytes) -> bytes:
    """What the daemon answers to these bytes."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(find_places().control))
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := link.recv(65536):
            answer += piece
        return answer


def test_status_says_where_it_listens(daemon: Any) -> None:
    status = daemon.status
    assert status.pid == os.getpid()
    assert status.store == str(find_places().store)
    assert status.store_bytes > 0
    assert [receiver.name for receiver in status.receivers][:2] == ["zeromq", "otlp-http"]
    assert all(receiver.error is None for receiver in status.receivers)
    assert status.problem is None


def test_the_socket_is_private(daemon: Any) -> None:
    assert stat.S_IMODE(find_places().control.stat().st_mode) == 0o600


def test_an_unknown_verb_is_answered_with_the_known_ones(daemon: Any) -> None:
    with pytest.raises(control.AgentError, match="import, keep, status, stop"):
        control.ask(find_places(), "dance")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"not json\n", "JSON"),
        (b"[1]\n", "object"),
        (b"[" * 60_000 + b"\n", "JSON"),
        (b"x" * 200_000 + b"\n", "one line"),
        (b"{}\n", "verbs"),
        (b'{"verb": ["status"]}\n', "verbs"),
    ],
)
def test_a_bad_request_is_an_error(daemon: Any, line: bytes, why: str) -> None:
    assert why in json.loads(raw(line))["error"]
    assert daemon.status.pid == os.getpid()


def test_a_connection_without_a_request_is_closed(daemon: Any) -> None:
    assert raw(b"") == b""


def test_stop_ends_the_daemon(daemon: Any, until: Any) -> None:
    assert control.ask(find_places(), "stop") == {"stopping": os.getpid()}
    until(lambda: not find_places().control.exists())
    daemon.stop()


def serve(server: ControlServer, talk: Any) -> Any:
    """Runs a coroutine beside a server."""

    async def run() -> Any:
        await server.start()
        try:
            return await talk()
        finally:
            await server.stop()
            await server.stop()

    return asyncio.run(run())


async def exchange(port: int, request: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(json.dumps(request).encode() + b"\n")
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return json.loads(answer)


def test_without_unix_sockets_a_token_is_asked_for(home: Any) -> None:
    async def hello(request: dict[str, Any]) -> dict[str, Any]:
        return {"heard": request}

    server = ControlServer(find_places(), {"hello": hello}, unix=False)

    async def talk() -> None:
        assert server.port is not None
        assert "token" in (await exchange(server.port, {"verb": "hello"}))["error"]
        assert "token" in (await exchange(server.port, {"verb": "hello", "token": "wrong"}))["error"]
        granted = await exchange(server.port, {"verb": "hello", "token": server.token, "a": 1})
        assert granted == {"heard": {"a": 1}}

    serve(server, talk)


@pytest.mark.expects_log
def test_a_verb_that_fails_is_an_error_and_the_server_goes_on(home: Any) -> None:
    async def fail(request: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("oh")

    async def refuse(request: dict[str, Any]) -> dict[str, Any]:
        raise Refused("no")

    server = ControlServer(find_places(), {"fail": fail, "refuse": refuse}, unix=False)

    async def talk() -> None:
        for verb, why in (("fail", "ZeroDivisionError"), ("refuse", "no")):
            answer = await exchange(server.port or 0, {"verb": verb, "token": server.token})
            assert why in answer["error"]

    serve(server, talk)


def test_a_talk_that_does_not_end_is_cut_at_the_stop(home: Any) -> None:
    heard = asyncio.Event()

    async def hang(request: dict[str, Any]) -> dict[str, Any]:
        heard.set()
        await asyncio.Event().wait()
        return {}

    server = ControlServer(find_places(), {"hang": hang}, unix=False)

    async def talk() -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(json.dumps({"verb": "hang", "token": server.token}).encode() + b"\n")
        await heard.wait()
        await server.stop()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        return reader

    serve(server, talk)
