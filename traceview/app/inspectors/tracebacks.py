"""Python tracebacks taken apart: frames with file, line and code, library frames, chained exceptions. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Longer texts are read by their end, where the exception stands.
_MAX_CHARACTERS: Final = 512 * 1024
_FRAME: Final = re.compile(r'  File "(?P<file>[^"\n]{1,1000})", line (?P<line>\d{1,9})(?:, in (?P<name>.{1,500}))?\Z')
_START: Final = "Traceback (most recent call last):"
_CAUSE: Final = "The above exception was the direct cause of the following exception:"
_CONTEXT: Final = "During handling of the above exception, another exception occurred:"
_MARKS: Final = re.compile(r"\s*[~^][~^\s]*\Z")
_LIBRARY: Final = re.compile(
    r"[\\/](?:site-packages|dist-packages)[\\/]|[\\/]lib[\\/]python\d|[\\/]Lib[\\/]|\A<frozen "
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One call: where, in which function, and the code that stood there. `library` is code that isn't the user's."""

    file: str
    line: int
    name: str
    code: tuple[str, ...] = ()

    @property
    def library(self) -> bool:
        """Whether the file is the standard library's or an installed package's."""
        return _LIBRARY.search(self.file) is not None

    @property
    def place(self) -> str:
        """The file's last two parts and the line: carrier/http.py:57."""
        parts = re.split(r"[\\/]", self.file)
        return f"{'/'.join(parts[-2:])}:{self.line}"


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a chain: its frames, most recent call first, what it said, and why the next one followed."""

    frames: tuple[Frame, ...]
    message: str
    link: str = ""


def parse_traceback(text: str) -> tuple[Raised, ...]:
    """The exceptions in a traceback, the last one raised first; () where the text is no Python traceback."""
    lines = text[-_MAX_CHARACTERS:].replace("\r\n", "\n").split("\n")
    found: list[Raised] = []
    reader = _Reader()
    for line in lines:
        if line.strip() in (_CAUSE, _CONTEXT):
            link = "Caused by" if line.strip() == _CAUSE else "While handling"
            raised = reader.take(link)
            found += [raised] if raised else []
            reader = _Reader()
        else:
            reader.read(line)
    last = reader.take("")
    found += [last] if last else []
    return tuple(reversed(found))


class _Reader:
    """Reads the lines of one exception."""

    def __init__(self) -> None:
        self._started = False
        self._frames: list[Frame] = []
        self._message: list[str] = []

    def read(self, line: str) -> None:
        if line.strip() == _START:
            self._started = True
            return
        if not self._started:
            return
        match = _FRAME.match(line)
        if match and not self._message:
            self._frames.append(Frame(match["file"], int(match["line"]), match["name"] or "<module>"))
        elif self._frames and not self._message and line.startswith(("    ", "  [Previous line repeated")):
            self._add_code(line)
        elif line or self._message:
            self._message.append(line)

    def _add_code(self, line: str) -> None:
        if not _MARKS.match(line):
            frame = self._frames[-1]
            self._frames[-1] = Frame(frame.file, frame.line, frame.name, (*frame.code, line.strip()))

    def take(self, link: str) -> Raised | None:
        if not self._frames:
            return None
        return Raised(tuple(reversed(self._frames)), "\n".join(self._message).strip(), link)
