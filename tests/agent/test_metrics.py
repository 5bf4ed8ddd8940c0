"""`GET /metrics` as Prometheus reads it: every way in, every loss and refusal, at no cost until somebody asks."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from traceview.formats import encode_json
from traceview.protocol import control
from traceview.protocol.places import find_places
from traceview.testing import build_trace

TRACE = build_trace("plan > (search:tool!, answer:llm~)")


def get(daemon: Any, path: str, **headers: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def post(daemon: Any, body: bytes) -> int:
    connection = http.client.HTTPConnection(urlsplit(daemon.url).netloc, timeout=20)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def scrape(daemon: Any) -> dict[str, float]:
    """Every sample by its name and labels, as a query would spell it."""
    answer, text = get(daemon, "/metrics")
    assert answer.status == 200
    assert answer.headers.get_content_type() == "text/plain"
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sorted(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_what_comes_in_is_counted_by_its_way(daemon: Any, program: Any, tmp_path: Any) -> None:
    program.batch(1, TRACE.parts, dropped=7)
    program.acknowledged(1)
    assert post(daemon, encode_json(build_trace("a > b", trace="http").parts)) == 200
    (tmp_path / "file.json").write_bytes(encode_json(build_trace("c", trace="file").parts))
    control.ask(find_places(), "import", path=str(tmp_path / "file.json"))
    found = scrape(daemon)
    assert found["traceview_spans_ingested_total{receiver=zeromq}"] == 2  # the third still runs
    assert found["traceview_spans_ingested_total{receiver=otlp-http}"] == 2
    assert found["traceview_spans_ingested_total{receiver=import}"] == 1
    assert found["traceview_spans_dropped_total{receiver=zeromq}"] == 7
    assert found["traceview_commit_seconds_count"] == 3
    assert found["traceview_commit_seconds_bucket{le=+Inf}"] == 3
    assert found["traceview_commit_seconds_bucket{le=5.0}"] == 3
    assert 0 < found["traceview_commit_seconds_sum"] < 3
    assert found["traceview_queue_spans"] == 0
    assert found["traceview_queue_bytes"] == 0
    assert found["traceview_store_bytes"] == daemon.status.store_bytes
    assert found["traceview_store_problem"] == 0
    assert found["traceview_search_waiting_spans"] >= found["traceview_search_problem"] == 0
    assert found["traceview_search_index_bytes"] > 0
    assert found[f"traceview_receiver_up{{address={daemon.url}}}{{receiver=otlp-http}}"] == 1
    assert found[f"traceview_build_info{{version={daemon.status.version}}}"] == 1
    assert found["process_resident_memory_bytes"] > 0 or sys.platform != "linux"


@pytest.mark.expects_log
def test_what_is_turned_away_is_counted_with_the_reason(daemon: Any, program: Any, until: Any) -> None:
    secret = msgspec.structs.replace(TRACE.parts[0], input={"password": "hunter2"})
    program.batch(1, [secret, b"no record"])
    program.acknowledged(1)
    program.batch(3, TRACE.parts)
    program.hear()
    program.send(b"garbage")
    program.hello(version=9)
    assert post(daemon, b"{") == 400
    found = scrape(daemon)
    assert found["traceview_spans_rejected_total{reason=undecodable}{receiver=zeromq}"] == 1
    assert found["traceview_spans_rejected_total{reason=protocol}{receiver=zeromq}"] == 1
    assert found["traceview_requests_refused_total{reason=gap}{receiver=zeromq}"] == 1
    assert found["traceview_requests_refused_total{reason=unsupported}{receiver=zeromq}"] == 1
    assert found["traceview_requests_refused_total{reason=undecodable}{receiver=otlp-http}"] == 1
    assert found["traceview_secrets_redacted_total{rule=name}"] == 1


def test_a_full_queue_shows(daemon: Any) -> None:
    intake = daemon.daemon._intake
    with intake._changed:
        intake._spans += 50_000
        intake._bytes += 1_000
    found = scrape(daemon)
    with intake._changed:
        intake._spans -= 50_000
        intake._bytes -= 1_000
    assert found["traceview_queue_spans"] == found["traceview_queue_limit_spans"] == 50_000
    assert found["traceview_queue_bytes"] == 1_000
    assert found["traceview_queue_limit_bytes"] == 20 * 1024 * 1024


def test_openmetrics_is_spoken_too(daemon: Any) -> None:
    answer, text = get(daemon, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers.get_content_type() == "application/openmetrics-text"
    assert "traceview_spans_ingested" in {family.name for family in parse_openmetrics(text)}


def test_scrapes_change_nothing_and_nothing_else_listens_there(daemon: Any) -> None:
    before = json.loads(get(daemon, "/health")[1])
    assert scrape(daemon).keys() == scrape(daemon).keys()
    assert json.loads(get(daemon, "/health")[1]) == before
    assert get(daemon, "/metrics/x")[0].status == 405


def test_the_library_is_loaded_by_the_first_scrape_only() -> None:
    code = "import sys, traceview_agent.daemon; print('prometheus_client' in sys.modules, 'grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split() == ["False"] * 2
