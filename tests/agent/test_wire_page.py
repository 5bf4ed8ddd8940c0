"""agent/README.md is enough to write a client in another language: one was, with nothing of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from traceview.protocol import wire
from traceview.protocol.records import KINDS, SpanPart, Status

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "agent" / "README.md").read_text(encoding="utf-8")
FOREIGN = Path(__file__).with_name("foreign_program.py")


@pytest.mark.expects_log
def test_a_program_written_from_the_page_is_understood(daemon: Any) -> None:
    endpoint = next(receiver.address for receiver in daemon.status.receivers if receiver.name == "zeromq")
    # -I: nothing of this checkout is importable by accident.
    done = subprocess.run([sys.executable, "-I", str(FOREIGN), endpoint], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    heard = json.loads(done.stdout)
    assert heard["hello"] == {"type": "ack", "upto": 0}
    assert heard["first"] == {"type": "ack", "upto": 1}
    assert (heard["gap"]["type"], heard["gap"]["upto"]) == ("busy", 1)
    assert heard["gap"]["retry_after_ms"] >= 0
    assert heard["filled"] == {"type": "ack", "upto": 3}
    assert heard["again"] == {"type": "ack", "upto": 3}
    assert heard["losses"] == {"type": "ack", "upto": 4}
    assert heard["back"] == {"type": "ack", "upto": 4}
    assert heard["end"] == {"type": "ack", "upto": 5}
    assert (heard["version"]["type"], heard["version"]["seq"]) == ("reject", 0)
    assert (heard["refused"]["type"], heard["refused"]["seq"]) == ("reject", 1)
    assert daemon.status.dropped == 7
    assert daemon.status.rejected == 1
    with urllib.request.urlopen(f"{daemon.url}/api/v1/traces/{'c0ffee00' * 4}") as answer:
        check(json.load(answer))


def check(run: dict[str, Any]) -> None:
    """All that the program said of its run has arrived."""
    said = ("name", "session", "user", "project", "tags", "metadata", "status")
    assert [run[key] for key in said] == ["foreign run", "s1", "u1", "p1", ["x"], {"k": 1}, "ok"]
    spans = {span["name"]: span for span in run["spans"]}
    plan, answer = spans["plan"], spans["answer"]
    assert set(spans) == {"plan", "answer", "late"}
    assert (plan["kind"], plan["status"], plan["input"], plan["parent_span_id"]) == ("agent", "ok", {"q": "why?"}, None)
    assert plan["end_ns"] - plan["start_ns"] == 9_000_000
    assert (answer["kind"], answer["status"], answer["status_message"]) == ("llm", "error", "timed out")
    assert (answer["output"], answer["reasoning"], answer["model"]) == ("because", "thought", "m-1")
    assert (answer["attributes"]["b"], answer["attributes"]["c"]) == (True, 0.5)
    assert answer["parent_span_id"] == plan["span_id"]
    assert answer["state"] == {"memory": ["why?"]}
    assert answer["links"][0] == {"trace_id": "6c" * 16, "span_id": "6c" * 8, "attributes": {"kind": "follows"}}


def test_the_page_names_every_field_in_its_place() -> None:
    table = re.findall(r"^\| (\d+) \| (\w+) \|", PAGE, re.MULTILINE)
    assert [(int(number), name) for number, name in table] == list(enumerate(SpanPart.__struct_fields__))


@pytest.mark.parametrize("message", [wire.Hello, wire.Batch, wire.Left, wire.Ack, wire.Busy, wire.Reject])
def test_the_page_names_every_key_of_every_header(message: Any) -> None:
    tag = message.__struct_config__.tag
    row = next(line for line in PAGE.splitlines() if f'type: "{tag}"' in line)
    assert set(re.findall(r"(\w+):", row.split("`")[1])) == {"type", *message.__struct_fields__}


def test_the_page_names_every_kind_and_status() -> None:
    assert " ".join(KINDS) in PAGE
    assert ", ".join(f"{status.value} {status.word}" for status in Status) in PAGE
    assert f"version {wire.VERSION}\n" in PAGE
    assert f"{wire.MAX_FRAME_BYTES // 2**20} MiB" in PAGE
