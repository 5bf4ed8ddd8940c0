"""Writes traces of a source to a file: a `.traceview`, or OTLP JSON by the file's ending."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from traceview.app.state.open_run import Source

if TYPE_CHECKING:
    from traceview.store import StoreReader

FILTERS = "traceview file (*.traceview);;OTLP JSON (*.json)"


def export_traces(source: Source, trace_ids: Sequence[bytes], target: Path) -> int:
    """Writes the traces; returns how many. Raises StoreError or OSError; then `target` is what it was before."""
    from traceview.conventions import facts
    from traceview.store import StoreReader, export_store

    reader = StoreReader(source.path)
    try:
        if target.suffix.lower() == ".json":
            _write_otlp(reader, trace_ids, target)
        else:
            export_store(reader, trace_ids, target, facts)
    finally:
        reader.close()
    return len(trace_ids)


def _write_otlp(reader: StoreReader, trace_ids: Sequence[bytes], target: Path) -> None:
    from traceview.formats import write_json

    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write_json((part for trace_id in trace_ids for part in reader.parts(trace_id)), file)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
