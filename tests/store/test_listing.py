"""Pages of traces: every filter alone and together, and a cursor that neither repeats nor skips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from traceview.conventions import facts
from traceview.protocol.records import SpanPart, Status, TraceInfo
from traceview.store import Place, StoreReader, StoreWriter, TraceFilter

SECOND = 1_000_000_000


def part(number: int, *, start: int, seconds: float = 1, status: Status = Status.OK, **info: Any) -> SpanPart:
    end = None if status is Status.RUNNING else start + int(seconds * SECOND)
    said = TraceInfo(**{"name": f"run {number}", **info})
    return SpanPart(bytes([number]) * 16, b"s" * 8, None, "root", None, start, end, status, trace=said)


PARTS = (
    part(1, start=10 * SECOND, session="a", user="ada", project="p", tags=("x", "y")),
    part(2, start=20 * SECOND, session="a", tags=("x",), status=Status.ERROR),
    part(3, start=20 * SECOND, session="b", seconds=30),
    part(4, start=30 * SECOND, name="odd [name]? 50%", status=Status.RUNNING),
    part(5, start=40 * SECOND, name="run*away", tags=('say "x"',)),
)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[StoreReader]:
    writer = StoreWriter(tmp_path / "traces.db", facts)
    writer.apply(PARTS)
    writer.close()
    reader = StoreReader(tmp_path / "traces.db")
    yield reader
    reader.close()


ANY = TraceFilter()


def numbers(reader: StoreReader, wanted: TraceFilter = ANY, **options: Any) -> list[int]:
    return [trace.trace_id[0] for trace in reader.page(wanted, **{"limit": 10, **options})]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (TraceFilter(), [5, 4, 3, 2, 1]),
        (TraceFilter(name="run 2"), [2]),
        (TraceFilter(name="run *"), [3, 2, 1]),
        (TraceFilter(name="run*"), [5, 3, 2, 1]),
        (TraceFilter(name="odd [name]? *"), [4]),
        (TraceFilter(name="odd ?name]? *"), []),
        (TraceFilter(name="RUN 2"), []),
        (TraceFilter(status=Status.ERROR), [2]),
        (TraceFilter(status=Status.RUNNING), [4]),
        (TraceFilter(session="a"), [2, 1]),
        (TraceFilter(session="a", status=Status.OK), [1]),
        (TraceFilter(user="ada"), [1]),
        (TraceFilter(project="p"), [1]),
        (TraceFilter(tags=("x",)), [2, 1]),
        (TraceFilter(tags=("x", "y")), [1]),
        (TraceFilter(tags=('say "x"',)), [5]),
        (TraceFilter(since_ns=20 * SECOND), [5, 4, 3, 2]),
        (TraceFilter(since_ns=20 * SECOND, until_ns=30 * SECOND), [3, 2]),
        (TraceFilter(min_duration_ns=30 * SECOND), [3]),
        (TraceFilter(name="nothing", tags=("x",)), []),
        (TraceFilter(session="a' OR 1=1 --"), []),
    ],
    ids=str,
)
def test_filters(reader: StoreReader, wanted: TraceFilter, found: list[int]) -> None:
    assert numbers(reader, wanted) == found


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_pages_join_without_gap_or_repetition(reader: StoreReader, size: int) -> None:
    seen: list[int] = []
    place = None
    while page := reader.page(TraceFilter(), after=place, limit=size):
        seen += [trace.trace_id[0] for trace in page]
        place = Place.of(page[-1])
    assert seen == [5, 4, 3, 2, 1]


def test_a_page_does_not_move_when_traces_come_in(reader: StoreReader, tmp_path: Path) -> None:
    place = Place.of(reader.page(TraceFilter(), limit=2)[-1])
    writer = StoreWriter(tmp_path / "traces.db", facts)
    writer.apply([part(9, start=99 * SECOND), part(8, start=15 * SECOND)])
    writer.close()
    assert numbers(reader, after=place) == [3, 2, 8, 1]


def test_the_order_comes_from_an_index(reader: StoreReader) -> None:
    sql = "EXPLAIN QUERY PLAN SELECT trace_id FROM trace WHERE (start_ns, trace_id) < (5, x'00') "
    plan = str(reader._rows(sql + "ORDER BY start_ns DESC, trace_id DESC LIMIT 5"))
    assert "USING INDEX trace_by_start" in plan
