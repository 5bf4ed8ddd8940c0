"""Events by time: when since the run began, their name, the level of log lines, their attributes one row below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter

from traceview.analysis.figures import duration_text
from traceview.app.icons import draw_icon
from traceview.app.inspectors.tree_rows import TreeRows
from traceview.app.inspectors.value_search import find_in_value
from traceview.app.models.json_tree import JsonTree, Node, Path
from traceview.app.models.json_values import scalar_text, visible
from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.painted_rows import RowState
from traceview.app.theme import INDENT, Theme, mono_font, ui_font
from traceview.protocol.records import (
    CANDIDATE_EVENT,
    EVALUATION_EVENT,
    EXCEPTION_EVENT,
    LOG_EVENT,
    STATE_EVENT,
    Event,
)

_LEFT: Final = 12
_TIME: Final = 60
_NAMES: Final = {
    LOG_EVENT: "Log",
    STATE_EVENT: "State",
    EVALUATION_EVENT: "Evaluation",
    CANDIDATE_EVENT: "Candidate",
    EXCEPTION_EVENT: "Exception",
}
# Which of an event's attributes says most beside its name.
_TELLING: Final = ("message", "exception.message", "item_id", "event.name", "gen_ai.event.content")


def event_name(event: Event) -> str:
    """The name as people read it: "Log" for tv.log()."""
    return _NAMES.get(event.name, event.name)


def event_summary(event: Event) -> str:
    """What an event says beside its name, in one line."""
    attributes = event.attributes
    if event.name == STATE_EVENT:
        return ", ".join(map(str, attributes))
    for key in _TELLING:
        if key in attributes:
            value = attributes[key]
            return value if isinstance(value, str) else scalar_text(value)
    return ""


def event_tree(events: Sequence[Event]) -> JsonTree:
    """The events as a tree: an entry each, their attributes inside."""
    return JsonTree([event.attributes for event in events])


class EventRows(TreeRows):
    """The rows of `event_tree`."""

    guides_from = _LEFT + _TIME + 10

    def __init__(self) -> None:
        super().__init__("Events")
        self._events: tuple[Event, ...] = ()
        self._start_ns = 0

    def set_events(self, events: tuple[Event, ...], start_ns: int) -> None:
        """Tells which events the next tree is of, and when the run began."""
        self._events, self._start_ns = events, start_ns

    def event_at(self, node: Node) -> Event | None:
        """The event that a row stands for; None for ranges and attributes."""
        above = node.parent
        while above is not None and above.is_range:
            above = above.parent
        own = above is self.tree.root and not node.is_range and node.position < len(self._events)
        return self._events[node.position] if own else None

    def value(self, row: int) -> Any:
        """An event whole, or a value inside it."""
        event = self.event_at(self.tree.rows[row])
        if event is None:
            return super().value(row)
        return {"time_ns": event.time_ns, "name": event.name, "attributes": event.attributes}

    def row_text(self, row: int) -> str:
        """An event in one line, or the key and value inside one."""
        event = self.event_at(self.tree.rows[row])
        if event is None:
            return super().row_text(row)
        return visible(f"{self._time(event)} {self._level(event)} {event_name(event)} {event_summary(event)[:200]}")

    def search(self, wanted: str) -> Iterator[Path | None]:
        """Events by name, and whatever is inside them."""
        needle = wanted.lower()
        for place, event in enumerate(self._events):
            if needle in event_name(event).lower():
                yield (place,)
            for found in find_in_value(event.attributes, wanted):
                yield None if found is None else (place, *found)
            yield None

    def open_at_first(self, tree: JsonTree) -> None:
        """Events are closed, but for one that is alone."""
        if len(tree) == 1:
            tree.expand(0)

    def caption(self) -> str:
        """How many there are."""
        return f"{len(self._events):,} event{'' if len(self._events) == 1 else 's'}, times from run start"

    def indent(self, node: Node) -> int:
        """What is inside an event begins below its name."""
        return super().indent(node) + (_TIME - INDENT + 18 if self.event_at(node) is None and node.depth else 0)

    def paint_row(self, painter: QPainter, row: int, rect: QRect, state: RowState) -> None:
        """An event, or a row inside one."""
        node = self.tree.rows[row]
        event = self.event_at(node)
        if event is None:
            super().paint_row(painter, row, rect, state)
            return
        colors = self._theme
        if node.can_open:
            name = "chevron-down" if node.is_open else "chevron-right"
            draw_icon(painter, _LEFT, rect.top() + 4, name, colors.text3)
        times = QRect(_LEFT + 18, rect.top(), _TIME, rect.height())
        draw_text(painter, times, self._time(event), ui_font(12), colors.text3, Qt.AlignmentFlag.AlignRight)
        box = rect.adjusted(times.right() + 12, 0, -_LEFT, 0)
        if state.selected or state.hovered:
            self._paint_actions(painter, rect)
            box.setRight(rect.right() - 52)
        self._paint_event(painter, event, box)

    def _paint_event(self, painter: QPainter, event: Event, box: QRect) -> None:
        colors = self._theme
        level = self._level(event)
        left = box.left()
        if level:
            left = draw_level(painter, left, box.center().y() + 1, level, colors) + 8
        else:
            ink = colors.error if event.name == EXCEPTION_EVENT else colors.text1
            name, room = visible(event_name(event)), round(box.width() * 0.7)
            left += round(self.draw_marked(painter, box, name, ui_font(12, 500), ink, room)) + 10
        rest = QRect(left, box.top(), box.right() - left + 1, box.height())
        if rest.width() > 16:
            ink = colors.text1 if level else colors.text2
            self.draw_marked(painter, rest, visible(event_summary(event)[:1000]), ui_font(12), ink, rest.width())

    def _time(self, event: Event) -> str:
        return duration_text(event.time_ns - self._start_ns)

    @staticmethod
    def _level(event: Event) -> str:
        level = event.attributes.get("level") if event.name == LOG_EVENT else None
        return level[:12] if isinstance(level, str) else ""


def draw_level(painter: QPainter, left: int, middle: int, level: str, colors: Theme) -> int:
    """Draws a log line's level as a small chip; returns the x right of it."""
    text = visible(level.lower())
    width = round(text_width(mono_font(11), text)) + 10
    fill_round(painter, QRect(left, middle - 8, width, 16), colors.bg3, 3)
    draw_text(painter, QRect(left + 5, middle - 8, width, 16), text, mono_font(11), level_ink(level, colors))
    return left + width


def level_ink(level: str, colors: Theme) -> QColor:
    """The colour of a level: trouble stands out, the rest is calm."""
    word = level.lower()
    if word in ("error", "critical", "fatal"):
        return colors.error
    return colors.interrupted if word in ("warning", "warn") else colors.text3
