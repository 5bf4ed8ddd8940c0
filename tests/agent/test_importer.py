"""The verb `import`: a file's spans arrive in the live store, and a bad file is one clear error."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from traceview.conventions import facts
from traceview.formats import write_json
from traceview.protocol import control
from traceview.protocol.control import AgentError
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart
from traceview.store import StoreReader, export_store
from traceview.testing import build_trace
from traceview_agent.control_server import Refused
from traceview_agent.importer import Importer
from traceview_agent.intake import Intake, Unstored
from traceview_agent.redaction import Redaction


def import_file(path: Path) -> dict[str, Any]:
    return control.ask(find_places(), "import", timeout=60, path=str(path))


def write_otlp(path: Path, parts: Any) -> Path:
    with path.open("wb") as file:
        write_json(iter(parts), file)
    return path


def many(count: int) -> list[SpanPart]:
    first = build_trace("work").parts[0]
    return [
        SpanPart(first.trace_id, number.to_bytes(8, "big"), name=f"s{number}", start_ns=number + 1, end_ns=number + 2)
        for number in range(1, count + 1)
    ]


def test_an_otlp_file_is_imported(daemon: Any, tmp_path: Path) -> None:
    file = write_otlp(tmp_path / "trace.json", build_trace("plan > (search, answer)").parts)
    assert import_file(file) == {"spans": 3, "traces": 1}
    assert daemon.stored() == ["answer", "plan", "search"]


def test_importing_twice_stores_once(daemon: Any, tmp_path: Path) -> None:
    file = write_otlp(tmp_path / "trace.json", build_trace("plan > (search, answer)").parts)
    assert import_file(file) == import_file(file)
    assert len(daemon.stored()) == 3


def test_a_large_file_goes_through_in_chunks(daemon: Any, tmp_path: Path) -> None:
    file = write_otlp(tmp_path / "trace.json", many(3000))
    assert import_file(file) == {"spans": 3000, "traces": 1}
    assert len(daemon.stored()) == 3000


def test_a_traceview_file_is_imported(daemon: Any, tmp_path: Path) -> None:
    trace = build_trace("plan > (search, answer)")
    import_file(write_otlp(tmp_path / "trace.json", trace.parts))
    reader = StoreReader(find_places().store)
    export_store(reader, [trace.trace_id], tmp_path / "kept.traceview", facts)
    reader.close()
    assert import_file(tmp_path / "kept.traceview") == {"spans": 3, "traces": 1}


def test_what_is_imported_comes_back_from_a_fresh_store(daemon: Any, tmp_path: Path, start_daemon: Any) -> None:
    trace = build_trace("plan > (search:tool!, answer)")
    import_file(write_otlp(tmp_path / "trace.json", trace.parts))
    reader = StoreReader(find_places().store)
    export_store(reader, [trace.trace_id], tmp_path / "kept.traceview", facts)
    reader.close()
    daemon.stop()
    for file in find_places().home.glob("traces.db*"):
        file.unlink()
    fresh = start_daemon()
    assert import_file(tmp_path / "kept.traceview") == {"spans": 3, "traces": 1}
    assert fresh.stored() == ["answer", "plan", "search"]


def test_the_live_store_cannot_be_imported_into_itself(daemon: Any) -> None:
    with pytest.raises(AgentError, match="in use"):
        import_file(find_places().store)


def test_files_that_cannot_be_read_are_one_clear_error(daemon: Any, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("no trace")
    (tmp_path / "broken.traceview").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    (tmp_path / "cut.json").write_bytes(write_otlp(tmp_path / "whole.json", many(10)).read_bytes()[:-40])
    for name in ("text.txt", "broken.traceview", "cut.json", "missing.json", "."):
        with pytest.raises(AgentError, match=str(tmp_path)):
            import_file(tmp_path / name)
    assert import_file(write_otlp(tmp_path / "good.json", many(1))) == {"spans": 1, "traces": 1}


@pytest.mark.parametrize("path", [None, 7, "relative.json"])
def test_a_request_without_a_path_is_refused(daemon: Any, path: Any) -> None:
    with pytest.raises(AgentError, match="absolute"):
        control.ask(find_places(), "import", path=path)


def test_stopping_ends_an_import_and_says_so(daemon: Any, tmp_path: Path, until: Any) -> None:
    file = write_otlp(tmp_path / "trace.json", many(30_000))
    answers: list[str] = []

    def ask() -> None:
        try:
            answers.append(json.dumps(import_file(file)))
        except AgentError as error:
            answers.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: daemon.status.spans > 0)
    daemon.stop()
    asking.join()
    assert "import the file again" in answers[0]


def test_live_spans_pass_an_import(daemon: Any, program: Any, tmp_path: Path, until: Any) -> None:
    file = write_otlp(tmp_path / "trace.json", many(20_000))
    asking = threading.Thread(target=lambda: import_file(file))
    asking.start()
    until(lambda: daemon.status.spans > 0)
    for seq in range(1, 20):
        program.batch(seq, build_trace("live", trace=f"live {seq}").parts)
        program.acknowledged(seq)
    asking.join()
    assert len(daemon.stored()) == 20_019


def obey(intake: Intake, file: Path) -> str:
    """What an import that can't succeed is answered."""

    async def run() -> str:
        with pytest.raises(Refused) as refused:
            await Importer(intake, Redaction(), find_places().store).obey({"path": str(file)})
        return str(refused.value)

    return asyncio.run(run())


def test_a_closed_queue_ends_an_import(home: Path, tmp_path: Path) -> None:
    intake = Intake()
    intake.close()
    assert "import the file again" in obey(intake, write_otlp(tmp_path / "trace.json", many(3)))


def test_an_import_that_is_not_stored_does_not_say_it_was(home: Path, tmp_path: Path) -> None:
    intake = Intake()

    def stop_instead_of_writing() -> None:
        for load in intake.take(1):
            load.done(Unstored("the daemon stops"))

    writing = threading.Thread(target=stop_instead_of_writing)
    writing.start()
    assert "import the file again" in obey(intake, write_otlp(tmp_path / "trace.json", many(3)))
    writing.join()


def test_a_cancelled_import_ends_even_while_the_queue_stands_still(home: Path, tmp_path: Path, until: Any) -> None:
    intake = Intake()
    file = write_otlp(tmp_path / "trace.json", many(2000))

    async def run() -> str:
        importer = Importer(intake, Redaction(), find_places().store)
        asking = asyncio.create_task(importer.obey({"path": str(file)}))
        await asyncio.to_thread(until, lambda: intake.queued >= 1000)
        importer.cancel()
        with pytest.raises(Refused) as refused:
            await asking
        return str(refused.value)

    assert "import the file again" in asyncio.run(run())
