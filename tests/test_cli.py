"""The command line answers without a window, in words and as JSON, and refuses in one line."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import closing, redirect_stderr, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from traceview import cli, search
from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.protocol.records import STATE_EVENT, Event
from traceview.report import run_pieces
from traceview.store import StoreReader, StoreWriter, TextIndex
from traceview.testing import START_NS, BuiltTrace, build_trace

RUN = "support:agent > (plan:llm, gather > (search:tool!, rank:reranker), answer:llm)"


def _with_state(trace: BuiltTrace) -> BuiltTrace:
    parts = []
    for part in trace.parts:
        if part.name == "plan":
            first = Event((part.start_ns or 0) + 1, STATE_EVENT, {"memory": {"tone": "calm"}, "retries": 0})
            part = msgspec.structs.replace(part, events=(first,))
        if part.name == "rank":
            later = Event((part.start_ns or 0) + 1, STATE_EVENT, {"retries": 1})
            part = msgspec.structs.replace(part, events=(later,))
        parts.append(part)
    return BuiltTrace(tuple(parts))


@pytest.fixture
def recorded(home: Path) -> BuiltTrace:
    trace = _with_state(build_trace(RUN, trace="support"))
    writer = StoreWriter(find_places().store, facts)
    writer.apply(trace.parts)
    writer.apply(build_trace("other", trace="other", start_ns=1_700_000_000_000_000_000).parts)
    writer.close()
    return trace


def _json(capfdbinary: pytest.CaptureFixture[bytes]) -> object:
    return json.loads(capfdbinary.readouterr().out)


def test_list_says_what_was_recorded_newest_first(recorded: BuiltTrace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert recorded.trace_id.hex()[:12] in first
    assert "support" in first
    assert "6 spans, 1 error" in first
    assert "other" in second


def test_list_json_has_the_documented_names(recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["list", "--json", "--limit", "1"]) == 0
    (trace,) = _json(capfdbinary)  # type: ignore[misc]
    assert " ".join(trace) == (
        "trace_id name status start_ns end_ns duration_ns spans errors session user project tags models "
        "input_tokens output_tokens cost_usd dropped"
    )
    assert trace["trace_id"] == recorded.trace_id.hex()


def test_show_json_is_one_indented_document(recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["show", "latest", "--json"]) == 0
    shown = capfdbinary.readouterr().out
    assert shown == msgspec.json.format(shown, indent=2) + b"\n"
    with closing(StoreReader(find_places().store)) as reader:
        assert json.loads(b"".join(run_pieces(reader, reader.traces()[0]))) == json.loads(shown)


def test_show_json_gives_the_tree_in_order(recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["show", "latest", "--json"]) == 0
    document: dict[str, list[dict[str, object]]] = _json(capfdbinary)  # type: ignore[assignment]
    spans = document["spans"]
    assert [(s["depth"], s["name"]) for s in spans] == [
        (0, "support"), (1, "plan"), (1, "gather"), (2, "search"), (2, "rank"), (1, "answer"),
    ]  # fmt: skip
    assert [s["step"] for s in spans] == [None, 1, None, 2, 3, 4]
    search = spans[3]
    assert search["status"] == "error"
    assert search["input"] == {"for": "search"}
    assert search["events"][0]["attributes"]["exception.message"] == "boom"  # type: ignore[index]
    assert spans[1]["state"] == {"memory": {"tone": "calm"}, "retries": 0}


def test_show_prints_a_tree_for_people(recorded: BuiltTrace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", recorded.trace_id.hex()[:8]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4] == "✗     search  [tool]  1\u2009ms  boom"


@pytest.fixture
def doubtful(home: Path) -> None:
    """A run of which 12 spans are lost, and whose worker's clock is 120 ms behind; one span's parent is missing."""
    trace = build_trace("planner > (worker > fetch, other)", trace="doubtful")
    planner, worker, fetch, other = trace.parts
    assert planner.start_ns is not None
    worker = msgspec.structs.replace(worker, start_ns=planner.start_ns - 120_000_000)
    other = msgspec.structs.replace(other, parent_id=b"missing!", end_ns=planner.start_ns)
    writer = StoreWriter(find_places().store, facts)
    writer.apply((planner, worker, fetch, other), session=b"s" * 16, seq=1, dropped=12)
    writer.close()


def test_show_says_what_of_a_run_is_lost_or_can_not_be_as_recorded(
    doubtful: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["show", "latest"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "12 dropped" in head
    notices = [line for line in lines if line.startswith("! ")]
    assert [notice.partition(":")[0] for notice in notices] == [
        "! 12 spans dropped",
        "! clocks differ by up to 120\u2009ms",
        "! 1 span ends before it begins",
        "! 1 span without parent",
    ]
    assert "TRACEVIEW_SPOOL_MB" in notices[0]
    assert any("worker" in line and "! Begins 120\u2009ms before its parent" in line for line in lines)
    assert any("other" in line and "! Its parent is not here" in line for line in lines)


def test_show_json_counts_what_is_lost_and_what_can_not_be_as_recorded(
    doubtful: None, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(["show", "latest", "--json"]) == 0
    document: dict[str, object] = _json(capfdbinary)  # type: ignore[assignment]
    assert {name: document[name] for name in ("dropped", "orphans", "backwards")} == {
        "dropped": 12, "orphans": 1, "backwards": 1,
    }  # fmt: skip
    assert (document["clock_skew_spans"], document["clock_skew_ns"]) == (1, 120_000_000)
    spans: list[dict[str, object]] = document["spans"]  # type: ignore[assignment]
    assert {span["name"]: span["clock_skew_ns"] for span in spans if span["clock_skew_ns"]} == {"worker": 120_000_000}


@pytest.mark.parametrize(("step", "retries"), [(1, 0), (2, 0), (3, 1), (4, 1)])
def test_the_state_as_of_a_step(
    recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes], step: int, retries: int
) -> None:
    assert cli.main(["show", "support", "--at-step", str(step), "--json"]) == 0
    document: dict[str, object] = _json(capfdbinary)  # type: ignore[assignment]
    assert document["state"] == {"memory": {"tone": "calm"}, "retries": retries}
    assert document["steps"] == 4


def test_without_json_the_state_alone_is_printed(
    recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(["show", "support", "--at-step", "1"]) == 0
    assert _json(capfdbinary) == {"memory": {"tone": "calm"}, "retries": 0}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "nowhere"], 1, "no trace 'nowhere'"),
        (["show", "support", "--at-step", "6"], 1, "has 4 steps, so there is no step 6"),
        (["show", "--file", "missing.json"], 2, "missing.json"),
        (["export", "-o", "x.json"], 2, "say which traces to export"),
        (["export", "support", "-o", "/nonexistent/x.json"], 2, "can't be written"),
        (["import", "missing.json"], 2, "missing.json: no such file"),
        (["run"], 2, "say what to run"),
        (["screenshot", "support", "-o", "x.png", "--span", "nope"], 1, "no span named 'nope'"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    recorded: BuiltTrace, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert cli.main(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("traceview: ")
    assert said in line


def test_with_nothing_recorded_list_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 1
    assert "nothing was recorded yet" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["big", "1x1", "1600", "99999x800"])
def test_a_size_that_makes_no_sense_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["screenshot", "-o", "x.png", "--size", size])
    assert stopped.value.code == 2
    assert "--size" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.traceview", "out.json"])
def test_an_exported_file_reads_back_the_same(
    recorded: BuiltTrace, tmp_path: Path, name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(["show", "support", "--json"]) == 0
    before: dict[str, list[dict[str, object]]] = _json(capfdbinary)  # type: ignore[assignment]
    target = tmp_path / name
    assert cli.main(["export", "support", "-o", str(target)]) == 0
    capfdbinary.readouterr()
    assert cli.main(["show", "support", "--json", "--file", str(target)]) == 0
    after: dict[str, list[dict[str, object]]] = _json(capfdbinary)  # type: ignore[assignment]
    keep = (
        "span_id",
        "parent_span_id",
        "depth",
        "step",
        "name",
        "status",
        "start_ns",
        "end_ns",
        "input",
        "output",
        "state",
    )
    assert [[s[k] for k in keep] for s in after["spans"]] == [[s[k] for k in keep] for s in before["spans"]]


def test_export_all_takes_every_trace(recorded: BuiltTrace, tmp_path: Path) -> None:
    target = tmp_path / "all.traceview"
    assert cli.main(["export", "--all", "-o", str(target)]) == 0
    reader = StoreReader(target)
    assert {trace.name for trace in reader.traces()} == {"support", "other"}
    reader.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["lst"], "did you mean `traceview list`?"), (["xyzzy"], "see `traceview --help`"), ([], "there is no display")],
)
def test_without_a_window_to_open_one_line_says_why(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_an_id_that_fits_several_traces_is_not_guessed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = StoreWriter(find_places().store, facts)
    names = [f"run {n}" for n in range(40)]
    for name in names:
        writer.apply(build_trace("a", trace=name).parts)
    writer.close()
    ids = [build_trace("a", trace=name).trace_id.hex() for name in names]
    first = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    assert cli.main(["show", first]) == 1
    assert "write more of the id" in capsys.readouterr().err


def test_an_exported_run_is_for_its_user_alone(recorded: BuiltTrace, tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    assert cli.main(["export", "support", "-o", str(target)]) == 0
    assert target.stat().st_mode & 0o777 == 0o600


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("traceview 0.")


def test_recorded_escapes_do_not_reach_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = StoreWriter(find_places().store, facts)
    writer.apply(build_trace("\x1b[31mred\u202e", trace="evil\x1b]8;;http://x\x07").parts)
    writer.close()
    assert cli.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_program_that_is_not_there_is_named(recorded: BuiltTrace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(cli.Failure, match="no-such-program can't be run"):
        cli._become(["no-such-program"], {"PATH": "/nonexistent"})


def test_search_says_where_and_shows_the_text_around(recorded: BuiltTrace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "BOOM", "valueerror"]) == 0
    out, err = capsys.readouterr()
    where, text = out.splitlines()
    part = recorded.part("search")
    assert where.startswith(f"{recorded.trace_id.hex()[:12]}  {part.span_id.hex()}  search  [tool]")
    assert where.endswith("status_message  (support)")
    assert text == "    boom"
    assert err == "traceview: there is no full-text index (yet), with 7 spans to index: all were read one by one\n"


def test_search_json_has_the_documented_names(recorded: BuiltTrace, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["search", "for rank", "--json"]) == 1  # a phrase: the shell took its quotes away
    assert cli.main(["search", "cal*", "--json", "--limit", "1"]) == 0
    empty, found = capfdbinary.readouterr().out.decode().split("}\n", 1)
    assert json.loads(empty + "}") == {"hits": [], "waiting": 0, "indexed": False, "complete": True}
    (hit,) = json.loads(found)["hits"]
    assert " ".join(hit) == "trace_id trace_name span_id name kind status start_ns field snippet marks"
    assert (hit["field"], hit["snippet"], hit["marks"]) == (
        "events.traceview.state.memory.tone",
        "calm",
        [[0, 3]],
    )


def test_search_with_an_index_says_nothing_of_it_unless_it_is_far_behind(
    recorded: BuiltTrace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = TextIndex(find_places().store, floor_bytes=0)
    while index.advance(1.0, lambda: False):
        pass
    index.close()
    assert cli.main(["search", "plan"]) == 0
    assert capsys.readouterr().err == ""
    writer = StoreWriter(find_places().store, facts)
    writer.apply(build_trace("late, later", trace="late").parts)
    writer.close()
    assert cli.main(["search", "later"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("traceview.store.text_search._MOST_BLOCKS", 0)
    assert cli.main(["search", "later"]) == 1
    assert (
        capsys.readouterr().err
        == "traceview: 2 spans still to index were not searched (see `traceview-agent status`)\n"
    )


def test_ctrl_c_ends_a_search_with_what_it_has_found(
    recorded: BuiltTrace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = StoreWriter(find_places().store, facts)
    writer.apply(build_trace("plan", trace="newer", start_ns=START_NS + 10**12).parts)
    writer.close()
    real = StoreReader.whole_spans

    def whole_spans(self: StoreReader, *given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return real(self, *given)

    monkeypatch.setattr(StoreReader, "whole_spans", whole_spans)
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["search", "plan"]) == 130
    out, err = capsys.readouterr()
    (where, _) = out.splitlines()
    assert where.endswith("(newer)")
    assert err == "traceview: stopped before its end: there may be more to find\n"
    assert cli.main(["search", "plan", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["complete"] is False
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_person_sees_how_far_a_long_search_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_QUIET_S", 0.0)
    monkeypatch.setattr(search, "_TELL_S", 0.0)
    screen, terminal = os.openpty()
    shown = b""
    with os.fdopen(screen, "rb", buffering=0) as seen:
        with os.fdopen(terminal, "w") as stderr, redirect_stderr(stderr), search.Watch() as watch:
            assert not watch(0.0)
            assert not watch(0.42)
            signal.raise_signal(signal.SIGINT)
            assert watch(0.5)
            with pytest.raises(KeyboardInterrupt):  # who can't wait
                signal.raise_signal(signal.SIGINT)
        with suppress(OSError):  # as Linux says that the other end is closed
            while piece := seen.read(4096):
                shown += piece
    assert b"still searching: 42% looked through" in shown
    assert shown.endswith(b"\r\x1b[K")


def test_nothing_is_said_of_a_long_search_where_nobody_looks(
    recorded: BuiltTrace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_QUIET_S", 0.0)
    assert cli.main(["search", "nowhere"]) == 1
    assert "still" not in capsys.readouterr().err


def test_search_of_a_file_reads_it(recorded: BuiltTrace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--all", "-o", str(tmp_path / "a.json")]) == 0
    assert cli.main(["search", "boom", "--limit", "0", "--file", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("words", "says"), [(["((", "*"], "write what to look for"), (["a" * 1001], "at most 1000")])
def test_search_for_nothing_is_refused(
    words: list[str], says: str, recorded: BuiltTrace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["search", *words]) == 2
    assert says in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["search", "a", "--limit", "-1"])
    assert "write 0 for all" in capsys.readouterr().err


def test_search_shows_hostile_text_and_bold_words_to_people(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = build_trace("a", trace="evil")
    writer = StoreWriter(find_places().store, facts)
    writer.apply([msgspec.structs.replace(trace.parts[0], input="see \x1b[31m needle\u202e\nhere " + "z" * 300)])
    writer.close()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["search", "NEEDLE", "here"]) == 0
    text = capsys.readouterr().out.splitlines()[1]
    assert text.startswith("    see �[31m \x1b[1mneedle\x1b[22m� \x1b[1mhere\x1b[22m zzz")
    assert text.endswith("z…")
