"""Opens a trace file of any format we read: finds out by its content what it is and streams its spans."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from traceview.formats import foreign
from traceview.formats.binary_files import read_binary
from traceview.formats.errors import FormatError
from traceview.formats.framing import Framing, framing_of
from traceview.formats.json_files import open_json
from traceview.formats.source import Progress, Source
from traceview.formats.tally import Tally
from traceview.protocol.places import find_places
from traceview.protocol.records import SpanPart

Read = Callable[[Source, Tally], Iterator[SpanPart]]

_SQLITE: Final = b"SQLite format 3\x00"
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_READABLE: Final = (Framing.PLAIN, Framing.DELIMITED, Framing.SIZED)
_INSPECT_MEMBERS: Final = frozenset({"header.json", "_journal/start.json"})


def is_store(path: Path) -> bool:
    """Whether a file is a SQLite database, as `.traceview` files and the live store are; False where there is none."""
    live = find_places().store
    try:
        # Closing a file that SQLite has open in this process would drop its locks (sqlite.org/howtocorrupt.html, 2.2).
        if live.exists() and path.samefile(live):
            return True
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


class PartStream(Iterator[SpanPart]):
    """The spans of one file. `format` names what it is; `tally` says what was rejected or skipped so far.

    The file is closed when the spans run out, after an error, and by `close()`. A file without a single span is an
    error, so that nobody wonders at an empty list.
    """

    def __init__(self, source: Source, format: str, read: Read) -> None:
        self.format = format
        self.tally = Tally()
        self._source = source
        self._parts = self._run(read)

    def __next__(self) -> SpanPart:
        return next(self._parts)

    def close(self) -> None:
        """Closes the file; no more spans come. Safe to call twice."""
        self._parts.close()
        self._source.close()

    def __del__(self) -> None:
        self.close()

    def _run(self, read: Read) -> Generator[SpanPart, None, None]:
        with self._source as source:
            count = 0
            for part in read(source, self.tally):
                count += 1
                yield part
            if not count:
                raise FormatError(self._nothing())
            source.tell(source.total)

    def _nothing(self) -> str:
        path, tally = self._source.path, self.tally
        if tally.rejected:
            return f"{path} holds no span that can be kept ({tally.message}): check what wrote it"
        others = ", ".join(f"{count:,} {name}" for name, count in tally.skipped.items())
        holds = f"{others} and no spans" if others else "no spans"
        return f"{path} is {self.format}, but holds {holds}: check what was exported"


def open_parts(path: Path, progress: Progress | None = None) -> PartStream:
    """The spans of a trace file, read as they are asked for.

    Content decides what the file is, never its name; gzip and zstd are unpacked. `progress(done, total)` hears, in
    bytes of the file, how far the work is; when it returns False, Cancelled is raised. Raises FormatError, here or
    while iterating: one sentence naming the file, the place and what to do.
    """
    source = Source(path, progress)
    try:
        source.tell(0)
        return _recognise(source)
    except BaseException:
        source.close()
        raise


def _recognise(source: Source) -> PartStream:
    path, head = source.path, source.peek()
    text = head.removeprefix(_BOM).lstrip()
    if not text:
        raise FormatError(f"{path} is empty: copy or export it again")
    if head.startswith(_SQLITE):
        wrapped = f"packed with {' and '.join(source.packing)}: unpack it first" if source.packing else "open it as one"
        raise FormatError(f"{path} is a .traceview file, {wrapped}")
    if text.startswith((b"{", b"[")):
        return _open_json(source)
    if head.startswith(b"PK\x03\x04"):
        raise foreign.refusal(path, _name_zip(path))
    framing = framing_of(head)
    if framing is not None and framing in _READABLE:
        return PartStream(source, framing.value, partial(read_binary, framing))
    name = framing.value if framing is not None else foreign.name_binary(head)
    if name is not None:
        raise foreign.refusal(path, name)
    raise FormatError(f"{path} {_describe(head)}: {foreign.OPENS}")


def _open_json(source: Source) -> PartStream:
    file = open_json(source)
    if file.is_otlp:
        return PartStream(source, file.format, file.read)
    name = foreign.name_json(file.first)
    if name is not None:
        raise foreign.refusal(source.path, name)
    raise FormatError(f"{source.path} is JSON, but of no kind of trace known here: {foreign.OPENS}")


def _name_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return "an Inspect log" if _INSPECT_MEMBERS & set(archive.namelist()) else "a zip archive"
    except (zipfile.BadZipFile, OSError):
        return "a damaged zip archive"


def _describe(head: bytes) -> str:
    if head.startswith(_UTF16):
        return "is UTF-16 text, save it as UTF-8"
    try:
        head[: 4 * 1024].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head[: 4 * 1024]) - 4:
            return f"is binary data of no known kind (it starts with {head[:4].hex(' ')})"
    if b"\0" in head:
        return f"is binary data of no known kind (it starts with {head[:4].hex(' ')})"
    return "is text, but no trace"
