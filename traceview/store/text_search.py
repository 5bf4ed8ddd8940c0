"""Finds spans by the text in them: candidates from the full-text index, each looked at as it is stored.

All terms must be in one span. What the index does not have yet is read as well, unless it is much; where there is no
index, everything is read, newest first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from traceview.protocol.records import SpanPart, Status, TraceSummary
from traceview.store.driver import driver_error
from traceview.store.errors import explain
from traceview.store.index_file import belongs_to, connect, index_path, is_index, is_supported, meta_of
from traceview.store.lookups import select_in
from traceview.store.part_stream import PartStream
from traceview.store.reader import StoreReader
from traceview.store.span_text import Place, place_text, texts
from traceview.store.words import Term, composed, folded

# At most so much is read that is not indexed yet: some 2,000 spans, a tenth of a second.
_MOST_BLOCKS: Final = 32
_SPANS_AT_ONCE: Final = 64
_DOCUMENTS_AT_ONCE: Final = 64
_BEFORE: Final = 40
_AFTER: Final = 100
_LONGEST_MATCH: Final = 120

_IN_WORDS: Final = "document_no IN (SELECT rowid FROM words WHERE words MATCH ?)"
_ONE_TERM: Final = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC"
_DOCUMENTS: Final = "SELECT document_no, trace_no, spans FROM document WHERE document_no IN "
_NEWER: Final = f"SELECT document_no, trace_no, spans FROM document WHERE document_no > ? AND {_IN_WORDS}"  # noqa: S608

# A trace's id, and ids of spans of it.
Spans = tuple[bytes, list[bytes]]
_Document = tuple[int, int, bytes]
# Whether to stop, now that this share of what may have the words was looked at, 0 to 1.
Stopped = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A span that has all the words: where most of them stand first, and the text around with the places of words."""

    trace: TraceSummary
    span_id: bytes
    name: str
    kind: str
    status: Status
    start_ns: int
    field: str
    snippet: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest hits. `waiting` spans were not searched, since the index does not have them yet.

    `indexed` is False where there is no index and all was read, `complete` where the search was stopped before its end.
    """

    hits: tuple[Hit, ...]
    waiting: int
    indexed: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a search for traces has come: in which index, up to which document, or which change of the store."""

    made: int = 0
    document: int = 0
    change: int = 0


@dataclass(frozen=True, slots=True)
class Traces:
    """Traces that have what is looked for, and how far the search has come; `waiting` as in Answer."""

    ids: frozenset[bytes]
    reached: Reached
    waiting: int


class TextSearch:
    """Searches one store; one thread uses it at a time. Every method raises StoreError when it can't.

    `stopped` is asked between reads: once it is true, what was found so far is the answer.
    """

    def __init__(self, store: Path) -> None:
        self._path = index_path(store)
        self._meta: dict[str, int] = {}
        self._cleanup = ExitStack()
        self._looked_at, self._to_look_at = 0, 0  # documents, or spans where there is no index
        with ExitStack() as cleanup:
            self._reader = StoreReader(store)
            cleanup.callback(self._reader.close)
            self._stream = PartStream(store)
            cleanup.callback(self._stream.close)
            self._index = self._open_index()
            if self._index is not None:
                cleanup.callback(self._index.close)
            blocks = self._stream.last_block() - (self._meta.get("cursor", 0) >> 8)
            self._reads_rest = blocks <= _MOST_BLOCKS
            self.waiting = 0 if self._index is None or self._reads_rest else self._stream.waiting(self._meta)
            self._cleanup = cleanup.pop_all()

    @property
    def indexed(self) -> bool:
        """Whether there is an index to search with."""
        return self._index is not None

    def spans(self, terms: Sequence[Term], limit: int, stopped: Stopped = lambda _: False) -> Answer:
        """The spans that have all terms, newest start first, at most `limit` of those recorded last."""
        found: list[Hit] = []
        looked_at: set[tuple[bytes, bytes]] = set()
        complete = True
        for trace_id, span_ids in self._candidates(terms):
            if stopped(self._share()):
                complete = False
                break
            if self.indexed:  # several documents may have a span
                span_ids = [span_id for span_id in span_ids if (trace_id, span_id) not in looked_at]
                looked_at.update((trace_id, span_id) for span_id in span_ids)
            found += self._hits(trace_id, span_ids, terms)
            if len(found) >= limit:
                break
        found = sorted(found[:limit], key=lambda hit: (hit.start_ns, hit.span_id), reverse=True)
        return Answer(tuple(found), self.waiting, self.indexed, complete)

    def traces(self, term: Term, since: Reached, known: frozenset[bytes], stopped: Stopped = lambda _: False) -> Traces:
        """The traces that have a term in any span, said at any time, but for those that are `known` already.

        `since` is what an earlier search for the same term has reached: only what came after it is looked at.
        """
        ids: set[bytes] = set()
        if self._index is None:
            reached = Reached(change=self._stream.head())
            candidates = self._changed_spans(since.change)
        else:
            after = since.document if since.made == self._meta["made"] else 0
            reached, rows = self._documents_after(after, term)
            candidates = self._unindexed()
            if term.is_word:
                ids.update(self._reader.trace_ids([trace_no for _, trace_no, _ in rows]).values())
            else:
                self._looked_at, self._to_look_at = 0, len(rows)
                candidates = chain(candidates, self._as_spans(rows))
        for trace_id, span_ids in candidates:
            if stopped(self._share()):
                return Traces(frozenset(ids), since, self.waiting)
            if trace_id not in ids and trace_id not in known and any(self._hits(trace_id, span_ids, [term])):
                ids.add(trace_id)
        return Traces(frozenset(ids - known), reached, self.waiting)

    def close(self) -> None:
        """Closes the files; safe twice."""
        self._cleanup.close()

    def _share(self) -> float:
        return min(1.0, self._looked_at / self._to_look_at) if self._to_look_at else 0.0

    # --- candidates, newest first

    def _candidates(self, terms: Sequence[Term]) -> Iterator[Spans]:
        if self._index is None:
            yield from self._changed_spans(0)
            return
        yield from self._unindexed()
        found = self._matching(terms)
        self._looked_at, self._to_look_at = 0, len(found)
        numbers = iter(found)
        while chunk := list(islice(numbers, _DOCUMENTS_AT_ONCE)):
            yield from self._as_spans(self._documents(chunk))

    def _matching(self, terms: Sequence[Term]) -> list[int]:
        """The documents that have a term, of the traces that have all of them."""
        if len(terms) == 1:
            rows = self._rows(_ONE_TERM, (terms[0].in_fts(),))
        else:
            each = [term.in_fts() for term in terms]
            wanted = " INTERSECT ".join([f"SELECT trace_no FROM document WHERE {_IN_WORDS}"] * len(each))  # noqa: S608
            sql = (
                f"SELECT document_no FROM document WHERE {_IN_WORDS} AND trace_no IN ({wanted})"  # noqa: S608
                " ORDER BY document_no DESC"
            )
            rows = self._rows(sql, (" OR ".join(each), *each))
        return [row[0] for row in rows]

    def _documents_after(self, after: int, term: Term) -> tuple[Reached, list[_Document]]:
        rows: list[_Document] = self._rows(_NEWER, (after, term.in_fts()))
        return Reached(made=self._meta["made"], document=self._meta.get("next_document", 1) - 1), rows

    def _as_spans(self, rows: Iterable[_Document]) -> Iterator[Spans]:
        newest_first = sorted(set(rows), reverse=True)
        ids = self._reader.trace_ids([trace_no for _, trace_no, _ in newest_first])
        for _, trace_no, spans in newest_first:
            if trace_no in ids:
                yield ids[trace_no], [spans[place : place + 8] for place in range(0, len(spans), 8)]
            self._looked_at += 1

    def _unindexed(self) -> Iterator[Spans]:
        """What was committed after the index was last written, if it isn't much."""
        waiting: dict[int, dict[bytes, None]] = {}
        cursor = self._meta.get("cursor", 0)
        while self._reads_rest and (stretch := self._stream.next(cursor)) is not None:
            cursor = stretch.upto
            for arrival in stretch.arrivals:
                waiting.setdefault(arrival.trace_no, {})[arrival.span_id] = None
        ids = self._reader.trace_ids(list(waiting))
        for trace_no, spans in reversed(waiting.items()):
            if trace_no in ids:
                yield from _in_chunks(ids[trace_no], list(spans))

    def _changed_spans(self, change: int) -> Iterator[Spans]:
        """The spans whose change number is above this one, by trace."""
        traces = self._reader.traces(changed_after=change)
        self._looked_at, self._to_look_at = 0, sum(trace.spans for trace in traces)
        for trace in traces:
            rows = self._reader.spans(trace.trace_id, changed_after=change)
            rows.sort(key=lambda row: row.start_ns, reverse=True)
            for spans in _in_chunks(trace.trace_id, [row.span_id for row in rows]):
                yield spans
                self._looked_at += len(spans[1])

    # --- looking at what is stored

    def _hits(self, trace_id: bytes, span_ids: Sequence[bytes], terms: Sequence[Term]) -> Iterator[Hit]:
        trace = None
        for whole in self._reader.whole_spans(trace_id, span_ids):
            found = _look_at(whole, terms)
            if found is None:
                continue
            trace = trace or self._reader.trace(trace_id)
            if trace is None:  # forgotten meanwhile
                return
            place, text, matches = found
            snippet, marks = _snippet(composed(text), matches)
            assert whole.status is not None
            assert whole.start_ns is not None
            yield Hit(
                trace,
                whole.span_id,
                whole.name or "",
                whole.kind or "other",
                whole.status,
                whole.start_ns,
                place_text(place),
                snippet,
                marks,
            )

    # --- the index

    def _open_index(self) -> sqlite3.Connection | None:
        """The index; None where there is none, or none of this version: it is being made, or will be."""
        if not self._path.exists() or not is_supported():
            return None
        connection = None
        try:
            connection = connect(self._path, "ro")
            if is_index(connection) and belongs_to(connection, self._stream):
                connection.execute("PRAGMA query_only = ON")
                self._meta = meta_of(connection)
                return connection
        except (driver_error(), UnicodeDecodeError):
            pass
        if connection is not None:
            connection.close()
        self._meta = {}
        return None

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        assert self._index is not None
        try:
            return self._index.execute(sql, values).fetchall()
        except driver_error() as error:
            raise explain(error, self._path) from error

    def _documents(self, numbers: Sequence[int]) -> list[_Document]:
        assert self._index is not None
        try:
            return list(select_in(self._index, _DOCUMENTS, numbers))
        except driver_error() as error:
            raise explain(error, self._path) from error


def _look_at(whole: SpanPart, terms: Sequence[Term]) -> tuple[Place, str, list[re.Match[str]]] | None:
    """Where most of the terms stand first; None where not all are in the span."""
    missing = set(terms)
    best: tuple[Place, str, list[re.Match[str]]] | None = None
    for place, text in texts(whole):
        shape = folded(composed(text))
        matches = []
        for term in terms:
            match = term.search(shape)
            if match is not None:
                matches.append(match)
                missing.discard(term)
        if matches and (best is None or len(matches) > len(best[2])):
            best = (place, text, matches)
    return None if missing else best


def _snippet(text: str, matches: Sequence[re.Match[str]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The text around the first match on one line, and where matches stand in it."""
    spans = sorted({(match.start(), min(match.end(), match.start() + _LONGEST_MATCH)) for match in matches})
    begin, end = max(0, spans[0][0] - _BEFORE), spans[0][1] + _AFTER
    written = "…" if begin else ""
    marks = []
    place = begin
    for start, stop in spans:
        if start >= place and stop <= end:
            written += _on_one_line(text[place:start])
            shown = _on_one_line(text[start:stop])
            marks.append((len(written), len(written) + len(shown)))
            written += shown
            place = stop
    return written + _on_one_line(text[place:end]) + ("…" if end < len(text) else ""), tuple(marks)


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _in_chunks(trace_id: bytes, span_ids: Sequence[bytes]) -> Iterator[Spans]:
    for place in range(0, len(span_ids), _SPANS_AT_ONCE):
        yield trace_id, list(span_ids[place : place + _SPANS_AT_ONCE])
