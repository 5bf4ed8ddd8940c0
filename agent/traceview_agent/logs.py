"""The daemon's log: one line per event as `key=value`, to stderr, or to a rotated file when the daemon is detached."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 4 * 1024 * 1024
_KEPT: Final = 3


class LineFormatter(logging.Formatter):
    """`time=2026-11-21T07:14:04.123Z level=warning from=writer message="…"`, a traceback folded into `error="…"`.

    `clean` takes out what must not get into a log.
    """

    def __init__(self, clean: Callable[[str], str] = str) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        room = record.name.removeprefix("traceview_agent.")
        line = f"time={stamp}.{int(record.msecs):03d}Z level={record.levelname.lower()} from={room}"
        line += f" message={json.dumps(self._clean(record.getMessage()), ensure_ascii=False)}"
        if record.exc_info:
            line += f" error={json.dumps(self._clean(self.formatException(record.exc_info)), ensure_ascii=False)}"
        return line


class DetachedHandler(logging.handlers.RotatingFileHandler):
    """Rotates the log, and takes stdout and stderr (where libraries write when they abort) along to the new file."""

    def doRollover(self) -> None:
        """Starts a new file."""
        super().doRollover()
        if self.stream is not None:
            for standard in (sys.__stdout__, sys.__stderr__):
                if standard is not None:
                    os.dup2(self.stream.fileno(), standard.fileno())


def configure(detached_to: Path | None, verbose: bool = False, clean: Callable[[str], str] = str) -> None:
    """Sends the log to stderr, or to this file when the daemon is detached."""
    handler: logging.Handler
    if detached_to is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = DetachedHandler(detached_to, maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8")
    handler.setFormatter(LineFormatter(clean))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
