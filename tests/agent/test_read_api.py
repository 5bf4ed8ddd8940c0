"""What scripts read: the list page by page, a run as `show --json` prints it, while spans go on coming in."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from traceview.cli import main as traceview
from traceview.protocol.records import TraceInfo
from traceview.store.driver import driver
from traceview.testing import build_trace
from traceview_agent import read_api
from traceview_agent.peers import is_stranger, uid_of

TRACE = build_trace("plan:agent > (search:tool!, answer:llm)")
NAMED = (msgspec.structs.replace(TRACE.parts[0], trace=TraceInfo(name="demo run")), *TRACE.parts[1:])


def get(daemon: Any, path: str, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.getheader("Content-Type", "").startswith(("application/json", "text/plain"))
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture
def full(daemon: Any, program: Any) -> Any:
    """A daemon with 25 traces; the newest is TRACE."""
    for number in range(24):
        (part,) = build_trace("a", trace=f"t{number}").parts
        info = TraceInfo(name=f"run {number}", session="even" if number % 2 == 0 else "odd", tags=("x", f"n{number}"))
        times = {"start_ns": part.start_ns - 10**9 * (100 - number), "end_ns": part.start_ns - 10**9 * (90 - number)}
        program.batch(number + 1, [msgspec.structs.replace(part, trace=info, **times)])
    program.batch(25, NAMED)
    program.acknowledged(25)
    return daemon


def test_the_list_is_what_list_prints(full: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = get(full, "/api/v1/traces?limit=1000")
    assert traceview(["list", "--json", "--limit", "0"]) == 0
    assert status == 200
    assert answer == {"traces": json.loads(capsys.readouterr().out), "next_cursor": None}
    assert len(answer["traces"]) == 25


def test_a_run_is_what_show_prints(full: Any, capsys: pytest.CaptureFixture[str]) -> None:
    trace_id = TRACE.trace_id.hex()
    status, answer = get(full, f"/api/v1/traces/{trace_id.upper()}")
    assert traceview(["show", trace_id, "--json"]) == 0
    assert status == 200
    assert answer == json.loads(capsys.readouterr().out)
    assert [span["name"] for span in answer["spans"]] == ["plan", "search", "answer"]


def test_pages_follow_the_cursor(full: Any) -> None:
    seen, cursor = [], ""
    while True:
        _, answer = get(full, f"/api/v1/traces?limit=10{cursor}")
        seen += [trace["name"] for trace in answer["traces"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == ["demo run", *(f"run {number}" for number in reversed(range(24)))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=demo%20run", 1),
        ("name=run*", 24),
        ("session=odd", 12),
        ("session=odd&tag=x&tag=n3", 1),
        ("status=error", 0),
        ("status=ok&min_duration=10s", 24),
        ("min_duration=11s", 0),
        (f"since={TRACE.parts[0].start_ns}", 1),
        (f"until={TRACE.parts[0].start_ns}", 24),
        ("since=2001-01-01T00:00:00Z", 25),
        ("user=nobody", 0),
        ("project=none", 0),
    ],
)
def test_filters(full: Any, query: str, found: int) -> None:
    status, answer = get(full, f"/api/v1/traces?{query}")
    assert (status, len(answer["traces"])) == (200, found)


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/api/v1/traces?limit=0", 400, "1 to 1000"),
        ("/api/v1/traces?statsu=ok", 400, "did you mean status"),
        ("/api/v1/traces?name=a&name=b", 400, "2 times"),
        ("/api/v1/traces/xyz", 400, "32 hex digits"),
        (f"/api/v1/traces/{'00' * 16}", 404, "there is no trace"),
        ("/api/v1/traces/..%2F..%2Fetc", 400, "32 hex digits"),
    ],
)
def test_mistakes_are_named(daemon: Any, path: str, status: int, why: str) -> None:
    code, answer = get(daemon, path)
    assert code == status
    assert why in answer["error"]


def test_nothing_recorded_yet_is_an_empty_list(daemon: Any) -> None:
    assert get(daemon, "/api/v1/traces") == (200, {"traces": [], "next_cursor": None})


def test_posting_there_is_still_opentelemetry(daemon: Any) -> None:
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    connection.request("POST", "/api/v1/traces", b"{}", {"Content-Type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def test_a_page_of_another_site_reads_nothing(full: Any) -> None:
    connection = http.client.HTTPConnection(urlsplit(full.url).netloc, timeout=20)
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        connection.request("GET", "/api/v1/traces", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, b"demo" in answer.read()) == (403, False)
    connection.request("GET", "/api/v1/traces")
    answer = connection.getresponse()
    answer.read()
    assert answer.getheader("Access-Control-Allow-Origin") is None
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    connection.close()


def test_a_long_run_is_sent_in_pieces(daemon: Any, program: Any) -> None:
    (part,) = build_trace("a").parts
    parts = [
        msgspec.structs.replace(part, span_id=number.to_bytes(8, "big"), input="x" * 3000) for number in range(1, 401)
    ]
    program.batch(1, parts)
    program.acknowledged(1)
    status, answer = get(daemon, f"/api/v1/traces/{part.trace_id.hex()}")
    assert (status, len(answer["spans"]), answer["spans"][399]["input"]) == (200, 400, "x" * 3000)


def test_a_run_beyond_all_bounds_is_refused(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_api, "MOST_SPANS", 2)
    status, answer = get(full, f"/api/v1/traces/{TRACE.trace_id.hex()}")
    assert status == 413
    assert "traceview export" in answer["error"]


@pytest.mark.expects_log
def test_a_run_that_is_damaged_halfway_does_not_look_whole(start_daemon: Any, program: Any) -> None:
    first = start_daemon()
    (part,) = build_trace("a", trace="long").parts
    parts = [
        msgspec.structs.replace(part, span_id=number.to_bytes(8, "big"), input=os.urandom(3000).hex())
        for number in range(1, 401)
    ]
    program.batch(1, parts)
    program.acknowledged(1)
    first.stop()
    connection = driver().connect(str(first.places.store), isolation_level=None)
    connection.execute("DELETE FROM payload_block WHERE block_no = (SELECT max(block_no) FROM payload_block)")
    connection.close()
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        get(start_daemon(), f"/api/v1/traces/{part.trace_id.hex()}")


def test_a_reader_who_leaves_does_no_harm(full: Any, program: Any) -> None:
    host, port = urlsplit(full.url).netloc.split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port)), 5) as raw:
            raw.sendall(f"GET /api/v1/traces/{TRACE.trace_id.hex()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert get(full, f"/api/v1/traces/{TRACE.trace_id.hex()}")[0] == 200


@pytest.mark.expects_log
def test_a_store_that_is_gone_is_503(full: Any, program: Any, until: Any) -> None:
    full.places.store.rename(full.places.store.with_name("moved.db"))
    status, answer = get(full, "/api/v1/traces")
    assert (status, "error" in answer) == (503, True)
    status, answer = get(full, f"/api/v1/traces/{TRACE.trace_id.hex()}")
    assert (status, "error" in answer) == (503, True)
    full.places.store.with_name("moved.db").rename(full.places.store)


def test_reading_and_writing_go_on_together(daemon: Any, start_program: Any) -> None:
    answers: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            answers.append(get(daemon, f"/api/v1/traces?name={quote('demo run')}")[0])

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    program = start_program()
    for seq in range(1, 101):
        program.batch(seq, build_trace("a > (b, c)", trace=f"t{seq}").parts)
    program.acknowledged(100)
    done.set()
    for reader in readers:
        reader.join()
    assert set(answers) == {200}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become another user")
def test_another_user_of_this_machine_reads_nothing(full: Any) -> None:
    code = (
        "import encodings.idna, os, sys, http.client; os.setuid(65534);"
        "c = http.client.HTTPConnection(sys.argv[1]); c.request('GET', sys.argv[2]); r = c.getresponse();"
        "print(r.status, b'demo' in r.read())"
    )
    paths = ("/api/v1/traces", f"/api/v1/traces/{TRACE.trace_id.hex()}")
    for path in paths:
        command = [sys.executable, "-c", code, urlsplit(full.url).netloc, path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == ["403", "False"], done.stderr


def test_the_owner_of_a_connection_is_found() -> None:
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not say")
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = socket.create_server((host, 0), family=family)
        except OSError:
            continue
        with server, socket.create_connection(server.getsockname()[:2]) as client:
            port = client.getsockname()[1]
            assert uid_of(host, port, server.getsockname()[1]) == os.getuid()
            assert uid_of(host, 1, server.getsockname()[1]) is None
    assert uid_of("127.0.0.1", 1, 2, Path("/nowhere")) is None
    assert not is_stranger(None)


def test_search_answers_what_the_command_prints(
    full: Any, until: Any, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = f"/api/v1/search?q={quote('boom search')}&limit=5"
    until(lambda: get(full, path)[1]["indexed"])
    status, answer = get(full, path)
    assert traceview(["search", "boom", "search", "--json"]) == 0
    assert status == 200
    assert answer == json.loads(capfdbinary.readouterr().out)
    (hit,) = answer["hits"]
    assert (hit["name"], hit["field"], hit["marks"]) == ("search", "name", [[0, 6]])
    assert (answer["waiting"], answer["indexed"], answer["complete"]) == (0, True, True)
    assert len(get(full, "/api/v1/search?q=run&limit=7")[1]["hits"]) == 7
    assert get(full, "/api/v1/search?q=nowhere")[1]["hits"] == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "q: write what to look for"),
        ("q=%28%29", "q: write what to look for"),
        ("q=" + "a" * 1001, "at most 1000 characters"),
        ("q=a&limit=0", "limit '0' is out of range"),
        ("q=a&q=b", "q is given 2 times"),
        ("query=a", "query is no parameter"),
        ("q=a&limits=3", "did you mean limit?"),
    ],
)
def test_a_search_that_cannot_be_made_is_told(daemon: Any, query: str, says: str) -> None:
    status, answer = get(daemon, f"/api/v1/search?{query}")
    assert status == 400
    assert says in answer["error"]


def test_a_search_that_takes_too_long_is_ended(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_api, "_SEARCH_SECONDS", -1.0)
    status, answer = get(full, "/api/v1/search?q=run")
    assert (status, answer["hits"], answer["complete"]) == (200, [], False)
