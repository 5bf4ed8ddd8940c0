"""`tv.traced`: a span for every call, on every sort of function, and the function stays what it was."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

import traceview as tv
from traceview.protocol.records import Status
from traceview.sdk import collected as bounds
from traceview.testing import Captured, capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


@tv.traced(kind="tool")
def search(query: str, *more: str, limit: int = 10, **options: Any) -> list[str]:
    """Finds."""
    return [query]


@tv.traced
async def fetch(url: str) -> str:
    await asyncio.sleep(0)
    return f"<{url}>"


@tv.traced
def count(n: int) -> Iterator[int]:
    for i in range(n):
        with tv.span("step"):
            yield i


@tv.traced
async def stream(words: list[str]) -> AsyncIterator[str]:
    for word in words:
        await asyncio.sleep(0)
        with tv.span("step"):
            yield word


class Agent:
    @tv.traced
    def plan(self, goal: str) -> str:
        return goal

    @tv.traced
    @classmethod
    def make(cls, name: str) -> str:
        return name

    @classmethod
    @tv.traced
    def build(cls, name: str) -> str:
        return name

    @tv.traced("a static one", kind="chain")
    @staticmethod
    def helper(self: int) -> int:
        return self


def test_the_function_stays_what_it_was() -> None:
    assert (search.__name__, search.__doc__) == ("search", "Finds.")
    assert str(inspect.signature(fetch)).startswith("(url: 'str')")
    assert inspect.iscoroutinefunction(fetch)
    assert inspect.isgeneratorfunction(count)
    assert inspect.isasyncgenfunction(stream)


def test_input_is_the_arguments_by_name_and_output_the_result(captured: Captured) -> None:
    assert search("q", "r", "s", limit=3, deep=True) == ["q"]
    span = captured.span("search")
    assert span.kind == "tool"
    assert span.input == {"query": "q", "more": ["r", "s"], "limit": 3, "deep": True}
    assert span.output == ["q"]


def test_methods_are_recorded_without_self_and_cls(captured: Captured) -> None:
    agent = Agent()
    assert (agent.plan("g"), Agent.make("m"), agent.build(name="b")) == ("g", "m", "b")
    assert [(s.name, s.input) for s in captured.spans] == [
        ("Agent.plan", {"goal": "g"}),
        ("Agent.make", {"name": "m"}),
        ("Agent.build", {"name": "b"}),
    ]


def test_a_name_can_be_given(captured: Captured) -> None:
    assert Agent.helper(5) == 5
    assert (captured.spans[0].name, captured.spans[0].kind) == ("a static one", "chain")


def test_input_and_output_can_be_left_out(captured: Captured) -> None:
    @tv.traced(record_input=False, record_output=False)
    def secret(password: str) -> str:
        return password

    @tv.traced(record_output=False)
    def secrets() -> Iterator[str]:
        yield "s"

    secret("p")
    list(secrets())
    assert all((s.input or {}, s.output, s.attributes) == ({}, None, {}) for s in captured.spans)
    assert [s.name for s in captured.spans] == ["secret", "secrets"]


def test_a_coroutine_is_one_span_and_what_it_calls_lies_under_it(captured: Captured) -> None:
    @tv.traced
    async def outer() -> list[str]:
        return await asyncio.gather(fetch("a"), fetch("b"))

    assert asyncio.run(outer()) == ["<a>", "<b>"]
    root = captured.span("outer")
    assert [s.output for s in captured.children(root)] == ["<a>", "<b>"]


@pytest.mark.parametrize("function", [search, fetch])
def test_exceptions_leave_untouched(captured: Captured, function: Any) -> None:
    trouble = ValueError("boom")

    @tv.traced
    def fail() -> None:
        raise trouble

    @tv.traced
    async def fail_later() -> None:
        raise trouble

    with pytest.raises(ValueError) as caught:
        fail() if function is search else asyncio.run(fail_later())
    assert caught.value is trouble
    assert captured.spans[0].status is Status.ERROR


def test_wrong_arguments_raise_what_they_always_did(captured: Captured) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'query'"):
        search()
    assert captured.span("search").status is Status.ERROR


def test_a_generator_is_a_span_while_it_is_consumed(captured: Captured) -> None:
    with tv.span("consumer") as consumer:
        numbers = count(2)
        assert captured.children(captured.span("consumer")) == ()
        for number in numbers:
            assert tv.current_span() is consumer
            with tv.span(f"use {number}"):
                pass
    made = captured.span("count")
    assert (made.input, made.output, made.attributes) == ({"n": 2}, [0, 1], {"traceview.items": 2})
    assert [s.name for s in captured.children(made)] == ["step", "step"]
    assert [s.name for s in captured.children(captured.span("consumer"))] == ["count", "use 0", "use 1"]


def test_an_async_generator_is_a_span_while_it_is_consumed(captured: Captured) -> None:
    async def consume() -> None:
        with tv.span("consumer") as consumer:
            async for word in stream(["to", "ken"]):
                assert tv.current_span() is consumer
                with tv.span(f"use {word}"):
                    pass

    asyncio.run(consume())
    made = captured.span("stream")
    assert (made.output, made.attributes) == ("token", {"traceview.items": 2})
    assert [s.name for s in captured.children(made)] == ["step", "step"]
    assert [s.name for s in captured.children(captured.span("consumer"))] == ["stream", "use to", "use ken"]


def test_a_generator_left_half_way_is_closed_and_no_error(captured: Captured) -> None:
    for _ in count(5):
        break

    async def take_one() -> str:
        words = stream(["a", "b"])
        word = await anext(words)
        await words.aclose()
        return word

    assert asyncio.run(take_one()) == "a"
    for name in ("count", "stream"):
        span = captured.span(name)
        assert (span.status, span.attributes["traceview.ended_by"]) == (Status.OK, "closed")
        assert span.attributes["traceview.items"] == 1
    assert all(s.end_ns for s in captured.spans)


@tv.traced
def echo() -> Generator[Any, Any, str]:
    received = []
    while len(received) < 3:
        try:
            received.append((yield len(received)))
        except KeyError as error:
            received.append(error)
    return "done"


@tv.traced
async def echo_later() -> Any:
    received = []
    while len(received) < 3:
        try:
            received.append((yield len(received)))
        except KeyError as error:
            received.append(error)


def test_send_throw_and_the_return_value_of_a_generator_go_through(captured: Captured) -> None:
    generator = echo()
    assert next(generator) == 0
    assert generator.send("a") == 1
    assert generator.throw(KeyError("k")) == 2
    with pytest.raises(StopIteration) as stopped:
        generator.send("c")
    assert stopped.value.value == "done"
    assert captured.span("echo").output == {"yielded": [0, 1, 2], "returned": "done"}


def test_asend_and_athrow_go_through(captured: Captured) -> None:
    async def drive() -> None:
        generator = echo_later()
        assert await anext(generator) == 0
        assert await generator.asend("a") == 1
        assert await generator.athrow(KeyError("k")) == 2
        with pytest.raises(StopAsyncIteration):
            await generator.asend("c")

    asyncio.run(drive())
    assert captured.span("echo_later").output == [0, 1, 2]


def test_what_a_generator_returns_without_yielding_is_its_output(captured: Captured) -> None:
    @tv.traced
    def nothing() -> Generator[int, None, str]:
        return "only this"
        yield 0

    assert list(nothing()) == []
    assert captured.span("nothing").output == "only this"


def test_errors_inside_generators_are_recorded(captured: Captured) -> None:
    trouble = ValueError("boom")

    @tv.traced
    def fail() -> Iterator[int]:
        yield 1
        raise trouble

    @tv.traced
    async def fail_later() -> AsyncIterator[int]:
        yield 1
        raise trouble

    async def consume() -> None:
        async for _ in fail_later():
            pass

    for run in (lambda: list(fail()), lambda: asyncio.run(consume())):
        with pytest.raises(ValueError) as caught:
            run()
        assert caught.value is trouble
    assert [(s.status, s.output) for s in captured.spans] == [(Status.ERROR, [1])] * 2


def test_a_cancelled_stream_is_marked(captured: Captured) -> None:
    @tv.traced
    async def wait() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in wait():
            asyncio.current_task().cancel()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(consume())
    assert captured.span("wait").attributes["traceview.ended_by"] == "cancelled"


def test_the_output_of_a_long_stream_is_bounded(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_ITEMS", 3)
    assert sum(1 for _ in count(5)) == 5
    found = captured.span("count")
    assert found.output == [0, 1, 2]
    assert found.attributes == {"traceview.items": 5, "traceview.items_cut": True}


def test_big_items_are_bounded_too(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_BYTES", 5)

    @tv.traced
    def chunks() -> Iterator[Any]:
        yield "abc"
        yield [1, 2, 3]
        yield "never kept"

    list(chunks())
    assert captured.span("chunks").output == ["abc", [1, 2, 3]]


def test_items_are_snapshots(captured: Captured) -> None:
    @tv.traced
    def growing() -> Iterator[list[int]]:
        items: list[int] = []
        for i in range(2):
            items.append(i)
            yield items

    list(growing())
    assert captured.span("growing").output == [[0], [0, 1]]


def test_other_callables_can_be_traced(captured: Captured) -> None:
    class Callable:
        def __call__(self, x: int) -> int:
            return x

    assert tv.traced(Callable())(3) == 3
    assert tv.traced("half", kind="tool")(functools.partial(search, "q"))(limit=1) == ["q"]
    assert [s.name for s in captured.spans][1:] == ["half", "search"]


@pytest.mark.expects_log
def test_what_cannot_be_traced_is_left_as_it_is(captured: Captured) -> None:
    class Thing:
        pass

    assert tv.traced(Thing) is Thing
    assert tv.traced(7) == 7


def test_arguments_that_cannot_be_named_do_no_harm(captured: Captured) -> None:
    @tv.traced
    def positional(a: int, /, *, b: int) -> int:
        return a + b

    assert positional(1, b=2) == 3
    assert captured.span(positional.__qualname__.rpartition("<locals>.")[2]).input == {"a": 1, "b": 2}
