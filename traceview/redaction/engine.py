"""Regular expressions in linear time: RE2 where it is installed (`google-re2`), else the standard library's `re`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol


class PatternError(ValueError):
    """The text is not a regular expression in RE2's syntax; the message says why."""


class Found(Protocol):
    """One match, as `re.Match` and RE2's."""

    string: str

    def start(self, group: int | str = 0, /) -> int: ...
    def end(self, group: int | str = 0, /) -> int: ...
    def span(self, group: int | str = 0, /) -> tuple[int, int]: ...


class Pattern(Protocol):
    """A compiled pattern, as `re.Pattern` and RE2's. RE2's matches know their groups by number only."""

    @property
    def groupindex(self) -> Mapping[str, int]: ...
    def finditer(self, text: Any) -> Iterator[Any]: ...
    def search(self, text: Any, pos: int = 0) -> Any: ...


def compile_pattern(pattern: str) -> Pattern:
    """Compiles for text; raises PatternError."""
    engine = _re2()
    try:
        return re.compile(pattern) if engine is None else _compile_linear(engine, pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(str(error)) from error


def _compile_linear(engine: Any, pattern: str) -> Pattern:
    options = engine.Options()
    options.log_errors = False  # it would write to stderr what the exception says
    try:
        compiled: Pattern = engine.compile(pattern, options)
    except engine.error as error:
        raise PatternError(error.args[0].decode("utf-8", "replace")) from error
    return compiled


class Scan:
    """A pattern looked for in encoded records, where text lies between bytes that are not text."""

    def __init__(self, pattern: str) -> None:
        self._search: Callable[..., Any] = compile_pattern(pattern).search
        self.linear = is_linear()

    def found_in(self, raw: bytes | memoryview) -> bool:
        """Whether it is anywhere in there."""
        if self.linear:
            return self._search(raw) is not None
        # What is no UTF-8 ends before the next ASCII byte, so that the texts between it come out whole.
        return self._search(str(raw, "utf-8", "replace")) is not None

    def first_from(self, raw: bytes | memoryview, start: int) -> int:
        """Where it first is from `start` on, the length if nowhere. For `linear` scans only."""
        match = self._search(raw, start)
        return len(raw) if match is None else int(match.start())


def is_linear() -> bool:
    """Whether it is RE2, whose patterns also take UTF-8."""
    return _re2() is not None


def _re2() -> Any:
    try:
        import re2
    except ImportError:
        return None
    return re2
