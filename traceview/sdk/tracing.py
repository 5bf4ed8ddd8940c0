"""The verbs on the current trace and span: open one, log, tell the state, flush."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traceview.protocol.records import LOG_EVENT, STATE_EVENT
from traceview.sdk import recorder
from traceview.sdk.given import trace_info
from traceview.sdk.guard import guarded, report
from traceview.sdk.span import NO_PARENT, Span, current, inherited_parent


def trace(
    name: str,
    *,
    session: str | None = None,
    user: str | None = None,
    project: str | None = None,
    tags: Any = (),
    metadata: Mapping[str, Any] | None = None,
    input: Any = None,
    kind: str | None = "agent",
    new: bool = False,
) -> Span:
    """A run: `with tv.trace("support-agent", session="s-42") as run:` opens a trace and its root span.

    Inside an open span (or under `tv.extract`) it is a span of that trace, and what it says of the trace (session, user
    …, not its name) is added to it; with `new=True` it begins a trace of its own all the same.
    """
    try:
        nested = not new and (current.get() or inherited_parent) is not None
        info = trace_info(None if nested else name, session, user, project, tags, metadata)
        return Span(name, kind, input, trace=info, parent=NO_PARENT if new else None)
    except Exception as error:
        report("trace", error)
        return Span(name, kind, input)


def span(name: str, *, kind: str | None = None, input: Any = None, attributes: Mapping[str, Any] | None = None) -> Span:
    """A step: `with tv.span("search", kind="tool", input=query) as s:`, a child of the current span.

    `kind` is one of OpenInference's in lower case (agent, chain, llm, tool, retriever, reranker, embedding, guardrail,
    evaluator, prompt). Without an open span it begins a trace of its own.
    """
    return Span(name, kind, input, attributes)


def start_span(
    name: str,
    *,
    kind: str | None = None,
    input: Any = None,
    attributes: Mapping[str, Any] | None = None,
    parent: Span | None = None,
) -> Span:
    """A span opened now, to be closed by `end()`, for what a `with` can't enclose. It does not become the current span.

    Its parent is the current span unless another is given. `with` on it makes it current and ends it.
    """
    opened = Span(name, kind, input, attributes, parent=parent)
    try:
        opened.start()
    except Exception as error:
        report("start_span", error)
    return opened


def current_span() -> Span | None:
    """The innermost span that is open here; None outside of any."""
    return current.get()


@guarded
def log(message: str, level: str = "info", source: str | None = None, **attributes: Any) -> None:
    """A line of log on the current span (outside of any, a trace of its own)."""
    said = {"message": message, "level": level, "source": source, **attributes}
    _add_event("log", LOG_EVENT, {key: value for key, value in said.items() if value is not None})


@guarded
def state(**keys: Any) -> None:
    """The AI agent's state as of now, key by key: `tv.state(memory=…, context=…)`. A key not given keeps its value.

    A key given replaces what was said of it before; replay folds these calls into the state as of every step.
    """
    _add_event("state", STATE_EVENT, keys)


def flush(timeout: float = 5.0) -> bool:
    """Waits until the daemon has stored all that was recorded; False if that takes longer than `timeout` seconds."""
    try:
        return recorder.flush(timeout)
    except Exception as error:
        report("flush", error)
        return False


def _add_event(name: str, event: str, attributes: dict[str, Any]) -> None:
    here = current.get() or inherited_parent
    if here is not None:
        here._add_now(event, attributes)
        return
    # Nothing is open: what is said is kept all the same, in a trace of one moment.
    with Span(name) as alone:
        alone._add_now(event, attributes)
