"""The filter line's `text:` finds traces by anything recorded in them, live, and never on the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from traceview.app import text_matches
from traceview.app.models.trace_list import TraceListModel
from traceview.app.services import Services, make_services
from traceview.app.settings import Settings
from traceview.app.state.filters import Filters
from traceview.app.state.open_run import Source
from traceview.app.text_matches import TextMatches
from traceview.app.views.trace_list import TraceList
from traceview.conventions import facts
from traceview.protocol.places import find_places
from traceview.store import StoreError, StoreReader, StoreWriter, TextIndex, TextSearch
from traceview.testing import START_NS, build_trace

pytestmark = pytest.mark.usefixtures("qapp_look")


def record(path: Path, **said: str) -> None:
    """A trace for each name, with this output in a span below its root."""
    writer = StoreWriter(path, facts, floor_bytes=0)
    for name, output in said.items():
        first, second = build_trace(f"{name} > work:tool", trace=name, start_ns=START_NS + len(name) * 10**9).parts
        writer.apply([first, msgspec.structs.replace(second, output=output)])
    writer.close()


def index(path: Path) -> None:
    with closing(TextIndex(path, floor_bytes=0)) as made:
        while made.advance(1.0, lambda: False):
            pass


@pytest.fixture
def services(home: Path, qtbot: QtBot) -> Iterator[Services]:
    places = find_places()
    record(places.store, a="my lost parcel", bb="a refund", ccc="nothing")
    made = make_services(places, Settings(places.settings), start_daemon=False)
    yield made
    made.close()


def shown(services: Services) -> list[str]:
    model = services.model
    return [model.trace(row).name for row in range(model.rowCount())]


@pytest.fixture
def traces(services: Services, qtbot: QtBot) -> TraceList:
    made = TraceList(services.model, services.filters)
    qtbot.addWidget(made)
    made.set_source(services.sources.live)
    services.navigator.loaded.connect(lambda: made.set_loading(False))
    services.texts.note_changed.connect(made.filter_bar.set_note)
    made.resize(320, 700)
    made.show()
    services.tail.start()
    qtbot.waitUntil(lambda: services.model.total == 3)
    return made


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("text:lost", ["a"]),
        ('text:"lost parcel"', ["a"]),
        ("text:refun*", ["bb"]),
        ("-text:refund", ["ccc", "a"]),
        ("text:work", ["ccc", "bb", "a"]),
        ("text:work -text:lost -text:nothing", ["bb"]),
        ("text:work name:ccc", ["ccc"]),
        ("text:tortoise", []),
    ],
)
def test_what_the_terms_let_through(
    traces: TraceList, services: Services, qtbot: QtBot, line: str, names: list[str], indexed: bool
) -> None:
    if indexed:
        index(services.places.store)
    services.filters.type(line)
    qtbot.waitUntil(lambda: not services.model.searching)
    assert shown(services) == names


def test_runs_that_come_in_are_looked_through_as_they_do(traces: TraceList, services: Services, qtbot: QtBot) -> None:
    index(services.places.store)
    services.filters.type("text:parcel")
    qtbot.waitUntil(lambda: shown(services) == ["a"])
    record(services.places.store, dddd="parcel found", eeeee="no")
    qtbot.waitUntil(lambda: shown(services) == ["dddd", "a"])
    record(services.places.store, bb="a parcel after all")  # … also runs that are there already
    qtbot.waitUntil(lambda: shown(services) == ["dddd", "bb", "a"])
    services.filters.clear()
    assert len(shown(services)) == 5


def test_the_list_stays_until_the_answer_is_there(
    traces: TraceList, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, threads = threading.Event(), []

    def search(*given: Any) -> Any:
        threads.append(threading.current_thread())
        assert go.wait(10)
        return real(*given)

    real = text_matches._search
    monkeypatch.setattr(text_matches, "_search", search)
    services.filters.type("text:lost")
    assert len(shown(services)) == 3
    assert services.model.searching
    assert traces.filter_bar.field._count == "searching…"
    services.filters.type("text:refund")  # what was asked before is dropped
    go.set()
    qtbot.waitUntil(lambda: shown(services) == ["bb"])
    assert traces.filter_bar.field._count == ""
    assert threading.main_thread() not in threads


def test_a_search_that_takes_long_says_how_far_it_is(
    traces: TraceList, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, real = threading.Event(), StoreReader.whole_spans
    looked_at: list[bytes] = []

    def whole_spans(self: StoreReader, trace_id: bytes, span_ids: Any) -> Any:
        looked_at.append(trace_id)
        if len(looked_at) == 3:
            assert go.wait(10)
        return real(self, trace_id, span_ids)

    index(services.places.store)
    monkeypatch.setattr(StoreReader, "whole_spans", whole_spans)
    services.texts._telling.setInterval(1)
    services.filters.type('text:"work work" text:"parcel lost"')
    note = traces.filter_bar._note
    qtbot.waitUntil(lambda: len(looked_at) == 3)
    qtbot.waitUntil(lambda: note.text() == "67% searched. Clear the line to stop.")
    assert traces.filter_bar.field._count == "searching…"
    under_way = services.texts._under_way
    services.filters.type("")
    go.set()
    assert len(shown(services)) == 3
    assert not note.isVisible()
    assert under_way.stopped(0.5)
    assert not services.texts._telling.isActive()


def test_asking_again_while_it_searches_neither_stops_nor_doubles_it(
    traces: TraceList, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, searches = threading.Event(), []

    def search(*given: Any) -> Any:
        searches.append(given)
        assert go.wait(10)
        return real(*given)

    real = text_matches._search
    monkeypatch.setattr(text_matches, "_search", search)
    services.filters.type("text:lost")
    services.filters.type("text:lost status:ok")
    services.texts._search()
    qtbot.waitUntil(lambda: len(searches) == 1)
    assert services.texts._again.isActive()  # it is looked again when this is done
    go.set()
    qtbot.waitUntil(lambda: len(searches) == 2)
    qtbot.waitUntil(lambda: shown(services) == ["a"])
    services.filters.type("text:lost")
    assert shown(services) == ["a"]  # at once: it is known
    services.filters.type("")
    services.texts._search()
    assert len(shown(services)) == 3


def test_an_unknown_answer_with_nothing_to_show_says_so(traces: TraceList, services: Services) -> None:
    services.model.replace(())
    services.filters.type("text:lost")
    assert traces._hint.text == "Searching what was recorded…"
    traces.grab()


def test_words_that_no_row_shows_can_be_looked_for_in_everything(
    traces: TraceList, services: Services, qtbot: QtBot
) -> None:
    services.filters.type('"lost parcel" work')
    assert shown(services) == []
    assert traces._hint.everywhere.isVisible()
    traces._hint.everywhere.click()
    assert services.filters.typed == 'text:"lost parcel" text:work'
    qtbot.waitUntil(lambda: shown(services) == ["a"])
    services.filters.type("tokens > 5k nowhere")
    assert not traces._hint.everywhere.isVisible()


def test_another_source_is_searched_in_its_turn(
    traces: TraceList, services: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    record(tmp_path / "b.db", x="lost too")
    services.filters.type("text:lost")
    qtbot.waitUntil(lambda: shown(services) == ["a"])
    services.navigator.show_source(Source(tmp_path / "b.db", "b", live=False, origin=tmp_path / "b.db"))
    qtbot.waitUntil(lambda: shown(services) == ["x"])
    services.navigator.show_source(services.sources.live)
    qtbot.waitUntil(lambda: shown(services) == ["a"])


def test_what_could_not_be_searched_is_told(
    traces: TraceList, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(services.places.store)
    monkeypatch.setattr("traceview.store.text_search._MOST_BLOCKS", 0)
    record(services.places.store, dddd="lost")
    services.filters.type("text:lost")
    note = traces.filter_bar._note
    qtbot.waitUntil(lambda: note.text() == "2 spans are not indexed yet and could not be searched.")
    assert note.isVisible()
    assert shown(services) == ["a"]
    index(services.places.store)
    services.texts.look_again()
    qtbot.waitUntil(lambda: shown(services) == ["dddd", "a"])
    assert not note.isVisible()


def test_a_store_that_cannot_be_read_is_told(
    traces: TraceList, services: Services, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: TextSearch, store: Path) -> None:
        raise StoreError(f"{store} is damaged")

    monkeypatch.setattr(TextSearch, "__init__", refuse)
    services.filters.type("text:lost")
    qtbot.waitUntil(lambda: "is damaged" in traces.filter_bar._note.text())
    assert shown(services) == []


def test_before_anything_is_recorded_there_is_nothing_to_find(home: Path, qtbot: QtBot) -> None:
    model, filters = TraceListModel(), Filters()
    filters.filter_changed.connect(model.set_filter)
    path = home / "traces.db"
    texts = TextMatches(model, Source(path, "Live", live=True))
    filters.type("text:lost")
    qtbot.waitUntil(lambda: not model.searching)
    record(path, a="lost")
    with closing(StoreReader(path)) as reader:
        model.update(reader.traces())
    texts.look_again()
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    texts.close()
    texts.close()
    filters.type("text:more")
    assert model.searching
