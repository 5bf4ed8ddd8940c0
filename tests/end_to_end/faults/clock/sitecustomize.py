"""Lets a Python process live by a wall clock that a harness sets (strain.Clock); Python loads this by its name.

Only the wall clock: monotonic ones, and what the kernel waits by, go on, as when somebody sets a machine's clock.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

_OFFSET = struct.Struct("@q")

with open(os.environ["FAULTS_CLOCK"], "rb") as _file:
    _map = mmap.mmap(_file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
_true_ns, _true = time.time_ns, time.time


def _time_ns() -> int:
    return _true_ns() + int(_OFFSET.unpack_from(_map)[0])


def _time() -> float:
    return _true() + float(_OFFSET.unpack_from(_map)[0]) / 1e9


time.time_ns, time.time = _time_ns, _time
