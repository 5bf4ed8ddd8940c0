"""Room on the disk: batches are refused while some is left, and a reserve is given up when none is.

On a disk that is full to the last byte SQLite can neither delete, nor checkpoint, nor let a new reader in (which needs
a few kB for shared memory); 1 MiB given back was measured to be enough for all of them, 256 KiB was not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Final

from traceview.store.errors import StoreBusy

BALLAST_BYTES: Final = 1024 * 1024
_CHECK_EVERY_S: Final = 0.5


class DiskSpace:
    """Watches the disk of a store; `floor_bytes` of it stay free (0: no watching, no reserve)."""

    def __init__(self, store: Path, floor_bytes: int) -> None:
        self._store = store
        self._ballast = store.with_name(store.name + ".ballast")
        self._floor = floor_bytes
        self._next_check = 0.0
        self._released = True
        self.replenish()

    def check(self) -> None:
        """Raises StoreBusy while less than the floor is free; looks twice a second."""
        now = time.monotonic()
        if not self._floor or now < self._next_check:
            return
        free = self._free()
        if free < self._floor:
            raise StoreBusy(
                f"{self._store} takes no more spans: only {free >> 20} MiB are free on its disk; free some space"
                f" ({self._floor >> 20} MiB are kept free, nothing stored is lost)"
            )
        self._next_check = now + _CHECK_EVERY_S

    def release(self) -> None:
        """The disk is full: gives up the reserve."""
        self._released = True
        self._next_check = 0.0
        self._ballast.unlink(missing_ok=True)

    def replenish(self) -> None:
        """Sets the reserve aside (again) if it was released and there is room."""
        if not self._floor or not self._released or self._free() < self._floor + BALLAST_BYTES:
            return
        with contextlib.suppress(OSError):
            # Random bytes, since file systems that compress would not reserve anything for zeros.
            self._ballast.write_bytes(os.urandom(BALLAST_BYTES))
            self._ballast.chmod(0o600)
            self._released = False

    def _free(self) -> int:
        return shutil.disk_usage(self._store.parent).free
