"""What a process did to the files of one folder, in order, as strace saw it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strain import Absent, strace

_CALLS: Final = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,link,linkat,rename,mkdir"
# A call during which its process was killed has no result: it did nothing.
_LINE: Final = re.compile(r"\d+\s+(\w+)\((.*)\)\s+= (-?\d+)")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE: Final = re.compile(r"(\d+)<((?:\\x[0-9a-f]{2})+)")
_LONGEST_DATA: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Make:
    """A file was opened that need not have been there."""

    name: str


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes written at an offset."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """The file has this length now."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class Sync:
    """The system was asked to put the file on the disk (`name` "": the folder itself); `failed` where it could not."""

    name: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Rename:
    """A file got the name `new` (None: none) and lost `old` (None: it keeps its others)."""

    source: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Said:
    """A line on standard output."""

    line: str


Deed = Make | Write | Cut | Sync | Rename | Said


def record(command: Sequence[str | Path], folder: Path, *strains: str) -> list[Deed]:
    """Runs the command to its end under strace, with faults injected; what it did in `folder`. Raises Absent."""
    log = folder.with_name(folder.name + ".strace")
    flags = ["-f", "-y", "-xx", "-s", str(_LONGEST_DATA), "-o", str(log), "-e", f"trace={_CALLS}"]
    done = subprocess.run([strace(), *flags, *strains, *command], stdout=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode} under strace")
    try:
        with log.open() as lines:
            return [deed for line in lines for deed in _read(line, str(folder))]
    finally:
        log.unlink()


def _read(line: str, folder: str) -> Iterator[Deed]:
    if "<unfinished" in line or "resumed>" in line:
        raise Absent(f"calls overlap in strace's log, so their order is not known: {line[:80]}")
    found = _LINE.match(line)
    if found is None:
        return
    call, arguments, result = found[1], found[2], found[3]
    if call in ("fsync", "fdatasync"):
        name = _inside(_path(arguments), folder)
        if name is not None:
            yield Sync(name, failed=result != "0")
    elif result.isdigit():
        yield from _read_done(call, arguments, int(result), folder)


def _read_done(call: str, arguments: str, result: int, folder: str) -> Iterator[Deed]:
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
    if call in ("unlink", "link", "linkat", "rename"):
        names = [_inside(text.decode(), folder) for text in texts]
        if names[0] is not None:
            yield Rename(names[0], None if "link" in call and call != "unlink" else names[0], (*names, None)[1])
        return
    if call == "openat":
        made = _inside(texts[0].decode(), folder)
        if made and "O_CREAT" in arguments:
            yield Make(made)
        return
    file = _FILE.match(arguments)
    if file is None:
        return
    if file[1] == "1" and call == "write":
        yield Said(texts[0].decode().strip())
        return
    name = _inside(_path(arguments), folder)
    if not name:
        return
    numbers = [int(number) for number in re.findall(r", (\d+)", arguments.rpartition('"')[2] or arguments)]
    if call == "ftruncate":
        yield Cut(name, numbers[-1])
    elif call == "pwrite64":
        yield Write(name, numbers[-1], texts[0][:result])


def _path(arguments: str) -> str:
    file = _FILE.match(arguments)
    return "" if file is None else bytes.fromhex(file[2].replace("\\x", "")).decode()


def _inside(path: str, folder: str) -> str | None:
    """The name in the folder, "" for the folder itself, None for what is elsewhere or needs no disk."""
    if path == folder:
        return ""
    parent, _, name = path.rpartition("/")
    return name if parent == folder and not name.endswith(("-shm", ".ballast")) else None
