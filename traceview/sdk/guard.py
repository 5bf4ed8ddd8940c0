"""Keeps every error of ours out of the user's program: said once per kind to the logger `traceview`, never raised."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

_P = ParamSpec("_P")

# Without a handler of its own the logger would print to stderr (logging.lastResort) where no logging was set up.
log: Final = logging.getLogger("traceview")
log.addHandler(logging.NullHandler())

_MOST_KINDS: Final = 100
_told: set[str] = set()


def say_once(kind: str, message: str, *details: object) -> None:
    """Warns on the logger `traceview`, the first time this kind of trouble is met. Never raises."""
    if kind in _told or len(_told) >= _MOST_KINDS:
        return
    _told.add(kind)
    try:
        log.warning(message, *details)
    except Exception:  # noqa: S110 - a handler of the user's program that fails must not fail the program
        pass


def report(place: str, error: BaseException) -> None:
    """Says once per place and type that something of ours failed; the traceback goes with it. Never raises."""
    kind = f"{place}:{type(error).__name__}"
    if kind in _told or len(_told) >= _MOST_KINDS:
        return
    _told.add(kind)
    try:
        log.warning("traceview could not record something (%s); said once", place, exc_info=error)
    except Exception:  # noqa: S110 - see above
        pass


def guarded(function: Callable[_P, None]) -> Callable[_P, None]:
    """A function of ours that the program calls for its effect: whatever goes wrong in it is reported, not raised."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            report(function.__qualname__, error)

    return call
