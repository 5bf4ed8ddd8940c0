"""A disk that may lose power: what was synced is there, of everything else any part, torn at sectors of 512 bytes.

Harder than real ones in that unsynced writes survive in any order, and in that what a failed fsync was asked for is
never written any more: the kernel takes the pages for clean then (https://wiki.postgresql.org/wiki/Fsync_Errors).
Names follow a journal: what was done to a folder since its last fsync survives up to any point.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from disk_log import Cut, Deed, Make, Rename, Said, Sync, Write

_SECTOR: Final = 512


@dataclass(slots=True)
class _Change:
    """A write or a cut. Only what is `waiting` can still be made `safe`."""

    deed: Write | Cut
    safe: bool = False
    waiting: bool = True


@dataclass(slots=True)
class _File:
    changes: list[_Change] = field(default_factory=list)

    def sync(self, failed: bool) -> None:
        for change in self.changes:
            if change.waiting:
                change.safe, change.waiting = not failed, False


@dataclass
class Disk:
    """One folder. Do deeds, then `cut_power`."""

    _names: dict[str, _File] = field(default_factory=dict)
    _safe_names: dict[str, _File] = field(default_factory=dict)
    _renames: list[dict[str, _File]] = field(default_factory=list)

    def do(self, deed: Deed) -> None:
        """What a process did reaches the disk's cache."""
        match deed:
            case Make(name):
                self._file(name)
            case Write(name) | Cut(name):
                self._file(name).changes.append(_Change(deed))
            case Sync("", failed):
                if not failed:
                    self._safe_names, self._renames = dict(self._names), []
            case Sync(name, failed):
                self._file(name).sync(failed)
            case Rename(source, old, new):
                self._rename(source, old, new)
            case Said():
                pass

    def cut_power(self, rng: random.Random) -> dict[str, bytes]:
        """The files that are there afterwards. Sometimes all that was not safe is lost, sometimes some of it."""
        names = rng.choice([self._safe_names, *self._renames])
        share = rng.choice([0.0, 0.5, 0.5, 0.9])
        return {name: _content(file.changes, rng, share) for name, file in names.items()}

    def _file(self, name: str) -> _File:
        if name not in self._names:
            self._names[name] = _File()
            self._note_names()
        return self._names[name]

    def _rename(self, source: str, old: str | None, new: str | None) -> None:
        file = self._file(source)
        if old is not None:
            del self._names[old]
        if new is not None:
            self._names[new] = file
        self._note_names()

    def _note_names(self) -> None:
        self._renames.append(dict(self._names))


def _content(changes: Sequence[_Change], rng: random.Random, share: float) -> bytes:
    data = bytearray()
    for change in changes:
        deed = change.deed
        if isinstance(deed, Cut):
            if change.safe or rng.random() < share:
                _resize(data, deed.length)
            continue
        for start, end in [(0, len(deed.data))] if change.safe else _sectors(deed):
            if change.safe or rng.random() < share:
                _put(data, deed.offset + start, deed.data[start:end])
    return bytes(data)


def _sectors(deed: Write) -> list[tuple[int, int]]:
    """The pieces of a write that survive alone."""
    first = _SECTOR - deed.offset % _SECTOR
    edges = [0, *range(first, len(deed.data), _SECTOR), len(deed.data)]
    return list(itertools.pairwise(edges))


def _put(data: bytearray, offset: int, piece: bytes) -> None:
    if len(data) < offset:
        _resize(data, offset)
    data[offset : offset + len(piece)] = piece


def _resize(data: bytearray, length: int) -> None:
    if len(data) > length:
        del data[length:]
    else:
        data.extend(bytes(length - len(data)))
