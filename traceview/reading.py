"""What a verb of the command line reads: the live store or a trace file, and the trace in it that is meant."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from traceview.protocol.places import Places

if TYPE_CHECKING:
    from traceview.protocol.records import TraceSummary
    from traceview.store import StoreReader


class Failure(Exception):
    """Ends a verb with one line on stderr and an exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


@contextlib.contextmanager
def open_store(file: Path | None, places: Places) -> Iterator[StoreReader]:
    """The store to read, open while it is needed: that of the file, or the live one. Raises Failure."""
    from traceview.store import StoreError, StoreReader

    with contextlib.ExitStack() as cleanup:
        path = places.store
        if file is not None:
            path = cleanup.enter_context(_as_store(file))
        elif not path.exists():
            raise Failure(f"nothing was recorded yet: {path} does not exist (try `traceview demo`)", 1)
        try:
            reader = StoreReader(path)
            cleanup.callback(reader.close)
            yield reader
        except StoreError as error:
            raise Failure(str(error)) from error


@contextlib.contextmanager
def _as_store(file: Path) -> Iterator[Path]:
    """The file itself if it is a store, else a temporary store made from it."""
    from traceview.conventions import facts
    from traceview.formats import FormatError, is_store, open_parts
    from traceview.store import StoreWriter, fill

    try:
        if is_store(file):
            yield file
            return
        with tempfile.TemporaryDirectory(prefix="traceview-") as folder:
            made = Path(folder) / "file.db"
            writer = StoreWriter(made, facts)
            try:
                fill(writer, open_parts(file))
            finally:
                writer.close()
            yield made
    except (FormatError, OSError) as error:
        raise Failure(str(error)) from error


def find_trace(reader: StoreReader, wanted: str) -> TraceSummary:
    """The trace that is meant by an id, the beginning of one, a name, or `latest`. Raises Failure."""
    found = reader.traces(limit=1) if wanted == "latest" else reader.find(wanted)
    if not found and (rule := reader.left_out_by(wanted)) is not None:
        raise Failure(f"trace {wanted!r} is not here: the sampling rule {rule!r} left it out", 1)
    if not found:
        raise Failure(f"no trace {wanted!r} in {reader.path} (see `traceview list`)", 1)
    if len(found) > 1 and found[0].name != wanted and wanted != "latest":
        matches = ", ".join(trace.trace_id.hex()[:12] for trace in found[:4])
        raise Failure(f"{wanted!r} matches {len(found)} traces ({matches} …): write more of the id", 1)
    return found[0]
