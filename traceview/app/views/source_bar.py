"""Where the traces of the list come from: the live store, or opened files; and files that are being read."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from traceview.app.controls import Chip, IconButton, plain_tooltip
from traceview.app.paint import draw_text, fill_round
from traceview.app.state.open_run import Source
from traceview.app.theme import Theme, theme, ui_font
from traceview.app.views.flow_layout import FlowLayout


class SourceBar(QWidget):
    """A switch between sources, there only when there is more than the live store; below it, files being read.

    Signals:
        source_picked(Source): the user wants to see another source.
        source_closed(Source): the user is done with an opened file.
        reading_cancelled(Path): the user does not want to wait for a file.
    """

    source_picked = Signal(object)
    source_closed = Signal(object)
    reading_cancelled = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._entries: list[_SourceEntry] = []
        self._readings: dict[Path, _Reading] = {}
        self._switch = QWidget()
        self._flow = FlowLayout(self._switch)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addWidget(self._switch)
        self.hide()

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        for entry in self._entries:
            entry.set_theme(colors)
        for reading in self._readings.values():
            reading.set_theme(colors)

    def set_sources(self, sources: tuple[Source, ...], current: Source) -> None:
        """Shows these sources, one of them chosen."""
        for entry in self._entries:
            self._flow.removeWidget(entry)
            entry.hide()
            entry.deleteLater()
        self._entries = []
        for source in sources:
            entry = _SourceEntry(source, chosen=source == current)
            entry.set_theme(self._theme)
            entry.chip.clicked.connect(lambda _=False, source=source: self.source_picked.emit(source))
            if entry.close_button is not None:
                entry.close_button.clicked.connect(lambda _=False, source=source: self.source_closed.emit(source))
            self._entries.append(entry)
            self._flow.addWidget(entry)
            entry.show()
        self._switch.setVisible(len(sources) > 1)
        self._show_if_needed()

    def entries(self) -> list[_SourceEntry]:
        """The sources in sight."""
        return list(self._entries)

    def set_reading(self, path: Path, done: int, total: int) -> None:
        """Shows how far a file has been read, in bytes of bytes (0 of 0 where that is not known yet)."""
        reading = self._readings.get(path)
        if reading is None:
            reading = self._readings[path] = _Reading(path)
            reading.set_theme(self._theme)
            reading.cancel.clicked.connect(lambda: self.reading_cancelled.emit(path))
            self._column.addWidget(reading)
        reading.set_progress(done, total)
        self._show_if_needed()

    def end_reading(self, path: Path) -> None:
        """A file is read, or given up."""
        reading = self._readings.pop(path, None)
        if reading is not None:
            self._column.removeWidget(reading)
            reading.hide()
            reading.deleteLater()
        self._show_if_needed()

    def readings(self) -> dict[Path, _Reading]:
        """The files that are being read."""
        return dict(self._readings)

    def _show_if_needed(self) -> None:
        self.setVisible(len(self._entries) > 1 or bool(self._readings))


class _SourceEntry(QWidget):
    """A source as a chip that can be chosen and, for a file, closed."""

    def __init__(self, source: Source, *, chosen: bool) -> None:
        super().__init__()
        self.source = source
        self.chip = Chip(source.title)
        self.chip.setCheckable(True)
        self.chip.setChecked(chosen)
        self.chip.setToolTip(plain_tooltip(str(source.origin or source.path)))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.chip)
        self.close_button: IconButton | None = None
        if not source.live:
            self.close_button = IconButton("close", f"Close {source.title}", size=20)
            layout.addWidget(self.close_button)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self.chip.set_theme(colors)
        if self.close_button is not None:
            self.close_button.set_theme(colors)


class _Reading(QWidget):
    """A file being read: its name, how far, and a way to stop it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._theme = theme(True)
        self._name = path.name
        self._share = 0.0
        self.cancel = IconButton("close", f"Stop reading {path.name}", size=20)
        self.setFixedHeight(28)
        self.setAccessibleName(f"Reading {path.name}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        self.cancel.set_theme(colors)
        self.update()

    def set_progress(self, done: int, total: int) -> None:
        """How far it is."""
        self._share = min(1.0, done / total) if total > 0 else 0.0
        self.setAccessibleDescription(f"{self._share:.0%}")
        self.update()

    @property
    def share(self) -> float:
        """How far it is, from 0 to 1."""
        return self._share

    def sizeHint(self) -> QSize:
        """As wide as the list."""
        return QSize(200, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints name, percentage and a bar beneath."""
        colors = self._theme
        painter = QPainter(self)
        try:
            fill_round(painter, self.rect(), colors.bg2, 5)
            box = QRect(8, 0, self.width() - 40, 24)
            used = draw_text(painter, box, f"{self._share:.0%}", ui_font(11), colors.text3, Qt.AlignmentFlag.AlignRight)
            draw_text(painter, box.adjusted(0, 0, -round(used) - 8, 0), self._name, ui_font(11, 500), colors.text2)
            painter.fillRect(8, 23, self.width() - 40, 2, colors.bg4)
            painter.fillRect(8, 23, round((self.width() - 40) * self._share), 2, colors.accent)
        finally:
            painter.end()
