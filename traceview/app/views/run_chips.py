"""The chips beside a run's name: what must be said of it, then its session, user and tags."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from traceview.analysis.anomalies import Notice, run_notices
from traceview.app.controls import Chip, plain_tooltip
from traceview.app.state.open_run import OpenRun
from traceview.app.state.trace_filter import field_term
from traceview.app.theme import CHIP, Theme, theme
from traceview.protocol.records import TraceSummary

_GAP = 6
_ALIKE = "dropped > 0"


class RunChips(QWidget):
    """Warnings are never left out: without room for each they become one. Of the others those that fit are shown.

    Signals:
        filter_requested(str): show only traces like this (a term of the filter line).
        span_requested(bytes): go to a span that a warning is about; the next one with each click.
    """

    filter_requested = Signal(str)
    span_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._said: tuple[object, ...] = ()
        self._run: OpenRun | None = None
        self._warnings: list[Chip] = []
        self._all_warnings: Chip | None = None
        self._others: list[Chip] = []
        self._visited = -1
        self.setFixedHeight(CHIP)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for chip in self._chips():
            chip.set_theme(colors)

    def show_run(self, run: OpenRun | None) -> None:
        """Makes the chips of a run, or takes all away."""
        same_run = run is not None and self._run is not None and run.summary.trace_id == self._run.summary.trace_id
        self._visited = self._visited if same_run else -1
        self._run = run
        notices = run_notices(run.anomalies, run.summary.dropped) if run is not None else []
        terms = _terms(run.summary) if run is not None else []
        said = (*((notice.text, notice.explanation) for notice in notices), *terms)
        if said != self._said or not same_run:
            self._said = said
            self._make(notices, terms)

    def texts(self) -> list[str]:
        """What the chips say, whether or not there is room for them."""
        return [chip.label for chip in (*self._warnings, *self._others)]

    def least_width(self, room: int) -> int:
        """How much of `room` the warnings need: one chip for each where there is room, else one for all."""
        each = _width(self._warnings)
        return each if each <= room or self._all_warnings is None else self._all_warnings.sizeHint().width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The chips that fit are shown."""
        super().resizeEvent(event)
        self._place()

    def _chips(self) -> list[Chip]:
        return [*self._warnings, *([self._all_warnings] if self._all_warnings else []), *self._others]

    def _make(self, notices: Sequence[Notice], terms: Sequence[tuple[str, str]]) -> None:
        for chip in self._chips():
            chip.hide()
            chip.deleteLater()
        self._warnings = [self._warning(index, notice) for index, notice in enumerate(notices)]
        self._all_warnings = self._summed_up(notices) if len(notices) > 1 else None
        self._others = []
        for text, term in terms:
            chip = self._chip(text, "", "")
            chip.clicked.connect(lambda _=False, term=term: self.filter_requested.emit(term))
            self._others.append(chip)
        self._place()

    def _chip(self, text: str, mark: str, tooltip: str) -> Chip:
        chip = Chip(text, mark=mark, parent=self)
        chip.setToolTip(plain_tooltip(tooltip))
        chip.setAccessibleDescription(tooltip)
        chip.set_theme(self._theme)
        return chip

    def _warning(self, index: int, notice: Notice) -> Chip:
        leads = "Click to go to the next of these spans." if notice.spans else "Click to show only runs with losses."
        chip = self._chip(notice.text, "warning", f"{notice.explanation}\n{leads}")
        chip.clicked.connect(lambda: self._follow(index))
        return chip

    def _summed_up(self, notices: Sequence[Notice]) -> Chip:
        text = "\n\n".join(f"{notice.text}: {notice.explanation}" for notice in notices)
        chip = self._chip(f"{len(notices)} warnings", "warning", text)
        chip.clicked.connect(lambda: self._follow(-1))
        return chip

    def _follow(self, index: int) -> None:
        """Goes to the next span that a notice (-1: any) is about, round and round; losses have none."""
        run = self._run
        assert run is not None, "there are chips only where there is a run"
        notices = run_notices(run.anomalies, run.summary.dropped)
        wanted = notices if index < 0 else notices[index : index + 1]
        spans = sorted({span for notice in wanted for span in notice.spans})
        if spans:
            self._visited = next((span for span in spans if span > self._visited), spans[0])
            self.span_requested.emit(run.tree.rows[self._visited].span_id)
        elif wanted:
            self.filter_requested.emit(_ALIKE)

    def _place(self) -> None:
        each = self._all_warnings is None or _width(self._warnings) <= self.width()
        if self._all_warnings is not None:
            self._all_warnings.setVisible(not each)
        for chip in self._warnings:
            chip.setVisible(each)
        left = 0
        for chip in self._warnings if each or self._all_warnings is None else [self._all_warnings]:
            left = self._put(chip, left)
        for chip in self._others:
            # What doesn't fit is left out: tags are the last and the first to go.
            chip.setVisible(left + chip.sizeHint().width() <= self.width())
            left = self._put(chip, left)

    @staticmethod
    def _put(chip: Chip, left: int) -> int:
        width = chip.sizeHint().width()
        chip.setGeometry(left, 0, width, chip.height())
        return left + width + _GAP


def _width(chips: Sequence[Chip]) -> int:
    return sum(chip.sizeHint().width() + _GAP for chip in chips) - _GAP if chips else 0


def _terms(trace: TraceSummary) -> list[tuple[str, str]]:
    """Text and filter term of each chip that is no warning."""
    values = (("session", trace.session), ("user", trace.user))
    chips = [(f"{field} {value}", field_term(field, value)) for field, value in values if value]
    return chips + [(tag, field_term("tag", tag)) for tag in trace.tags if tag]
