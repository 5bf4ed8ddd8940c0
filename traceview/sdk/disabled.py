"""The same face with `TRACEVIEW_DISABLED=1`: nothing is recorded, started or changed, and nothing else is imported."""

from __future__ import annotations

from typing import Any

__all__ = [
    "Span",
    "configure",
    "current_span",
    "extract",
    "flush",
    "inject",
    "log",
    "span",
    "start_span",
    "state",
    "trace",
    "traced",
    "wrap",
]


def _nothing(*_: Any, **__: Any) -> None:
    return None


class Span:
    """A span that records nothing; there is only one."""

    __slots__ = ()

    name = ""
    trace_id = span_id = b""
    parent_id = None

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    start = end = _nothing
    set_input = set_output = set_reasoning = set_llm = _nothing
    set_attribute = set_attributes = add_event = add_link = add_evaluation = add_candidate = _nothing
    set_status = set_error = record_exception = update_trace = _nothing


_SPAN = Span()


def span(*_: Any, **__: Any) -> Span:
    """The span that records nothing."""
    return _SPAN


trace = start_span = span
configure = log = state = current_span = _nothing


def traced(function: Any = None, /, **_: Any) -> Any:
    """The function itself, or a decorator that gives it back."""
    return (lambda decorated: decorated) if function is None or isinstance(function, str) else function


def flush(timeout: float = 5.0) -> bool:
    """True: there is nothing to store."""
    return True


def inject(carrier: Any = None) -> Any:
    """The headers as they are."""
    return {} if carrier is None else carrier


def extract(carrier: Any) -> Span:
    """A context manager that does nothing."""
    return _SPAN


def wrap(target: Any) -> Any:
    """The executor or function itself."""
    return target
