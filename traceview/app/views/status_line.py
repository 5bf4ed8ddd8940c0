"""The line along the bottom: how the daemon stands, what arrives, what was lost, which time zone, where OTLP goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from PySide6.QtCore import QRect, QSize, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from traceview.analysis.figures import bytes_text
from traceview.app.controls import LinkButton, plain_tooltip
from traceview.app.paint import draw_text, fill_round, text_width
from traceview.app.theme import STATUS_BAR, Theme, theme, ui_font
from traceview.protocol.control import AgentStatus

_GAP = 24
_MOST_RULES = 12


@dataclass(frozen=True, slots=True)
class StatusItem:
    """One piece of the line: `mood` is "", "ok", "warning" or "error"; `dot` puts a dot before it, `tip` says more."""

    text: str
    mood: str = ""
    dot: bool = False
    tip: str = ""


_LOUD: Final = ("warning", "error")
_NO_GAPS: Final = StatusItem("No gaps")
_GAPS: Final = (
    ": programs recorded them while their outbox was full. See which runs: filter by dropped > 0. "
    "More room for a program: TRACEVIEW_SPOOL_MB"
)


def daemon_items(status: AgentStatus | None, error: str) -> list[StatusItem]:
    """What is said of the daemon, most important first; `error` is why there is no status."""
    if status is None:
        return [StatusItem(error or "Starting the daemon…", "error" if error else "", dot=True)]
    items = [StatusItem("Daemon running", "ok", dot=True)]
    if status.problem:
        items = [StatusItem(status.problem, "error", dot=True)]
    if status.dropped:  # before what may be long: a loss must be in sight
        items.append(_spans_dropped(status.dropped))
    items += [StatusItem(item.error, "warning") for item in status.receivers if item.error]
    items.append(StatusItem(f"{status.spans_per_second:,.0f} spans/s"))
    items.append(StatusItem(f"Store {bytes_text(status.store_bytes)}"))
    if status.sampled_out:
        items.append(_sampled_out(status))
    if status.left_out:
        items.append(_left_out(status.left_out))
    if status.rejected:
        items.append(StatusItem(f"{status.rejected:,} spans rejected", "warning"))
    return items if status.dropped else [*items, _NO_GAPS]


def _spans_dropped(count: int) -> StatusItem:
    text = "1 span dropped" if count == 1 else f"{count:,} spans dropped"
    return StatusItem(text, "warning", tip=f"{text}{_GAPS}")


def _sampled_out(status: AgentStatus) -> StatusItem:
    """How many runs are not there since rules left them out, and by which rules."""
    count = sum(each.traces for each in status.sampled_out)
    runs = f"{count:,} run{'' if count == 1 else 's'}"
    by_rule = [f"• {each.traces:,} by {each.rule}" for each in status.sampled_out[:_MOST_RULES]]
    if len(status.sampled_out) > _MOST_RULES:
        by_rule.append(f"• and {len(status.sampled_out) - _MOST_RULES} other rules")
    where = "[sampling] in config.toml" if status.sampling else "rules that are no longer in force"
    told = [f"{runs} left out once they had ended, by {where}:", *by_rule]
    return StatusItem(f"{runs} sampled out", tip="\n".join(told))


def _left_out(count: int) -> StatusItem:
    """How many runs programs did not record, as they were told to."""
    runs = f"{count:,} run{'' if count == 1 else 's'}"
    tip = f"{runs} not recorded since the daemon started, by programs' own sampling: tv.configure(head_ratio=…)"
    return StatusItem(f"{runs} not recorded", tip=tip)


def otlp_address(status: AgentStatus | None) -> str | None:
    """Host and port where OTLP/HTTP is received, or None where it is not."""
    for receiver in status.receivers if status else ():
        if receiver.name == "otlp-http" and receiver.error is None:
            return receiver.address.removeprefix("http://").rstrip("/")
    return None


def zone_text(zone: tzinfo | None) -> str:
    """ "UTC+1", "UTC−3:30" or "UTC": the zone's offset now; None is this computer's."""
    offset = datetime.now().astimezone(zone).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


class StatusLine(QWidget):
    """Pieces of text from the left, separated by hairlines; zone and address at the right.

    Signals:
        start_requested(): the user wants the daemon to be started.
    """

    start_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._items = daemon_items(None, "")
        self._store_problem = ""
        self._daemon = self._items
        self._zone: tzinfo | None = None
        self._otlp: str | None = None
        self._link = LinkButton("Start", parent=self)
        self._link.clicked.connect(self.start_requested)
        self._link.hide()
        self.setFixedHeight(STATUS_BAR)
        self.setAccessibleName("Status")
        QHBoxLayout(self)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self._link.set_theme(colors)
        self.update()

    def set_status(self, status: AgentStatus | None, error: str) -> None:
        """Shows how the daemon stands; `error` is why it doesn't."""
        self._daemon = daemon_items(status, error)
        self._otlp = otlp_address(status)
        self._link.setVisible(status is None and bool(error))
        self._refresh()

    def set_file(self, path: str) -> None:
        """Says that a file is shown and no daemon is asked."""
        self._daemon = [StatusItem(path)]
        self._refresh()

    def set_store_problem(self, problem: str) -> None:
        """Says what is wrong with the store's file; "" when nothing is."""
        self._store_problem = problem
        self._refresh()

    def set_zone(self, zone: tzinfo | None) -> None:
        """Names this time zone; None is this computer's."""
        self._zone = zone
        self._refresh()

    def texts(self) -> list[str]:
        """What the line says, left to right."""
        right = [zone_text(self._zone) + " · times from run start"]
        return [item.text for item in self._items] + right + ([f"OTLP {self._otlp}"] if self._otlp else [])

    def _refresh(self) -> None:
        problem = [StatusItem(self._store_problem, "error")] if self._store_problem else []
        self._items = [*self._daemon[:1], *problem, *self._daemon[1:]]
        self._place_link()
        text = "\n".join(self.texts())
        self.setAccessibleDescription(text)
        told = [item.tip or item.text for item in self._items if item.mood in _LOUD or item.tip]
        self.setToolTip(plain_tooltip("\n".join(told)))
        self.update()

    def _place_link(self) -> None:
        self._link.resize(self._link.sizeHint().width(), 20)
        room = self.width() - 36 - self._link.width() - self._right_width()
        text = min(round(text_width(ui_font(11, 500), self._items[0].text)), room)
        self._link.move(24 + text + 6, 2)

    def _right_width(self) -> int:
        return sum(width + _GAP for _, width in self._right_pieces())

    def _right_pieces(self) -> list[tuple[str, int]]:
        """What stands at the right end, from the right, as far as a third of the line holds it."""
        pieces: list[tuple[str, int]] = []
        room = self.width() * 2 // 3 - 12
        for text in reversed(self.texts()[len(self._items) :]):
            width = round(text_width(ui_font(11, 500), text)) + 1
            room -= width + _GAP
            if room < 0:
                break
            pieces.append((text, width))
        return pieces

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The link stands behind its words."""
        super().resizeEvent(event)
        self._place_link()

    def sizeHint(self) -> QSize:
        """One row."""
        return QSize(400, STATUS_BAR)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints the pieces; what doesn't fit at the left is elided, so that the right end stays."""
        painter = QPainter(self)
        try:
            self._paint(painter, self._theme)
        finally:
            painter.end()

    def _paint(self, painter: QPainter, colors: Theme) -> None:
        painter.fillRect(self.rect(), colors.bg2)
        painter.fillRect(0, 0, self.width(), 1, colors.border)
        font, right = ui_font(11, 500), self.width() - 12
        for text, width in self._right_pieces():
            draw_text(painter, QRect(right - width, 1, width + 1, STATUS_BAR - 1), text, font, colors.text3)
            right -= width + _GAP
            painter.fillRect(right + _GAP // 2, 6, 1, 12, colors.border_strong)
        left = 12
        for place, item in enumerate(self._items):
            left = self._paint_item(painter, left, right, place, item)

    def _paint_item(self, painter: QPainter, left: int, right: int, place: int, item: StatusItem) -> int:
        if left > right - 40:
            return left
        font, ink = ui_font(11, 500), self._ink(item)
        if place:
            painter.fillRect(left - _GAP // 2, 6, 1, 12, self._theme.border_strong)
        if item.dot:
            fill_round(painter, QRect(left, 9, 6, 6), ink if item.mood else self._theme.text3, 3)
            left += 12
        text_ink = self._theme.text2 if item.mood in ("", "ok") else ink
        link = self._link.width() + 8 if not place and self._link.isVisibleTo(self) else 0
        room = QRect(left, 1, right - left - link, STATUS_BAR - 1)
        left += round(draw_text(painter, room, item.text, font, text_ink))
        return left + link + _GAP

    def _ink(self, item: StatusItem) -> QColor:
        colors = self._theme
        return {"ok": colors.ok, "warning": colors.interrupted, "error": colors.error}.get(item.mood, colors.text2)
