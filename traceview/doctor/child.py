"""Runs this Python once more, for what is only known, or only safe, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

_CHILD_S: Final = 60.0


def run_python(*arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Runs this Python; -P: a `logging.py` in the current folder must not replace the standard one."""
    command = [sys.executable, "-P", *arguments]
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_CHILD_S, check=False)
    except subprocess.TimeoutExpired:
        return -1, "", f"no answer within {_CHILD_S:g} s"
    return done.returncode, done.stdout, done.stderr.strip()
