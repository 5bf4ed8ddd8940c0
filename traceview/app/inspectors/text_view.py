"""A text of any length, read-only: one window of it laid out at a time, searched and copied as it was recorded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette, QTextCharFormat, QTextCursor, QTextOption
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QPlainTextEdit, QTextEdit, QVBoxLayout, QWidget

from traceview.analysis.figures import bytes_text
from traceview.app.controls import LinkButton
from traceview.app.inspectors.finder import Finder
from traceview.app.inspectors.json_text import json_pieces
from traceview.app.inspectors.labels import Label
from traceview.app.inspectors.text_window import TextWindow, window_around, window_at, window_before
from traceview.app.inspectors.value_search import find_in_text
from traceview.app.models.json_values import encodable
from traceview.app.sliced import Sliced
from traceview.app.theme import PANEL_HEAD, Theme, mono_font, theme

# More marked places than one screen can hold only cost time.
_MARKED: Final = 400
# What is written of a value at once: about 8 ms.
_FIRST: Final = 64 * 1024


class _PlainText(QPlainTextEdit):
    """Plain text that copies what was recorded, not the breaks and pictures that make it fit to be shown."""

    def __init__(self, view: TextView) -> None:
        super().__init__(view)
        self._view = view

    def createMimeDataFromSelection(self) -> QMimeData:
        """The selected part of the recorded text."""
        data = QMimeData()
        data.setText(self._view.selected_text())
        return data


class TextView(QWidget):
    """A text, or a value as indented JSON, which is written as far as it is needed.

    Signals:
        window_moved(): another part of the text is shown.
    """

    window_moved = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(True)
        self._text = ""
        self._pieces: Iterator[str] | None = None
        self._window = TextWindow(0, 0, "", ())
        self._writing = Sliced(self)
        self._then: list[Callable[[], None]] = []
        self.finder = Finder(self)
        self.edit = _PlainText(self)
        self._set_up_edit()
        self.footer = _Footer(self)
        self.footer.more.clicked.connect(self.show_more)
        self.footer.back.clicked.connect(self.show_back)
        self.footer.copy.clicked.connect(self.copy_all)
        self.footer.save.clicked.connect(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.edit, 1)
        column.addWidget(self.footer)
        self.finder.arrived.connect(self._go_to)
        self.finder.changed.connect(self._mark)
        self._wanted = ""

    def _set_up_edit(self) -> None:
        edit = self.edit
        edit.setReadOnly(True)
        edit.setUndoRedoEnabled(False)
        edit.setFrameShape(QFrame.Shape.NoFrame)
        edit.setFont(mono_font(12))
        edit.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        edit.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        edit.document().setDocumentMargin(12)
        edit.setAccessibleName("Text")
        self.setFocusProxy(edit)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        self._theme = colors
        palette = QPalette(self.edit.palette())
        for role, color in (
            (QPalette.ColorRole.Base, colors.bg1),
            (QPalette.ColorRole.Text, colors.text1),
            (QPalette.ColorRole.Highlight, colors.selection),
            (QPalette.ColorRole.HighlightedText, colors.text1),
        ):
            palette.setColor(role, color)
        self.edit.setPalette(palette)
        self.footer.set_theme(colors)
        self._mark()

    @property
    def text(self) -> str:
        """The text, as far as it is written."""
        return self._text

    @property
    def part(self) -> TextWindow:
        """The part that is laid out."""
        return self._window

    @property
    def whole(self) -> bool:
        """Whether the text is written to its end."""
        return self._pieces is None

    def set_text(self, text: str, *, again: bool = False) -> None:
        """Shows a text from its beginning, or (`again`) a newer one of the same thing where one is."""
        self._take(text, None, again=again)

    def set_value(self, value: Any, *, again: bool = False) -> None:
        """Shows a value as indented JSON; its first 64 kB are written now, the rest when it is asked for."""
        pieces = json_pieces(value)
        text, length = [], 0
        for piece in pieces:
            text.append(piece)
            length += len(piece)
            if length > _FIRST:
                self._take("".join(text), pieces, again=again)
                return
        self._take("".join(text), None, again=again)

    def _take(self, text: str, pieces: Iterator[str] | None, *, again: bool) -> None:
        """Takes over a text and what will be written after it. What was asked of another text is not done to this."""
        self._writing.stop()
        self._pieces = pieces
        then, self._then = (self._then if again else []), []
        self._replace(text, again=again)
        for wish in then:
            wish()

    def look_for(self, wanted: str) -> None:
        """Marks all places where this stands, and goes to the first at or after what is seen."""
        self._wanted = wanted
        if not wanted:
            self.finder.stop()
        elif self.whole:
            self.finder.start(find_in_text(self._text, wanted))
        else:
            self._write_rest()

    def show_more(self) -> None:
        """Shows the part that follows."""
        if self._window.end < len(self._text):
            self._show(window_at(self._text, self._window.end))
        elif not self.whole:
            self._write_rest()

    def show_back(self) -> None:
        """Shows the part before."""
        if self._window.start:
            self._show(window_before(self._text, self._window.start))

    def copy_all(self) -> None:
        """Copies the whole text, once it is written."""
        if self.whole:
            QGuiApplication.clipboard().setText(encodable(self._text))
        else:
            self._write_rest(self.copy_all)

    def save(self) -> None:
        """Asks for a file and saves the whole text in it."""
        dialog = QFileDialog(self, "Save text")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile("text.json" if self._text[:1] in ("{", "[") else "text.txt")
        dialog.fileSelected.connect(self.save_to)
        dialog.open()

    def save_to(self, file: str) -> None:
        """Saves the whole text in a file as UTF-8; what UTF-8 can't carry is written as �."""
        if not self.whole:
            self._write_rest(lambda: self.save_to(file))
            return
        try:
            Path(file).write_text(encodable(self._text), encoding="utf-8", newline="")
        except OSError as error:
            self.footer.say(f"Not saved: {error.strerror or error}.")
        else:
            self.footer.say(f"Saved in {Path(file).name}.")

    def selected_text(self) -> str:
        """The selected part of the recorded text; "" where nothing is selected."""
        cursor = self.edit.textCursor()
        first, last = cursor.selectionStart(), cursor.selectionEnd()
        window = self._window
        return encodable(self._text[window.to_text(first) : window.to_text(last)])

    def _replace(self, text: str, *, again: bool) -> None:
        window, bar = self._window, self.edit.verticalScrollBar()
        self._text = text
        if not again:
            self._show(window_at(text, 0))
        else:
            newer = window_at(text, window.start if window.start < len(text) else 0)
            if window.shown and newer.shown.startswith(window.shown):
                self._grow(newer)
            else:
                place = bar.value()
                self._show(newer)
                bar.setValue(place)
        if self._wanted and self.whole:
            self.finder.start(find_in_text(text, self._wanted), again=again)

    def _grow(self, window: TextWindow) -> None:
        """Adds what came at the end, so that a selection stays."""
        cursor = QTextCursor(self.edit.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(window.shown[len(self._window.shown) :])
        self._window = window
        self._update_footer()

    def _show(self, window: TextWindow) -> None:
        self._window = window
        self.edit.setPlainText(window.shown)
        self._update_footer()
        self._mark()
        self.window_moved.emit()

    def _write_rest(self, then: Callable[[], None] | None = None) -> None:
        """Writes a value's text to its end, between events, and does `then` what had to wait for that."""
        if then is not None:
            self._then.append(then)
        if self._pieces is None or self._writing.running:
            return
        written = [self._text]

        def after_slice(ended: bool) -> None:
            if ended:
                self._take("".join(written), None, again=True)
                if self._wanted and not self.finder.hits:
                    self.look_for(self._wanted)
            else:
                self.footer.say("Writing …")

        self._writing.start(self._pieces, written.append, after_slice)

    def _go_to(self, offset: int) -> None:
        if not self._window.start <= offset < self._window.end:
            self._show(window_around(self._text, offset))
        cursor = self.edit.textCursor()
        cursor.setPosition(self._window.to_document(offset))
        self.edit.setTextCursor(cursor)
        self.edit.centerCursor()
        self._mark()

    def _mark(self) -> None:
        """Marks the hits in the window; a long list only round the current one."""
        finder, window = self.finder, self._window
        first, last = bisect_left(finder.hits, window.start), bisect_left(finder.hits, window.end)
        if last - first > _MARKED:
            first = max(first, min(finder.at - _MARKED // 2, last - _MARKED))
            last = min(last, first + _MARKED)
        marks = [self._marked(finder.hits[i], current=i == finder.at) for i in range(first, last)]
        self.edit.setExtraSelections(marks)

    def _marked(self, offset: int, *, current: bool) -> QTextEdit.ExtraSelection:
        colors, window = self._theme, self._window
        mark = QTextEdit.ExtraSelection()
        mark.cursor = QTextCursor(self.edit.document())
        mark.cursor.setPosition(window.to_document(offset))
        end = window.to_document(min(window.end, offset + len(self._wanted)))
        mark.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        mark.format = QTextCharFormat()
        mark.format.setForeground(QColor(colors.on_accent if current else colors.hit))
        mark.format.setBackground(QColor(colors.accent if current else colors.hit_wash))
        return mark

    def _update_footer(self) -> None:
        window, length = self._window, len(self._text)
        partial = window.start > 0 or window.end < length or not self.whole
        self.footer.setVisible(partial)
        total = bytes_text(length) if self.whole else f"more than {bytes_text(length)}"
        if window.start == 0:
            self.footer.say(f"The first {bytes_text(window.end)} of {total}")
        else:
            self.footer.say(f"{bytes_text(window.start)} to {bytes_text(window.end)} of {total}")
        self.footer.back.setVisible(window.start > 0)
        self.footer.more.setVisible(window.end < length or not self.whole)


class _Footer(QWidget):
    """What part of the text is shown, and the ways to the rest."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.label = Label("", self)
        self.back = LinkButton("Back", self)
        self.more = LinkButton("Show more", self)
        self.copy = LinkButton("Copy all", self)
        self.save = LinkButton("Save…", self)
        self.setFixedHeight(PANEL_HEAD)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(6)
        row.addWidget(self.label, 1)
        for button in (self.back, self.more, self.copy, self.save):
            row.addWidget(button)
        self.hide()

    def say(self, text: str) -> None:
        """Says where one is, or what happened."""
        self.label.set_text(text)

    def set_theme(self, colors: Theme) -> None:
        """Repaints in other colours."""
        for part in (self.label, self.back, self.more, self.copy, self.save):
            part.set_theme(colors)
