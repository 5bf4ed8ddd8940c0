"""The filter line over the trace list, what is wrong with it, and the chips of what is filtered by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import partial

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from traceview.app.controls import Chip, SearchField, plain_tooltip
from traceview.app.state.filters import Filters
from traceview.app.theme import Theme, theme, ui_font
from traceview.app.views.flow_layout import FlowLayout
from traceview.app.views.trace_histogram import clock_text

_HELP = """Words anywhere in input, name, session, user, tags, project, model
status:error   status:interrupted   tag:beta   session:s-42   user:u-*   model:gpt-4o
duration > 2 s   tokens > 10k   cost > 0.01   errors > 0   dropped > 0
text:refund   text:"lost parcel"   text:refun*   anywhere in what was recorded
A minus turns a term round: -status:ok
In quotes a term is text to look for, whatever it looks like."""
_DEBOUNCE_MS = 120


class FilterBar(QWidget):
    """Types into `filters` and shows its chips, each removable.

    Signals:
        left(): Escape or Return: the keyboard should go to the list.
    """

    left = Signal()

    def __init__(self, filters: Filters, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filters = filters
        self._theme = theme(True)
        self._zone: tzinfo | None = None
        self._chips: list[Chip] = []
        self.field = SearchField("Filter runs", "/", mono=True, icon_name="filter")
        self.field.setToolTip(plain_tooltip(_HELP))
        self._error = QLabel()
        self._error.setTextFormat(Qt.TextFormat.PlainText)
        self._error.setWordWrap(True)
        self._error.setFont(ui_font(11))
        self._error.hide()
        self._note = QLabel()
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        self._note.setWordWrap(True)
        self._note.setFont(ui_font(11))
        self._note.hide()
        self._row = QWidget()
        self._flow = FlowLayout(self._row)
        self._row.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for widget in (self.field, self._error, self._note, self._row):
            layout.addWidget(widget)
        self._typing = QTimer(self, singleShot=True)
        self._typing.timeout.connect(self._apply)
        self.field.text_changed.connect(lambda _: self._typing.start())
        self.field.submitted.connect(self._submit)
        self.field.escaped.connect(self.left)
        filters.filter_changed.connect(self._refresh)
        filters.range_changed.connect(self._refresh)
        filters.error_changed.connect(self._show_error)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.WindowText, colors.error)
        self._error.setPalette(palette)
        quiet = QPalette()
        quiet.setColor(QPalette.ColorRole.WindowText, colors.text3)
        self._note.setPalette(quiet)
        self.field.set_theme(colors)
        for chip in self._chips:
            chip.set_theme(colors)

    def set_zone(self, zone: tzinfo | None) -> None:
        """Shows times in this zone; None is this computer's."""
        self._zone = zone
        self._refresh()

    def set_many(self, many: bool) -> None:
        """Whether filtering takes noticeable time: then it waits for a pause in typing."""
        self._typing.setInterval(_DEBOUNCE_MS if many else 0)

    def set_note(self, text: str) -> None:
        """Says below the line what is to be known of its answer; "" says nothing."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def chips(self) -> list[Chip]:
        """The chips in sight, the range's last."""
        return list(self._chips)

    def _submit(self) -> None:
        self._apply()
        self.left.emit()

    def _apply(self) -> None:
        self._typing.stop()
        self._filters.type(self.field.text)

    def _show_error(self, text: str) -> None:
        self._error.setText(text)
        self._error.setVisible(bool(text))
        self.field.set_wrong(bool(text))

    def _refresh(self, _changed: object = None) -> None:
        if self._filters.typed != self.field.text and not self._typing.isActive():
            self.field.set_text(self._filters.typed)
            self._typing.stop()
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = []
        for term in self._filters.chips:
            self._add_chip(term.replace(":", ": ", 1).replace('"', ""), partial(self._filters.remove, term))
        if self._filters.range is not None:
            low, high = self._filters.range
            text = " – ".join(clock_text(ns, high - low, self._zone) for ns in (low, high))
            self._add_chip(text, partial(self._filters.brush, None))
        self._row.setVisible(bool(self._chips))

    def _add_chip(self, text: str, remove: Callable[[], None]) -> None:
        chip = Chip(text, removable=True)
        chip.set_theme(self._theme)
        chip.clicked.connect(lambda _checked: remove())
        self._chips.append(chip)
        self._flow.addWidget(chip)
        chip.show()
