"""Filtered and ranked items as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.blocks import TextBlock
from traceview.app.inspectors.candidates import CandidatesView
from traceview.app.inspectors.evaluations import EvaluationsView
from traceview.app.inspectors.item_table import share
from traceview.app.inspectors.judgements import filter_names, read_candidates, read_evaluations, removed_by
from traceview.app.inspectors.subject import Subject
from traceview.app.theme import theme
from traceview.protocol.records import CANDIDATE_EVENT, EVALUATION_EVENT, Event

MakeSubject = Callable[..., Subject]


def evaluation(item_id: str, *passed: bool | None, qualified: bool | None, **more: Any) -> Event:
    names = ("region", "age", "category")
    filters = [{"name": name, "passed": ok, "detail": "why"} for name, ok in zip(names, passed, strict=False)]
    said = {"item_id": item_id, "filters": filters, "qualified": qualified, "item": {"title": f"Title of {item_id}"}}
    return Event(1, EVALUATION_EVENT, said | more)


EVALUATIONS = (
    evaluation("P-02", True, False, True, qualified=False, reasoning="too old"),
    evaluation("P-12", True, True, True, qualified=True),
    evaluation("P-40", False, False, None, qualified=False),
    evaluation("P-50", qualified=None),
)


def candidate(item_id: str, rank: int | None, score: float | None, **more: Any) -> Event:
    said = {"item_id": item_id, "rank": rank, "score": score, **more}
    return Event(1, CANDIDATE_EVENT, {key: value for key, value in said.items() if value is not None})


@pytest.fixture
def evaluations(qtbot: QtBot, subject: MakeSubject) -> EvaluationsView:
    view = EvaluationsView()
    view.set_theme(theme(True))
    view.resize(384, 700)
    qtbot.addWidget(view)
    view.show()
    view.show_subject(subject("chain", events=EVALUATIONS), again=False)
    return view


def ids(view: EvaluationsView) -> list[str]:
    return [item.item_id for item in view._rows.items]


def test_what_qualified_comes_first_else_as_recorded() -> None:
    found = read_evaluations(EVALUATIONS)
    assert [item.item_id for item in found] == ["P-12", "P-02", "P-40", "P-50"]
    assert [item.verdict for item in found] == ["qualified", "removed", "removed", ""]
    assert filter_names(found) == ("region", "age", "category")
    assert removed_by(found) == [("age", 2), ("region", 1)]
    assert found[1].title == "Title of P-02"


def test_odd_evaluations_are_read_as_far_as_they_go() -> None:
    odd = Event(1, EVALUATION_EVENT, {"item_id": 7, "item": "just a name", "filters": ["plain", {"passed": "yes"}, 3]})
    (found,) = read_evaluations([odd])
    assert (found.item_id, found.title, found.qualified) == ("7", "just a name", None)
    assert [(result.name, result.passed) for result in found.filters] == [
        ("plain", None),
        ("filter 2", None),
        ("3", None),
    ]
    (empty,) = read_evaluations([Event(1, EVALUATION_EVENT, {"filters": "x", "item": {"nothing": 1}, "item_id": [1]})])
    assert (empty.item_id, empty.title, empty.filters) == ("", "", ())


def test_candidates_stand_by_rank_then_by_score() -> None:
    item = {"title": "T", "vector": 0.6, "count": 40, "flag": True, "name": "N"}
    events = [
        candidate("c", None, 0.1),
        candidate("b", 2, 0.8),
        candidate("d", None, 0.4),
        candidate("a", 1, 0.9, item=item, reasoning="near"),
    ]
    found = read_candidates(events)
    assert [each.item_id for each in found] == ["a", "b", "d", "c"]
    assert found[0].scores == (("vector", 0.6),)
    assert (found[0].title, found[0].reasoning) == ("T", "near")
    assert read_candidates([Event(1, CANDIDATE_EVENT, {})])[0].rank is None


def test_the_table_says_how_many_and_what_removed_them(evaluations: EvaluationsView) -> None:
    assert evaluations.caption.text == "4 evaluated, 1 qualified"
    assert [chip.label for chip in evaluations.chips] == ["age 2", "region 1"]
    assert evaluations.rows.current == 0
    assert evaluations.rows.row_text(1) == (
        "P-02\tTitle of P-02\tregion: passed\tage: failed\tcategory: passed\tremoved"
    )


def test_a_chip_shows_only_what_its_filter_removed(evaluations: EvaluationsView) -> None:
    age, region = evaluations.chips
    age.click()
    assert ids(evaluations) == ["P-02", "P-40"]
    region.click()
    assert ids(evaluations) == ["P-40"]
    assert not age.isChecked()
    evaluations.show_only("region")
    region.click()
    assert len(ids(evaluations)) == 4


def test_a_newer_picture_keeps_filter_and_row(evaluations: EvaluationsView, subject: MakeSubject) -> None:
    evaluations.show_only("age")
    evaluations.rows.set_current(1)
    more = (*EVALUATIONS, evaluation("P-99", True, False, True, qualified=False))
    evaluations.show_subject(subject("chain", events=more), again=True)
    assert ids(evaluations) == ["P-02", "P-40", "P-99"]
    assert evaluations.rows.current == 1
    evaluations.show_subject(subject("chain", events=EVALUATIONS[1:2]), again=True)
    assert ids(evaluations) == ["P-12"]
    assert evaluations.chips == []


def test_the_details_tell_each_filter_s_verdict(evaluations: EvaluationsView) -> None:
    evaluations.rows.set_current(1)
    texts = [block.text() for block in evaluations.detail.list.blocks]
    assert texts[1:] == ["region\tpassed\twhy", "age\tfailed\twhy", "category\tpassed\twhy", "too old"]
    assert isinstance(evaluations.detail.list.blocks[-1], TextBlock)
    evaluations.rows.set_current(-1)
    assert not evaluations.detail.isVisible()


@pytest.mark.parametrize("width", [120, 200, 336, 384, 600])
@pytest.mark.parametrize("dark", [True, False])
def test_tables_are_painted_at_any_width(evaluations: EvaluationsView, width: int, dark: bool) -> None:
    evaluations.set_theme(theme(dark))
    evaluations.resize(width, 500)
    for row in range(4):
        evaluations.rows.set_current(row)
        assert not evaluations.grab().isNull()


def test_many_filters_share_one_column(evaluations: EvaluationsView, subject: MakeSubject) -> None:
    filters = [{"name": f"filter number {number}", "passed": number % 2 == 0} for number in range(20)]
    events = (Event(1, EVALUATION_EVENT, {"item_id": "x", "filters": filters, "qualified": False}),)
    evaluations.show_subject(subject("chain", events=events), again=False)
    assert evaluations._rows.columns(384)[1] == []
    assert len(evaluations.chips) == 8
    assert not evaluations.grab().isNull()
    evaluations.show_subject(subject("chain", events=(Event(1, EVALUATION_EVENT, {}),)), again=False)
    assert evaluations._rows.columns(384)[1] == []
    assert not evaluations.grab().isNull()


def test_rows_copy_themselves(evaluations: EvaluationsView, qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    evaluations.rows.set_current(2)
    qtbot.keyClick(evaluations.rows, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard().startswith("P-40\t")
    qtbot.keyClick(evaluations.rows, Qt.Key.Key_Up)
    assert evaluations.rows.current == 1


def test_candidates_show_scores_and_reasons(qtbot: QtBot, subject: MakeSubject) -> None:
    view = CandidatesView()
    view.resize(384, 500)
    qtbot.addWidget(view)
    view.show()
    item = {"title": "Lost parcel", "vector": 0.612}
    events = (candidate("P-12", 1, 0.934, item=item, reasoning="no scan"), candidate("P-14", None, None))
    view.show_subject(subject("reranker", events=events), again=False)
    view.set_theme(theme(False))
    assert view.caption.text == "2 candidates, best first"
    assert [block.text() for block in view.detail.list.blocks][1:] == ["no scan", "vector\t0.612", "score\t0.934"]
    assert not view.grab().isNull()
    view.rows.set_current(1)
    assert not view.grab().isNull()
    assert view.rows.row_text(1) == "\tP-14\t\t"
    view.show_subject(subject("reranker", events=(candidate("x", 1, 1234.5),)), again=False)
    assert view.rows.row_text(0) == "1\tx\t\t1,234"
    assert view.caption.text == "1 candidate, best first"
    assert not view.grab().isNull()


def test_scores_are_shares_of_one_or_of_the_largest() -> None:
    assert share(0.5, 0.9) == 0.5
    assert share(5, 10) == 0.5
    assert share(-1, 0.2) == 0.0
    assert share(3, 2) == 1.0
