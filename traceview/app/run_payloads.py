"""Reads the heavy halves of spans for the inspectors, one store open at a time; used on the jobs' thread."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from traceview.app.state.open_run import Source
from traceview.protocol.records import Event, SpanPayload

if TYPE_CHECKING:
    from traceview.store import StoreReader


class RunPayloads:
    """Keeps the reader of the store that was read last. Every method may raise StoreError."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reader: StoreReader | None = None
        self._path: Path | None = None

    def load_payload(self, source: Source, trace_id: bytes, span_id: bytes) -> SpanPayload | None:
        """One span's payload, None where the span isn't in the store (any more)."""
        with self._lock:
            return self._open(source).payload(trace_id, span_id)

    def load_states(self, source: Source, trace_id: bytes) -> list[tuple[bytes, Event]]:
        """The changes of state of a run by time, each with the id of the span that reported it."""
        with self._lock:
            return self._open(source).state_events(trace_id)

    def close(self) -> None:
        """Closes the store; safe twice."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = self._path = None

    def _open(self, source: Source) -> StoreReader:
        from traceview.store import StoreReader

        if self._reader is None or self._path != source.path:
            if self._reader is not None:
                self._reader.close()
            self._reader, self._path = StoreReader(source.path), source.path
        return self._reader
