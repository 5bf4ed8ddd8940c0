"""The full-text index: all that is stored is found, whatever becomes of the index's file, and no more than once."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traceview.protocol.records import Event, SpanPart, Status, TraceInfo
from traceview.store import (
    Limits,
    StoreBusy,
    StoreError,
    StoreWriter,
    TextIndex,
    TextSearch,
    parse_words,
    part_stream,
    text_index,
    text_search,
)
from traceview.store.driver import driver
from traceview.store.index_file import index_bytes, index_path
from traceview.store.text_search import Answer, Reached

T = b"t" * 16
S = 10**9


def never() -> bool:
    return False


def part(number: int = 1, of: bytes = T, **fields: Any) -> SpanPart:
    given = {"name": f"span {number}", "start_ns": number * S, "end_ns": number * S + S, **fields}
    return SpanPart(of, number.to_bytes(8, "big"), **given)


@dataclass
class Rig:
    """A store with its writer, and what one does with its index."""

    path: Path
    writer: StoreWriter
    cleanup: ExitStack

    def apply(self, *parts: SpanPart) -> None:
        self.writer.apply(parts)

    def open(self, **settings: Any) -> TextIndex:
        index = TextIndex(self.path, **{"floor_bytes": 0, **settings})
        self.cleanup.callback(index.close)
        return index

    def catch_up(self, index: TextIndex | None = None) -> TextIndex:
        index = index or self.open()
        while index.advance(0.02, never):
            pass
        assert index.waiting() == 0
        return index

    def search(self, query: str, limit: int = 100) -> Answer:
        with closing(TextSearch(self.path)) as search:
            return search.spans(parse_words(query), limit)

    def names(self, query: str) -> list[str]:
        return [hit.name for hit in self.search(query).hits]

    def documents(self) -> list[tuple[Any, ...]]:
        with closing(driver().connect(str(index_path(self.path)))) as connection:
            return connection.execute("SELECT document_no, trace_no FROM document").fetchall()  # type: ignore[no-any-return]


@pytest.fixture
def rig(tmp_path: Path, facts: Any) -> Iterator[Rig]:
    with ExitStack() as cleanup:
        writer = StoreWriter(tmp_path / "traces.db", facts, floor_bytes=0)
        cleanup.callback(writer.close)
        yield Rig(tmp_path / "traces.db", writer, cleanup)


def test_every_kind_of_text_is_found_and_where(rig: Rig) -> None:
    rig.apply(
        part(
            name="alpha",
            status=Status.ERROR,
            status_message="beta",
            input={"q": "gamma"},
            output=["delta"],
            reasoning="epsilon",
            attributes={"a": "zeta"},
            events=(Event(1, "traceview.log", {"message": "eta"}),),
            trace=TraceInfo(name="theta", session="iota", user="kappa", tags=("lambda",)),
        )
    )
    rig.catch_up()
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"
    places = "name status_message input.q output[0] reasoning attributes.a events.traceview.log.message trace.name"
    places += " trace.session trace.user trace.tags[0]"
    for word, place in zip(words.split(), places.split(), strict=True):
        (hit,) = rig.search(word).hits
        assert (hit.field, hit.snippet, hit.marks) == (place, word, ((0, len(word)),))
    assert len(rig.search(words).hits) == 1
    assert rig.search("alpha omega").hits == ()


def test_the_newest_come_first_and_no_more_than_wished(rig: Rig) -> None:
    for number in range(1, 31):
        rig.apply(part(number, of=number.to_bytes(16, "big"), input="needle"))
    rig.catch_up()
    answer = rig.search("needle", limit=3)
    assert [hit.name for hit in answer.hits] == ["span 30", "span 29", "span 28"]
    assert (answer.indexed, answer.waiting, answer.complete) == (True, 0, True)


def test_a_running_span_is_found_by_what_it_said_so_far(rig: Rig) -> None:
    index = rig.open()
    rig.apply(part(end_ns=None, input="question"))
    rig.catch_up(index)
    assert rig.names("question") == ["span 1"]
    rig.apply(part(name=None, start_ns=None, end_ns=2 * S, output="answer"))
    rig.catch_up(index)
    assert rig.names("answer question") == ["span 1"]  # said in two parts, indexed apart


def test_what_was_replaced_is_not_found(rig: Rig) -> None:
    rig.apply(part(output="draft", end_ns=None))
    rig.apply(part(output="final"))
    rig.catch_up()
    assert rig.names("draft") == []
    assert rig.names("final") == ["span 1"]


def test_what_is_not_indexed_yet_is_found_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.apply(part(1, input="old needle"))
    index = rig.catch_up()
    rig.apply(part(2, input="new needle"))
    assert index.waiting() == 1
    answer = rig.search("needle")
    assert [hit.name for hit in answer.hits] == ["span 2", "span 1"]
    assert (answer.indexed, answer.waiting) == (True, 0)
    # … unless it is much: then it is told how much.
    monkeypatch.setattr(text_search, "_MOST_BLOCKS", 0)
    for number in range(2, 300):
        rig.apply(part(number, input=random.Random(number).randbytes(2000).hex()))
    answer = rig.search("needle")
    assert [hit.name for hit in answer.hits] == ["span 1"]
    assert answer.waiting == index.waiting() == 298


def test_catching_up_counts_down(rig: Rig) -> None:
    for number in range(1, 400):
        rig.apply(part(number, input=random.Random(number).randbytes(2000).hex()))
    index = rig.open()
    counts = [index.waiting()]
    while index.advance(0, never):
        counts.append(index.waiting())
    assert counts[0] == 399
    assert counts[-1] == 0
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) > 3


def test_a_slice_ends_when_somebody_else_is_to_go_on(rig: Rig) -> None:
    rig.apply(*(part(number) for number in range(1, 100)))
    index = rig.open()
    asked = iter([False] * 5)
    assert index.advance(10.0, lambda: next(asked, True))
    assert 0 < len(rig.documents()) < 3
    rig.catch_up(index)
    assert rig.names("span 99") == ["span 99"]


def test_without_an_index_everything_is_read(rig: Rig) -> None:
    rig.apply(part(1, input="needle"), part(2, of=b"u" * 16, input="a needle too"), part(3, input="hay"))
    answer = rig.search("needle")
    assert [hit.name for hit in answer.hits] == ["span 2", "span 1"]
    assert not answer.indexed


def test_a_search_can_be_stopped(rig: Rig) -> None:
    rig.apply(part(1, input="needle"))
    with closing(TextSearch(rig.path)) as search:
        answer = search.spans(parse_words("needle"), 10, lambda _: True)
        assert search.traces(parse_words("needle")[0], Reached(), frozenset(), lambda _: True).ids == frozenset()
    assert (answer.hits, answer.complete) == ((), False)


@pytest.mark.parametrize("indexed", [False, True])
def test_a_search_says_how_far_it_is(rig: Rig, indexed: bool) -> None:
    ids = [number.to_bytes(16, "big") for number in range(8)]
    rig.apply(*(part(number, of=of, input="parcel lost") for number, of in enumerate(ids)))
    if indexed:
        rig.catch_up().close()
    phrase = parse_words('"lost parcel"')
    shares: list[float] = []

    def watch(share: float) -> bool:
        shares.append(share)
        return False

    with closing(TextSearch(rig.path)) as search:
        assert search.spans(phrase, 10, watch) == Answer((), 0, indexed, True)
        assert shares == [number / 8 for number in range(8)]
        assert search.traces(phrase[0], Reached(), frozenset(), watch).ids == frozenset()
    assert shares == 2 * [number / 8 for number in range(8)]


# --- conversations


def conversation(turns: int) -> Iterator[SpanPart]:
    said: list[dict[str, str]] = []
    for turn in range(1, turns + 1):
        dice = random.Random(turn)
        words = " ".join(f"w{dice.randrange(10**9)}" for _ in range(40))
        said += [{"role": "user", "content": f"ask{turn} {words}"}, {"role": "assistant", "content": f"say{turn}"}]
        yield part(turn, input=list(said), attributes={"turn": turn})


def test_a_conversation_that_grows_is_indexed_once(rig: Rig) -> None:
    index = rig.open()
    sizes = []
    for turn, each in enumerate(conversation(200), 1):
        rig.apply(each)
        rig.catch_up(index)
        if turn % 100 == 0:
            index.close()
            with closing(driver().connect(str(index_path(rig.path)), isolation_level=None)) as connection:
                connection.execute("INSERT INTO words(words) VALUES ('optimize')")
                (size,) = connection.execute("SELECT sum(length(block)) FROM words_data").fetchone()
                (said,) = connection.execute("SELECT sum(length(said)) FROM document").fetchone()
            sizes.append(size + said)
            index = rig.open()
    assert sizes[1] < 2.2 * sizes[0]
    assert rig.names("ask50") == ["span 50"]
    # What was said before and what is said now: found where both stand.
    assert "span 180" in rig.names("ask3 ask180")


def test_what_a_trace_has_said_is_remembered_over_a_restart_and_beyond_memory(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_index, "_REMEMBERED", 0)
    for each in conversation(60):
        rig.apply(each, msgspec.structs.replace(each, trace_id=b"u" * 16))
        rig.catch_up().close()
    with closing(driver().connect(str(index_path(rig.path)))) as connection:
        (hits,) = connection.execute("SELECT count(*) FROM words WHERE words MATCH '\"ask20\"'").fetchone()
    assert hits == 2  # once a trace


# --- retention


def test_forgotten_traces_leave_the_index(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index, "_TRACES_AT_ONCE", 3)
    monkeypatch.setattr(text_index, "_DELETED_AT_ONCE", 2)
    monkeypatch.setattr(text_index, "_FREE_PAGES", 1)
    dice = random.Random(1)
    for number in range(1, 41):
        text = lambda: " ".join(f"x{dice.randrange(10**12)}" for _ in range(50))  # noqa: E731
        spans = [part(span, of=number.to_bytes(16, "big"), input=f"needle {text()}") for span in range(1, 40)]
        rig.apply(*[msgspec.structs.replace(span, start_ns=number * S, end_ns=number * S) for span in spans])
    index = rig.catch_up()
    before = index_bytes(rig.path)
    while rig.writer.tidy(Limits(max_traces=2)):
        pass
    rig.catch_up(index)
    assert len({trace for _, trace in rig.documents()}) == 2
    assert len(rig.names("needle")) == 78
    index.close()
    with closing(driver().connect(str(index_path(rig.path)), isolation_level=None)) as connection:
        assert connection.execute("SELECT count(*) FROM words WHERE words MATCH '\"needle\"'").fetchone() == (10,)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert index_bytes(rig.path) < before / 3


def test_what_is_forgotten_while_others_are_looked_for_leaves_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index, "_TRACES_AT_ONCE", 2)
    monkeypatch.setattr(text_index, "_WALK_EVERY_S", 0.0)
    for number in range(1, 9):
        rig.apply(part(number, of=number.to_bytes(16, "big"), input="needle"))
    index = rig.catch_up()
    for most in (7, 2):  # the second time the walk is past the traces that go
        while rig.writer.tidy(Limits(max_traces=most)):
            pass
        assert index.advance(0.02, never)
        assert index.advance(0.02, never)
    rig.catch_up(index)
    assert len(rig.documents()) == 2


def test_a_store_that_forgets_all_the_time_is_still_indexed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index, "_TRACES_AT_ONCE", 1)
    monkeypatch.setattr(text_index, "_WALK_EVERY_S", 0.0)
    index = rig.open()
    for number in range(1, 30):
        rig.apply(part(number, of=number.to_bytes(16, "big"), input="needle"))
        while rig.writer.tidy(Limits(max_traces=5)):
            pass
        assert index.advance(0.02, never)
        assert index.advance(0.02, never)
        newest = index._connection.execute("SELECT max(trace_no) FROM document").fetchone()[0]
        assert newest == number  # at once, though the walk is far from its end
    # Between two walks there is a rest, in which what is forgotten is not forgotten.
    rig.catch_up(index)
    monkeypatch.setattr(text_index, "_WALK_EVERY_S", 60.0)
    for most, left in ((4, 4), (3, 4)):
        while rig.writer.tidy(Limits(max_traces=most)):
            pass
        while index.advance(0.02, never):
            pass
        assert len(rig.documents()) == left
    index._walk_due = 0.0
    rig.catch_up(index)
    assert len(rig.documents()) == 3


def test_document_numbers_are_not_given_again(rig: Rig) -> None:
    for each in (part(10), part(1, of=b"u" * 16)):  # what comes last starts first, and is forgotten first
        rig.apply(each)
        rig.catch_up().close()
    while rig.writer.tidy(Limits(max_traces=1)):
        pass
    rig.catch_up().close()
    rig.apply(part(11))
    rig.catch_up()
    assert [number for number, _ in rig.documents()] == [1, 3]


def test_what_is_forgotten_before_it_is_indexed_never_gets_in(rig: Rig) -> None:
    rig.apply(part(1, input="needle"))
    while rig.writer.tidy(Limits(max_traces=0)):
        pass
    rig.catch_up()
    assert rig.documents() == []


# --- the file


def damage_header(path: Path) -> None:
    path.write_bytes(b"garbage " * 2000)


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(8192, len(data), 97):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))


def make_old(path: Path) -> None:
    with closing(driver().connect(str(path))) as connection:
        connection.execute("PRAGMA user_version = 0")


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.expects_log
@pytest.mark.parametrize("spoil", [damage_header, damage_middle, make_old, make_empty])
def test_an_index_that_is_no_good_is_made_anew(
    rig: Rig, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    rig.apply(*(part(number, input="needle") for number in range(1, 50)))
    rig.catch_up().close()
    spoil(index_path(rig.path))
    assert len(rig.search("needle", 10).hits if spoil is not damage_middle else [0] * 10) == 10
    rig.apply(*(part(number, input="needle") for number in range(50, 60)))
    for _ in range(3):
        try:
            rig.catch_up()
        except StoreError:
            continue
        break
    assert ("is damaged" in caplog.text) == (spoil in (damage_header, damage_middle))
    answer = rig.search("needle")
    assert len(answer.hits) == 59
    assert answer.indexed


@pytest.mark.expects_log
def test_an_index_of_another_store_is_made_anew_and_never_searched(rig: Rig, tmp_path: Path, facts: Any) -> None:
    rig.apply(part(1, input="needle"))
    rig.catch_up().close()
    rig.writer.close()
    for suffix in ("", "-wal", "-shm"):
        rig.path.with_name(rig.path.name + suffix).unlink(missing_ok=True)
    rig.writer = StoreWriter(rig.path, facts, floor_bytes=0)
    rig.cleanup.callback(rig.writer.close)
    rig.apply(part(2, input="another needle"), part(3, input="more"))
    assert not rig.search("needle").indexed
    assert rig.names("needle") == ["span 2"]
    rig.catch_up()
    assert rig.search("needle").indexed
    assert rig.names("needle") == ["span 2"]


@pytest.mark.expects_log
def test_a_store_put_back_from_a_copy_has_its_index_made_anew(rig: Rig, tmp_path: Path, facts: Any) -> None:
    rig.apply(part(1, input="needle"))
    rig.writer.close()
    shutil.copy(rig.path, tmp_path / "copy")
    for turn in (2, 3):  # the second time the store has grown as far again, in another way
        rig.writer = StoreWriter(rig.path, facts, floor_bytes=0)
        rig.apply(part(turn, input=f"needle {turn}"))
        rig.catch_up().close()
        assert rig.names(f"needle {turn}") == [f"span {turn}"]
        rig.writer.close()
        shutil.copy(tmp_path / "copy", rig.path)


def test_an_index_stays_although_what_came_last_was_forgotten(
    rig: Rig, caplog: pytest.LogCaptureFixture, facts: Any
) -> None:
    """As with sampling, which forgets the newest: what lay at the index's cursor is gone when the daemon starts."""
    caplog.set_level("INFO")
    rig.apply(part(10, input="needle"))
    rig.writer.close()
    rig.writer = StoreWriter(rig.path, facts, floor_bytes=0)  # begins a block of its own
    rig.cleanup.callback(rig.writer.close)
    rig.apply(part(1, of=b"u" * 16, input="needle"))
    rig.catch_up().close()
    while rig.writer.tidy(Limits(max_traces=1)):
        pass
    assert rig.search("needle").indexed
    rig.catch_up().close()
    assert "made anew" not in caplog.text
    assert rig.names("needle") == ["span 10"]
    # Another store in its place is told by the ids of its spans.
    with closing(driver().connect(str(rig.path))) as connection:
        connection.execute("UPDATE span SET span_id = x'0000000000000099'")
        connection.commit()
    assert not rig.search("needle").indexed
    rig.catch_up()
    assert "belongs to another state" in caplog.text


def test_an_index_deleted_while_in_use_is_noticed(rig: Rig) -> None:
    rig.apply(part(1, input="needle"))
    index = rig.catch_up()
    index_path(rig.path).unlink()
    with pytest.raises(StoreError, match="deleted or replaced"):
        index.advance(0.02, never)
    index.close()
    rig.catch_up()
    assert rig.search("needle").indexed


def test_where_the_index_cannot_be_made_it_is_told(rig: Rig) -> None:
    index_path(rig.path).mkdir()
    with pytest.raises(StoreError, match=r"traces\.search\.db"):
        rig.open()
    rig.apply(part(1, input="needle"))
    answer = rig.search("needle")
    assert (len(answer.hits), answer.indexed) == (1, False)


def test_it_stops_growing_before_the_disk_is_full(rig: Rig) -> None:
    rig.apply(part(1))
    with pytest.raises(StoreBusy, match="free some space"):
        rig.open(floor_bytes=1 << 62)
    assert not index_path(rig.path).exists()
    index = rig.catch_up(rig.open())
    rig.apply(part(2))
    index._floor = 1 << 62
    with pytest.raises(StoreBusy, match="free some space"):
        index.advance(0.02, never)
    index._floor = 0
    rig.catch_up(index)
    assert rig.names("span 2") == ["span 2"]


def test_a_locked_index_waits_and_goes_on(rig: Rig) -> None:
    rig.apply(part(1))
    index = rig.catch_up()
    rig.apply(part(2))
    index._connection.execute("PRAGMA busy_timeout = 0")
    with closing(driver().connect(str(index_path(rig.path)), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            index.advance(0.02, never)
        other.execute("ROLLBACK")
    rig.catch_up(index)
    assert rig.names("span 2") == ["span 2"]


def test_an_older_sqlite_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traceview.store.index_file._LEAST_SQLITE", (99, 0, 0))
    with pytest.raises(StoreError, match="older than"):
        rig.open()
    rig.apply(part(1, input="needle"))
    assert rig.names("needle") == ["span 1"]


def test_the_index_is_for_its_user_only(rig: Rig) -> None:
    rig.apply(part(1))
    rig.catch_up()
    assert os.stat(index_path(rig.path)).st_mode & 0o777 == 0o600


@pytest.mark.expects_log
def test_a_damaged_block_costs_only_what_is_in_it(rig: Rig, facts: Any) -> None:
    rig.apply(part(1, input="needle"))
    rig.writer.close()
    with closing(driver().connect(str(rig.path))) as connection:
        connection.execute("UPDATE payload_block SET data = x'00'")
        connection.commit()
    rig.writer = StoreWriter(rig.path, facts, floor_bytes=0)
    rig.cleanup.callback(rig.writer.close)
    rig.apply(part(2, of=b"u" * 16, input="needle"))
    rig.catch_up()
    assert rig.names("needle") == ["span 2"]


def test_what_is_too_large_costs_only_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_stream, "MAX_PART_BYTES", 1_000)
    rig.apply(part(1, input="needle " + "x" * 1000), part(2, input="needle"))
    rig.catch_up()
    assert rig.names("needle") == ["span 2", "span 1"]  # one document, whose spans are read
    rig.apply(part(3, of=b"u" * 16, input="needle " + "x" * 1000))
    rig.catch_up()
    assert len(rig.names("needle")) == 2


# --- traces that have a text


def test_traces_are_found_step_by_step(rig: Rig) -> None:
    ids = [number.to_bytes(16, "big") for number in range(4)]
    (word,) = parse_words("needle")
    (phrase,) = parse_words('"lost parcel"')

    def look(term: Any, since: Reached, known: frozenset[bytes] = frozenset()) -> Any:
        with closing(TextSearch(rig.path)) as search:
            return search.traces(term, since, known)

    rig.apply(part(1, of=ids[0], input="needle"), part(1, of=ids[1], input="a lost parcel"))
    for indexed in (False, True):
        if indexed:
            rig.catch_up().close()
        assert look(word, Reached()).ids == {ids[0]}
        assert look(phrase, Reached()).ids == {ids[1]}
    reached = look(phrase, Reached()).reached
    rig.apply(part(1, of=ids[2], input="lost parcel needle"))
    assert look(phrase, reached).ids == {ids[2]}  # not indexed yet
    rig.catch_up().close()
    assert look(phrase, reached).ids == {ids[2]}
    assert look(phrase, reached, known=frozenset({ids[2]})).ids == frozenset()
    assert look(word, look(word, Reached()).reached).ids == frozenset()
    # An index made anew is searched from its start.
    index_path(rig.path).unlink()
    rig.catch_up().close()
    assert look(phrase, reached).ids == {ids[1], ids[2]}


WORDS = ("alpha", "beta", "gamma", "delta")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_index_and_reading_everything_agree(data: st.DataObject, tmp_path_factory: Any, facts: Any) -> None:
    """Parts in any order, indexed at any time: the answer is what looking at every span gives."""
    with ExitStack() as cleanup:
        path = tmp_path_factory.mktemp("x") / "traces.db"
        rig = Rig(path, StoreWriter(path, facts, floor_bytes=0), cleanup)
        cleanup.callback(rig.writer.close)
        index = rig.open()
        field = st.sampled_from(["input", "output", "name", "reasoning"])
        for _ in range(data.draw(st.integers(1, 12))):
            text = " ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=3)))
            span, trace = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2)).to_bytes(16, "big")
            ended = {"end_ns": span * S + S} if data.draw(st.booleans()) else {"end_ns": None}
            rig.apply(part(span, of=trace, **{data.draw(field): text, **ended}))
            for _ in range(data.draw(st.integers(0, 2))):
                index.advance(0, never)
        query = data.draw(st.sampled_from(["alpha", "alpha beta", '"alpha beta"', "gam*", '"beta gamma" delta']))
        with_index = rig.search(query)
        assert with_index.indexed
        index_path(path).unlink()
        assert not (without := rig.search(query)).indexed
        assert {(hit.trace.trace_id, hit.span_id) for hit in with_index.hits} == {
            (hit.trace.trace_id, hit.span_id) for hit in without.hits
        }
