"""What a program records with spans, as the daemon would read it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

import traceview as tv
from traceview.protocol.records import Status, TraceInfo
from traceview.testing import Captured, capture


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def test_a_trace_is_a_root_span_that_tells_of_the_whole(captured: Captured) -> None:
    with tv.trace("run", session="s", user="u", project="p", tags=["a", "b"], metadata={"k": 1}, input="hi") as run:
        assert tv.current_span() is run
    (root,) = captured.spans
    assert (root.name, root.kind, root.input, root.parent_id) == ("run", "agent", "hi", None)
    assert root.trace == TraceInfo("run", "s", "u", "p", ("a", "b"), {"k": 1})
    assert (len(root.trace_id), len(root.span_id)) == (16, 8)
    assert root.status is Status.OK
    assert root.end_ns >= root.start_ns > 0
    assert tv.current_span() is None


def test_spans_nest_and_share_the_trace(captured: Captured) -> None:
    with tv.trace("run"), tv.span("outer", kind="tool"), tv.span("inner"):
        pass
    run, outer, inner = captured.spans
    assert captured.children(run) == (outer,)
    assert captured.children(outer) == (inner,)
    assert run.trace_id == outer.trace_id == inner.trace_id
    assert (outer.kind, inner.kind) == ("tool", None)
    assert inner.trace is None


def test_a_span_without_a_trace_begins_one_under_its_own_name(captured: Captured) -> None:
    with tv.span("alone"):
        pass
    with tv.span("other"):
        pass
    alone, other = captured.spans
    assert alone.parent_id is None
    assert alone.trace == TraceInfo(name="alone")
    assert alone.trace_id != other.trace_id


def test_a_trace_inside_a_trace_is_a_span_of_it_unless_a_new_one_is_asked_for(captured: Captured) -> None:
    with tv.trace("outer") as outer:
        with tv.trace("nested", user="u") as nested:
            pass
        with tv.trace("apart", new=True) as apart:
            pass
    assert nested.parent_id == outer.span_id
    assert captured.span("nested").trace == TraceInfo(user="u")
    assert apart.trace_id != outer.trace_id
    assert captured.span("apart").parent_id is None


def test_everything_recorded_is_written_at_once(captured: Captured) -> None:
    with tv.span("live", input=1) as span:
        assert [part.status for part in captured.parts] == [Status.RUNNING]
        span.set_output(2)
        assert captured.parts[1].output == 2
        assert captured.parts[1].end_ns is None


def test_what_is_recorded_is_a_snapshot(captured: Captured) -> None:
    messages = [{"role": "user"}]
    with tv.span("s", input=messages):
        messages.append({"role": "late"})
    assert captured.span("s").input == [{"role": "user"}]


def test_a_model_call_is_told_in_the_names_of_the_genai_conventions(captured: Captured) -> None:
    with tv.span("llm", kind="llm") as span:
        span.set_llm(
            model="gpt-4o",
            provider="openai",
            input_tokens=812,
            output_tokens=90,
            cache_read_tokens=700,
            cache_write_tokens=5,
            reasoning_tokens=20,
            temperature=0.2,
            cost_usd=0.01,
            finish_reason="stop",
            response_model="gpt-4o-2024",
            max_tokens=100,
        )
        span.set_llm(finish_reason=["stop", "length"], top_p=None)
    assert captured.span("llm").attributes == {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 812,
        "gen_ai.usage.output_tokens": 90,
        "gen_ai.usage.cache_read.input_tokens": 700,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.usage.cost": 0.01,
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.request.max_tokens": 100,
    }


def test_everything_that_can_be_said_of_a_span_arrives(captured: Captured) -> None:
    with tv.span("target") as target:
        headers = tv.inject()
    with tv.span("s", attributes={"a": 1}) as span:
        span.set_input("in")
        span.set_output("out")
        span.set_reasoning("because")
        span.set_attribute("b", [1])
        span.set_attributes({"c": 2, "a": 3})
        span.add_event("tick", {"n": 1})
        span.add_link(target, {"why": "same"})
        span.add_link(headers)
        span.add_link({})
        span.add_evaluation(item_id="p1", item={"x": 1}, filters=[{"name": "f", "passed": True}], qualified=False)
        span.add_candidate(item_id="p1", score=0.9, rank=1, reasoning="best")
        span.update_trace(name="renamed", tags=["t"])
    found = captured.span("s")
    assert (found.input, found.output, found.reasoning) == ("in", "out", "because")
    assert found.attributes == {"a": 3, "b": [1], "c": 2}
    assert [event.name for event in found.events] == ["tick", "traceview.evaluation", "traceview.candidate"]
    assert found.events[1].attributes == {
        "item_id": "p1",
        "item": {"x": 1},
        "filters": [{"name": "f", "passed": True}],
        "qualified": False,
    }
    assert found.events[2].attributes == {"item_id": "p1", "score": 0.9, "rank": 1, "reasoning": "best"}
    assert [(link.trace_id, link.span_id) for link in found.links] == [(target.trace_id, target.span_id)] * 2
    assert found.links[0].attributes == {"why": "same"}
    assert found.trace == TraceInfo(name="renamed", tags=("t",))


def test_logs_and_states_are_events_of_the_current_span(captured: Captured) -> None:
    with tv.span("outer"), tv.span("s"):
        tv.log("picked p1", level="warning", source="ranker", item="p1")
        tv.state(memory={"k": 1}, context=[])
    log, state = captured.span("s").events
    assert log.name == "traceview.log"
    assert log.attributes == {"message": "picked p1", "level": "warning", "source": "ranker", "item": "p1"}
    assert state.name == "traceview.state"
    assert state.attributes == {"memory": {"k": 1}, "context": []}


def test_a_log_outside_any_span_is_not_lost(captured: Captured) -> None:
    tv.log("early")
    tv.state(ready=True)
    log, state = captured.spans
    assert (log.name, state.name) == ("log", "state")
    assert log.events[0].attributes["message"] == "early"
    assert log.end_ns is not None


@pytest.mark.parametrize(("word", "status"), [("ok", Status.OK), ("error", Status.ERROR), (Status.ERROR, Status.ERROR)])
def test_a_status_that_was_set_is_kept_to_the_end(captured: Captured, word: str, status: Status) -> None:
    with tv.span("s") as span:
        span.set_status(word, "why")
    found = captured.span("s")
    assert (found.status, found.status_message) == (status, "why")


def test_an_error_can_be_set_by_words_or_by_an_exception(captured: Captured) -> None:
    with tv.span("words") as span:
        span.set_error("no stock")
    with tv.span("exception") as span:
        span.set_error(ValueError("boom"))
    words, exception = captured.spans
    assert (words.status, words.status_message, words.events) == (Status.ERROR, "no stock", ())
    assert (exception.status, exception.status_message) == (Status.ERROR, "ValueError: boom")
    assert exception.events[0].attributes["exception.escaped"] is False


def test_an_exception_that_was_dealt_with_leaves_the_status_alone(captured: Captured) -> None:
    with tv.span("s") as span:
        try:
            raise KeyError("k")
        except KeyError as error:
            span.record_exception(error, {"attempt": 1})
    found = captured.span("s")
    assert found.status is Status.OK
    assert found.events[0].attributes["exception.type"] == "KeyError"
    assert found.events[0].attributes["attempt"] == 1
    assert "raise KeyError" in found.events[0].attributes["exception.stacktrace"]


class Trouble(Exception):
    """An exception of the program."""


def test_an_exception_leaves_untouched_and_is_recorded(captured: Captured) -> None:
    trouble = Trouble("boom")
    with pytest.raises(Trouble) as caught:  # noqa: SIM117 - the raise shall leave the span alone
        with tv.span("s"):
            raise trouble
    assert caught.value is trouble
    traceback = trouble.__traceback__
    assert traceback is not None
    assert traceback.tb_next is None  # no frame of ours
    assert trouble.__context__ is None
    found = captured.span("s")
    (event,) = found.events
    assert (found.status, found.status_message) == (Status.ERROR, "Trouble: boom")
    assert event.name == "exception"
    assert event.attributes["exception.type"].endswith(".Trouble")
    assert event.attributes["exception.message"] == "boom"
    assert event.attributes["exception.escaped"] is True
    assert found.end_ns is not None


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (asyncio.CancelledError(), "cancelled"),
        (CancelledError(), "cancelled"),
        (GeneratorExit(), "closed"),
        (StopIteration(), "exhausted"),
        (StopAsyncIteration(), "exhausted"),
        (SystemExit(0), "exit"),
        (SystemExit(), "exit"),
    ],
)
def test_what_is_no_failure_is_marked_and_not_an_error(captured: Captured, error: BaseException, word: str) -> None:
    with pytest.raises(type(error)), tv.span("s"):
        raise error
    found = captured.span("s")
    assert found.status is Status.OK
    assert found.attributes == {"traceview.ended_by": word}
    assert found.events == ()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_leaving_by_force_is_an_error(captured: Captured, error: BaseException) -> None:
    with pytest.raises(type(error)), tv.span("s"):
        raise error
    assert captured.span("s").status is Status.ERROR


class Mute(Exception):
    """An exception that can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_that_cannot_be_printed_is_recorded_all_the_same(captured: Captured) -> None:
    with pytest.raises(Mute), tv.span("s"):
        raise Mute
    found = captured.span("s")
    assert found.status is Status.ERROR
    assert found.events[0].attributes["exception.type"].endswith(".Mute")


def test_a_span_by_hand_is_not_current_and_ends_once(captured: Captured) -> None:
    with tv.span("outer") as outer:
        span = tv.start_span("by hand", kind="llm", input="q", attributes={"a": 1})
        assert tv.current_span() is outer
        other = tv.start_span("child", parent=span)
    span.end()
    span.end()
    other.end()
    found = captured.span("by hand")
    assert (found.parent_id, found.kind, found.input, found.attributes) == (outer.span_id, "llm", "q", {"a": 1})
    assert captured.span("child").parent_id == span.span_id
    assert len([part for part in captured.parts if part.span_id == span.span_id and part.end_ns]) == 1


def test_a_span_by_hand_can_be_entered_later(captured: Captured) -> None:
    span = tv.start_span("by hand")
    with span, tv.span("inside"):
        pass
    assert captured.span("inside").parent_id == span.span_id
    assert captured.span("by hand").end_ns is not None


def test_a_span_can_be_added_to_after_its_end(captured: Captured) -> None:
    with tv.span("s") as span:
        pass
    span.set_output("late")
    assert captured.span("s").output == "late"


def test_a_span_that_is_never_opened_records_nothing_until_something_is_said(captured: Captured) -> None:
    span = tv.span("s")
    assert captured.parts == ()
    assert span.span_id == b""
    span.set_output(1)
    assert captured.span("s").output == 1
    assert "'s'" in repr(span)


def test_an_exception_after_the_end_does_not_open_the_span_again(captured: Captured) -> None:
    span = tv.span("s").__enter__()
    span.end()
    span.__exit__(Trouble, Trouble(), None)
    assert captured.span("s").status is Status.OK


def test_odd_kinds_are_understood_or_kept_as_an_attribute(captured: Captured) -> None:
    for kind in ("LLM", "database", 7):
        with tv.span("s", kind=kind, attributes={"a": 1}):
            pass
    assert [(s.kind, s.attributes.get("traceview.kind")) for s in captured.spans] == [
        ("llm", None),
        ("other", "database"),
        ("other", "7"),
    ]


@pytest.mark.expects_log
def test_wrong_arguments_never_raise(captured: Captured) -> None:
    with tv.trace(7, session=1, user=2.5, tags="one", metadata=[("k", 1)], kind=None) as run:
        run.set_status("excellent")
        run.set_attributes(None)
        run.set_attributes(5)
        run.add_event(None)
        run.add_link(5)
        run.set_reasoning(["why"])
        run.set_llm(7)
        run.add_candidate()
        run.update_trace(tags=5, metadata={1: 2})
        run.update_trace(tags=None)
    found = captured.span("7")
    assert found.trace == TraceInfo("7", "1", "2.5", None, ("5",), {"k": 1, "1": 2})
    assert found.status is Status.OK
    assert found.reasoning == "['why']"
    assert found.attributes == {"value": 5}


class BrokenList(list[str]):
    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no items")


@pytest.mark.expects_log
def test_arguments_that_fail_themselves_do_not_fail_the_program(captured: Captured) -> None:
    with tv.trace("run", tags=BrokenList()):
        pass
    assert captured.spans[0].end_ns is not None


def test_threads_begin_without_a_span_and_tasks_with_one(captured: Captured) -> None:
    seen: list[object] = []
    with tv.span("outer") as outer:
        thread = threading.Thread(target=lambda: seen.append(tv.current_span()))
        thread.start()
        thread.join()

        async def child(name: str) -> None:
            with tv.span(name):
                await asyncio.sleep(0)
                with tv.span(f"{name}/{name}"):
                    await asyncio.sleep(0)

        async def main() -> None:
            await asyncio.gather(child("a"), child("b"))

        asyncio.run(main())
    assert seen == [None]
    for name in ("a", "b"):
        assert captured.span(name).parent_id == outer.span_id
        assert captured.span(f"{name}/{name}").parent_id == captured.span(name).span_id


def test_a_span_closed_in_another_context_leaves_that_context_alone(captured: Captured) -> None:
    async def main() -> None:
        async def stream() -> object:
            with tv.span("stream"):
                yield 1
                yield 2

        generator = stream()
        await asyncio.create_task(anext(generator))
        with tv.span("here") as here:
            await asyncio.create_task(generator.aclose())
            assert tv.current_span() is here
        assert tv.current_span() is None

    asyncio.run(main())
    assert captured.span("stream").end_ns is not None


def test_a_generator_closed_inside_another_span_does_not_stay_current(captured: Captured) -> None:
    def stream() -> Iterator[int]:
        with tv.span("stream"):
            yield 1

    with tv.span("outer") as outer:
        generator = stream()
        next(generator)
        with tv.span("inner"):
            generator.close()
        assert tv.current_span() is outer
    assert tv.current_span() is None


def test_a_generator_left_open_inside_a_span_does_not_outlive_it(captured: Captured) -> None:
    def stream() -> Iterator[int]:
        with tv.span("stream"):
            yield 1

    with tv.span("outer"):
        generator = stream()
        next(generator)
    assert tv.current_span() is None
    generator.close()
    assert tv.current_span() is None


def test_a_finaliser_may_end_a_span(captured: Captured) -> None:
    class Holder:
        def __init__(self) -> None:
            self.span = tv.start_span("held")
            self.me = self

        def __del__(self) -> None:
            self.span.end()

    Holder()
    gc.collect()
    assert captured.span("held").end_ns is not None


def test_a_span_left_in_a_copy_of_its_context_is_no_longer_current_there(captured: Captured) -> None:
    with tv.span("outer") as outer:
        span = tv.span("s").__enter__()
        there = contextvars.copy_context()
        there.run(span.__exit__, None, None, None)
        assert there.run(tv.current_span) is outer
    assert captured.span("s").end_ns is not None
