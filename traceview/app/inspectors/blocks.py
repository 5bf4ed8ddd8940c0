"""What a column of blocks is made of: headings, paragraphs, code, one-line boxes. Each knows its height at a width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QPainter

from traceview.app.controls import wash
from traceview.app.icons import draw_icon
from traceview.app.inspectors.json_text import json_text
from traceview.app.inspectors.wrapped_text import LINE_HEIGHT, MAX_UNFOLDED, WrappedText
from traceview.app.models.json_values import visible
from traceview.app.paint import draw_text, fill_round, outline_round, text_width
from traceview.app.theme import Theme, mono_font, ui_font

LINK_HEIGHT: Final = 20
_SELECTED: Final = 0.32
# Small objects and lists stand on one line of about the pane's width.
_FIT: Final = 40
_RIGHT: Final = Qt.AlignmentFlag.AlignRight

Ink = Callable[[Theme], QColor]
Show = Callable[[str, Any], None]


def loud(colors: Theme) -> QColor:
    """The ink of data."""
    return colors.text1


def prose(colors: Theme) -> QColor:
    """The ink of long texts."""
    return colors.text2


def quiet(colors: Theme) -> QColor:
    """The ink of captions."""
    return colors.text3


class Block:
    """One thing in a column. `above` is the space over it; `stop` says whether the keyboard stops at it."""

    above: int = 0
    stop: bool = True

    def estimate(self, width: int) -> int:
        """About how high it is, found cheaply."""
        return self.height(width)

    def height(self, width: int) -> int:
        """How high it is."""
        raise AssertionError("every block knows its height")

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Paints it into a box of its width and height."""
        raise AssertionError("every block paints itself")

    def text(self) -> str:
        """What is copied of it, and read out."""
        return ""

    def press(self, place: QPoint, width: int) -> bool:
        """A click at a place inside it; whether it looks different now."""
        return False

    def hot(self, place: QPoint, width: int) -> bool:
        """Whether a click at this place does something."""
        return False

    def activate(self) -> bool:
        """Return on it: folds or unfolds; whether it looks different now."""
        return False

    def adopt(self, older: Block) -> None:
        """Folds and opens itself like the block that stood here before the run grew."""

    def select(self, start: QPoint, end: QPoint, width: int) -> bool:
        """Selects the text between two places; whether there is text to select."""
        return False

    def clear_selection(self) -> None:
        """Selects nothing."""

    def selected_text(self) -> str:
        """What is selected, as it was recorded."""
        return ""


@dataclass(frozen=True, slots=True)
class Look:
    """How a paragraph looks: its ink, mono or not, how many lines it folds to, indents, a rule at its left."""

    ink: Ink
    font: QFont
    fold: int = 8
    left: int = 0
    rule: bool = False
    boxed: bool = False


class HeadBlock(Block):
    """An icon, a title, and what is known of it at the right. `whole` is what is copied of it."""

    above = 14

    def __init__(self, title: str, *, icon: str = "", ink: Ink | None = None, right: str = "", whole: str = "") -> None:
        self._title = title
        self._icon = icon
        self._ink = ink
        self._right = right
        self._whole = whole

    def height(self, width: int) -> int:
        """One line."""
        return 22

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Icon, title, figures."""
        left = box.left()
        if self._icon:
            draw_icon(painter, left, box.top() + 3, self._icon, self._ink(colors) if self._ink else colors.text2)
            left += 24
        used = 0.0
        if self._right:
            used = draw_text(painter, box, self._right, ui_font(12), colors.text3, _RIGHT) + 12
        room = QRect(left, box.top(), box.right() - left + 1 - round(used), box.height())
        draw_text(painter, room, visible(self._title), ui_font(12, 600), colors.text1)

    def text(self) -> str:
        """The title and all that stands below it."""
        return self._whole or self._title


class TextBlock(Block):
    """A paragraph. Long ones fold; those too long to be set here are shown elsewhere: `show(title, value)`.

    `value` is what the text was made of, if it isn't the text itself.
    """

    def __init__(self, text: str, look: Look, title: str, show: Show, value: Any = None) -> None:
        self._wrapped = WrappedText(text, look.font, look.fold)
        self._look = look
        self._title = title
        self._show = show
        self._value = text if value is None else value

    def _inset(self) -> tuple[int, int]:
        """What lies at the left and the right of the text, and above and below."""
        return self._look.left + (12 if self._look.rule or self._look.boxed else 0), 8 if self._look.boxed else 0

    def _text_width(self, width: int) -> int:
        left, padding = self._inset()
        return width - left - padding

    def estimate(self, width: int) -> int:
        """By the number of characters."""
        return self._wrapped.estimate(self._text_width(width)) + 2 * self._inset()[1]

    def height(self, width: int) -> int:
        """Its lines, and the link below."""
        lines = self._wrapped.set_width(self._text_width(width))
        return lines + (LINK_HEIGHT if self._wrapped.link else 0) + 2 * self._inset()[1]

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """The lines, a rule or a box, the link."""
        look = self._look
        left, padding = self._inset()
        if look.boxed:
            frame = box.adjusted(look.left, 0, 0, 0)
            fill_round(painter, frame, colors.bg0, 4)
            outline_round(painter, frame, colors.border, 4)
        elif look.rule:
            painter.fillRect(box.left() + look.left, box.top() + 1, 1, box.height() - 2, colors.border_strong)
        self._wrapped.set_width(self._text_width(box.width()))
        text_left, top = box.left() + left, box.top() + padding
        self._wrapped.paint(painter, text_left, top, look.ink(colors), wash(colors.accent, _SELECTED))
        if self._wrapped.link:
            line = QRect(text_left, top + self._wrapped.lines * LINE_HEIGHT, box.width() - left, LINK_HEIGHT)
            draw_text(painter, line, self._wrapped.link, ui_font(12, 600), colors.accent)

    def text(self) -> str:
        """The whole text."""
        return self._wrapped.text

    def hot(self, place: QPoint, width: int) -> bool:
        """The link does something."""
        if not self._wrapped.link:
            return False
        left, padding = self._inset()
        top = padding + self._wrapped.lines * LINE_HEIGHT
        end = left + text_width(ui_font(12, 600), self._wrapped.link)
        return top <= place.y() < top + LINK_HEIGHT and left <= place.x() < end

    def press(self, place: QPoint, width: int) -> bool:
        """The link unfolds, folds, or shows the text elsewhere."""
        return self.hot(place, width) and self.activate()

    def activate(self) -> bool:
        """Unfolds, folds, or shows the text elsewhere."""
        if not self._wrapped.link:
            return False
        if self._wrapped.too_long:
            self._show(self._title, self._value)
            return False
        self._wrapped.toggle()
        return True

    def adopt(self, older: Block) -> None:
        """Stays unfolded."""
        if isinstance(older, TextBlock) and not older._wrapped.folded:
            self._wrapped.toggle()

    def select(self, start: QPoint, end: QPoint, width: int) -> bool:
        """Selects the letters between two places."""
        self._wrapped.set_width(self._text_width(width))
        left, top = self._inset()
        places = [self._wrapped.position_at(point.x() - left, point.y() - top) for point in (start, end)]
        self._wrapped.select(*places)
        return True

    def clear_selection(self) -> None:
        """Selects nothing."""
        self._wrapped.clear_selection()

    def selected_text(self) -> str:
        """What is selected, as it was recorded."""
        return self._wrapped.selected_text()


class LineBlock(Block):
    """One line: an icon and a caption. `copied` is what is copied of it."""

    def __init__(self, text: str, *, icon: str = "", left: int = 0, copied: str = "", ink: Ink | None = None) -> None:
        self._text = text
        self._icon = icon
        self._left = left
        self._copied = copied or text
        self._ink = ink

    def height(self, width: int) -> int:
        """One row."""
        return 24

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """Icon and text."""
        left = box.left() + self._left
        ink = self._ink(colors) if self._ink else colors.text3
        if self._icon:
            draw_icon(painter, left, box.top() + 4, self._icon, ink)
            left += 24
        room = QRect(left, box.top(), box.right() - left + 1, box.height())
        draw_text(painter, room, visible(self._text[:1000]), ui_font(12), ink)

    def text(self) -> str:
        """What is copied."""
        return self._copied


def as_text(value: Any) -> str:
    """A string as it is, anything else as indented JSON; what no block would show is not written."""
    return value if isinstance(value, str) else json_text(value, MAX_UNFOLDED + 1, fit=_FIT)[0]


class FoldBlock(Block):
    """A one-line box that opens to a text: a tool call to its arguments, settings to their JSON."""

    above = 4

    def __init__(self, name: str, preview: str, value: Any, show: Show, *, icon: str, ink: Ink, left: int = 24) -> None:
        self._name = name
        self._preview = preview
        self._value = value
        self._show = show
        self._icon = icon
        self._ink = ink
        self._left = left
        self._open: TextBlock | None = None

    def height(self, width: int) -> int:
        """One line, and the text when it is open."""
        inner = self._open.height(width - self._left - 12) + 8 if self._open else 0
        return 26 + inner

    def paint(self, painter: QPainter, box: QRect, colors: Theme) -> None:
        """The box, icon and name, the preview while closed, the text while open."""
        frame = box.adjusted(self._left, 0, 0, 0)
        fill_round(painter, frame, colors.bg2, 4)
        outline_round(painter, frame, colors.border, 4)
        draw_icon(painter, frame.left() + 7, frame.top() + 5, self._icon, self._ink(colors))
        line = QRect(frame.left() + 30, frame.top(), frame.width() - 38, 26)
        used = draw_text(painter, line, visible(self._name), mono_font(), colors.text1)
        rest = line.adjusted(round(used) + 8, 0, 0, 0)
        if self._open is None:
            if rest.width() > 24:
                draw_text(painter, rest, visible(self._preview[:1000]), mono_font(11), colors.text3)
            return
        draw_icon(painter, frame.right() - 22, frame.top() + 5, "chevron-down", colors.text3)
        self._open.paint(painter, self._inner(box), colors)

    def _inner(self, box: QRect) -> QRect:
        assert self._open is not None
        width = box.width() - self._left - 12
        return QRect(box.left() + self._left + 4, box.top() + 26, width, self._open.height(width))

    def _inside(self, place: QPoint) -> QPoint:
        return QPoint(place.x() - self._left - 4, place.y() - 26)

    def text(self) -> str:
        """The name and the whole text."""
        return f"{self._name} {as_text(self._value)}".strip()

    def hot(self, place: QPoint, width: int) -> bool:
        """The line opens and closes, links inside do what they say."""
        if place.y() < 26:
            return place.x() >= self._left
        return self._open is not None and self._open.hot(self._inside(place), width - self._left - 12)

    def press(self, place: QPoint, width: int) -> bool:
        """Opens or closes it, or folds the text inside."""
        if not self.hot(place, width):
            return False
        if place.y() < 26 or self._open is None:
            return self.activate()
        return self._open.press(self._inside(place), width - self._left - 12)

    def activate(self) -> bool:
        """Opens or closes it."""
        if self._open is None:
            look = Look(loud, mono_font(), fold=40, left=8)
            self._open = TextBlock(as_text(self._value), look, self._name, self._show, self._value)
        else:
            self._open = None
        return True

    def adopt(self, older: Block) -> None:
        """Stays open."""
        if isinstance(older, FoldBlock) and older._open is not None and self.activate() and self._open is not None:
            self._open.adopt(older._open)

    def select(self, start: QPoint, end: QPoint, width: int) -> bool:
        """Selects in the open text."""
        if self._open is None or start.y() < 26:
            return False
        return self._open.select(self._inside(start), self._inside(end), width - self._left - 12)

    def clear_selection(self) -> None:
        """Selects nothing."""
        if self._open is not None:
            self._open.clear_selection()

    def selected_text(self) -> str:
        """What is selected, as it was recorded."""
        return self._open.selected_text() if self._open is not None else ""
