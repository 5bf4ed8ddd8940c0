"""Why a span failed, as blocks: the exception on error wash, its traceback with the most recent call first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QPainter

from traceview.analysis.figures import duration_text
from traceview.app.inspectors.blocks import Block, HeadBlock, LineBlock, Look, Show, TextBlock, loud, prose
from traceview.app.inspectors.subject import Subject
from traceview.app.inspectors.tracebacks import Frame, Raised, parse_traceback
from traceview.app.inspectors.wrapped_text import LINE_HEIGHT
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import Theme, mono_font, ui_font
from traceview.protocol.records import EXCEPTION_EVENT, Event

_RIGHT: Final = Qt.AlignmentFlag.AlignRight
_CODE_LINE: Final = 20
_MESSAGE_FOLD: Final = 8
_PADDING: Final = 12
_CODE_INSET: Final = 6


def error_blocks(subject: Subject, show: Show) -> Iterator[list[Block]]:
    """The exceptions of a failed span, the last one first; its status message where it recorded none."""
    exceptions = subject.events(EXCEPTION_EVENT)
    message = subject.row.status_message or ""
    if not exceptions:
        yield [ExceptionBlock("Failed", message or "The span failed without saying why.", "", show)]
    for place, event in enumerate(reversed(exceptions)):
        yield from _exception(event, subject, show, above=24 if place else 0)


def _exception(event: Event, subject: Subject, show: Show, *, above: int) -> Iterator[list[Block]]:
    attributes = event.attributes
    kind = _text(attributes.get("exception.type")) or "Exception"
    message = _text(attributes.get("exception.message")) or subject.row.status_message or ""
    card = ExceptionBlock(kind, message, duration_text(event.time_ns - subject.run_start_ns), show)
    card.above = above
    yield [card]
    trace = _text(attributes.get("exception.stacktrace"))
    if not trace:
        yield [LineBlock("No traceback was recorded.")]
        return
    raised = parse_traceback(trace)
    if not raised:
        yield [HeadBlock("Stack trace", whole=trace), _raw(trace, show)]
        return
    yield [HeadBlock("Traceback", right="Most recent call first", whole=trace)]
    for exception in raised:
        yield from _raised(exception, show)


def _raised(raised: Raised, show: Show) -> Iterator[list[Block]]:
    if raised.link:
        look = Look(loud, ui_font(12), fold=_MESSAGE_FOLD)
        yield [HeadBlock(raised.link), TextBlock(raised.message or "?", look, raised.link, show)]
    first = True
    for library, run in groupby(raised.frames, key=lambda frame: frame.library):
        frames = list(run)
        if library:
            yield [LibraryBlock(frames)]
        else:
            for frame in frames:
                yield [FrameBlock(frame, failing=first)]
                first = False
        first = False


def _raw(text: str, show: Show) -> Block:
    look = Look(prose, mono_font(11), fold=40, boxed=True)
    return TextBlock(text, look, "Stack trace", show)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:10_000]


class ExceptionBlock(Block):
    """Type, message and time of an exception on error wash."""

    def __init__(self, kind: str, message: str, time: str, show: Show) -> None:
        self._kind = kind
        self._time = time
        look = Look(loud, ui_font(12, 500), fold=_MESSAGE_FOLD)
        self._message = TextBlock(message, look, kind, show)

    def _inner(self, width: int) -> int:
        return width - 2 * _PADDING - 3

    def height(self, width: int) -> int:
        """The type's line and the message."""
        message = self._message.height(self._inner(width)) if self._message.text() else 0
        return 2 * _PADDING + 20 + (4 + message if message else 0)

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """A red edge, the type, when, the message."""
        fill_round(painter, box, colors.error_wash, 4)
        painter.fillRect(box.left(), box.top(), 3, box.height(), colors.error)
        inner = box.adjusted(_PADDING + 3, _PADDING, -_PADDING, -_PADDING)
        line = QRect(inner.left(), inner.top(), inner.width(), 20)
        used = draw_text(painter, line, self._time, ui_font(12), colors.text2, _RIGHT) + 12 if self._time else 0
        room = line.adjusted(0, 0, -round(used), 0)
        draw_text(painter, room, _short_type(visible(self._kind), room.width()), ui_font(14, 600), colors.error)
        if self._message.text():
            self._message.height(inner.width())
            self._message.paint(painter, inner.adjusted(0, 24, 0, 0), colors)

    def _inside(self, place: QPoint) -> QPoint:
        return place - QPoint(_PADDING + 3, _PADDING + 24)

    def text(self) -> str:
        """Type and message, as Python prints them."""
        return f"{self._kind}: {self._message.text()}" if self._message.text() else self._kind

    def hot(self, place: QPoint, width: int) -> bool:
        """The message's link."""
        return self._message.hot(self._inside(place), self._inner(width))

    def press(self, place: QPoint, width: int) -> bool:
        """Unfolds the message."""
        return self._message.press(self._inside(place), self._inner(width))

    def activate(self) -> bool:
        """Unfolds the message."""
        return self._message.activate()

    def adopt(self, older: Block) -> None:
        """Stays unfolded."""
        if isinstance(older, ExceptionBlock):
            self._message.adopt(older._message)

    def select(self, start: QPoint, end: QPoint, width: int) -> bool:
        """Selects in the message."""
        return self._message.select(self._inside(start), self._inside(end), self._inner(width))

    def clear_selection(self) -> None:
        """Selects nothing."""
        self._message.clear_selection()

    def selected_text(self) -> str:
        """What is selected, as it was recorded."""
        return self._message.selected_text()


def _short_type(kind: str, width: int) -> str:
    """The class without its module, where both don't fit."""
    return kind if text_width(ui_font(14, 600), kind) <= width else kind.rpartition(".")[2]


class FrameBlock(Block):
    """One call: the function, its file and line, and the code; the line that failed on error wash."""

    above = 10

    def __init__(self, frame: Frame, *, failing: bool = False, left: int = 0) -> None:
        self._frame = frame
        self._failing = failing
        self._left = left

    def height(self, width: int) -> int:
        """The head and the lines of code."""
        lines = len(self._frame.code)
        return 22 + (lines * _CODE_LINE + 2 * _CODE_INSET if lines else 0)

    def text(self) -> str:
        """The frame as Python prints it."""
        frame = self._frame
        head = f'File "{frame.file}", line {frame.line}, in {frame.name}'
        return "\n".join((head, *(f"    {line}" for line in frame.code)))

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Function and place, then the code."""
        frame = self._frame
        line = QRect(box.left() + self._left, box.top(), box.width() - self._left, 22)
        name = visible(frame.name)
        room = line.width() - min(round(text_width(mono_font(12), name)), line.width() // 2) - 12
        place = visible(frame.place)
        used = draw_text(
            painter, QRect(line.right() - room, line.top(), room + 1, 22), place, mono_font(11), colors.text3, _RIGHT
        )
        draw_text(painter, line.adjusted(0, 0, -round(used) - 12, 0), name, mono_font(12, 500), colors.text1)
        if frame.code:
            self._paint_code(painter, QRect(line.left(), line.bottom() + 1, line.width(), box.height() - 22), colors)

    def _paint_code(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        fill_round(painter, box, colors.bg0, 4)
        number = str(self._frame.line)
        gutter = round(text_width(mono_font(11), number)) + 12
        for place, code in enumerate(self._frame.code):
            line = QRect(box.left(), box.top() + _CODE_INSET + place * _CODE_LINE, box.width(), _CODE_LINE)
            if self._failing:
                painter.fillRect(line, colors.error_wash)
                painter.fillRect(line.left(), line.top(), 2, line.height(), colors.error)
            if place == 0:
                left = line.adjusted(10, 0, 0, 0)
                draw_text(painter, left, number, mono_font(11), colors.text3)
            ink = colors.text1 if self._failing else colors.text2
            draw_text(painter, line.adjusted(10 + gutter, 0, -8, 0), visible(code), mono_font(11), ink)
        outline_round(painter, box, colors.border, 4)


class LibraryBlock(Block):
    """Frames of the standard library and of packages, folded to one line."""

    above = 10

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = [FrameBlock(frame, left=12) for frame in frames]
        self._open = False

    @property
    def _title(self) -> str:
        count = len(self._frames)
        return f"{count:,} library frame{'' if count == 1 else 's'}"

    def height(self, width: int) -> int:
        """One line, and the frames when it is open."""
        return LINE_HEIGHT + (sum(frame.above + frame.height(width) for frame in self._frames) if self._open else 0)

    def text(self) -> str:
        """The frames as Python prints them."""
        return "\n".join(frame.text() for frame in self._frames)

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """The link, and the frames when it is open."""
        line = QRect(box.left(), box.top(), box.width(), LINE_HEIGHT)
        draw_text(painter, line, f"{self._title}{', fold' if self._open else ''}", ui_font(12, 600), colors.accent)
        if self._open:
            painter.fillRect(box.left(), box.top() + LINE_HEIGHT + 6, 1, box.height() - LINE_HEIGHT - 6, colors.border)
            top = box.top() + LINE_HEIGHT
            for frame in self._frames:
                height = frame.height(box.width())
                frame.paint(painter, QRect(box.left(), top + frame.above, box.width(), height), colors)
                top += frame.above + height

    def hot(self, place: QPoint, width: int) -> bool:
        """The link does something."""
        return place.y() < LINE_HEIGHT and place.x() < text_width(ui_font(12, 600), self._title) + 40

    def press(self, place: QPoint, width: int) -> bool:
        """The link unfolds and folds."""
        return self.hot(place, width) and self.activate()

    def activate(self) -> bool:
        """Unfolds or folds the frames."""
        self._open = not self._open
        return True

    def adopt(self, older: Block) -> None:
        """Stays unfolded."""
        self._open = isinstance(older, LibraryBlock) and older._open
