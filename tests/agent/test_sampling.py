"""Sampling in the daemon: rules decide about runs that have ended, say what they left out, and survive any end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.conventions import facts
from traceview.protocol import control
from traceview.protocol.control import AgentError
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart, Status, TraceSummary
from traceview.protocol.sampling import SAMPLED_OUT_KEY, SampledOut
from traceview.sdk.sampling import HeadSampling
from traceview.store import StoreReader, StoreWriter, Verdict
from traceview.store.driver import driver
from traceview.testing import BuiltTrace, build_trace
from traceview_agent import upkeep
from traceview_agent.__main__ import main
from traceview_agent.control_server import Refused
from traceview_agent.durations import nanoseconds
from traceview_agent.intake import Intake, Unstored
from traceview_agent.keeping import keep
from traceview_agent.quiet import Quiet
from traceview_agent.sampling import Policy, RuleMistake
from traceview_agent.sampling_settings import SamplingSettings

S = 10**9
LOW, HIGH = bytes(16), b"\xff" * 16
TRACEVIEW = [str(Path(sys.executable).with_name("traceview"))]
AGENT = [sys.executable, "-P", "-m", "traceview_agent"]


def policy(**given: Any) -> Policy:
    return Policy(SamplingSettings(**given))


def trace(**given: Any) -> TraceSummary:
    fields: dict[str, Any] = {
        "trace_id": LOW,
        "name": "ask",
        "status": Status.OK,
        "start_ns": 100 * S,
        "end_ns": 101 * S,
        "spans": 3,
        "errors": 0,
        "running": 0,
        "llm_calls": 1,
        "session": None,
        "user": None,
        "project": None,
        "tags": (),
        "metadata": {},
        "models": (),
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "preview": None,
        "dropped": 0,
        "change": 1,
    }
    return TraceSummary(**{**fields, **given})


def verdict(rules: Policy, earlier: str | None = None, kinds: tuple[str, ...] = (), **given: Any) -> Verdict:
    return rules.judge(trace(**given), earlier, kinds.__contains__)


# --- the policy


def test_by_default_everything_is_kept() -> None:
    assert not policy().leaves_something_out
    assert not policy(rules=[{"name": "a", "keep": 1}]).leaves_something_out
    assert verdict(policy()) == Verdict()
    for given_ in ({"ratio": 0.5}, {"traces_per_second": 3}, {"rules": [{"keep": 0.9}]}):
        assert policy(**given_).leaves_something_out


def test_the_ratio_decides_by_the_id() -> None:
    assert verdict(policy(ratio=0.1)) == Verdict("ratio")
    assert verdict(policy(ratio=0.1), trace_id=HIGH) == Verdict()


@given(st.binary(min_size=16, max_size=16), st.floats(0, 1))
def test_it_decides_as_a_program_with_the_same_ratio(trace_id: bytes, ratio: float) -> None:
    kept = HeadSampling(ratio).keeps(trace_id)
    assert (verdict(policy(ratio=ratio), trace_id=trace_id).rule is None) is kept
    assert (verdict(policy(rules=[{"keep": ratio}]), trace_id=trace_id).rule is None) is kept


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"errors": 1}, True),
        ({"errors": 1, "status": Status.ERROR}, True),
        ({"end_ns": 106 * S}, True),
        ({"end_ns": 105 * S}, False),
        ({}, False),
    ],
)
def test_errors_and_slow_ones_are_always_kept(given_: dict[str, Any], kept: bool) -> None:
    rules = policy(ratio=0, keep_slower_than="5s", rules=[{"name": "*", "keep": 0}])
    assert (verdict(rules, **given_).rule is None) is kept


def test_errors_need_not_be_kept() -> None:
    rules = policy(ratio=0, keep_errors=False, rules=[{"status": "error", "name": "pay*", "keep": 1}])
    assert verdict(rules, status=Status.ERROR, errors=1).rule == "ratio"
    assert verdict(rules, status=Status.ERROR, errors=1, name="pay").rule is None


CONDITIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"name": "check*out"}, {"name": "check me out"}, {"name": "check out now"}),
    ({"name": "a.c"}, {"name": "a.c"}, {"name": "abc"}),
    ({"project": "shop"}, {"project": "shop"}, {}),
    ({"session": "s-*"}, {"session": "s-1"}, {"session": "t-1"}),
    ({"user": "u"}, {"user": "u"}, {"user": "U"}),
    ({"tag": "be*"}, {"tags": ("x", "beta")}, {"tags": ("x",)}),
    ({"model": "gpt-*"}, {"models": ("claude", "gpt-4o")}, {"models": ("claude",)}),
    ({"status": "error"}, {"status": Status.ERROR}, {"errors": 1}),
    ({"cost_above": 0.5}, {"cost_usd": 0.6}, {"cost_usd": 0.5}),
    ({"cost_above": 0}, {"cost_usd": 0.1}, {}),
    ({"tokens_above": 10}, {"input_tokens": 6, "output_tokens": 5}, {"input_tokens": 10}),
    ({"slower_than": "1s"}, {"end_ns": 102 * S}, {}),
    ({"kind": "tool"}, {"kinds": ("tool", "llm")}, {"kinds": ("llm",)}),
    ({"name": "a", "project": "b"}, {"name": "a", "project": "b"}, {"name": "a"}),
    ({}, {}, {"errors": 1}),
]


@pytest.mark.parametrize(("conditions", "fits", "fails"), CONDITIONS)
def test_a_rule_concerns_what_fits_all_its_conditions(
    conditions: dict[str, Any], fits: dict[str, Any], fails: dict[str, Any]
) -> None:
    rules = policy(rules=[{**conditions, "keep": 0}], keep_errors="status" not in conditions)
    label = " ".join(f"{key}={value}" for key, value in conditions.items()) or "everything"
    assert verdict(rules, **fits) == Verdict(label)
    assert verdict(rules, **fails) == Verdict()


def test_the_first_rule_that_fits_decides() -> None:
    rules = policy(ratio=0, rules=[{"name": "a*", "keep": 1.0}, {"name": "*", "project": "p", "keep": 0.5}])
    assert verdict(rules, name="ab", project="p").rule is None
    assert verdict(rules, name="b", project="p").rule == "name=* project=p"
    assert verdict(rules, name="b", project="p", trace_id=HIGH).rule is None
    assert verdict(rules, name="b").rule == "ratio"


def test_what_came_late_goes_the_way_of_the_rest_unless_it_is_always_kept() -> None:
    rules = policy(ratio=1, keep_slower_than="5s", rules=[{"name": "late", "keep": 1}])
    assert verdict(rules, "old", name="late", trace_id=HIGH) == Verdict("old")
    assert verdict(rules, "old", errors=1) == Verdict()
    assert verdict(rules, "old", end_ns=900 * S) == Verdict()


@pytest.mark.parametrize(
    ("per_second", "windows"),
    [
        (5, [(100, 5)] * 10),
        (2.5, [(100, 2)] * 10),
        (0.25, [(25, 1)] * 10),
    ],
)
def test_the_limit_counts_by_the_second_of_the_start(per_second: float, windows: list[tuple[int, int]]) -> None:
    rules = policy(traces_per_second=per_second)
    found = [verdict(rules, start_ns=100 * S + tenth * S // 10) for tenth in range(10)]
    assert [(each.window, each.most) for each in found] == windows
    assert found[0].rule == "traces_per_second"


@given(st.floats(1, 1000), st.integers(1_500_000_000, 2_000_000_000))
def test_over_time_the_limit_is_met_exactly(per_second: float, start: int) -> None:
    rules = policy(traces_per_second=per_second)
    most = sum(verdict(rules, start_ns=(start + second) * S).most for second in range(50))
    assert most == pytest.approx(50 * per_second, abs=1.01)


def test_the_limit_does_not_concern_what_a_rule_or_an_error_keeps() -> None:
    rules = policy(traces_per_second=1, rules=[{"name": "pay", "keep": 1}])
    assert verdict(rules, name="pay") == verdict(rules, errors=1) == Verdict()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "a"}, "sampling.rules, rule 2 says no keep: how much of such traces to keep, a ratio from 0 to 1"),
        ({"nmae": "a", "keep": 1}, "sampling.rules, rule 2: nmae is no condition: did you mean name?"),
        ({"qqq": "a", "keep": 1}, "sampling.rules, rule 2: qqq is no condition: there are keep, name, project"),
        ({"keep": 2}, "sampling.rules, rule 2: keep must be a ratio from 0 to 1, not 2"),
        ({"keep": None}, "sampling.rules, rule 2: keep must be a ratio from 0 to 1, not null"),
        ({"keep": True}, "sampling.rules, rule 2: keep must be a ratio from 0 to 1, not true"),
        ({"keep": 1, "kind": "tol"}, 'sampling.rules, rule 2: kind must be a span kind such as llm or tool, not "tol"'),
        ({"keep": 1, "slower_than": "5"}, 'sampling.rules, rule 2: slower_than must be a length of time such as "5s"'),
        ({"keep": 1, "name": ""}, "sampling.rules, rule 2: name must be text, where `*` stands for anything"),
        ({"keep": 1, "status": "running"}, 'sampling.rules, rule 2: status must be "ok" or "error", not "running"'),
    ],
)
def test_a_rule_that_cannot_be_used_is_told(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(RuleMistake) as error:
        policy(rules=[{"keep": 1}, rule])
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(("text", "ns"), [("5s", 5 * S), ("1.5ms", 1_500_000), ("2h", 7200 * S), ("0s", 0)])
def test_lengths_of_time(text: str, ns: int) -> None:
    assert nanoseconds(text) == ns


@pytest.mark.parametrize("text", ["5", "s", "5 s", "-1s", "1.s", "５s", "5s\n", "1e3s", "9" * 31 + "s"])
def test_other_texts_are_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        nanoseconds(text)


# --- what is quiet


def test_quiet_is_what_did_not_change_for_so_long() -> None:
    clock = [0.0]
    quiet = Quiet(10.0, lambda: clock[0])
    assert (quiet.look(), quiet.due) == (0, None)
    for clock[0], head in ((0.0, 7), (0.2, 8), (0.3, 9), (0.6, 10), (3.0, 11)):
        quiet.note(head)
    clock[0] = 9.9
    assert quiet.look() == 0
    clock[0] = 10.3  # 9 was the head until 0.3: nothing up to it is younger than ten seconds
    assert (quiet.look(), quiet.due) == (9, 10.6)
    clock[0] = 12.9
    assert quiet.look() == 10
    quiet.note(11)
    clock[0] = 20.0
    assert (quiet.look(), quiet.due) == (11, None)


@given(st.lists(st.tuples(st.floats(0.001, 3), st.booleans()), max_size=60))
def test_nothing_younger_counts_as_quiet_and_nothing_much_older_as_not(steps: list[tuple[float, bool]]) -> None:
    now, head = 0.0, 0
    quiet = Quiet(5.0, lambda: now)
    made: list[float] = []
    for pause, changed in steps:
        now += pause
        if changed:
            head += 1
            made.append(now)
            quiet.note(head)
        upto = quiet.look()
        assert all(at <= now - 5 for at in made[:upto])
        assert all(at > now - 5 * 1.05 - 1e-9 for at in made[upto:])


# --- the daemon


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_FIRST_S", 0.0)


def names() -> list[str]:
    reader = StoreReader(find_places().store)
    try:
        return sorted(found.name for found in reader.traces())
    finally:
        reader.close()


def run_of(name: str, text: str = "plan > (a:llm, b:tool)") -> BuiltTrace:
    return build_trace(text, trace=name)


def lone(trace_of: BuiltTrace, name: str, **more: Any) -> SpanPart:
    """A span of that trace that was not there before; by default without a parent."""
    number = name.encode().ljust(8, b"-")[:8]
    return msgspec.structs.replace(trace_of.parts[0], span_id=number, name=name, trace=None, **more)


def test_rules_leave_out_what_they_say_and_tell(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    rules = policy(settle="50ms", rules=[{"name": "noise*", "keep": 0}, {"kind": "embedding", "keep": 0}])
    daemon = start_daemon(sampling=rules)
    for number, (name, text) in enumerate(
        [
            ("noise 1", "plan > a"),
            ("noise 2", "plan > a!"),
            ("noise 3", "plan > a~"),
            ("noise 4", "plan > (a, b, c)"),
            ("search", "plan > a:embedding"),
            ("answer", "plan > a"),
        ],
        1,
    ):
        program.batch(number, run_of(name, text).parts)
        program.acknowledged(number)
    until(lambda: names() == ["answer", "noise 2", "noise 3"])
    left_out = (SampledOut("name=noise*", 2, 6), SampledOut("kind=embedding", 1, 2))
    until(lambda: daemon.status.sampled_out == left_out)
    program.batch(7, [msgspec.structs.replace(run_of("noise 3").parts[1], end_ns=run_of("x").parts[0].end_ns)])
    until(lambda: names() == ["answer", "noise 2"])  # it had been running until now
    with urllib.request.urlopen(f"{daemon.url}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    assert 'traceview_traces_sampled_out_total{rule="name=noise*"} 3.0' in page
    assert 'traceview_spans_sampled_out_total{rule="kind=embedding"} 2.0' in page


def test_nothing_goes_before_it_is_quiet_and_late_spans_begin_the_wait_anew(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    start_daemon(sampling=policy(ratio=0, settle="700ms"))
    run = run_of("busy")
    program.batch(1, run.parts)
    program.acknowledged(1)
    for number in range(2, 12):
        time.sleep(0.1)
        program.batch(number, [lone(run, f"late{number}", parent_id=run.parts[0].span_id)])
        program.acknowledged(number)
        assert names() == ["busy"]
    until(lambda: names() == [])


def test_late_spans_go_too_and_late_errors_stay_marked(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    daemon = start_daemon(sampling=policy(ratio=0, settle="50ms"))
    runs = [run_of("one"), run_of("two")]
    program.batch(1, [*runs[0].parts, *runs[1].parts])
    program.acknowledged(1)
    until(lambda: names() == [])
    child = lone(runs[0], "late", parent_id=runs[0].parts[0].span_id)
    program.batch(2, [child, lone(runs[1], "late!", status=Status.ERROR)])
    program.acknowledged(2)
    until(lambda: names() == ["late!"])
    reader = StoreReader(find_places().store)
    assert [found.metadata for found in reader.traces()] == [{SAMPLED_OUT_KEY: "ratio"}]
    reader.close()
    until(lambda: daemon.status.sampled_out == (SampledOut("ratio", 2, 7),))


def test_imported_runs_are_never_left_out(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None, tmp_path: Path
) -> None:
    file = tmp_path / "sent.traceview"
    writer = StoreWriter(file, facts, journal="delete")
    for number in range(3):
        writer.apply(run_of(f"sent {number}").parts)
    writer.close()
    daemon = start_daemon(sampling=policy(ratio=0, settle="50ms"))
    program.batch(1, [*run_of("mine").parts, *run_of("sent 0").parts])
    program.acknowledged(1)
    until(lambda: names() == [])
    assert control.ask(daemon.places, "import", path=str(file)) == {"spans": 9, "traces": 3}
    program.batch(2, run_of("mine too").parts)
    program.acknowledged(2)
    until(lambda: "mine too" not in names())
    assert names() == ["sent 0", "sent 1", "sent 2"]
    reader = StoreReader(daemon.places.store)
    assert [found.metadata for found in reader.traces()] == [{}, {}, {}]
    reader.close()


def test_what_someone_looks_into_is_kept(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    daemon = start_daemon(sampling=policy(ratio=0, settle="300ms"))
    assert daemon.status.sampling
    program.batch(1, [*run_of("looked at").parts, *run_of("passed by").parts])
    program.acknowledged(1)
    trace_id = run_of("looked at").trace_id.hex()
    assert control.ask(daemon.places, "keep", trace=trace_id) == {"trace": trace_id}
    until(lambda: names() == ["looked at"])
    until(lambda: daemon.status.sampled_out == (SampledOut("ratio", 1, 3),))
    assert names() == ["looked at"]
    for wrong in ({}, {"trace": 1}, {"trace": "AB" * 16}, {"trace": "ab"}):
        with pytest.raises(AgentError, match="keep wants a trace"):
            control.ask(daemon.places, "keep", **wrong)


def test_keep_is_refused_by_a_daemon_that_stops() -> None:
    intake = Intake()

    async def run() -> None:
        asked = asyncio.create_task(keep(intake, {"trace": "ab" * 16}))
        await asyncio.sleep(0)
        (load,) = intake.take(1)
        load.done(Unstored("the daemon stops"))
        load.done(Unstored("the daemon stops"))
        with pytest.raises(Refused, match="stops"):
            await asked
        intake.close()
        with pytest.raises(Refused, match="behind or stops"):
            await keep(intake, {"trace": "ab" * 16})

    asyncio.run(run())


def test_the_count_survives_restarts_and_is_told_without_rules_too(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    daemon = start_daemon(sampling=policy(ratio=0, settle="50ms"))
    program.batch(1, run_of("one").parts)
    program.acknowledged(1)
    until(lambda: names() == [])
    daemon.stop()
    daemon = start_daemon()
    until(lambda: daemon.status.sampled_out == (SampledOut("ratio", 1, 3),))
    program.batch(2, run_of("two").parts)
    program.acknowledged(2)
    daemon.stop()
    daemon = start_daemon(sampling=policy(ratio=0, settle="0s"))
    program.batch(3, run_of("three").parts)
    program.acknowledged(3)
    until(lambda: names() == ["two"])  # it came while there were no rules


def test_a_restart_in_the_middle_loses_no_decision(
    start_daemon: Callable[..., Any], program: Any, until: Callable[..., Any], quick: None
) -> None:
    rules = policy(rules=[{"name": "out*", "keep": 0}], settle="200ms")
    daemon = start_daemon(sampling=rules)
    for number in range(1, 9):
        program.batch(number, run_of(f"{'out' if number % 2 else 'in'} {number}").parts)
        program.acknowledged(number)
        if number in (3, 6):
            daemon.stop()
            daemon = start_daemon(sampling=rules)
    until(lambda: names() == ["in 2", "in 4", "in 6", "in 8"])
    until(lambda: daemon.status.sampled_out == (SampledOut("name=out*", 4, 12),))


# --- as a command


@pytest.fixture
def settings_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")
    yield home / "config.toml"
    subprocess.run([*AGENT, "stop"], check=False, capture_output=True, timeout=30)


def start() -> int:
    subprocess.run([*AGENT, "start"], check=True, capture_output=True, timeout=30)
    return control.status(find_places()).pid


PROGRAM = """
import sys
import traceview as tv
for number in range(int(sys.argv[1])):
    with tv.trace(f"run {number}", tags=["boring" if number % 3 else "dear"]):
        with tv.span("think", kind="llm", input="x" * 500):
            pass
        try:
            with tv.span("act", kind="tool"):
                if number % 10 == 1:
                    raise ValueError("boom")
        except ValueError:
            pass
assert tv.flush(20)
"""


def program_of_ours(runs: int) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(runs)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_our_sdk_and_rules_in_the_file(
    settings_file: Path, until: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    settings_file.write_text(
        '[sampling]\nratio = 0.0\nsettle = "100ms"\n\n[[sampling.rules]]\ntag = "dear"\nkeep = 1.0\n'
    )
    start()
    program_of_ours(30)
    kept = sorted(f"run {number}" for number in range(30) if number % 3 == 0 or number % 10 == 1)
    until(lambda: names() == kept)
    until(lambda: control.status(find_places()).sampled_out)
    assert main(["status"]) == 0
    assert "  sampling   18 runs (54 spans) left out of the store so far (ratio: 18)\n" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sampled_out"] == [{"rule": "ratio", "traces": 18, "spans": 54}]
    gone = _ask(find_places().store, "SELECT trace_id FROM decision LIMIT 1")[0][0].hex()
    shown = subprocess.run([*TRACEVIEW, "show", gone[:20]], capture_output=True, text=True, timeout=30)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert f"trace {gone[:20]!r} is not here: the sampling rule 'ratio' left it out" in shown.stderr
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{_url()}/api/v1/traces/{gone}", timeout=10)
    assert refused.value.code == 404
    said = json.loads(refused.value.read())
    assert said == {"error": f"there is no trace {gone}: the sampling rule 'ratio' left it out"}
    refused.value.close()
    assert main(["config"]) == 0
    assert '[{"tag": "dear", "keep": 1.0}]' in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_kill_between_decision_and_forgetting_leaves_nothing_half_done(
    settings_file: Path, until: Callable[..., Any]
) -> None:
    """The runs are long, so that forgetting them takes many slices; the daemon is killed while one is under way."""
    settings_file.write_text('[sampling]\nratio = 0.0\nsettle = "100ms"\n')
    pid = start()
    store = find_places().store
    writer_meta = "SELECT value FROM meta WHERE key = 'forgetting'"
    long = [
        lone(run_of("long"), f"s{number:07}", input=os.urandom(400).hex(), end_ns=run_of("long").parts[0].end_ns)
        for number in range(6_000)
    ]
    killed_at_work = 0
    for attempt in range(3):
        _send([msgspec.structs.replace(part, trace_id=(attempt + 1).to_bytes(16, "big")) for part in long])
        until(lambda: _ask(store, writer_meta) not in ([], [(0,)]), 30)
        os.kill(pid, signal.SIGKILL)
        until(_is_gone)
        killed_at_work += _ask(store, writer_meta) != [(0,)]
        pid = start()
    until(lambda: _ask(store, "SELECT count(*) FROM span") == [(0,)], 60)
    until(lambda: _ask(store, "SELECT count(*) FROM payload_block") == [(0,)], 60)
    until(lambda: control.status(find_places()).sampled_out == (SampledOut("ratio", 3, 18_000),))
    assert killed_at_work >= 1
    assert _ask(store, "PRAGMA integrity_check") == [("ok",)]


def _send(parts: list[SpanPart]) -> None:
    """By OTLP's sibling for plain JSON: committed when it returns."""
    body = json.dumps(
        [
            {
                "trace_id": part.trace_id.hex(),
                "span_id": part.span_id.hex(),
                "name": part.name,
                "start_ns": part.start_ns,
                "end_ns": part.end_ns,
                "input": part.input,
            }
            for part in parts
        ]
    ).encode()
    request = urllib.request.Request(
        f"{_url()}/api/v1/spans/batch", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def _url() -> str:
    return next(way.address for way in control.status(find_places()).receivers if way.name == "otlp-http")


def _ask(store: Path, sql: str) -> list[Any]:
    connection = driver().connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def _is_gone() -> bool:
    try:
        control.status(find_places())
    except AgentError:
        return True
    return False
