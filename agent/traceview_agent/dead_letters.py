"""Records that can't be stored are kept beside the store, so that a fault of ours or of a sender can be found."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from pathlib import Path

from traceview_agent.redaction import Redaction

log = logging.getLogger(__name__)

MAX_BYTES = 16 * 1024 * 1024


class DeadLetters:
    """A file of JSON lines, `{time_ns, source, reason, record}`, the record in base64. Full at 16 MiB.

    A record that may hold a secret is not kept: its line says `redacted: true`.
    """

    def __init__(self, path: Path, redaction: Redaction, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._redaction = redaction
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def keep(self, source: str, reason: str, record: bytes | memoryview) -> None:
        """Appends one record if there is room; never raises. The first of each source is also logged."""
        with self._lock:
            if source not in self._told:
                self._told.add(source)
                log.warning("a record from %s can't be stored (%s); such records go to %s", source, reason, self._path)
            self._append(source, reason, record)

    def _append(self, source: str, reason: str, record: bytes | memoryview) -> None:
        letter = {"time_ns": time.time_ns(), "source": source, "reason": self._redaction.line(reason)}
        kept = self._redaction.record(record)
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
            if kept is None:
                letter["redacted"] = True
            elif size + len(kept) * 4 // 3 <= self._max_bytes:
                letter["record"] = base64.b64encode(kept).decode()
            if size < self._max_bytes:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(letter) + "\n")
        except OSError as error:
            # The disk is full or gone: the record is counted as rejected all the same.
            log.debug("%s can't be written: %s", self._path, error)
