"""Opens trace files beside the live store: converts them, off the GUI thread, into temporary stores."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal

from traceview.app.state.open_run import Source
from traceview.protocol.control import AgentError, ask
from traceview.protocol.places import Places

_log = logging.getLogger(__name__)
_IMPORT_TIMEOUT_S: Final = 3600.0


class Sources(QObject):
    """The live store and the files opened beside it. `close()` stops reading and removes the temporary stores.

    Signals:
        changed(): there are other sources than before.
        opened(Source): a file can be shown now.
        reading(Path, int, int): how far a file has been read, in bytes of bytes.
        reading_ended(Path): a file is read, or given up.
        failed(str): one sentence on what could not be opened or kept, and what to do.
        noticed(str): one sentence on what was left out of a file.
        kept(str): one sentence on what is in the live store now.
    """

    changed = Signal()
    opened = Signal(object)
    reading = Signal(object, object, object)
    reading_ended = Signal(object)
    failed = Signal(str)
    noticed = Signal(str)
    kept = Signal(str)
    _finished = Signal(object, object)

    def __init__(self, places: Places, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._places = places
        self.live = Source(places.store, "Live", live=True)
        self._files: list[Source] = []
        self._cancels: dict[Path, threading.Event] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._folder: Path | None = None
        self._finished.connect(self._take)

    def all(self) -> tuple[Source, ...]:
        """The live store, then the opened files in the order opened."""
        return (self.live, *self._files)

    def open(self, file: Path) -> None:
        """Opens a file; when it can be shown, or can't, a signal says so."""
        file = file.absolute()
        known = next((source for source in self._files if source.origin == file), None)
        if known is not None:
            self.opened.emit(known)
        elif file not in self._cancels:
            cancel = self._cancels[file] = threading.Event()
            self.reading.emit(file, 0, 0)
            self._workers().submit(self._read, file, cancel)

    def cancel(self, file: Path) -> None:
        """Stops reading a file."""
        if file in self._cancels:
            self._cancels[file].set()

    def remove(self, source: Source) -> None:
        """Closes an opened file."""
        if source in self._files:
            self._files.remove(source)
            self.changed.emit()
            if source.path != source.origin:
                self._workers().submit(_delete_store, source.path)

    def keep(self, source: Source) -> None:
        """Copies an opened file into the live store, through the daemon."""
        self._workers().submit(self._import, source)

    def close(self) -> None:
        """Stops what runs and removes temporary stores; safe twice."""
        for cancel in self._cancels.values():
            cancel.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="traceview-files")
        return self._pool

    def _take(self, file: Path, answer: Source | str | None) -> None:
        self._cancels.pop(file, None)
        self.reading_ended.emit(file)
        if isinstance(answer, str):
            self.failed.emit(answer)
        elif answer is not None:
            self._files.append(self._distinct(answer))
            self.changed.emit()
            self.opened.emit(self._files[-1])

    def _distinct(self, source: Source) -> Source:
        """The source under a title of its own: two files of one name are told apart by their folders."""
        if source.origin and any(other.title == source.title for other in self._files):
            return replace(source, title=f"{source.origin.parent.name}/{source.title}")
        return source

    # On the worker

    def _read(self, file: Path, cancel: threading.Event) -> None:
        from traceview.formats import Cancelled, FormatError, is_store
        from traceview.store import StoreError, StoreReader

        answer: Source | str | None = None
        try:
            if not file.is_file():
                answer = f"{file} does not exist, or is no file: choose another"
            elif is_store(file):
                StoreReader(file).close()
                answer = Source(file, file.name, live=False, origin=file)
            else:
                answer = Source(self._convert(file, cancel), file.name, live=False, origin=file)
        except Cancelled:
            pass
        except (FormatError, StoreError) as error:
            answer = str(error)
        except OSError as error:
            answer = f"{file} can't be read: {error.strerror or error}"
        except Exception as error:
            _log.exception("opening %s failed", file)
            answer = f"{file} could not be opened ({type(error).__name__}: {error}): please report this file"
        self._finished.emit(file, answer)

    def _convert(self, file: Path, cancel: threading.Event) -> Path:
        from traceview.conventions import facts
        from traceview.formats import open_parts
        from traceview.store import StoreWriter, fill

        def progress(done: int, total: int) -> bool:
            self.reading.emit(file, done, total)
            return not cancel.is_set()

        target = self._temporary_store()
        writer = StoreWriter(target, facts)
        done = False
        try:
            with contextlib.closing(open_parts(file, progress)) as stream:
                fill(writer, stream)
                rejected, message = stream.tally.rejected, stream.tally.message
            done = True
        finally:
            writer.close()
            if not done:
                _delete_store(target)
        if rejected:
            spans = "1 span of {} was" if rejected == 1 else f"{rejected:,} spans of {{}} were"
            self.noticed.emit(f"{spans.format(file.name)} left out: {message}")
        return target

    def _temporary_store(self) -> Path:
        if self._folder is None:
            cache = self._places.home / "cache"
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            for stale in _left_behind(cache):
                shutil.rmtree(stale, ignore_errors=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f"files-{os.getpid()}-", dir=cache))
        handle, name = tempfile.mkstemp(suffix=".db", dir=self._folder)
        os.close(handle)
        return Path(name)

    def _import(self, source: Source) -> None:
        try:
            answer = ask(self._places, "import", timeout=_IMPORT_TIMEOUT_S, path=str(source.origin or source.path))
        except AgentError as error:
            self.failed.emit(str(error))
        else:
            count = answer.get("traces", 0)
            traces = "1 trace" if count == 1 else f"{count:,} traces"
            self.kept.emit(f"{source.title} is in the live store now: {traces}")


def _delete_store(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _left_behind(cache: Path) -> Iterator[Path]:
    """Folders of windows that did not get to remove them."""
    for folder in cache.glob("files-*-*"):
        pid = folder.name.split("-")[1]
        if pid.isdigit() and int(pid) != os.getpid() and not _alive(int(pid)):
            yield folder


def _alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # os.kill would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
