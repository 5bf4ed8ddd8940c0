"""Copies a value of any size: small ones at once, large ones in slices between events."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from traceview.analysis.figures import bytes_text
from traceview.app.inspectors.json_text import json_pieces, json_text
from traceview.app.models.json_values import encodable
from traceview.app.sliced import Sliced

_AT_ONCE: Final = 64 * 1024


class Copier(QObject):
    """Puts text into the clipboard, as plain text and nothing else.

    Signals:
        said(str): what was copied, or that it takes a moment.
    """

    said = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._writing = Sliced(self)

    def copy_text(self, text: str) -> None:
        """Copies a text as it was recorded; lone surrogates, which the clipboard can't carry, become �."""
        self._writing.stop()
        QGuiApplication.clipboard().setText(encodable(text))
        self.said.emit(f"Copied {bytes_text(len(text))}")

    def copy_value(self, value: Any) -> None:
        """Copies a string as it is, anything else as indented JSON."""
        if isinstance(value, str):
            self.copy_text(value)
            return
        self._writing.stop()
        text, whole = json_text(value, _AT_ONCE)
        if whole:
            self.copy_text(text)
            return
        written: list[str] = []

        def after_slice(ended: bool) -> None:
            if ended:
                self.copy_text("".join(written))

        self.said.emit("Copying …")
        self._writing.start(json_pieces(value), written.append, after_slice)
