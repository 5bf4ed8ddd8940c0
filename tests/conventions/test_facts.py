"""What a span means is read from its attributes, whatever dialect they speak, and nothing in them can break it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.conventions import facts
from traceview.conventions.preview import preview_of
from traceview.formats import open_parts
from traceview.protocol.records import KINDS, Event, Facts, SpanPart, Status, TraceInfo

OWN = Path(__file__).parents[1] / "data" / "traces"


def part(attributes: dict[str, Any] | None = None, **fields: Any) -> SpanPart:
    fields.setdefault("parent_id", b"\3" * 8)
    return SpanPart(b"\1" * 16, b"\2" * 8, attributes=attributes or {}, **fields)


def test_a_part_that_says_nothing_means_nothing() -> None:
    assert facts(part()) == Facts()
    assert facts(part({"http.method": "GET", "net.peer.ip": "::1"})) == Facts()


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"openinference.span.kind": "LLM"}, "llm"),
        ({"openinference.span.kind": "retriever"}, "retriever"),
        ({"openinference.span.kind": " Guardrail "}, "guardrail"),
        ({"openinference.span.kind": "DECISION"}, "evaluator"),
        ({"openinference.span.kind": "UNKNOWN"}, "other"),
        ({"openinference.span.kind": "FUTURE"}, "other"),
        ({"openinference.span.kind": "CHAIN", "gen_ai.operation.name": "chat"}, "chain"),
        ({"openinference.span.kind": 3, "gen_ai.operation.name": "chat"}, "llm"),
        ({"gen_ai.operation.name": "text_completion"}, "llm"),
        ({"gen_ai.operation.name": "Embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"gen_ai.operation.name": "create_agent"}, "agent"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "chain"),
        ({"gen_ai.operation.name": "retrieval"}, "retriever"),
        ({"gen_ai.operation.name": "search_memory"}, "retriever"),
        ({"gen_ai.operation.name": "dance", "gen_ai.request.model": "m"}, "llm"),
        ({"gen_ai.operation.name": "dance"}, None),
        ({"llm.request.type": "embedding", "gen_ai.request.model": "m"}, "embedding"),
        ({"llm.request.type": "rerank"}, "reranker"),
        ({"llm.model_name": "m"}, "llm"),
        ({"llm.model_name": ""}, None),
        ({"embedding.model_name": "m"}, "embedding"),
        ({"tool.name": "search"}, "tool"),
        ({"reranker.model_name": "m"}, "reranker"),
        ({"retrieval.documents.0.document.content": "x"}, "retriever"),
    ],
)
def test_the_kind_is_stated_or_betrayed(attributes: dict[str, Any], kind: str | None) -> None:
    assert facts(part(attributes)).kind == kind


def test_the_kind_that_our_sdk_states_wins() -> None:
    assert facts(part({"openinference.span.kind": "LLM"}, kind="tool")).kind == "tool"
    assert facts(part({"gen_ai.request.model": "m"}, kind="agent")).kind == "agent"
    assert facts(part(kind="LLM")).kind == "llm"
    assert facts(part(kind="made up")).kind == "other"


def test_the_answering_model_counts_and_providers_are_lower_case() -> None:
    found = facts(
        part({"gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2026", "gen_ai.system": "OpenAI"})
    )
    assert (found.model, found.provider, found.detail) == ("gpt-4o-2026", "openai", "gpt-4o-2026")
    assert facts(part({"llm.model_name": "unknown"})).model is None
    assert facts(part({"llm.model_name": "m" * 500})).model == "m" * 200


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 64,
            "gen_ai.usage.cache_creation.input_tokens": 8,
            "gen_ai.usage.reasoning.output_tokens": 5,
            "gen_ai.usage.cost": 0.25,
        },
        {
            "gen_ai.usage.prompt_tokens": "100",
            "gen_ai.usage.completion_tokens": 20.0,
            "gen_ai.usage.cache_read_input_tokens": 64,
            "gen_ai.usage.cache_write.input_tokens": 8,
            "gen_ai.usage.reasoning_tokens": 5,
            "gen_ai.usage.cost": "0.25",
        },
        {
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 20,
            "llm.token_count.prompt_details.cache_read": 64,
            "llm.token_count.prompt_details.cache_write": 8,
            "llm.token_count.completion_details.reasoning": 5,
            "llm.cost.prompt": 0.2,
            "llm.cost.completion": 0.05,
        },
    ],
)
def test_tokens_and_cost_have_many_names(attributes: dict[str, Any]) -> None:
    found = facts(part(attributes))
    assert found.cost_usd == pytest.approx(0.25)
    assert msgspec.structs.replace(found, cost_usd=None) == Facts(
        input_tokens=100, output_tokens=20, cache_read_tokens=64, cache_write_tokens=8, reasoning_tokens=5
    )


@pytest.mark.parametrize("value", [-1, True, "many", math.nan, math.inf, 10**30, None, [1], {}, b"5"])
def test_counts_and_costs_that_are_none_are_ignored(value: Any) -> None:
    found = facts(part({"gen_ai.usage.input_tokens": value, "llm.token_count.prompt": 7}))
    assert found.input_tokens == 7
    if value != 10**30:
        assert facts(part({"llm.cost.total": value})).cost_usd is None


def test_session_and_user_are_said_by_any_span_the_rest_by_roots_only() -> None:
    attributes = {
        "session.id": 42,
        "enduser.id": "u",
        "tag.tags": ["a", "", 3, None],
        "metadata": '{"tier": "gold"}',
    }
    resource = {"service.name": "shop"}
    assert facts(part(attributes, resource=resource)).trace == TraceInfo(session="42", user="u")
    root = facts(part(attributes, resource=resource, parent_id=None)).trace
    assert root == TraceInfo(None, "42", "u", "shop", ("a", "3"), {"tier": "gold"})


def test_the_project_is_named_by_openinference_else_by_the_service() -> None:
    def project(resource: dict[str, Any], **fields: Any) -> str | None:
        info = facts(part(resource=resource, **fields)).trace
        return info and info.project

    assert project({"openinference.project.name": "p", "service.name": "s"}) == "p"
    assert project({"service.name": "s"}) is None
    assert project({"service.name": "s"}, parent_id=None) == "s"
    assert project({"service.name": "unknown_service:python"}, parent_id=None) is None


def test_what_the_program_says_of_its_trace_wins() -> None:
    said = TraceInfo(name="run", session="mine", tags=("x",), metadata={"k": 1})
    attributes = {"session.id": "other", "user.id": "u", "tag.tags": "y", "metadata": {"k": 2, "l": 3}}
    found = facts(part(attributes, trace=said, parent_id=None)).trace
    assert found == TraceInfo("run", "mine", "u", None, ("x",), {"k": 1, "l": 3})
    assert facts(part(trace=said)).trace is said


@pytest.mark.parametrize(
    ("attributes", "fields", "detail"),
    [
        ({"gen_ai.request.model": "gpt-4o"}, {}, "gpt-4o"),
        ({"gen_ai.tool.name": "search"}, {"kind": "tool", "name": "running tool"}, "search"),
        ({"tool.name": "search"}, {"kind": "tool", "name": "search"}, None),
        ({"http.status_code": 504}, {}, "504"),
        ({"http.response.status_code": "404"}, {}, "404"),
        ({"http.status_code": "broken"}, {}, None),
        ({"gen_ai.retrieval.top_k": 5.0}, {"kind": "retriever"}, "k=5"),
        ({"retrieval.documents.0.document.id": "a"}, {"kind": "retriever"}, "1 document"),
        (
            {"retrieval.documents.0.document.id": "a", "retrieval.documents.10.document.id": "b"},
            {"kind": "retriever"},
            "2 documents",
        ),
        ({"gen_ai.retrieval.documents": '[{"id":"a"},{"id":"b"},{"id":"c"}]'}, {"kind": "retriever"}, "3 documents"),
        ({"gen_ai.retrieval.documents": "[]"}, {"kind": "retriever"}, None),
        (
            {
                "reranker.input_documents.0.document.id": 1,
                "reranker.input_documents.1.document.id": 2,
                "reranker.output_documents.0.document.id": 2,
            },
            {"kind": "reranker"},
            "2 → 1",
        ),
        (
            {"llm.model_name": "m"},
            {"status": Status.ERROR, "status_message": "504 timeout\nTraceback …"},
            "504 timeout",
        ),
        ({}, {"status": Status.ERROR, "status_message": "x" * 99}, "x" * 59 + "…"),
        ({"llm.model_name": "m"}, {"status": Status.ERROR, "status_message": None}, "m"),
    ],
)
def test_the_detail_beside_the_bar(attributes: dict[str, Any], fields: dict[str, Any], detail: str | None) -> None:
    assert facts(part(attributes, **fields)).detail == detail


def test_evaluations_are_counted_and_the_best_candidate_named() -> None:
    evaluated = [Event(1, "traceview.evaluation", {"qualified": number < 4}) for number in range(12)]
    assert facts(part(events=tuple(evaluated), end_ns=9)).detail == "12 → 4"
    assert facts(part(events=tuple(evaluated[:1]))).detail is None
    candidates = (
        Event(1, "traceview.candidate", {"item_id": "p2", "score": 0.5, "rank": 2}),
        Event(1, "traceview.candidate", {"item_id": "p1", "score": 0.93, "rank": 1}),
        Event(1, "traceview.candidate", {"item_id": "p3"}),
    )
    assert facts(part(events=candidates, start_ns=1)).detail == "p1 0.93"
    unranked = (
        Event(1, "traceview.candidate", {"item_id": "low", "score": 0.1}),
        Event(1, "traceview.candidate", {"score": 0.2}),
    )
    assert facts(part(events=unranked, start_ns=1)).detail == "? 0.2"
    assert facts(part({"llm.model_name": "m"}, events=(Event(1, "log", {}),), end_ns=1)).detail == "m"


CHAT = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "first"},
    {"role": "user", "content": [{"type": "text", "text": "What\n is  this?"}, {"type": "image_url", "image_url": {}}]},
    {"role": "assistant", "content": "hm"},
]


@pytest.mark.parametrize(
    ("said", "preview"),
    [
        ("  plain\n text ", "plain text"),
        ("x" * 500, "x" * 199 + "…"),
        ("", None),
        (7, "7"),
        (CHAT, "What is this?"),
        ({"messages": CHAT, "model": "m"}, "What is this?"),
        ({"messages": [CHAT]}, "What is this?"),
        ({"messages": []}, '{"messages":[]}'),
        ({"input": CHAT}, "What is this?"),
        ({"input": ["one", "two"]}, "one, two"),
        ({"query_bundle": {"query_str": "deep"}}, "deep"),
        ({"question": "why?", "k": 3}, "why?"),
        ({"a": {"b": [1]}, "c": 2}, '{"a":{"b":[1]},"c":2}'),
        ('{"question": "in a string"}', "in a string"),
        ('"{\\"question\\": \\"encoded twice\\"}"', "encoded twice"),
        ("{not json}", "{not json}"),
        ([{"role": "assistant", "content": "only me"}], "only me"),
        ([{"role": "user", "content": None}, {"role": "tool", "content": ["list", {"text": "last"}]}], "last"),
        ([{"type": "human", "data": {"content": "LangChain"}}], "LangChain"),
        ([{"lc": 1, "kwargs": {"type": "human", "content": "LangChain"}}], "LangChain"),
        (
            [{"role": "user", "parts": [{"type": "text", "content": "parts"}, {"type": "blob", "content": "AAAA"}]}],
            "parts",
        ),
        ([{"role": [1], "content": "odd"}], "odd"),
        ([{"role": "user", "kwargs": 3}, 5, {"x": 1}], '[{"role":"user","kwargs":3},5,{"x":1}]'),
        ({"messages": [1, "x"]}, '{"messages":[1,"x"]}'),
        (b"\x00", '"AA=="'),
        ({1: object}, "{1: <class 'object'>}"),
    ],
)
def test_the_preview_is_what_a_person_calls_the_input(said: Any, preview: str | None) -> None:
    assert facts(part(input=said, parent_id=None)).preview == preview


@pytest.mark.parametrize(
    ("attributes", "preview"),
    [
        ({"input.value": '{"query": "q"}'}, "q"),
        ({"input.value": "{" + "x" * 300_000 + "}"}, "{" + "x" * 198 + "…"),
        (
            {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]', "input.value": "z"},
            "hi",
        ),
        ({"llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": "gap"}, "gap"),
        (
            {
                f"llm.input_messages.{n}.message.{k}": v
                for n in range(12)
                for k, v in (("role", "user"), ("content", f"m{n}"))
            },
            "m11",
        ),
        (
            {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.contents.0.message_content.text": "one",
                "llm.input_messages.0.message.contents.1.message_content.text": "two",
            },
            "two",
        ),
        ({"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": '{"a":1}'}, '{"a":1}'),
        ({"llm.input_messages.0.message.role": "user", "input.value": "else"}, "else"),
        ({"llm.input_messages.0.message.role": "system", "input.value": "else"}, "else"),
        ({"llm.input_messages.0.message.role": [], "input.value": "else"}, "else"),
        ({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "old"}, "old"),
        ({"gen_ai.tool.call.arguments": '{"city": "Zürich"}'}, '{"city":"Zürich"}'),
        ({"gen_ai.retrieval.query.text": "find"}, "find"),
        ({"gen_ai.request.model": "m"}, None),
    ],
)
def test_the_preview_is_found_in_attributes(attributes: dict[str, Any], preview: str | None) -> None:
    assert facts(part(attributes, parent_id=None)).preview == preview


def test_a_part_that_names_a_parent_has_no_preview() -> None:
    assert facts(part(input="of a root", parent_id=None)).preview == "of a root"
    assert facts(part(input="of a child")).preview is None


def test_an_input_deeper_than_the_stack_has_no_preview() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert facts(part(input=deep, parent_id=None)).preview is None
    while deep:  # lest its release overflows the stack
        deep = deep.pop()


KEYS = [
    "openinference.span.kind",
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.provider.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.cost",
    "gen_ai.input.messages",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.top_k",
    "llm.cost.prompt",
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages.x.message.role",
    "llm.input_messages.²0.message.role",
    "llm.input_messages.0.message.contents.0.message_content.text",
    "retrieval.documents.0.document.id",
    "input.value",
    "metadata",
    "tag.tags",
    "session.id",
    "tool.name",
    "http.status_code",
    "service.name",
    "item_id",
    "rank",
    "score",
    "qualified",
]
JSONS = [
    '{"messages": [{"role": "user", "content": [3]}]}',
    '[{"role": 3}]',
    '[[{"role":"user"}]]',
    '"\\"x\\""',
    "[[[",
    "user",
]
wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.sampled_from(JSONS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "messages", "type", "data", "kwargs", "input"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
wild_attributes = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), wild, max_size=8)


@given(
    attributes=wild_attributes,
    said=wild,
    kind=st.none() | st.sampled_from(KINDS) | st.text(max_size=4),
    resource=wild_attributes,
    events=st.lists(
        st.builds(
            Event, st.integers(), st.sampled_from(["traceview.evaluation", "traceview.candidate", "x"]), wild_attributes
        ),
        max_size=3,
    ),
    status=st.sampled_from(Status),
    message=st.none() | st.text(),
    parent=st.none() | st.just(b"\3" * 8),
    start=st.none() | st.just(5),
)
def test_no_value_however_wild_breaks_it(
    attributes: Any,
    said: Any,
    kind: Any,
    resource: Any,
    events: Any,
    status: Any,
    message: Any,
    parent: Any,
    start: Any,
) -> None:
    found = facts(
        part(
            attributes,
            input=said,
            kind=kind,
            resource=resource,
            events=tuple(events),
            status=status,
            status_message=message,
            parent_id=parent,
            start_ns=start,
        )
    )
    assert found.kind is None or found.kind in KINDS
    assert found.detail is None or 0 < len(found.detail) <= 60
    assert found.preview is None or (0 < len(found.preview) <= 200 and "\n" not in found.preview)
    assert found.input_tokens is None or 0 <= found.input_tokens < 2**63
    assert found.cost_usd is None or found.cost_usd >= 0
    assert msgspec.convert(msgspec.to_builtins(found), Facts) == found or found.trace is not None


def test_the_files_kept_here_are_understood() -> None:
    found = {part.name: facts(part) for part in open_parts(OWN / "pydantic-ai-v2.pb")}
    assert found["chat fake-fn"] == Facts(
        kind="llm",
        model="fake-fn",
        provider="function",
        input_tokens=80,
        output_tokens=33,
        detail="fake-fn",
        trace=TraceInfo(session="01a1fc70-aca7-74c4-a872-e7cc01e3f10d"),
    )
    assert found["agent run"].kind == "agent"
    assert found["agent run"].input_tokens == 52
    assert (found["running tool"].kind, found["running tool"].detail) == ("tool", "explode")


def test_real_runs_are_understood(shared: Path) -> None:
    def read(name: str) -> list[tuple[SpanPart, Facts]]:
        return [(part, facts(part)) for part in open_parts(shared / "data" / "live" / name)]

    said, first = read("openai-openinference.pb")[0]
    assert preview_of(said, True) == "What is the weather in Zürich?"
    assert first == Facts(
        kind="llm",
        model="gpt-4o-mini-2026-01-01",
        provider="openai",
        input_tokens=63,
        output_tokens=17,
        cache_read_tokens=32,
        reasoning_tokens=5,
        detail="gpt-4o-mini-2026-01-01",
    )
    assert read("openai-otel-genai.pb")[0][1] == first
    by_name = {part.name: found for part, found in read("langchain-agent.pb")}
    assert by_name["LangGraph"].kind == "chain"
    assert by_name["LangGraph"].trace == TraceInfo(
        session="sess-λ-1",
        user="user-9",
        project="langchain-agent",
        tags=("nightly", "eu"),
        metadata={"run": 1, "tier": "gold", "ls_integration": "langchain_create_agent"},
    )
    retrievers = [found.detail for _, found in read("llama-index-rag.pb") if found.kind == "retriever"]
    assert retrievers == [None, "4 documents", None, "6 documents", None, "2 documents", None, "2 documents"]
    kinds = [found.kind for _, found in read("smolagents.pb")]
    assert sorted(set(kinds), key=str) == ["agent", "chain", "llm", "tool"]
    assert (kinds.count("llm"), kinds.count("tool")) == (7, 4)
    shop = read("shop-small.pb")
    assert all(found.kind is None and found.preview is None for _, found in shop)
    details = [found.detail for _, found in shop]
    assert (details.count("200"), details.count("504"), details.count(None)) == (822, 4, 237)
