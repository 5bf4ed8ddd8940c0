"""traceview: a debugger for AI agents, LLM apps and decision pipelines. This is its SDK, and nothing else.

    import traceview as tv

    with tv.trace("support-agent", session="s-42"):
        with tv.span("search", kind="tool", input=query) as s:
            s.set_output(search(query))

It never raises into the program and never blocks it. With TRACEVIEW_DISABLED=1 in the environment, read when the SDK is
first used, it does nothing. Where traces go is said by TRACEVIEW_HOME or TRACEVIEW_ENDPOINT, as for the daemon.
"""

import os
import sys
from _thread import RLock

# Importing typing to say this would cost more than all the rest of this module.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from traceview.sdk.face import (
        Span,
        configure,
        current_span,
        extract,
        flush,
        inject,
        log,
        span,
        start_span,
        state,
        trace,
        traced,
        wrap,
    )

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


# A module that another thread has half imported at a fork stays so in the child: whoever needs it there waits for ever.
_loading = RLock()


def _before_fork() -> None:
    _loading.acquire(timeout=2)
    # Its own hook is too late where another thread has loaded it since the fork began.
    recorder = sys.modules.get("traceview.sdk.recorder")
    if recorder is not None:
        recorder.suspend()


def _after_fork_in_parent() -> None:
    try:
        _loading.release()
    except RuntimeError:
        pass  # it could not be had in time


def _after_fork_in_child() -> None:
    global _loading
    _loading = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


if not TYPE_CHECKING:

    def __getattr__(name):
        # msgspec alone takes longer to import than `import traceview` may, so the SDK is loaded on first use.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with _loading:
            if os.environ.get("TRACEVIEW_DISABLED", "").lower() in ("", "0", "false"):
                from traceview.sdk import face
            else:
                from traceview.sdk import disabled as face
            globals().update({name: getattr(face, name) for name in __all__})
        return globals()[name]

    def __dir__():
        return sorted({*globals(), *__all__})
