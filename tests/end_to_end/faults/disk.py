"""A small disk that can be filled to the last byte: a tmpfs, where this user may mount one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strain import Absent

# The daemon leaves 64 MiB of a disk to others; the rest must hold what all rounds record.
_DISK_MIB: Final = 256
_PIECE: Final = 1024 * 1024


class SmallDisk:
    """The disk mounted at `folder`, and what takes the room on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Takes all room that is left."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(_PIECE)):
                pass

    def free(self) -> None:
        """Gives it back."""
        self._filler.unlink()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mounts a disk at `folder` and takes it away again. Raises Absent."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Absent("only root on Linux may mount a tmpfs")
    folder.mkdir()
    options = f"size={_DISK_MIB}m,mode=0700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "traceview", folder], capture_output=True, text=True)
    if done.returncode != 0:
        raise Absent(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
