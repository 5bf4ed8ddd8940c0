"""The inspectors that come with traceview, one per kind of data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from traceview.app.inspectors.attribute_rows import AttributeRows, attribute_groups
from traceview.app.inspectors.block_view import BlockView
from traceview.app.inspectors.blocks import (
    Block,
    FoldBlock,
    HeadBlock,
    LineBlock,
    Look,
    Show,
    TextBlock,
    as_text,
    loud,
    quiet,
)
from traceview.app.inspectors.candidates import CandidatesView
from traceview.app.inspectors.error_blocks import error_blocks
from traceview.app.inspectors.evaluations import EvaluationsView
from traceview.app.inspectors.event_rows import EventRows, event_tree
from traceview.app.inspectors.explorer import Explorer
from traceview.app.inspectors.message_blocks import arguments_preview, conversation
from traceview.app.inspectors.registry import Inspector, InspectorKind, Registry
from traceview.app.inspectors.subject import Subject
from traceview.app.theme import Theme, ui_font
from traceview.protocol.records import EXCEPTION_EVENT, Status

_ABSENT = {
    Status.RUNNING: ("No {side} yet", "The span is still running."),
    Status.ERROR: ("No {side}", "The span failed and recorded none."),
    Status.INTERRUPTED: ("No {side}", "The program ended before the span did."),
    Status.OK: ("No {side}", "This span recorded none."),
}


def standard_registry() -> Registry:
    """All kinds that come with traceview, in the order of their tabs."""
    return Registry(
        (
            InspectorKind("Messages", MessagesInspector, _has_messages, lambda subject: len(subject.messages)),
            InspectorKind("Evaluations", EvaluationsInspector, _has_evaluations, lambda s: len(s.evaluations)),
            InspectorKind("Candidates", CandidatesInspector, _has_candidates, lambda s: len(s.candidates)),
            InspectorKind("Documents", DocumentsInspector, _has_documents, _count_documents),
            InspectorKind("Input", InputInspector, _has_own_input, empty=lambda s: s.presented.input is None),
            InspectorKind("Output", OutputInspector, lambda s: True, empty=lambda s: s.presented.output is None),
            InspectorKind("Model", MessagesInspector, _is_bare_model, leads=_is_model_call),
            InspectorKind("Reasoning", ReasoningInspector, _has_own_reasoning),
            InspectorKind("Attributes", AttributesInspector, _has_attributes, lambda s: len(s.payload.attributes)),
            InspectorKind("Events", EventsInspector, _has_events, lambda subject: len(subject.payload.events)),
            InspectorKind("Error", ErrorInspector, _has_error, leads=lambda subject: subject.failed),
            InspectorKind("Raw", RawInspector, lambda subject: True),
        )
    )


def _has_messages(subject: Subject) -> bool:
    return bool(subject.messages)


def _is_bare_model(subject: Subject) -> bool:
    """A model call without a conversation: an embedding, or a chat of which only the figures were recorded."""
    row = subject.row
    return not subject.messages and (row.model is not None or row.input_tokens is not None or row.kind == "llm")


def _is_model_call(subject: Subject) -> bool:
    return subject.row.kind in ("llm", "embedding") and not subject.failed


def _has_own_input(subject: Subject) -> bool:
    """The input of a model call is its messages, which have their own tab."""
    return not (subject.row.kind == "llm" and subject.presented.messages_in)


def _has_own_reasoning(subject: Subject) -> bool:
    return bool(subject.payload.reasoning) and not subject.messages and not _is_bare_model(subject)


def _has_evaluations(subject: Subject) -> bool:
    return bool(subject.evaluations)


def _has_candidates(subject: Subject) -> bool:
    return bool(subject.candidates)


def _has_documents(subject: Subject) -> bool:
    return bool(subject.presented.documents or subject.presented.documents_in)


def _count_documents(subject: Subject) -> int:
    return len(subject.presented.documents or subject.presented.documents_in)


def _has_attributes(subject: Subject) -> bool:
    return bool(subject.payload.attributes or subject.payload.resource)


def _has_events(subject: Subject) -> bool:
    return bool(subject.payload.events)


def _has_error(subject: Subject) -> bool:
    return subject.failed or any(event.name == EXCEPTION_EVENT for event in subject.payload.events)


class ValueInspector(Inspector):
    """The base of inspectors that show one value as tree and text."""

    def __init__(self, explorer: Explorer) -> None:
        super().__init__()
        self.explorer = explorer
        self.fill_with(explorer)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.explorer.set_theme(colors)


class SideInspector(ValueInspector):
    """What went in or came out."""

    def __init__(self, side: Literal["input", "output"]) -> None:
        super().__init__(Explorer(side.capitalize()))
        self._side = side

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the decoded value, or says why there is none."""
        value: Any = subject.presented.input if self._side == "input" else subject.presented.output
        if value is None:
            headline, hint = _ABSENT[subject.row.status if self._side == "output" else Status.OK]
            self.explorer.say(headline.format(side=self._side), hint)
        else:
            self.explorer.set_value(value, again=again)


class InputInspector(SideInspector):
    """What went in."""

    def __init__(self) -> None:
        super().__init__("input")


class OutputInspector(SideInspector):
    """What came out."""

    def __init__(self) -> None:
        super().__init__("output")


class ReasoningInspector(ValueInspector):
    """Why the program did what it did, in its own words."""

    def __init__(self) -> None:
        super().__init__(Explorer("Reasoning"))

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the text."""
        self.explorer.set_value(subject.payload.reasoning or "", again=again)


class AttributesInspector(ValueInspector):
    """The span's attributes and its resource's."""

    def __init__(self) -> None:
        super().__init__(Explorer("Attributes", AttributeRows()))

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows them sorted."""
        self.explorer.set_value(attribute_groups(subject.payload), again=again)


class EventsInspector(ValueInspector):
    """The span's events by time."""

    def __init__(self) -> None:
        self._rows = EventRows()
        super().__init__(Explorer("Events", self._rows))

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows them by time."""
        events = tuple(sorted(subject.payload.events, key=lambda event: event.time_ns))
        self._rows.set_events(events, subject.run_start_ns)
        self.explorer.set_tree(event_tree(events), again=again)


class RawInspector(ValueInspector):
    """Everything of the span as one value."""

    def __init__(self) -> None:
        super().__init__(Explorer("Span"))

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the whole."""
        self.explorer.set_value(subject.document(), again=again)


class BlocksInspector(Inspector):
    """The base of inspectors that show a column of blocks."""

    title = ""

    def __init__(self) -> None:
        super().__init__()
        self.view = BlockView(self.title)
        self.fill_with(self.view)

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the blocks."""
        self.view.fill(self.blocks(subject, self.view.show_detail), again=again)

    def blocks(self, subject: Subject, show: Show) -> Iterator[list[Block]]:
        """The blocks, in groups."""
        raise AssertionError("every inspector of blocks makes them")

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.view.set_theme(colors)


class MessagesInspector(BlocksInspector):
    """A model call: its figures and its conversation."""

    title = "Messages"

    def blocks(self, subject: Subject, show: Show) -> Iterator[list[Block]]:
        """Card, settings, messages."""
        return conversation(subject, show)


class ErrorInspector(BlocksInspector):
    """Why the span failed."""

    title = "Error"

    def blocks(self, subject: Subject, show: Show) -> Iterator[list[Block]]:
        """Exceptions and tracebacks."""
        return error_blocks(subject, show)


class DocumentsInspector(BlocksInspector):
    """What a retriever found or a reranker was given and gave back."""

    title = "Documents"

    def blocks(self, subject: Subject, show: Show) -> Iterator[list[Block]]:
        """A heading, the text and the metadata of each document."""
        presented = subject.presented
        groups = [("Found", presented.documents), ("Given", presented.documents_in)]
        several = all(documents for _, documents in groups)
        for name, documents in groups:
            if several:
                yield [LineBlock(f"{name}: {len(documents):,}")]
            for place, document in enumerate(documents, 1):
                score = "" if document.score is None else f"{document.score:.4g}"
                text = as_text(document.content) if document.content is not None else ""
                head = HeadBlock(f"{place}  {document.id or ''}", icon="text", ink=quiet, right=score, whole=text)
                found: list[Block] = [head]
                if text:
                    look = Look(loud, ui_font(12), fold=6, left=24)
                    found.append(TextBlock(text, look, document.id or f"Document {place}", show, document.content))
                if document.metadata:
                    preview = arguments_preview(document.metadata)
                    found.append(FoldBlock("metadata", preview, document.metadata, show, icon="braces", ink=quiet))
                yield found


class EvaluationsInspector(Inspector):
    """Which items a filter kept."""

    def __init__(self) -> None:
        super().__init__()
        self.view = EvaluationsView()
        self.fill_with(self.view)

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the table."""
        self.view.show_subject(subject, again=again)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.view.set_theme(colors)


class CandidatesInspector(Inspector):
    """How items were ranked."""

    def __init__(self) -> None:
        super().__init__()
        self.view = CandidatesView()
        self.fill_with(self.view)

    def show_subject(self, subject: Subject, *, again: bool) -> None:
        """Shows the table."""
        self.view.show_subject(subject, again=again)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.view.set_theme(colors)
