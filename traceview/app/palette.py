"""The command palette: type a few letters of a command or a recent run, Return does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QWidget

from traceview.analysis.figures import age
from traceview.app.actions import Action, keys_text
from traceview.app.controls import SearchField, draw_key_cap, key_cap_width
from traceview.app.icons import draw_icon
from traceview.app.paint import draw_text, fill_round, one_line, text_width
from traceview.app.painted_rows import PaintedRows, RowState
from traceview.app.theme import Theme, ui_font
from traceview.app.views.overlay import Overlay
from traceview.app.views.trace_rows import draw_status
from traceview.protocol.records import Status, TraceSummary

_ROW = 32
_SHOWN = 10
_MOST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what it says, what stands beside it, what Return does. Runs have a status, commands may have keys."""

    text: str
    detail: str
    run: Callable[[], object]
    keys: str = ""
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """An entry that fits what was typed: the better, the higher the score; `places` are the letters that were hit."""

    entry: Entry
    score: int
    places: tuple[int, ...]


def fuzzy(typed: str, text: str) -> tuple[int, tuple[int, ...]] | None:
    """Whether the letters typed occur in the text in this order, how well, and where; None if they don't.

    Letters at the start of a word and letters in a row count more, late first letters less.
    """
    wanted = typed.lower().replace(" ", "")
    lower = text.lower()
    if len(lower) != len(text):  # İ becomes two characters: the places would not fit
        lower = text
    whole = lower.find(typed.lower()) if typed else -1
    if whole >= 0:
        starts_word = whole == 0 or not lower[whole - 1].isalnum()
        return 1000 + 200 * starts_word - whole, tuple(range(whole, whole + len(typed)))
    score, place, places = 0, -1, []
    for letter in wanted:
        found = lower.find(letter, place + 1)
        if found < 0:
            return None
        row = found == place + 1
        word = found == 0 or not lower[found - 1].isalnum()
        score += 10 + 15 * row + 20 * word - min(10, found - place)
        places.append(found)
        place = found
    return score, tuple(places)


def rank(typed: str, entries: Sequence[Entry]) -> list[Match]:
    """The entries that fit, best first, equal ones in the order given; all of them where nothing is typed."""
    typed = typed.strip()
    matches = []
    for entry in entries:
        text = one_line(entry.text, 300)
        hit = fuzzy(typed, text)
        if hit is None:
            beside = fuzzy(typed, entry.detail)
            hit = (beside[0] - 500, ()) if beside is not None and beside[0] >= 1000 else None
        if hit is not None:
            matches.append(Match(entry, *hit))
    if typed:
        matches.sort(key=lambda match: -match.score)
    return matches[:_MOST]


def command_entries(actions: Iterable[Action]) -> list[Entry]:
    """The commands that can be given now."""
    return [
        Entry(action.text, action.group, action.slot, keys_text(action.keys[0]) if action.keys else "")
        for action in actions
        if action.text and action.enabled()
    ]


def run_entries(traces: Iterable[TraceSummary], show: Callable[[bytes], object]) -> list[Entry]:
    """Runs, which `show` opens."""
    now = time.time_ns()
    return [
        Entry(
            trace.preview or trace.name,
            f"{trace.name} · {age(trace.start_ns, now)}",
            partial(show, trace.trace_id),
            status=trace.status,
        )
        for trace in traces
    ]


def file_entries(files: Iterable[Path], show: Callable[[Path], object]) -> list[Entry]:
    """Files opened lately, which `show` opens again."""
    return [Entry(f"Open {file.name}", str(file.parent), partial(show, file)) for file in files]


class Palette(Overlay):
    """Shows what fits while one types; Up and Down choose, Return does it.

    Signals:
        nothing_found(str): Return on a text that fits nothing: to be used as a filter.
    """

    nothing_found = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "Command palette", width=560)
        self._entries: list[Entry] = []
        self.field = SearchField("Search runs and commands", "Esc")
        self.list = _Matches()
        self.body.setContentsMargins(8, 8, 8, 8)
        self.body.setSpacing(6)
        self.body.addWidget(self.field)
        self.body.addWidget(self.list, 1)
        self.field.text_changed.connect(self._show_matches)
        self.field.submitted.connect(self._run_current)
        self.field.escaped.connect(self.dismiss)
        self.field.edit.installEventFilter(self)
        self.list.row_clicked.connect(lambda _row: self._run_current())

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        super().set_theme(colors)
        self.field.set_theme(colors)
        self.list.set_theme(colors)

    def open(self, entries: Sequence[Entry]) -> None:
        """Offers these entries."""
        self._entries = list(entries)
        self.field.set_text("")
        self._show_matches("")
        self.popup()
        self.field.start_typing()

    def wished_height(self) -> int:
        """Field and as many rows as there are, at most ten."""
        return 52 + _ROW * max(1, min(_SHOWN, self.list.row_count()))

    def matches(self) -> list[Match]:
        """What is offered now."""
        return list(self.list.matches)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down in the field walk the list."""
        if watched is self.field.edit and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self.list.row_count():
                self.list.set_current((self.list.current + step) % self.list.row_count())
                return True
        return super().eventFilter(watched, event)

    def _show_matches(self, typed: str) -> None:
        self.list.show_matches(rank(typed, self._entries))
        self.place()

    def _run_current(self) -> None:
        typed, row = self.field.text, self.list.current
        self.dismiss()
        if row >= 0:
            self.list.matches[row].entry.run()
        elif typed.strip():
            self.nothing_found.emit(typed.strip())


class _Matches(PaintedRows):
    """The entries that fit, with the letters that were hit in accent."""

    def __init__(self) -> None:
        super().__init__(_ROW)
        self.matches: list[Match] = []
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Matches")
        self.hovered_row_changed.connect(lambda row: self.set_current(row, scroll=False) if row >= 0 else None)

    def show_matches(self, matches: list[Match]) -> None:
        self.matches = matches
        self.rows_changed()
        self.verticalScrollBar().setValue(0)
        self.set_current(0 if matches else -1)

    def row_count(self) -> int:
        return len(self.matches)

    def row_text(self, row: int) -> str:
        return f"{self.matches[row].entry.text}, {self.matches[row].entry.detail}"

    def paint_over(self, painter: QPainter) -> None:
        if not self.matches:
            box = QRect(12, 0, self.width() - 24, _ROW)
            draw_text(painter, box, "Nothing fits. Return filters the list by it.", ui_font(12), self._theme.text3)

    def _paint_ground(self, painter: QPainter, rect: QRect, state: RowState) -> None:
        painter.fillRect(rect, self._theme.bg2)
        if state.selected:
            fill_round(painter, rect, self._theme.selection, 5)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        match, colors = self.matches[row], self._theme
        entry, right = match.entry, rect.right() - 10
        if entry.status is None:
            draw_icon(painter, rect.left() + 10, rect.top() + 8, "command", colors.text3)
        else:
            draw_status(painter, rect.left() + 10, rect.top() + 8, entry.status, colors, 0.0)
        if entry.keys:
            right -= key_cap_width(entry.keys)
            draw_key_cap(painter, right, rect.center().y(), entry.keys, colors)
            right -= 10
        beside = min(180, round(text_width(ui_font(11), one_line(entry.detail))) + 2)
        box = QRect(right - beside, rect.top(), beside, _ROW)
        draw_text(painter, box, entry.detail, ui_font(11), colors.text3, Qt.AlignmentFlag.AlignRight)
        room = QRect(rect.left() + 36, rect.top(), right - beside - 12 - rect.left() - 36, _ROW)
        self._paint_hits(painter, room, match)
        draw_text(painter, room, entry.text, ui_font(12), colors.text1)

    def _paint_hits(self, painter: QPainter, room: QRect, match: Match) -> None:
        font, text = ui_font(12), one_line(match.entry.text, 300)
        for place in match.places:
            left = room.left() + round(text_width(font, text[:place]))
            width = round(text_width(font, text[place]))
            if left + width < room.right() - 12:
                painter.fillRect(left, room.top() + 23, width, 2, self._theme.accent)
