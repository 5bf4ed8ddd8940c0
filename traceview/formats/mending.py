"""JSON that other writers accept and strict readers refuse, made strict: what is lost is marked, the rest is kept.

Mended are: NaN and Infinity (Python writes them bare), halves of surrogate pairs (JavaScript cuts strings inside an
emoji), bytes that are not UTF-8, and structures nested too deep to be read (they become text).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

# The 128 levels of nested values that we read are at most 4 levels of JSON each.
_MAX_JSON_DEPTH: Final = 560

_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)


def mended(document: bytes) -> bytes | None:
    """The document with everything mended that can be; None where there was nothing of the kind to mend."""
    found = document
    try:
        found.decode("utf-8")
    except UnicodeDecodeError:
        found = found.decode("utf-8", "replace").encode()
    found = _ESCAPE.sub(_whole_pairs, found)
    if b"NaN" in found or b"Infinity" in found:
        found = _NUMBER.sub(lambda match: match[0] if match[0][:1] == b'"' else b'"' + match[0] + b'"', found)
    found = _shallow(found)
    return None if found == document else found


def _whole_pairs(match: re.Match[bytes]) -> bytes:
    text = match[0]
    half = len(text) == 6 and text[1:3].lower() == b"ud" and text[3:4] in b"89abcdefABCDEF"
    return rb"\ufffd" if half else text


def _shallow(document: bytes) -> bytes:
    """The document with whatever is nested too deep turned into strings."""
    if document.count(b"[") + document.count(b"{") <= _MAX_JSON_DEPTH:
        return document
    pieces: list[bytes] = []
    depth = cut_from = copied = 0
    for match in _TOKEN.finditer(document):
        token = match[0]
        if token in b"[{":
            depth += 1
            if depth == _MAX_JSON_DEPTH + 1:
                cut_from = match.start()
        elif token in b"]}":
            if depth == _MAX_JSON_DEPTH + 1:
                pieces.append(document[copied:cut_from])
                pieces.append(msgspec.json.encode(document[cut_from : match.end()].decode("utf-8", "replace")))
                copied = match.end()
            depth -= 1
    return b"".join([*pieces, document[copied:]]) if pieces else document
