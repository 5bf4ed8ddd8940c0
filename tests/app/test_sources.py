"""Opening files: converted off the GUI thread with progress and cancel; what fails is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from traceview.app.export import export_traces
from traceview.app.sources import Sources
from traceview.app.state.open_run import Source
from traceview.conventions import facts
from traceview.formats import encode_json
from traceview.protocol.control import ask, ensure_agent
from traceview.protocol.places import find_places
from traceview.store import StoreReader, StoreWriter
from traceview.testing import build_trace


@pytest.fixture
def sources(qtbot: QtBot) -> Iterator[Sources]:
    """The sources of the test's home."""
    made = Sources(find_places())
    yield made
    made.close()
    made.close()


def _otlp(folder: Path, name: str = "run.json", text: str = "plan > search") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(encode_json(build_trace(text).parts))
    return file


def _store(path: Path) -> Path:
    writer = StoreWriter(path, facts)
    writer.apply(build_trace("plan > (search, answer)").parts)
    writer.close()
    return path


def _open(sources: Sources, qtbot: QtBot, file: Path) -> Source:
    with qtbot.waitSignal(sources.opened, timeout=10_000) as opened:
        sources.open(file)
    source = opened.args[0]
    assert isinstance(source, Source)
    return source


def test_a_file_is_converted_and_read_like_the_live_store(home: Path, sources: Sources, qtbot: QtBot) -> None:
    source = _open(sources, qtbot, _otlp(home))
    assert (source.title, source.live, source.origin) == ("run.json", False, home / "run.json")
    reader = StoreReader(source.path)
    assert {row.name for row in reader.spans(build_trace("a").trace_id)} == {"plan", "search"}
    reader.close()
    assert sources.all() == (sources.live, source)


def test_a_traceview_file_is_opened_as_it_is(home: Path, sources: Sources, qtbot: QtBot) -> None:
    file = _store(home / "mine.traceview")
    source = _open(sources, qtbot, file)
    assert source.path == file
    sources.remove(source)
    assert file.exists()


def test_opening_a_file_again_shows_it_again(home: Path, sources: Sources, qtbot: QtBot) -> None:
    first = _open(sources, qtbot, _otlp(home))
    assert _open(sources, qtbot, home / "run.json") == first
    assert len(sources.all()) == 2


def test_two_files_of_one_name_are_told_apart(home: Path, sources: Sources, qtbot: QtBot) -> None:
    _open(sources, qtbot, _otlp(home / "a"))
    second = _open(sources, qtbot, _otlp(home / "b"))
    assert second.title == "b/run.json"


def test_a_closed_file_leaves_nothing_behind(home: Path, sources: Sources, qtbot: QtBot) -> None:
    source = _open(sources, qtbot, _otlp(home))
    with qtbot.waitSignal(sources.changed):
        sources.remove(source)
    sources.remove(source)
    qtbot.waitUntil(lambda: not source.path.exists())
    kept = _open(sources, qtbot, home / "run.json")
    sources.close()
    assert not kept.path.parent.exists()
    assert (home / "run.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.json", b"", "is empty"),
        ("letter.txt", b"Dear Sir or Madam", "letter.txt"),
        ("broken.db", b"SQLite format 3\0" + b"\xff" * 2000, "broken.db"),
        ("other.har", b'{"log": {"version": "1.2", "entries": []}}', "other.har"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(
    home: Path, sources: Sources, qtbot: QtBot, name: str, content: bytes, says: str
) -> None:
    (home / name).write_bytes(content)
    with qtbot.waitSignal(sources.failed, timeout=10_000) as failed:
        sources.open(home / name)
    message = failed.args[0]
    assert says in message
    assert "\n" not in message
    assert sources.all() == (sources.live,)


def test_a_file_that_is_not_there_is_told(home: Path, sources: Sources, qtbot: QtBot) -> None:
    with qtbot.waitSignal(sources.failed) as failed:
        sources.open(home / "nowhere.json")
    assert "nowhere.json does not exist" in failed.args[0]


def test_a_failed_conversion_leaves_no_store(home: Path, sources: Sources, qtbot: QtBot) -> None:
    whole = encode_json(build_trace("plan > search").parts)
    (home / "cut.json").write_bytes(whole[: len(whole) // 2])
    with qtbot.waitSignal(sources.reading_ended, timeout=10_000):
        sources.open(home / "cut.json")
    sources._workers().submit(int).result()
    if sources.all() == (sources.live,):
        assert list((home / "cache").glob("*/*.db")) == []


def test_reading_tells_how_far_it_is_and_can_be_cancelled(home: Path, sources: Sources, qtbot: QtBot) -> None:
    parts = [part for n in range(3_000) for part in build_trace("a > b", trace=str(n)).parts]
    (home / "big.json").write_bytes(encode_json(parts))
    told: list[tuple[int, int]] = []

    def on_progress(file: Path, done: int, total: int) -> None:
        told.append((done, total))
        if total:
            sources.cancel(file)

    sources.reading.connect(on_progress)
    with qtbot.waitSignal(sources.reading_ended, timeout=20_000):
        sources.open(home / "big.json")
        sources.open(home / "big.json")
    assert told[0] == (0, 0)
    assert told[-1][1] > 0
    assert sources.all() == (sources.live,)
    assert list((home / "cache").glob("*/*.db")) == []
    sources.cancel(home / "nothing")


def test_what_a_window_that_crashed_left_behind_is_removed(home: Path, sources: Sources, qtbot: QtBot) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    stale = home / "cache" / f"files-{gone.stdout.strip()}-x"
    alive = home / "cache" / f"files-{os.getppid()}-x"
    odd = home / "cache" / "files-x-x"
    for folder in (stale, alive, odd):
        folder.mkdir(parents=True)
    _open(sources, qtbot, _otlp(home))
    assert not stale.exists()
    assert alive.exists()
    assert odd.exists()


def test_keeping_without_a_daemon_says_what_to_do(home: Path, sources: Sources, qtbot: QtBot) -> None:
    source = _open(sources, qtbot, _otlp(home))
    with qtbot.waitSignal(sources.failed) as failed:
        sources.keep(source)
    assert "traceview-agent start" in failed.args[0]


def test_keeping_copies_the_file_into_the_live_store(
    home: Path, sources: Sources, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEVIEW_OTLP_PORT", "0")
    places = find_places()
    source = _open(sources, qtbot, _otlp(home))
    ensure_agent(places)
    try:
        with qtbot.waitSignal(sources.kept, timeout=20_000) as noticed:
            sources.keep(source)
    finally:
        ask(places, "stop")
    assert noticed.args == ["run.json is in the live store now: 1 trace"]
    reader = StoreReader(places.store)
    assert [trace.trace_id for trace in reader.traces()] == [build_trace("a").trace_id]
    reader.close()


def test_what_was_left_out_of_a_file_is_told(home: Path, sources: Sources, qtbot: QtBot) -> None:
    document = json.loads(encode_json(build_trace("plan > search").parts))
    del document["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["spanId"]
    (home / "odd.json").write_text(json.dumps(document))
    with qtbot.waitSignal(sources.noticed, timeout=10_000) as noticed:
        sources.open(home / "odd.json")
    assert noticed.args[0].startswith("1 span of odd.json was left out: ")
    qtbot.waitUntil(lambda: len(sources.all()) == 2)


@pytest.mark.parametrize("name", ["out.traceview", "out.json"])
def test_an_export_reads_back_as_the_same_spans(home: Path, sources: Sources, qtbot: QtBot, name: str) -> None:
    file = _store(home / "mine.traceview")
    source = Source(file, "mine", live=False)
    trace_id = build_trace("a").trace_id
    assert export_traces(source, [trace_id], home / name) == 1
    again = _open(sources, qtbot, home / name)
    reader = StoreReader(again.path)
    assert {row.name for row in reader.spans(trace_id)} == {"plan", "search", "answer"}
    reader.close()
    assert [path.name for path in home.glob(".*partial*")] == []
