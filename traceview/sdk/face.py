"""All that `import traceview` offers, gathered; loaded when the program first asks for any of it."""

from traceview.sdk.propagation import extract, inject, wrap
from traceview.sdk.settings import configure, configure_by_environment
from traceview.sdk.span import Span
from traceview.sdk.traced import traced
from traceview.sdk.tracing import current_span, flush, log, span, start_span, state, trace

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

configure_by_environment()
