"""The daemon's log: one line per event, `key=value` or JSON, to stderr, or to a rotated file when it is detached."""

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

from traceview_agent.config import LogFormat, LogLevel

_MAX_BYTES: Final = 4 * 1024 * 1024
_KEPT: Final = 3


class LineFormatter(logging.Formatter):
    """`time=2026-11-21T07:14:04.123Z level=warning from=writer message="…"`, a traceback folded into `error="…"`.

    As "json" the same keys make one JSON object. `clean` takes out what must not get into a log.
    """

    def __init__(self, clean: Callable[[str], str] = str, form: LogFormat = "logfmt") -> None:
        super().__init__()
        self._clean, self._form = clean, form

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        bare = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "from": record.name.removeprefix("traceview_agent."),
        }
        texts = {"message": self._clean(record.getMessage())}
        if record.exc_info:
            texts["error"] = self._clean(self.formatException(record.exc_info))
        if self._form == "json":
            return json.dumps(bare | texts, ensure_ascii=False)
        quoted = {key: json.dumps(text, ensure_ascii=False) for key, text in texts.items()}
        return " ".join(f"{key}={text}" for key, text in (bare | quoted).items())


class DetachedHandler(logging.handlers.RotatingFileHandler):
    """Rotates the log, and takes stdout and stderr (where libraries write when they abort) along to the new file."""

    def doRollover(self) -> None:
        """Starts a new file."""
        super().doRollover()
        if self.stream is not None:
            for standard in (sys.__stdout__, sys.__stderr__):
                if standard is not None:
                    os.dup2(self.stream.fileno(), standard.fileno())


def configure(
    detached_to: Path | None,
    clean: Callable[[str], str] = str,
    *,
    level: LogLevel = "info",
    form: LogFormat = "logfmt",
) -> None:
    """Sends the log to stderr, or to this file when the daemon is detached."""
    handler: logging.Handler
    if detached_to is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        handler = DetachedHandler(detached_to, maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8")
    handler.setFormatter(LineFormatter(clean, form))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    root.setLevel(level.upper())
