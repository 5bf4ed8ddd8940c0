"""What one look of the doctor found, and the words it is told in."""

from __future__ import annotations

from typing import Literal

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and found; `remedy` says what to do unless all is well."""

    name: str
    state: Literal["ok", "attention", "failed"]
    found: str
    remedy: str | None = None


def ok(name: str, found: str) -> Check:
    """Nothing is to be done."""
    return Check(name=name, state="ok", found=found)


def attention(name: str, found: str, remedy: str) -> Check:
    """It works, or will, once `remedy` is done."""
    return Check(name=name, state="attention", found=found, remedy=remedy)


def failed(name: str, found: str, remedy: str) -> Check:
    """Something does not work until `remedy` is done."""
    return Check(name=name, state="failed", found=found, remedy=remedy)


def size_text(count: int) -> str:
    """Bytes as people read them: 1.5 GB, 2.0 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def count_text(number: int, thing: str) -> str:
    """1 span, 2 spans."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
