"""Control: one line each way over a real socket, and one clear sentence whenever that fails."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview.protocol.control import AgentError, AgentFile, AgentStatus, ask, ensure_agent, read_agent_file, status
from traceview.protocol.places import Places, find_places

_STATUS = AgentStatus(
    pid=7,
    version="0.1.0",
    started_ns=1,
    store="traces.db",
    store_bytes=2,
    spans=3,
    rejected=0,
    dropped=0,
    queued=0,
    spans_per_second=0.5,
    receivers=(),
)


class _Daemon:
    """A socket that answers each request as told, one after the other, and remembers what was asked."""

    def __init__(self, listener: socket.socket, answer: Callable[[dict[str, Any]], bytes | None]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._listener = listener
        self._answer = answer
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                with link:
                    self._one(link)

    def _one(self, link: socket.socket) -> None:
        line = link.makefile("rb").readline()
        self.asked.append(json.loads(line))
        answer = self._answer(self.asked[-1])
        if answer is None:  # says nothing until the test is over
            self._done.wait(10)
        else:
            with contextlib.suppress(OSError):
                for place in range(0, len(answer), 30_000):
                    link.sendall(answer[place : place + 30_000])

    def close(self) -> None:
        self._done.set()
        # Shutting down wakes accept(); closing alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


Answering = Callable[[Callable[[dict[str, Any]], bytes | None]], _Daemon]


@pytest.fixture
def places() -> Places:
    places = find_places()
    places.prepare()
    return places


@pytest.fixture
def daemon(places: Places) -> Iterator[Answering]:
    """Starts a daemon on the control socket that answers as told."""
    running: list[_Daemon] = []

    def start(answer: Callable[[dict[str, Any]], bytes | None]) -> _Daemon:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(places.control))
        listener.listen()
        running.append(_Daemon(listener, answer))
        return running[-1]

    yield start
    for one in running:
        one.close()


def _line(answer: object) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


def test_a_request_is_one_line_and_so_is_the_answer(places: Places, daemon: Answering) -> None:
    server = daemon(lambda asked: _line({"spans": 3, "traces": 1}))
    assert ask(places, "import", path="/tmp/ü\n.json") == {"spans": 3, "traces": 1}
    assert server.asked == [{"verb": "import", "path": "/tmp/ü\n.json"}]


def test_a_long_answer_arrives_whole(places: Places, daemon: Answering) -> None:
    daemon(lambda asked: _line({"text": "x" * 500_000}))
    assert len(ask(places, "status")["text"]) == 500_000


def test_the_status_is_typed(places: Places, daemon: Answering) -> None:
    daemon(lambda asked: _line(_STATUS))
    assert status(places) == _STATUS


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (_line({"error": "there is no file /x"}), "there is no file /x"),
        (_line(["what"]), "what"),
        (b"HTTP/1.1 400 Bad Request\n", "is another program on its socket?"),
        (b"\xff\xfe\n", "is another program on its socket?"),
        (b"[" * 100_000 + b"\n", "is another program on its socket?"),
        (b"", "is another program on its socket?"),
    ],
    ids=["refused", "a list", "another program", "no text", "bottomless", "hung up"],
)
def test_what_is_no_answer_is_one_sentence(places: Places, daemon: Answering, answer: bytes, sentence: str) -> None:
    daemon(lambda asked: answer)
    with pytest.raises(AgentError) as caught:
        ask(places, "status")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_status_of_another_version_is_one_sentence(places: Places, daemon: Answering) -> None:
    daemon(lambda asked: _line({"pid": "seven"}))
    with pytest.raises(AgentError, match="another version"):
        status(places)


def test_without_a_daemon_it_says_how_to_start_one(places: Places) -> None:
    with pytest.raises(AgentError, match=f"not running for {places.home}: start it with `traceview-agent start`"):
        ask(places, "status")


def test_a_socket_left_behind_is_no_daemon(places: Places) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(places.control))
    with pytest.raises(AgentError, match="not running"):
        status(places)


def test_a_daemon_that_says_nothing_is_waited_for_only_so_long(places: Places, daemon: Answering) -> None:
    daemon(lambda asked: None)
    with pytest.raises(AgentError, match=r"did not answer within 0\.1 s"):
        ask(places, "status", timeout=0.1)


def test_a_running_daemon_is_not_started_again(
    places: Places, daemon: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    daemon(lambda asked: _line(_STATUS))
    assert ensure_agent(places) == _STATUS


def _script(folder: Path, text: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return str(file)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo first >&2; echo the home is not writable >&2; exit 2", "the home is not writable"),
        ("echo said on stdout; exit 2", "said on stdout"),
        ("exit 3", "the daemon did not start (exit code 3)"),
        ("exec sleep 20", "the daemon did not start"),
        ("exit 0", "not running"),
    ],
)
def test_a_daemon_that_does_not_start_says_why(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    monkeypatch.setattr(sys, "executable", _script(tmp_path, script))
    with pytest.raises(AgentError) as caught:
        ensure_agent(places, timeout=0.5 if "sleep" in script else 10)
    assert sentence in str(caught.value)


def test_no_python_no_daemon(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(AgentError, match="the daemon did not start"):
        ensure_agent(places)


def test_the_agent_file_is_read_or_ignored(places: Places) -> None:
    assert read_agent_file(places.agent_file) is None
    about = AgentFile(pid=7, version="0.1.0", control_port=7001, token="secret")
    places.agent_file.write_bytes(msgspec.json.encode(about))
    assert read_agent_file(places.agent_file) == about
    for damage in (b"", b"{", b'{"pid": "x"}', b"\xff"):
        places.agent_file.write_bytes(damage)
        assert read_agent_file(places.agent_file) is None


def test_without_unix_sockets_the_port_and_token_of_the_agent_file_are_used(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Daemon(listener, lambda asked: _line({"ok": True}))
    try:
        about = AgentFile(pid=7, version="0.1.0", control_port=listener.getsockname()[1], token="secret")
        places.agent_file.write_bytes(msgspec.json.encode(about))
        monkeypatch.setattr(os, "name", "nt")
        assert ask(places, "stop") == {"ok": True}
        assert server.asked == [{"verb": "stop", "token": "secret"}]
        places.agent_file.write_bytes(msgspec.json.encode(AgentFile(pid=7, version="0.1.0")))
        with pytest.raises(AgentError, match="not running"):
            ask(places, "stop")
        places.agent_file.unlink()
        with pytest.raises(AgentError, match="not running"):
            ask(places, "stop")
    finally:
        monkeypatch.setattr(os, "name", "posix")
        server.close()
