"""Recorded text as a terminal may show it."""

from __future__ import annotations

from typing import Final

# Thin and no-break spaces, which durations use; Python calls only the plain space printable.
_SPACES: Final = "\u00a0\u2009\u202f"


def plain(text: str) -> str:
    """Text on one line: recorded control characters, escapes and bidi overrides are shown, not obeyed."""
    return "".join(c if c.isprintable() or c in _SPACES else " " if c in "\n\t" else "�" for c in text)
