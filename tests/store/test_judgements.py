"""What many parts say one by one, evaluations and candidates, is understood all together when the span ends."""

from __future__ import annotations

from pathlib import Path

from traceview.conventions import facts
from traceview.protocol.records import CANDIDATE_EVENT, EVALUATION_EVENT, Event, SpanPart, Status
from traceview.store import StoreReader, StoreWriter

IDS = (b"t" * 16, b"s" * 8)


def _detail(path: Path, *batches: list[SpanPart]) -> str | None:
    writer = StoreWriter(path, facts)
    for batch in batches:
        writer.apply(batch)
    writer.close()
    reader = StoreReader(path)
    (row,) = reader.spans(IDS[0])
    reader.close()
    return row.detail


def _evaluation(n: int, qualified: bool) -> SpanPart:
    return SpanPart(*IDS, events=(Event(n, EVALUATION_EVENT, {"item_id": f"p{n}", "qualified": qualified}),))


def test_evaluations_of_many_batches_count_when_the_span_ends(tmp_path: Path) -> None:
    start = SpanPart(*IDS, name="filter", start_ns=1)
    end = SpanPart(*IDS, end_ns=99, status=Status.OK)
    judged = [_evaluation(n, n % 3 == 0) for n in range(3, 43)]
    assert _detail(tmp_path / "a.db", [start], judged[:7], judged[7:], [end]) == "40 → 14"


def test_the_best_candidate_stands_for_all(tmp_path: Path) -> None:
    start = SpanPart(*IDS, name="rank", start_ns=1)
    ranked = [
        SpanPart(*IDS, events=(Event(n, CANDIDATE_EVENT, {"item_id": f"p{n}", "rank": 5 - n, "score": 0.1 * n}),))
        for n in (2, 3, 4)
    ]
    end = SpanPart(*IDS, end_ns=99, status=Status.OK)
    assert _detail(tmp_path / "a.db", [start, *ranked, end]) == "p4 0.4"
