"""The current span across threads, processes and machines: W3C `traceparent` in headers, and wrapped executors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from traceview.sdk.guard import report
from traceview.sdk.span import RemoteSpan, Span, current, inherited_parent
from traceview.sdk.w3c import write_traceparent, write_tracestate

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Carrier = TypeVar("_Carrier", bound=MutableMapping[str, str])


@overload
def inject() -> dict[str, str]: ...
@overload
def inject(carrier: _Carrier) -> _Carrier: ...
def inject(carrier: Any = None) -> Any:
    """Writes the current span into headers (`traceparent`) and returns them; without a span they stay as they are.

    `inject(os.environ)` writes TRACEPARENT, under which a child process that uses traceview goes on with this trace.
    """
    carrier = {} if carrier is None else carrier
    try:
        here = current.get() or inherited_parent
        if here is not None and here.span_id:
            parent, state = ("traceparent", "tracestate")
            if isinstance(carrier, os._Environ):
                parent, state = parent.upper(), state.upper()
            carrier[parent] = write_traceparent(here.trace_id, here.span_id, left_out=here._left_out)
            if here._left_out:
                carrier[state] = write_tracestate(carrier.get(state))
    except Exception as error:
        report("inject", error)
    return carrier


def extract(carrier: Mapping[str, str]) -> AbstractContextManager[Span | None]:
    """`with tv.extract(headers):` spans opened in it are children of the span that `inject` wrote elsewhere.

    Headers without a valid `traceparent` change nothing. The case of names does not matter, so an environment will do.
    """
    try:
        found = RemoteSpan.in_headers(carrier)
    except Exception as error:
        report("extract", error)
        found = None
    return found or nullcontext(current.get())


@overload
def wrap(target: Executor) -> Executor: ...
@overload
def wrap(target: Callable[_P, _R]) -> Callable[_P, _R]: ...
def wrap(target: Any) -> Any:
    """Lets work in other threads and processes go on under the span that is current where it was handed over.

    `tv.wrap(pool)` is an executor like `pool` whose tasks carry the context of the moment they were submitted. A
    function is bound to the context of this moment: `Thread(target=tv.wrap(work))`. (asyncio needs no help.)
    """
    if isinstance(target, Executor):
        return _ProcessExecutor(target) if _is_process_pool(target) else _ContextExecutor(target)
    return _bound(target)


def _is_process_pool(pool: Executor) -> bool:
    # Whoever has a process pool has imported its module; for all others multiprocessing stays unloaded.
    module = sys.modules.get("concurrent.futures.process")
    return module is not None and isinstance(pool, module.ProcessPoolExecutor)


def _bound(function: Callable[_P, _R]) -> Callable[_P, _R]:
    context = copy_context()

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        # A context can be entered only once at a time, and several threads may run us.
        return context.copy().run(function, *args, **kwargs)

    return call


class _ContextExecutor(Executor):
    """Submits to another executor, each task in a copy of the submitter's context."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def submit(self, fn: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_R]:
        """As `Executor.submit`."""
        return self._pool.submit(self._carrying(fn), *args, **kwargs)

    def map(self, fn: Callable[..., Any], *iterables: Any, timeout: float | None = None, chunksize: int = 1) -> Any:
        """As `Executor.map`."""
        return self._pool.map(self._carrying(fn), *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`; it is the wrapped executor that shuts down."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def _carrying(self, fn: Callable[_P, _R]) -> Callable[_P, _R]:
        return _bound(fn)


class _ProcessExecutor(_ContextExecutor):
    """The same for processes, where a context can't go: the span goes as a header."""

    def _carrying(self, fn: Callable[_P, _R]) -> Callable[_P, _R]:
        return partial(run_under, inject(), fn)


def run_under(headers: dict[str, str], function: Callable[..., _R], *args: Any, **kwargs: Any) -> _R:
    """Calls a function under the span that the headers name."""
    with extract(headers):
        return function(*args, **kwargs)
