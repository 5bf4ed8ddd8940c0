"""The inspector: which tabs a span has, which one is seen, and how it follows a run that grows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.explorer import Explorer
from traceview.app.inspectors.pane import InspectorPane
from traceview.app.inspectors.registry import Inspector, InspectorKind, Registry
from traceview.app.inspectors.standard import (
    AttributesInspector,
    MessagesInspector,
    RawInspector,
    SideInspector,
    standard_registry,
)
from traceview.app.inspectors.subject import Subject, step_of
from traceview.app.jobs import Jobs
from traceview.app.state.open_run import OpenRun, Source
from traceview.app.state.selection import Selection
from traceview.app.theme import theme
from traceview.protocol.records import Event, SpanPart, SpanPayload, Status
from traceview.store import StoreError
from traceview.testing import START_NS

MakePart = Callable[..., SpanPart]
MakeRun = Callable[..., OpenRun]
Built = Callable[[str], tuple[SpanPart, ...]]
MakeSubject = Callable[..., Subject]


class Payloads:
    """The payloads of some spans, as the store gives them; a gate can hold them back."""

    def __init__(self, payload: Callable[[SpanPart], SpanPayload]) -> None:
        self._payload = payload
        self.parts: dict[bytes, SpanPart] = {}
        self.open = threading.Event()
        self.open.set()
        self.read = 0
        self.error: Exception | None = None

    def load(self, source: Source, trace_id: bytes, span_id: bytes) -> SpanPayload | None:
        self.open.wait(10)
        self.read += 1
        if self.error is not None:
            raise self.error
        part = self.parts.get(span_id)
        return None if part is None else self._payload(part)


@pytest.fixture
def payloads(payload: Callable[[SpanPart], SpanPayload]) -> Payloads:
    return Payloads(payload)


@pytest.fixture
def selection(qapp: object) -> Selection:
    return Selection()


@pytest.fixture
def pane(qtbot: QtBot, selection: Selection, jobs: Jobs, payloads: Payloads) -> InspectorPane:
    found = InspectorPane(selection, jobs, payloads.load)
    found.set_theme(theme(True))
    found.resize(384, 800)
    qtbot.addWidget(found)
    found.show()
    return found


def open_run(selection: Selection, payloads: Payloads, run: OpenRun, parts: tuple[SpanPart, ...]) -> None:
    payloads.parts = {part.span_id: part for part in parts}
    selection.show(run)


def titles(pane: InspectorPane) -> list[str]:
    return pane.tabs.bar.labels()


def chosen(pane: InspectorPane) -> str:
    return titles(pane)[pane.tabs.bar.current]


def select(qtbot: QtBot, pane: InspectorPane, selection: Selection, part: SpanPart) -> None:
    selection.select_span(part.span_id)
    qtbot.waitUntil(lambda: pane.subject is not None and pane.subject.row.span_id == part.span_id)


def test_without_a_span_it_says_what_to_do(pane: InspectorPane) -> None:
    assert pane.pages.currentWidget() is pane.saying
    assert pane.saying.text.startswith("Select a span")
    assert not pane.head.isVisible()
    assert pane.menu().actions() == []
    pane.copy_span()
    assert not pane.grab().isNull()


def test_what_is_amiss_with_a_span_stands_in_its_head(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    first, second, third = built("run:agent > (plan:llm, glue)")
    early = msgspec.structs.replace(
        second, start_ns=(first.start_ns or 0) - 120_000_000, attributes={"otel.dropped_events_count": 2}
    )
    parts = (first, early, third)
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, early)
    assert pane.head.notes == ("Begins 120\u2009ms before its parent", "2 events dropped by the program")
    assert "before its parent" in pane.head.accessibleName()
    height = pane.head.height()
    assert not pane.grab().isNull()
    select(qtbot, pane, selection, third)
    assert pane.head.notes == ()
    assert pane.head.height() < height


def test_a_span_is_shown_with_kind_status_and_step(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("run:agent > (plan:llm, look:tool!, glue, answer:llm~)")
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[2])
    assert pane.head.accessibleName() == "look, Tool, Error, step 2 of 3"
    assert titles(pane) == ["Error", "Input", "Output", "Events", "Raw"]
    assert chosen(pane) == "Error"
    select(qtbot, pane, selection, parts[3])
    assert pane.head.step_text == ""
    assert chosen(pane) == "Input"
    select(qtbot, pane, selection, parts[4])
    assert pane.head.kind_word == "LLM"
    for dark in (True, False):
        pane.set_theme(theme(dark))
        for part in parts:
            select(qtbot, pane, selection, part)
            assert not pane.grab().isNull()


def test_the_step_counts_only_agent_steps(built: Built, make_run: MakeRun) -> None:
    parts = built("run:agent > (plan:llm, glue > look:tool)")
    run = make_run(parts)
    assert [step_of(run, part.span_id) for part in parts] == [None, (1, 2), None, (2, 2)]
    assert step_of(run, b"nowhere!") is None


def test_tabs_are_chosen_by_what_the_data_is(subject: MakeSubject) -> None:
    registry = standard_registry()

    def found(*args: Any, **said: Any) -> list[tuple[str, int | None]]:
        shown = subject(*args, **said)
        return [(kind.title, kind.count(shown)) for kind in registry.fitting(shown)]

    chat = [{"role": "user", "content": "hi"}]
    assert found("llm", input=chat, output="hello", attributes={"a": 1}, events=(Event(1, "x"),)) == [
        ("Messages", 2),
        ("Output", None),
        ("Attributes", 1),
        ("Events", 1),
        ("Raw", None),
    ]
    assert [title for title, _ in found("embedding", input=["a"], attributes={"embedding.model_name": "e5"})] == [
        "Model",
        "Input",
        "Output",
        "Attributes",
        "Raw",
    ]
    assert found("retriever", output=[{"id": "1", "content": "x"}])[0] == ("Documents", 1)
    assert found("chain", events=(Event(1, "traceview.evaluation", {"item_id": 1}),))[0] == ("Evaluations", 1)
    assert found("chain", events=(Event(1, "traceview.candidate", {"item_id": 1}),))[0] == ("Candidates", 1)
    assert ("Reasoning", None) in found("tool", reasoning="because")
    assert found("tool", resource={"a": 1})[2] == ("Attributes", 0)
    assert found("tool", status=Status.ERROR)[0] == ("Error", None)
    handled = found("tool", events=(Event(1, "exception", {}),))
    assert [title for title, _ in handled] == ["Input", "Output", "Events", "Error", "Raw"]


def test_every_inspector_shows_its_span_in_both_themes(qtbot: QtBot, subject: MakeSubject) -> None:
    events = (
        Event(START_NS, "traceview.evaluation", {"item_id": "P-1", "qualified": True}),
        Event(START_NS, "traceview.candidate", {"item_id": "P-1", "score": 0.5}),
        Event(START_NS, "exception", {"exception.type": "E"}),
    )
    attributes = {
        "retrieval.documents.0.document.id": "d1",
        "retrieval.documents.0.document.content": "text",
        "retrieval.documents.0.document.score": 0.5,
        "retrieval.documents.0.document.metadata": '{"page": 1}',
        "retrieval.documents.1.document.id": "empty",
    }
    shown = subject("retriever", input="q", attributes=attributes, events=events, reasoning="why", resource={"a": 1})
    kinds = standard_registry().fitting(shown)
    assert {kind.title for kind in kinds} == {
        "Evaluations",
        "Candidates",
        "Documents",
        "Input",
        "Output",
        "Reasoning",
        "Attributes",
        "Events",
        "Error",
        "Raw",
    }
    for kind in kinds:
        inspector = kind.make()
        qtbot.addWidget(inspector)
        inspector.resize(384, 600)
        for again in (False, True):
            inspector.set_theme(theme(again))
            inspector.show_subject(shown, again=again)
            assert not inspector.grab().isNull()


def test_documents_before_and_after_are_told_apart(qtbot: QtBot, subject: MakeSubject) -> None:
    attributes = {
        "reranker.input_documents.0.document.content": "before",
        "reranker.output_documents.0.document.content": "after",
        "reranker.output_documents.0.document.id": "d1",
    }
    shown = subject("reranker", attributes=attributes)
    kind = next(kind for kind in standard_registry().fitting(shown) if kind.title == "Documents")
    inspector = kind.make()
    qtbot.addWidget(inspector)
    inspector.show_subject(shown, again=False)
    assert [block.text() for block in inspector.view.list.blocks] == [  # type: ignore[attr-defined]
        "Found: 1",
        "after",
        "after",
        "Given: 1",
        "before",
        "before",
    ]


@pytest.mark.parametrize(
    ("side", "status", "said"),
    [
        ("output", Status.RUNNING, "No output yet The span is still running."),
        ("output", Status.ERROR, "No output The span failed and recorded none."),
        ("output", Status.INTERRUPTED, "No output The program ended before the span did."),
        ("output", Status.OK, "No output This span recorded none."),
        ("input", Status.RUNNING, "No input This span recorded none."),
    ],
)
def test_what_is_absent_is_said_plainly(
    qtbot: QtBot, subject: MakeSubject, side: Any, status: Status, said: str
) -> None:
    inspector = SideInspector(side)
    qtbot.addWidget(inspector)
    inspector.show_subject(subject("tool", status=status), again=False)
    assert inspector.explorer.saying.text == said


def test_an_empty_input_is_not_what_one_sees_first(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    part: MakePart,
    make_run: MakeRun,
) -> None:
    parts = (part("other", attributes={"http.route": "/x"}),)
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[0])
    assert chosen(pane) == "Attributes"
    assert isinstance(pane.tabs.current, AttributesInspector)


def test_the_tab_chosen_last_is_remembered_per_kind(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool, b:tool, c:chain, d:tool!")
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[0])
    pane.tabs.choose("Raw")
    pane.tabs.choose("absent")
    assert isinstance(pane.tabs.current, RawInspector)
    select(qtbot, pane, selection, parts[2])
    assert chosen(pane) == "Input"
    select(qtbot, pane, selection, parts[1])
    assert chosen(pane) == "Raw"
    select(qtbot, pane, selection, parts[3])
    assert chosen(pane) == "Error"


def test_a_running_span_is_read_again_when_it_changed(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    part: MakePart,
    make_run: MakeRun,
) -> None:
    running = part("tool", ms=None, input={"rows": list(range(300)), "inner": {"a": 1}})
    open_run(selection, payloads, make_run((running,), 1), (running,))
    select(qtbot, pane, selection, running)
    explorer = pane.tabs.current.explorer  # type: ignore[union-attr]
    assert isinstance(explorer, Explorer)
    explorer.tree.rows.toggle(0)
    explorer.tree.rows.verticalScrollBar().setValue(500)
    read = payloads.read
    selection.show(make_run((running,), 1))
    assert payloads.read == read
    ended = msgspec.structs.replace(running, output="done", end_ns=START_NS + 5, status=Status.OK)
    payloads.parts[ended.span_id] = ended
    selection.show(make_run((ended,), 2))
    qtbot.waitUntil(lambda: pane.subject is not None and pane.subject.row.change == 2)
    assert explorer.tree.rows.verticalScrollBar().value() == 500
    assert explorer.tree.rows.tree.rows[0].is_open
    assert "OK" in pane.head.accessibleName()
    pane.tabs.choose("Output")
    assert pane.tabs.current.explorer.text.text == "done"  # type: ignore[union-attr]


def test_a_run_that_reports_faster_than_payloads_are_read_is_still_shown(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    part: MakePart,
    make_run: MakeRun,
) -> None:
    running = part("tool", ms=None, input=1)
    payloads.open.clear()
    open_run(selection, payloads, make_run((running,), 1), (running,))
    selection.select_span(running.span_id)
    for change in range(2, 50):
        selection.show(make_run((running,), change))
    payloads.open.set()
    qtbot.waitUntil(lambda: pane.subject is not None and pane.subject.row.change == 49)
    assert payloads.read == 2


def test_a_slow_payload_shows_a_skeleton(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool, b:tool")
    open_run(selection, payloads, make_run(parts), parts)
    payloads.open.clear()
    selection.select_span(parts[0].span_id)
    assert pane.head.isVisible()
    assert pane.pages.currentWidget() is pane.saying
    qtbot.waitUntil(lambda: pane.pages.currentWidget() is pane.skeleton)
    payloads.open.set()
    qtbot.waitUntil(lambda: pane.pages.currentWidget() is pane.tabs)
    select(qtbot, pane, selection, parts[1])
    selection.span_selected.emit(parts[1].span_id)
    assert pane.subject is not None


def test_what_can_t_be_read_is_said_and_tried_again(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool")
    open_run(selection, payloads, make_run(parts), parts)
    payloads.error = StoreError("The store is locked by another program.")
    selection.select_span(parts[0].span_id)
    qtbot.waitUntil(lambda: pane.saying.retry.isVisible())
    assert pane.saying.text == "This span could not be read The store is locked by another program."
    assert not pane.grab().isNull()
    payloads.error = None
    pane.saying.retry.click()
    qtbot.waitUntil(lambda: pane.subject is not None)
    payloads.error = RuntimeError()
    pane.reload()
    qtbot.waitUntil(lambda: pane.saying.text == "This span could not be read RuntimeError")


def test_a_span_that_is_gone_is_said_to_be_gone(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool")
    open_run(selection, payloads, make_run(parts), ())
    selection.select_span(parts[0].span_id)
    qtbot.waitUntil(lambda: pane.saying.text.startswith("Nothing is kept of this span"))


def test_a_span_that_has_not_come_yet_is_waited_for(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool, b:tool")
    open_run(selection, payloads, make_run(parts[:1]), parts)
    selection.select_span(parts[1].span_id)
    assert pane.subject is None
    pane.reload()
    selection.show(make_run(parts, 2))
    qtbot.waitUntil(lambda: pane.subject is not None)


def test_another_run_or_none_clears_the_pane(
    qtbot: QtBot, pane: InspectorPane, selection: Selection, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:tool")
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[0])
    selection.show(make_run(parts, source="other"))
    assert pane.subject is None
    select(qtbot, pane, selection, parts[0])
    selection.show(None)
    assert pane.saying.text.startswith("Select a span")


def test_a_pane_made_late_shows_what_is_selected(
    qtbot: QtBot, selection: Selection, jobs: Jobs, payloads: Payloads, built: Built, make_run: MakeRun
) -> None:
    parts = built("a:llm")
    open_run(selection, payloads, make_run(parts), parts)
    selection.select_span(parts[0].span_id)
    pane = InspectorPane(selection, jobs, payloads.load)
    qtbot.addWidget(pane)
    qtbot.waitUntil(lambda: pane.subject is not None)
    assert isinstance(pane.tabs.current, MessagesInspector)


def test_the_span_is_copied_as_json_and_by_its_ids(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    part: MakePart,
    make_run: MakeRun,
    clipboard: Callable[[], str],
) -> None:
    parts = (part("tool", name="look", input={"q": 1}, events=(Event(START_NS, "e", {"a": 1}),), parent_id=None),)
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[0])
    pane.head.copy.click()
    document = json.loads(clipboard())
    assert document["input"] == {"q": 1}
    assert document["events"] == [{"time_ns": START_NS, "name": "e", "attributes": {"a": 1}}]
    assert document["status"] == "ok"
    assert pane.head._said.startswith("Copied")
    assert not pane.grab().isNull()
    actions = {action.text(): action for action in pane.menu().actions()}
    for text, wanted in (
        ("Copy name", "look"),
        ("Copy span id", parts[0].span_id.hex()),
        ("Copy trace id", parts[0].trace_id.hex()),
    ):
        actions[text].trigger()
        assert clipboard() == wanted
    actions["Copy as JSON"].trigger()
    assert json.loads(clipboard()) == document
    pane.head.more.click()
    for menu in pane.findChildren(QMenu):
        menu.close()
    pane.head._silence.timeout.emit()
    assert pane.head._said == ""


def test_a_hostile_span_is_shown(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    part: MakePart,
    make_run: MakeRun,
    hostile: dict[Any, Any],
) -> None:
    del hostile["huge"]  # no format carries integers of 5,000 digits
    wild = part("tool", name="a\x00<b>\u202e" * 500, input=hostile, output="z" * 2_000_000)
    open_run(selection, payloads, make_run((wild,)), (wild,))
    select(qtbot, pane, selection, wild)
    for title in titles(pane):
        pane.tabs.choose(title)
        assert not pane.grab().isNull()


@pytest.mark.parametrize("width", [60, 336, 384, 600])
def test_tabs_that_don_t_fit_wait_behind_more(
    qtbot: QtBot,
    pane: InspectorPane,
    selection: Selection,
    payloads: Payloads,
    built: Built,
    make_run: MakeRun,
    width: int,
) -> None:
    parts = built("a:tool!")
    open_run(selection, payloads, make_run(parts), parts)
    select(qtbot, pane, selection, parts[0])
    pane.resize(width, 600)
    assert not pane.grab().isNull()
    menu = pane.tabs.bar.more_menu()
    if width < 100:
        next(action for action in menu.actions() if action.text() == "Raw").trigger()
        assert chosen(pane) == "Raw"


def test_a_registry_takes_kinds_of_others_once(subject: MakeSubject) -> None:
    class Plain(Inspector):
        pass

    registry = Registry()
    kind = InspectorKind("Plain", Plain, lambda subject: subject.row.kind == "tool")
    registry.add(kind)
    with pytest.raises(ValueError, match="two inspectors are titled 'Plain'"):
        registry.add(kind)
    assert registry.fitting(subject("tool")) == [kind]
    assert registry.fitting(subject("llm")) == []
    assert kind.count(subject("tool")) is None
