"""Finds the traces that the filter line's `text:` terms let through, in all that was recorded, off the GUI thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal

from traceview.app.jobs import Jobs
from traceview.app.models.trace_list import TraceListModel
from traceview.app.state.open_run import Source

if TYPE_CHECKING:
    from traceview.store import Reached

# What comes in is looked through so often at most, while runs stream in.
_AGAIN_MS: Final = 250
# Past the first moment, a search that goes on says how far it is.
_TELL_MS: Final = 500


@dataclass(frozen=True, slots=True)
class _Found:
    """The traces that have a text, those of them that were found last, and how far the store was searched."""

    ids: frozenset[bytes] = frozenset()
    new: frozenset[bytes] = frozenset()
    reached: Reached | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    found: Mapping[str, _Found]
    waiting: int


class _Search:
    """A search under way: how far it has come, and whether it is still wanted. One thread writes, another reads."""

    def __init__(self, texts: int) -> None:
        self._texts = texts
        self._searched = 0
        self._stop = threading.Event()
        self.share = 0.0

    def stop(self) -> None:
        """Ends it between two reads."""
        self._stop.set()

    def stopped(self, share: float) -> bool:
        """Asked between reads, with how much of the text under way was looked at."""
        self.share = (self._searched + share) / self._texts
        return self._stop.is_set()

    def searched(self) -> None:
        """One text is done."""
        self._searched += 1


class TextMatches(QObject):
    """Tells the list's model which traces have the texts it wants, now and as more is recorded. `close()` ends it.

    Signals:
        note_changed(str): what is to be known of the answer: how far the search is, spans not searched yet, a store
            that can't be read; or "".
    """

    note_changed = Signal(str)

    def __init__(self, model: TraceListModel, source: Source, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._source = source
        self._jobs = Jobs(self)
        self._found: dict[str, _Found] = {}
        self._under_way = _Search(1)
        self._busy = False
        self._telling = QTimer(self, interval=_TELL_MS)
        self._telling.timeout.connect(self._tell_share)
        self._again = QTimer(self, singleShot=True, interval=_AGAIN_MS)
        self._again.timeout.connect(self._search)
        model.texts_wanted.connect(self._want)

    def show_source(self, source: Source) -> None:
        """Searches another source from now on."""
        self._source = source
        self._found = {}
        self._model.forget_found()

    def look_again(self) -> None:
        """More was recorded: it is looked through soon."""
        if self._found and not self._again.isActive():
            self._again.start()

    def close(self) -> None:
        """Ends the search under way; safe twice."""
        self._again.stop()
        self._telling.stop()
        self._under_way.stop()
        self._jobs.close()

    def _want(self, texts: frozenset[str]) -> None:
        if texts == self._found.keys() and self._found:
            self._tell_all()
            return
        if not texts and not self._found:
            return
        self._found = {text: self._found.get(text, _Found()) for text in sorted(texts)}
        self._under_way.stop()  # what is looked for now is no longer wanted
        self._end()
        self._jobs.cancel("search")
        self._tell_all()
        if texts:
            self._search()
        else:
            self.note_changed.emit("")

    def _tell_all(self) -> None:
        for text, found in self._found.items():
            if found.reached is not None:
                self._model.add_found(text, found.ids)

    def _search(self) -> None:
        if self._busy:  # it goes on from there
            self._again.start()
            return
        if not self._found:
            return
        self._under_way, self._busy = _Search(len(self._found)), True
        self._telling.start()
        path, found, under_way = self._source.path, dict(self._found), self._under_way
        self._jobs.latest("search", lambda: _search(path, found, under_way), self._take, self._fail)

    def _tell_share(self) -> None:
        if self._model.searching:
            self.note_changed.emit(f"{self._under_way.share:.0%} searched. Clear the line to stop.")

    def _end(self) -> None:
        self._busy = False
        self._telling.stop()

    def _take(self, answer: _Answer) -> None:
        self._end()
        self._found = dict(answer.found)
        for text, found in answer.found.items():
            self._model.add_found(text, found.new)
        count = "1 span is" if answer.waiting == 1 else f"{answer.waiting:,} spans are"
        self.note_changed.emit(f"{count} not indexed yet and could not be searched." if answer.waiting else "")

    def _fail(self, error: Exception) -> None:
        self._end()
        for text in self._found:
            self._model.add_found(text, ())
        self.note_changed.emit(f"The text could not be searched: {error}")


def _search(path: Path, found: Mapping[str, _Found], under_way: _Search) -> _Answer:
    """Looks for each text in what came after it was looked for last."""
    from traceview.store import Reached, TextSearch, parse_words

    if not path.exists():  # nothing was recorded yet
        return _Answer({text: _Found(reached=Reached()) for text in found}, 0)
    now: dict[str, _Found] = {}
    with contextlib.closing(TextSearch(path)) as search:
        for text, before in found.items():
            (term,) = parse_words(f'"{text}"')
            more = search.traces(term, before.reached or Reached(), before.ids, under_way.stopped)
            under_way.searched()
            now[text] = _Found(before.ids | more.ids, more.ids, more.reached)
        return _Answer(now, search.waiting)
