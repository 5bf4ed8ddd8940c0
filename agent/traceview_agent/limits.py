"""The process's limits: as many open files as the system allows, files that only this user can read."""

from __future__ import annotations

import os
import sys

DEFAULT_FILES = 1024


def raise_limits() -> None:
    """Raises the soft limit of open files to the hard one and keeps everything made from now on private."""
    os.umask(0o077)
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass  # macOS refuses "unlimited"; the soft limit stays, and the cap on connections follows it


def open_files() -> int:
    """How many files this process may have open."""
    if sys.platform == "win32":
        return DEFAULT_FILES
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return DEFAULT_FILES if soft == resource.RLIM_INFINITY else soft


def most_connections() -> int:
    """How many programs may be connected: half of the open files, so that a burst of them and all else fit as well."""
    return min(10_000, open_files() // 2)
