"""Files of OTLP JSON: one document, or one request per line as the collector's file exporter writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from traceview.formats import foreign
from traceview.formats.errors import FormatError
from traceview.formats.mending import mended
from traceview.formats.otlp.from_json import is_otlp, parts_of_document
from traceview.formats.shallow import NOT_JSON, opening_of, read_array, read_object
from traceview.formats.source import Source
from traceview.formats.tally import Tally
from traceview.protocol.records import SpanPart

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A file that starts like JSON. `first` is its first line, or all of it when `lines` is False."""

    first: bytes | bytearray
    line_number: int
    lines: bool

    @property
    def format(self) -> str:
        """What people call it."""
        return "OTLP JSON lines" if self.lines else "OTLP JSON"

    @property
    def is_otlp(self) -> bool:
        """Whether it is ours to read."""
        return is_otlp(self.first)

    def read(self, source: Source, tally: Tally) -> Iterator[SpanPart]:
        """The spans; raises FormatError at a line that is no JSON."""
        if self.lines:
            return self._read_lines(source, tally)
        return self._read_document(source, tally)

    def _read_document(self, source: Source, tally: Tally) -> Iterator[SpanPart]:
        half = source.total // 2
        for count, part in enumerate(parts_of_document(self.first, tally)):
            if count % 256 == 0:
                source.tell(half + half * tally.read_bytes // len(self.first))
            yield part

    def _read_lines(self, source: Source, tally: Tally) -> Iterator[SpanPart]:
        line, number = self.first, self.line_number
        while line:
            if line.strip():
                try:
                    yield from parts_of_document(line, tally)
                except NOT_JSON as error:
                    raise FormatError(
                        f"{source.path} is damaged at line {number:,}, which is not JSON ({_plain(error)}): "
                        "the spans before it are fine; remove that line or export the file again"
                    ) from error
                source.tell_if_due()
            line, number = source.read_line(), number + 1


def open_json(source: Source) -> JsonFile:
    """Finds out whether a file is one document or JSON lines; raises FormatError where it is no JSON.

    It is lines when its first line is complete by itself and more follows. Lines end at \\n only: U+2028 and the like
    stand unescaped inside strings of real files.
    """
    source.weight = 0.5  # a document is read first and turned into spans then
    if source.peek().startswith(_BOM):
        source.read(len(_BOM))
    line, number = source.read_first_line(), 1
    while line.isspace():
        line, number = source.read_first_line(), number + 1
    try:
        first = _parsed(line)
    except NOT_JSON:
        return _document(JsonFile(source.read_rest(line), number, False), source)
    while (head := source.peek()) and not head.strip():
        source.read(len(head))
    if not head:
        return JsonFile(first, number, False)
    source.weight = 1.0
    return JsonFile(first, number, True)


def _parsed(text: bytes | bytearray) -> bytes | bytearray:
    """The text itself, or mended, if it is JSON; else raises one of NOT_JSON. Nothing is decoded."""
    read = read_object if opening_of(text) == b"{" else read_array
    try:
        read(text)
    except NOT_JSON:
        better = mended(bytes(text))
        if better is None:
            raise
        read(better)
        return better
    return text


def _document(file: JsonFile, source: Source) -> JsonFile:
    try:
        return JsonFile(_parsed(file.first), file.line_number, False)
    except NOT_JSON as error:
        name = foreign.name_broken_json(bytes(file.first[:4096]))
        if name is not None:
            raise foreign.refusal(source.path, name) from error
        raise _not_json(source.path, file, error) from error


def _not_json(path: Path, file: JsonFile, error: Exception) -> FormatError:
    if isinstance(error, RecursionError):
        return FormatError(f"{path} is JSON nested too deeply to be a trace: check what wrote it")
    if "truncated" in str(error):
        last = file.line_number + file.first.count(b"\n")
        return FormatError(f"{path} is cut off: the JSON breaks off at line {last:,}; copy or export it again")
    found = re.search(r"byte (\d+)", str(error))
    place = int(found[1]) if found else 0
    line = file.line_number + file.first.count(b"\n", 0, place)
    return FormatError(
        f"{path} is not JSON at line {line:,} (byte {place:,}): {_plain(error)}; repair that place or export it again"
    )


def _plain(error: Exception) -> str:
    return re.sub(r" \(byte \d+\)$", "", str(error).removeprefix("JSON is malformed: "))
