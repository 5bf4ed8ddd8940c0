"""Which text of a span can be found, and what its place is called."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceview.protocol.records import Event, SpanPart, TraceInfo
from traceview.store.span_text import place_text, texts

IDS = (b"t" * 16, b"s" * 8)


def places(**fields: Any) -> dict[str, str]:
    return {place_text(place): text for place, text in texts(SpanPart(*IDS, **fields))}


def test_all_text_of_a_span_with_its_place() -> None:
    assert places(
        name="search",
        status_message="boom",
        reasoning="since",
        input={"query": "lost", "more": [{"n": 4711}, "x"]},
        output="nothing",
        attributes={"llm.model_name": "gpt", "flag": True, "cost": 0.5, "none": None, "raw": b"bytes"},
        events=(Event(1, "exception", {"exception.message": "bad"}), Event(2, "traceview.log", {"message": "hi"})),
        trace=TraceInfo("run", "s-1", "u-1", "shop", ("beta",), {"plan": "gold"}),
    ) == {
        "name": "search",
        "status_message": "boom",
        "reasoning": "since",
        "input.query": "lost",
        "input.more[0].n": "4711",
        "input.more[1]": "x",
        "output": "nothing",
        "attributes.llm.model_name": "gpt",
        "events.exception": "exception",
        "events.exception.exception.message": "bad",
        "events.traceview.log": "traceview.log",
        "events.traceview.log.message": "hi",
        "trace.name": "run",
        "trace.session": "s-1",
        "trace.user": "u-1",
        "trace.project": "shop",
        "trace.tags[0]": "beta",
        "trace.metadata.plan": "gold",
    }  # fmt: skip


def test_json_in_text_is_looked_into_three_levels_deep() -> None:
    inner = "lost\nparcel"
    for _ in range(3):
        inner = json.dumps({"q": inner})
    assert places(input=inner) == {"input.q.q.q": "lost\nparcel"}
    assert places(input=json.dumps({"q": inner})) == {"input.q.q.q": '{"q": "lost\\nparcel"}'}
    assert places(input="{not json", output="[1, 2]") == {"input": "{not json", "output[0]": "1", "output[1]": "2"}


def test_what_is_encoded_and_vectors_are_no_text() -> None:
    picture = base64.b64encode(random.Random(1).randbytes(3_000)).decode()
    found = places(input=f"see data:image/png;base64,{picture} here", output=[0.25] * 1536, attributes={"v": [1] * 17})
    assert found == {"input": "see data:image/png;base64,  here"}
    prose = "words " * 1000
    assert places(input=prose) == {"input": prose}


def test_depth_has_an_end() -> None:
    value: Any = "deep"
    for _ in range(200):
        value = [value]
    assert places(input=value, output="x") == {"output": "x"}


@pytest.mark.parametrize("text", ["{" * 5000, "[" * 5000, '{"a":' * 3000])
def test_hostile_json_stays_text(text: str) -> None:
    assert places(input=text) == {"input": text}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)))
def test_no_value_fails(value: Any) -> None:
    for place, text in texts(SpanPart(*IDS, input=value)):
        assert place_text(place).startswith("input")
        assert isinstance(text, str)
