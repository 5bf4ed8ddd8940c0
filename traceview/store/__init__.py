"""The database: one writer, any number of readers, one SQLite file. SQL and SQLAlchemy stop at this door."""

from traceview.store.batch import Understand
from traceview.store.encoding import digest
from traceview.store.errors import StoreBusy, StoreError
from traceview.store.export import export_store, fill
from traceview.store.judging import Judge, Sampling, Verdict
from traceview.store.listing import Place, TraceFilter
from traceview.store.reader import StoreCounts, StoreReader
from traceview.store.readying import ReadyPart, make_ready
from traceview.store.retention import Limits
from traceview.store.text_index import TextIndex
from traceview.store.text_search import Answer, Hit, Reached, TextSearch
from traceview.store.words import WordsError, parse_words
from traceview.store.writer import StoreWriter

__all__ = [
    "Answer",
    "Hit",
    "Judge",
    "Limits",
    "Place",
    "Reached",
    "ReadyPart",
    "Sampling",
    "StoreBusy",
    "StoreCounts",
    "StoreError",
    "StoreReader",
    "StoreWriter",
    "TextIndex",
    "TextSearch",
    "TraceFilter",
    "Understand",
    "Verdict",
    "WordsError",
    "digest",
    "export_store",
    "fill",
    "make_ready",
    "parse_words",
]
