"""Moves whole traces: from a file into a store, and from a store into a `.traceview`, which is a store by itself."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from traceview.protocol.records import SpanPart
from traceview.store.batch import Understand
from traceview.store.encoding import encode_part
from traceview.store.errors import StoreError
from traceview.store.reader import StoreReader
from traceview.store.writer import StoreWriter

_BATCH: Final = 1_000
_BATCH_BYTES: Final = 32 * 1024 * 1024


def export_store(reader: StoreReader, trace_ids: Iterable[bytes], target: Path, understand: Understand) -> int:
    """Writes the traces to `target` (replaced only when the new file is whole); returns how many spans.

    The file needs no companion files, so that it can be sent, and opens from read-only folders. Raises StoreError, also
    where a trace isn't in the store or `target` is the store itself.
    """
    if target.exists() and reader.path.exists() and target.samefile(reader.path):
        raise StoreError(f"{target} is the store that is exported: choose another file")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        spans = _copy(reader, trace_ids, partial, understand)
        os.replace(partial, target)
    except StoreError as error:
        raise type(error)(str(error).replace(str(partial), str(target))) from error
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return spans


def fill(writer: StoreWriter, parts: Iterable[SpanPart], *, dropped: int = 0) -> int:
    """Stores any number of parts, up to a thousand or 32 MiB a transaction; returns how many spans changed.

    `dropped` spans are noted as lost at the first batch's last trace.
    """
    changed = 0
    for batch in _batches(parts):
        changed += writer.apply(batch, dropped=dropped)
        dropped = 0
    return changed


def _batches(parts: Iterable[SpanPart]) -> Iterator[list[SpanPart]]:
    """What a transaction takes. The spans of a long conversation are small in the store and large in memory."""
    batch: list[SpanPart] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += len(encode_part(part)[1])
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _copy(reader: StoreReader, trace_ids: Iterable[bytes], partial: Path, understand: Understand) -> int:
    partial.unlink(missing_ok=True)
    writer = StoreWriter(partial, understand, durability="power", journal="delete", floor_bytes=0)
    spans = 0
    try:
        for trace_id in trace_ids:
            summary = reader.trace(trace_id)
            if summary is None:
                raise StoreError(f"{reader.path} holds no trace {trace_id.hex()}")
            spans += fill(writer, reader.parts(trace_id), dropped=summary.dropped)
    finally:
        writer.close()
    return spans
