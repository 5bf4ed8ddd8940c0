"""Locks, ports, logs, dead letters and bodies: the small things that hold the daemon together."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from traceview.protocol.ports import port_owner
from traceview_agent import limits, logs, loopback, otlp_answers
from traceview_agent.bounded_body import BodyTooLarge, BoundedBody
from traceview_agent.dead_letters import DeadLetters
from traceview_agent.instance import AlreadyRunningError, FileLock
from traceview_agent.redaction import Redaction


def test_a_lock_is_held_once_and_can_be_had_again(tmp_path: Path) -> None:
    first, second = (FileLock(tmp_path / "lock", tmp_path) for _ in range(2))
    first.acquire()
    with pytest.raises(AlreadyRunningError, match=str(os.getpid())) as error:
        second.acquire()
    assert error.value.pid == os.getpid()
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_holder_whose_pid_cannot_be_read_still_holds(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", tmp_path)
    lock.acquire()
    (tmp_path / "lock").write_text("who knows")
    with pytest.raises(AlreadyRunningError) as error:
        FileLock(tmp_path / "lock", tmp_path).acquire()
    assert error.value.pid is None
    lock.release()


def test_the_owner_of_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        owner = port_owner(server.getsockname()[1])
    if Path("/proc/net/tcp").exists():
        assert owner is not None
        assert owner.endswith(f"(pid {os.getpid()})")


def test_an_owner_that_cannot_be_found_is_not_named(tmp_path: Path) -> None:
    assert port_owner(1, tmp_path) is None
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:10DE 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1"
    (tmp_path / "net" / "tcp").write_text(f"header\n{row}\n")
    (tmp_path / "123").mkdir()  # its fd folder is another user's, or gone
    assert port_owner(4318, tmp_path) is None
    message = loopback.why_not(4318, OSError(98, "Address already in use"), tmp_path)
    assert message == "port 4318 is taken: choose another with --otlp-port or TRACEVIEW_OTLP_PORT"


def test_a_port_that_is_not_allowed_says_so() -> None:
    message = loopback.why_not(80, PermissionError(13, "Permission denied"))
    assert message.startswith("port 80 can't be used (Permission denied)")


def test_a_taken_six_is_no_obstacle() -> None:
    try:
        taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    with taken:
        (only,) = loopback.listen_on_loopback(taken.getsockname()[1])
        only.close()


@pytest.mark.expects_log
def test_dead_letters_are_kept_until_the_file_is_full(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "rejected.jsonl", Redaction(), max_bytes=1000)
    letters.keep("a", "too long for the file", b"x" * 2000)
    for _ in range(100):
        letters.keep("a", "why", b"record")
    lines = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert "record" not in lines[0]
    assert lines[1]["record"] == "cmVjb3Jk"
    assert (tmp_path / "rejected.jsonl").stat().st_size < 1200


@pytest.mark.expects_log
def test_dead_letters_never_raise(tmp_path: Path) -> None:
    DeadLetters(tmp_path / "no" / "folder", Redaction()).keep("a", "why", b"record")


@pytest.mark.parametrize("size", [1, 127, 128, 300, 2**40])
def test_answers_are_what_protobuf_reads(size: int) -> None:
    message = "é" * min(size, 300)
    parsed = ExportTraceServiceResponse.FromString(otlp_answers.encode_answer(otlp_answers.PROTOBUF, size, message))
    assert parsed.partial_success.rejected_spans == size
    assert parsed.partial_success.error_message == message


def test_a_warning_without_rejections_is_told() -> None:
    answer = json.loads(otlp_answers.encode_answer(otlp_answers.JSON, 0, "careful"))
    assert answer == {"partialSuccess": {"rejectedSpans": "0", "errorMessage": "careful"}}


def test_a_body_may_be_as_long_as_the_limit() -> None:
    body = BoundedBody("", 10)
    body.feed(b"12345")
    body.feed(b"67890")
    assert body.finish() == b"1234567890"
    with pytest.raises(BodyTooLarge):
        body.feed(b"1")


def test_an_empty_compressed_body_is_empty() -> None:
    assert BoundedBody("gzip", 10).finish() == b""


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    standard = [os.dup(stream.fileno()) for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
    logs.configure(tmp_path / "agent.log", level="debug")
    yield tmp_path / "agent.log"
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for stream, copy in zip((sys.__stdout__, sys.__stderr__), standard, strict=True):
        assert stream is not None
        os.dup2(copy, stream.fileno())
        os.close(copy)


def test_a_line_of_the_log_is_one_line_with_keys(log_file: Path) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("traceview_agent.test").debug('a "quoted"\nmessage', exc_info=True)
    (line,) = log_file.read_text().splitlines()
    assert line.startswith("time=2")
    assert ' level=debug from=test message="a \\"quoted\\"\\nmessage" error="Traceback' in line


def test_a_line_of_the_log_can_be_json() -> None:
    record = logging.LogRecord("traceview_agent.writer", logging.WARNING, "", 0, 'a "%s"\nline', ("secret",), None)
    line = logs.LineFormatter(lambda text: text.replace("secret", "-"), "json").format(record)
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {"level": "warning", "from": "writer", "message": 'a "-"\nline'}
    assert "\n" not in line


def test_the_log_is_rotated_and_takes_stderr_along(log_file: Path) -> None:
    (handler,) = (each for each in logging.getLogger().handlers if isinstance(each, logs.DetachedHandler))
    handler.doRollover()
    os.write(2, b"libzmq says goodbye\n")
    assert log_file.read_text() == "libzmq says goodbye\n"
    assert log_file.with_name("agent.log.1").exists()


def test_connections_leave_room_for_everything_else() -> None:
    assert 0 < limits.most_connections() <= limits.open_files() // 2
