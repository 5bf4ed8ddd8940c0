"""What can go wrong with a file: it is not what we read, or the reader was told to stop."""

from __future__ import annotations


class FormatError(ValueError):
    """The bytes are not a trace we can read; the message is one sentence with file, place and remedy."""


class Cancelled(Exception):
    """The caller's `progress` returned False; what was read so far has been handed out."""
