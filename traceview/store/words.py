"""What is looked for in recorded text: words, phrases and beginnings of words, and where they stand in a text.

    refund parcel       both words, in any order
    "lost parcel"       these words one after the other, whatever stands between them that is no letter or digit
    refun*              what begins so

A word is a run of letters, digits and their marks; upper and lower case, accents and full-width forms count alike. A
word with something else inside (`gpt-4o`) is a phrase. Scripts written without spaces between words (Chinese, Japanese,
Thai …) are looked for character by character. Nothing else has a meaning: brackets, AND, NEAR are text.

Index and search both see text `folded`, so that one decides what the other finds.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 1_000
_MOST_TERMS: Final = 32
# SQLite's expressions end at a depth of 256, its tokens at 32 kB.
_MOST_TOKENS: Final = 64
_MOST_TOKEN_BYTES: Final = 4_096

# Thai to Myanmar, Khmer; Han and kana (https://www.unicode.org/Public/UNIDATA/Blocks.txt).
_SOLID: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_SOLID_CHARACTER: Final = re.compile(f"[{_SOLID}]")
_TERM: Final = re.compile(r'"(?P<phrase>[^"]*)"?(?P<open>\*?)|(?P<word>[^\s"]+)')


class WordsError(ValueError):
    """There is nothing to look for, or too much; the message is one sentence."""


class _Folding(dict[int, str]):
    """One character for each: in lower case without its accents, or a space where it is no part of a word."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    if not (character.isalnum() or unicodedata.category(character)[0] == "M"):
        return " "
    compatible = unicodedata.normalize("NFKC", character)
    parts = unicodedata.normalize("NFD", compatible if len(compatible) == 1 else character)
    base = parts[0]
    if not all(
        "\u0300" <= mark <= "\u036f" for mark in parts[1:]
    ):  # what makes up Hangul and Indic letters is no accent
        base = character
    lower = base.lower()[0]
    return lower if lower.isalnum() or unicodedata.category(lower)[0] == "M" else " "


_FOLDING: Final = _Folding()
_ASCII_FOLDING: Final = bytes(ord(_FOLDING[code]) for code in range(128)) + bytes(range(128, 256))
_ASCII: Final = bytes(range(128))
_RARE: Final = 4
_FEW: Final = 16
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def composed(text: str) -> str:
    """The text with accents joined to their letters: what places in folded text count in."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """A `composed` text, character by character as it is compared: words in one form, a space for all else."""
    if not text.isascii():
        text = _beyond_folded(text)
    # Bytes are translated fifty times faster than characters; those of what lies beyond ASCII stay as they are.
    return text.encode().translate(_ASCII_FOLDING).decode()


def _beyond_folded(text: str) -> str:
    """The text with the characters beyond ASCII in it folded."""
    beyond = text.encode(errors="surrogatepass").translate(None, _ASCII)
    if _RARE * len(beyond) < len(text):
        # A few quotes or umlauts in much text: to replace each of them everywhere takes a third to a sixth of the time.
        different = set(beyond.decode(errors="surrogatepass"))
        if len(different) <= _FEW:
            for character in different:
                text = text.replace(character, _FOLDING[ord(character)])
            return text
    return _BEYOND_ASCII.sub(lambda run: run[0].translate(_FOLDING), text)


def tokens(text: str) -> str:
    """A folded text as the index takes it: tokens between spaces."""
    return text if text.isascii() else _SOLID_CHARACTER.sub(r" \g<0> ", text)


@dataclass(frozen=True, slots=True)
class Term:
    """One word, phrase or beginning: as it was typed, its tokens, and whether the last one may go on."""

    typed: str
    tokens: tuple[str, ...]
    open: bool
    pattern: re.Pattern[str]

    @property
    def is_word(self) -> bool:
        """Whether a text that has its tokens, wherever, has it."""
        return len(self.tokens) == 1

    def search(self, shape: str) -> re.Match[str] | None:
        """The first place in folded text where it stands."""
        # What is not there at all is known a hundred times sooner this way.
        for token in self.tokens:
            if token not in shape:
                return None
        return self.pattern.search(shape)

    def in_fts(self) -> str:
        """The same for SQLite's full-text search; every token in quotes, none has one in it."""
        last = len(self.tokens) - 1
        quoted = [f'"{token}"' + ("*" if self.open and i == last else "") for i, token in enumerate(self.tokens)]
        return "(" + " AND ".join(dict.fromkeys(quoted[:_MOST_TOKENS])) + ")"


def parse_words(text: str) -> tuple[Term, ...]:
    """The terms of a line; raises WordsError where it has none, or is too long."""
    if len(text) > MOST_CHARACTERS:
        raise WordsError(f"look for less at once: at most {MOST_CHARACTERS} characters")
    found: dict[tuple[tuple[str, ...], bool], Term] = {}
    for match in _TERM.finditer(text):
        typed = match["word"] if match["phrase"] is None else match["phrase"] + match["open"]
        term = _term(typed)
        if term is not None:
            found.setdefault((term.tokens, term.open), term)
    if not found:
        raise WordsError('write what to look for: a word, a "phrase", or the beginning of a word and *')
    if len(found) > _MOST_TERMS:
        raise WordsError(f"look for less at once: at most {_MOST_TERMS} words")
    return tuple(found.values())


def _term(typed: str) -> Term | None:
    shape = folded(composed(typed))
    parts = tuple(part.encode()[:_MOST_TOKEN_BYTES].decode(errors="ignore") for part in tokens(shape).split())
    if not parts:
        return None
    opens = typed.endswith("*") and len(typed) > 1 and not shape[-2:].isspace()
    return Term(typed, parts, opens, _pattern(parts, opens))


def _pattern(parts: tuple[str, ...], opens: bool) -> re.Pattern[str]:
    """Finds the tokens one after the other in folded text, where words begin and end."""
    written = "" if _is_solid(parts[0][0]) else rf"(?<![^ {_SOLID}])"
    before = ""
    for part in parts:
        if before:
            written += " *" if _is_solid(before) or _is_solid(part[0]) else " +"
        written += re.escape(part)
        before = part[-1]
    if not opens and not _is_solid(before):
        written += rf"(?![^ {_SOLID}])"
    return re.compile(written)


def _is_solid(character: str) -> bool:
    return _SOLID_CHARACTER.match(character) is not None
