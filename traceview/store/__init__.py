"""The database: one writer, any number of readers, one SQLite file. SQL and SQLAlchemy stop at this door."""

from traceview.store.batch import Understand
from traceview.store.errors import StoreBusy, StoreError
from traceview.store.export import export_store, fill
from traceview.store.judging import Judge, Sampling, Verdict
from traceview.store.listing import Place, TraceFilter
from traceview.store.reader import StoreCounts, StoreReader
from traceview.store.retention import Limits
from traceview.store.writer import StoreWriter

__all__ = [
    "Judge",
    "Limits",
    "Place",
    "Sampling",
    "StoreBusy",
    "StoreCounts",
    "StoreError",
    "StoreReader",
    "StoreWriter",
    "TraceFilter",
    "Understand",
    "Verdict",
    "export_store",
    "fill",
]
