"""Finding text in a run: the field, the hits, and which of them one stands at."""

from __future__ import annotations

import bisect

from PySide6.QtCore import QObject, QTimer, Signal

from traceview.app.controls import SearchField
from traceview.app.models.span_rows import SpanRows

# Searching 100,000 rows takes some 30 ms: not on every key that a fast typist hits.
_PAUSE_MS = 60
_LARGE = 50_000


class Finder(QObject):
    """Keeps the hits of the text in a search field, in tree order, as rows come and go.

    Signals:
        text_changed(str): another text is looked for.
        hit_shown(int): the place of the hit that is to be seen, while typing.
        hit_chosen(int): the place of the hit one went to.
    """

    text_changed = Signal(str)
    hit_shown = Signal(int)
    hit_chosen = Signal(int)

    def __init__(self, rows: SpanRows, field: SearchField, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._field = field
        self._hits: list[int] = []
        self._at = -1
        self._near = 0
        self._chosen = False
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._search_anew)
        field.text_changed.connect(self._type)
        field.submitted.connect(self.go_to_next)
        field.backward.connect(self.go_to_previous)

    @property
    def hits(self) -> list[int]:
        """The places of the spans found, in tree order."""
        return self._hits

    def set_near(self, span: int) -> None:
        """Typing shows the first hit from this place on."""
        self._near = max(0, span)

    def refresh(self) -> None:
        """The spans have changed: looks again, and stays at the hit one was at if it is still there."""
        if self._field.text:
            before = self._hits[self._at] if 0 <= self._at < len(self._hits) else -1
            self._hits = self._rows.find(self._field.text)
            place = bisect.bisect_left(self._hits, before)
            self._at = min(place, len(self._hits) - 1)
            self._tell()

    def reset(self) -> None:
        """Another run: its hits are looked for from the start."""
        self._near, self._at, self._hits = 0, -1, []
        self.refresh()

    def go_to_next(self) -> None:
        """Goes to the next hit, after the last to the first."""
        self._go(1)

    def go_to_previous(self) -> None:
        """Goes to the hit before, before the first to the last."""
        self._go(-1)

    def _type(self, text: str) -> None:
        if self._rows.span_count > _LARGE:
            self._pause.start()
        else:
            self._search_anew()

    def _search_anew(self) -> None:
        self._pause.stop()
        self._chosen = False
        text = self._field.text
        self._hits = self._rows.find(text)
        self._at = bisect.bisect_left(self._hits, self._near)
        if self._at >= len(self._hits):
            self._at = 0 if self._hits else -1
        self.text_changed.emit(text)
        self._tell()
        if self._hits:
            self.hit_shown.emit(self._hits[self._at])

    def _go(self, step: int) -> None:
        if self._pause.isActive():
            self._search_anew()
        if not self._hits:
            return
        # The first Return goes to the hit that typing has shown, not past it.
        if self._chosen or step < 0:
            self._at = (self._at + step) % len(self._hits)
        self._chosen = True
        self._tell()
        self.hit_chosen.emit(self._hits[self._at])

    def _tell(self) -> None:
        if not self._field.text:
            self._field.set_count("")
        elif self._hits:
            self._field.set_count(f"{self._at + 1:,} of {len(self._hits):,}")
        else:
            self._field.set_count("not found")
