"""The decorator `tv.traced`: a span for every call of a function, of whichever of the four sorts it is."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import wraps
from typing import Any, TypeVar, overload

import msgspec

from traceview.sdk.collected import Collected
from traceview.sdk.guard import guarded, report
from traceview.sdk.span import Span, current

_F = TypeVar("_F", bound=Callable[..., Any])


class _Plan(msgspec.Struct, frozen=True):
    """How the calls of one function are recorded."""

    function: Callable[..., Any]
    name: str
    kind: str | None
    parameters: tuple[str, ...]
    rest: str | None
    record_input: bool
    record_output: bool

    def span(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
        """The span of one call."""
        return Span(self.name, self.kind, self._bound(args, kwargs) if self.record_input else None)

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, without self or cls. inspect's own bind() takes ten times as long."""
        bound = dict(zip(self.parameters, args, strict=False))
        if self.rest is not None and len(args) > len(self.parameters):
            bound[self.rest] = args[len(self.parameters) :]
        for own in ("self", "cls"):
            if self.parameters[:1] == (own,):
                bound.pop(own, None)
        return bound | kwargs


@overload
def traced(function: _F, /) -> _F: ...
@overload
def traced(
    name: str | None = None,
    /,
    *,
    kind: str | None = None,
    record_input: bool = True,
    record_output: bool = True,
) -> Callable[[_F], _F]: ...
def traced(
    function: Any = None,
    /,
    *,
    kind: str | None = None,
    record_input: bool = True,
    record_output: bool = True,
) -> Any:
    """A span for every call: `@tv.traced`, `@tv.traced(kind="tool")` or `@tv.traced("search", kind="tool")`.

    For sync and async functions, and for sync and async generators, whose span lives from the first item to the last
    and whose output is what they yielded. Input are the arguments by name, without self or cls.
    """

    def decorate(decorated: Any) -> Any:
        try:
            given = function if isinstance(function, str) else None
            return _decorated(decorated, given, kind, record_input, record_output)
        except Exception as error:
            report("traced", error)
            return decorated

    return decorate if function is None or isinstance(function, str) else decorate(function)


def _decorated(function: Any, name: str | None, kind: str | None, with_input: bool, with_output: bool) -> Any:
    if isinstance(function, classmethod | staticmethod):
        return type(function)(_decorated(function.__func__, name, kind, with_input, with_output))
    if isinstance(function, type):
        raise TypeError("traced is for functions; decorate the methods of a class")
    parameters = inspect.signature(function).parameters.values()
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    plan = _Plan(
        function,
        name or _name_of(function),
        kind,
        tuple(p.name for p in parameters if p.kind in by_place),
        next((p.name for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL), None),
        with_input,
        with_output,
    )
    if inspect.isasyncgenfunction(function):
        return _async_generator(plan)
    if inspect.isgeneratorfunction(function):
        return _generator(plan)
    return _coroutine(plan) if inspect.iscoroutinefunction(function) else _function(plan)


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]


def _function(plan: _Plan) -> Callable[..., Any]:
    @wraps(plan.function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with plan.span(args, kwargs) as span:
            result = plan.function(*args, **kwargs)
            if plan.record_output:
                span.set_output(result)
            return result

    return call


def _coroutine(plan: _Plan) -> Callable[..., Any]:
    @wraps(plan.function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        with plan.span(args, kwargs) as span:
            result = await plan.function(*args, **kwargs)
            if plan.record_output:
                span.set_output(result)
            return result

    return call


class _Step:
    """Around each step of a generator: its own current span inside, the consumer's outside.

    Without it a span opened in the body would stay current while the consumer runs between two items.
    """

    def __init__(self, span: Span) -> None:
        self._inside: Span | None = span
        self._outside: Span | None = None

    def __enter__(self) -> None:
        self._outside = current.get()
        current.set(self._inside)

    def __exit__(self, *error: object) -> None:
        self._inside = current.get()
        current.set(self._outside)


class _Run:
    """One consumption of a traced generator: its span, its steps, what it yielded."""

    def __init__(self, plan: _Plan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._plan = plan
        self.span = plan.span(args, kwargs)
        self.span.start()
        self.step = _Step(self.span)
        self._collected = Collected()

    @guarded
    def yielded(self, item: Any) -> None:
        """The generator gave an item."""
        if self._plan.record_output:
            self._collected.add(item)

    @guarded
    def finish(self, error: BaseException | None = None, returned: Any = None) -> None:
        """The generator is done, by an exception or by returning."""
        if self._plan.record_output:
            output = self._collected.output()
            if returned is not None:
                output = returned if output is None else {"yielded": output, "returned": returned}
            self.span.set_output(output)
            counts: dict[str, Any] = {"traceview.items": self._collected.count}
            if self._collected.is_cut:
                counts["traceview.items_cut"] = True
            self.span.set_attributes(counts)
        self.span.__exit__(type(error) if error else None, error, None)


def _generator(plan: _Plan) -> Callable[..., Any]:
    @wraps(plan.function)
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        run = _Run(plan, args, kwargs)
        try:
            result = yield from _relay(plan.function(*args, **kwargs), run)
        except BaseException as error:
            run.finish(error)
            raise
        run.finish(returned=result)
        return result

    return call


def _relay(generator: Generator[Any, Any, Any], run: _Run) -> Generator[Any, Any, Any]:
    """`yield from`, with each step inside `run.step`."""
    advance: Callable[[], Any] = lambda: next(generator)  # noqa: E731
    while True:
        try:
            with run.step:
                item = advance()
        except StopIteration as stop:
            return stop.value
        run.yielded(item)
        try:
            sent = yield item
        except GeneratorExit:
            with run.step:
                generator.close()
            raise
        except BaseException as error:
            advance = _throwing(generator, error)
        else:
            advance = _sending(generator, sent)


def _throwing(generator: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: generator.throw(error)


def _sending(generator: Generator[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: generator.send(value)


def _async_generator(plan: _Plan) -> Callable[..., Any]:
    @wraps(plan.function)
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        run = _Run(plan, args, kwargs)
        generator: AsyncGenerator[Any, Any] = plan.function(*args, **kwargs)
        pending = generator.__anext__()
        try:
            while True:
                try:
                    with run.step:
                        item = await pending
                except StopAsyncIteration:
                    break
                run.yielded(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    with run.step:
                        await generator.aclose()
                    raise
                except BaseException as error:
                    pending = generator.athrow(error)
                else:
                    pending = generator.asend(sent)
        except BaseException as error:
            run.finish(error)
            raise
        run.finish()

    return call
