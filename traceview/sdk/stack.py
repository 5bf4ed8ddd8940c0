"""Whether a thread has stack enough for what msgspec may do with a structure without end before it gives up."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

# CPython 3.12 and 3.13 let C code nest 10,000 calls whatever a thread's stack holds; msgspec needs 2 to 3 MiB for that.
# Before, 1,000 calls were the limit; since 3.14 it is the stack itself.
_UNMEASURED: Final = (3, 12) <= sys.version_info < (3, 14) and sys.platform == "linux"
_ENOUGH_BYTES: Final = 4 * 1024 * 1024
_MUSL_BYTES: Final = 1024 * 1024  # CPython's choice for threads there
_UNLIMITED_BYTES: Final = 2 * 1024 * 1024  # glibc's choice for threads where the limit is "unlimited"


class Stack(threading.local):
    """`is_ample` says it of the thread that asks."""

    def __init__(self) -> None:
        self.is_ample = not _UNMEASURED or _bytes() >= _ENOUGH_BYTES


def _bytes() -> float:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    if threading.current_thread() is threading.main_thread():
        return float("inf") if limit == resource.RLIM_INFINITY else limit
    asked = threading.stack_size()
    if asked or not _is_glibc():
        return asked or _MUSL_BYTES
    return _UNLIMITED_BYTES if limit == resource.RLIM_INFINITY else limit


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (OSError, ValueError):
        return False
