"""Feeds a file's spans into the store through the queue that live spans take, without getting in their way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from traceview.formats import Cancelled, FormatError, is_store, open_parts
from traceview.protocol.records import SpanPart
from traceview.store import StoreError, StoreReader, make_ready
from traceview_agent.control_server import Refused
from traceview_agent.intake import Intake, Load, Outcome, Stored
from traceview_agent.redaction import Redaction

log = logging.getLogger(__name__)

# A chunk is written in a few milliseconds: live spans wait for at most two of them.
_CHUNK_PARTS: Final = 500
_CHUNK_BYTES: Final = 4 * 1024 * 1024
_UNDER_WAY: Final = 2
_TELL_SECONDS: Final = 5.0


class Importer:
    """Imports one file after the other. `live` is the store in use, which can't be imported into itself."""

    def __init__(self, intake: Intake, redaction: Redaction, live: Path) -> None:
        self._intake, self._redaction = intake, redaction
        self._live = live
        self._one_at_a_time = asyncio.Lock()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ends the import under way; what was committed stays."""
        self._cancelled.set()

    async def obey(self, request: dict[str, Any]) -> dict[str, Any]:
        """The verb `import`: `path` names the file; answers `{spans, traces}` when all is committed."""
        path = request.get("path")
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise Refused("import wants a path, absolute")
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._import, Path(path))

    def _import(self, path: Path) -> dict[str, Any]:
        if not path.is_file():
            raise Refused(f"{path}: no such file")
        log.info("importing %s", path)
        feed = _Feed(self._intake, self._cancelled, path)
        try:
            parts = _parts_of_store(path, self._live) if is_store(path) else open_parts(path, feed.progress)
            with contextlib.closing(parts):
                feed.all(self._redaction.part(part) for part in parts)
        except (FormatError, StoreError) as error:
            raise Refused(str(error)) from error
        except OSError as error:
            raise Refused(f"{path} can't be read: {error.strerror or error}") from error
        except Cancelled:
            raise Refused("the daemon stopped before the import was complete: import the file again") from None
        log.info("imported %s: %d spans, %d traces", path, feed.spans, len(feed.traces))
        return {"spans": feed.spans, "traces": len(feed.traces)}


class _Feed:
    """Cuts parts into chunks, keeps few of them under way, counts what they held."""

    def __init__(self, intake: Intake, cancelled: threading.Event, path: Path) -> None:
        self._intake, self._cancelled, self._path = intake, cancelled, path
        self._slots = threading.Semaphore(_UNDER_WAY)
        self._failed: str | None = None
        self._read = self._sent = 0
        self._told = time.monotonic()
        self.spans = 0
        self.traces: set[bytes] = set()

    def progress(self, done: int, total: int) -> bool:
        """How far the file is read, in bytes; False once the import is cancelled."""
        self._read = done
        if time.monotonic() - self._told > _TELL_SECONDS:
            self._told = time.monotonic()
            log.info("importing %s: %d of %d bytes", self._path, done, total)
        return not self._cancelled.is_set()

    def all(self, parts: Iterable[SpanPart]) -> None:
        """Sends every part and waits until all are committed; raises Cancelled or Refused."""
        for chunk in self._chunks(parts):
            self._send(chunk)
        for _ in range(_UNDER_WAY):
            self._acquire()

    def _chunks(self, parts: Iterable[SpanPart]) -> Iterator[list[SpanPart]]:
        chunk: list[SpanPart] = []
        for part in parts:
            chunk.append(part)
            if len(chunk) >= _CHUNK_PARTS or self._read - self._sent >= _CHUNK_BYTES:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _send(self, chunk: list[SpanPart]) -> None:
        self._acquire()
        source = f"import of {self._path.name}"
        fresh = frozenset(part.trace_id for part in chunk) - self.traces
        size = max(0, self._read - self._sent)
        ready = [make_ready(part) for part in chunk]
        load = Load(ready, size, self._done, source, receiver="import", keep=fresh)
        self._sent = self._read
        if not self._intake.put(load, self._cancelled.is_set):
            raise Cancelled
        self.spans += len({(part.trace_id, part.span_id) for part in chunk})
        self.traces |= fresh

    def _acquire(self) -> None:
        while not self._slots.acquire(timeout=0.1):
            if self._cancelled.is_set():
                raise Cancelled
        if self._failed is not None:
            raise Refused(self._failed)

    def _done(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Stored):
            self._failed = "the daemon stopped before the import was complete: import the file again"
        self._slots.release()


def _parts_of_store(path: Path, live: Path) -> Generator[SpanPart, None, None]:
    if path.samefile(live):
        raise Refused(f"{path} is the store that is in use: there is nothing to import")
    reader = StoreReader(path)
    try:
        for trace in reader.traces():
            yield from reader.parts(trace.trace_id)
    finally:
        reader.close()
