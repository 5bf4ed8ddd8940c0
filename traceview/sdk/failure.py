"""What an exception that leaves a span means for it: an error, a cancellation, or an ordinary end."""

from __future__ import annotations

import traceback
from typing import Any, Final

import msgspec

from traceview.protocol.records import EXCEPTION_EVENT, Event, Status
from traceview.sdk.snapshot import text

ENDED_BY: Final = "traceview.ended_by"

# Exceptions by which a span ends without having failed, and the word that marks the span.
_NO_ERRORS: Final = {
    ("builtins", "GeneratorExit"): "closed",
    ("builtins", "StopIteration"): "exhausted",
    ("builtins", "StopAsyncIteration"): "exhausted",
    ("asyncio.exceptions", "CancelledError"): "cancelled",
    ("concurrent.futures._base", "CancelledError"): "cancelled",
    ("trio", "Cancelled"): "cancelled",
}


class Ending(msgspec.Struct, frozen=True):
    """How a span ends by an exception."""

    status: Status
    message: str | None = None
    attributes: dict[str, Any] = {}
    events: tuple[Event, ...] = ()


def judge(error: BaseException, now_ns: int) -> Ending:
    """The ending of a span that this exception leaves.

    Cancelled tasks, closed generators, exhausted iterators and exits with code 0 are no errors: the attribute
    `traceview.ended_by` marks them. All others are recorded as OpenTelemetry's event `exception`.
    """
    word = _word_of_no_error(error)
    if word is not None:
        return Ending(Status.OK, attributes={ENDED_BY: word})
    return Ending(Status.ERROR, message_of(error), events=(exception_event(error, now_ns, escaped=True),))


def message_of(error: BaseException) -> str:
    """One line for the status: the type's name and what it says."""
    said = _said(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def exception_event(
    error: BaseException, now_ns: int, *, escaped: bool, attributes: dict[str, Any] | None = None
) -> Event:
    """The event of an exception (https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/)."""
    kind = type(error)
    said = {
        "exception.type": kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}",
        "exception.message": _said(error),
        "exception.stacktrace": _stacktrace(error),
        "exception.escaped": escaped,
    }
    return Event(now_ns, EXCEPTION_EVENT, said | (attributes or {}))


def _word_of_no_error(error: BaseException) -> str | None:
    if isinstance(error, SystemExit):
        return "exit" if error.code in (None, 0) else None
    # By name: importing asyncio or trio only to compare would be dear.
    words = (_NO_ERRORS.get((kind.__module__, kind.__name__)) for kind in type(error).__mro__)
    return next((word for word in words if word), None)


def _said(error: BaseException) -> str:
    try:
        return text(str(error))
    except Exception:
        return text(error)


def _stacktrace(error: BaseException) -> str:
    try:
        return text("".join(traceback.format_exception(error)))
    except Exception as problem:
        return f"<the traceback can't be formatted: {type(problem).__name__}>"
