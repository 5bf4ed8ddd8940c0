"""What is set of the SDK holds from then on: what is left out, hidden, cut, redacted; bad values do no harm."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import traceview as tv
from traceview.sdk import guard, sampling, settings
from traceview.sdk.cutting import Cutter
from traceview.sdk.sampling import HeadSampling
from traceview.testing import Captured, capture

KEY = "sk-ant-api03-" + "a1B2" * 10


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    yield
    tv.configure()
    guard._told.clear()


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


# Head sampling


def test_nothing_is_left_out_unless_asked(captured: Captured) -> None:
    for _ in range(20):
        with tv.trace("run"):
            pass
    assert len(captured.spans) == 20


def test_a_trace_that_is_left_out_records_nothing_of_itself(captured: Captured) -> None:
    tv.configure(head_ratio=0)
    with tv.trace("run") as run, tv.span("inner", input=1) as inner:
        inner.set_output(2)
        inner.set_llm(model="m")
        tv.log("x")
        tv.state(a=1)
        run.set_error(ValueError("no"))
        assert tv.current_span() is inner
    with pytest.raises(KeyError), tv.span("alone"):
        raise KeyError("as it was")
    assert not captured.parts


@given(st.binary(min_size=16, max_size=16), st.floats(0, 1), st.floats(0, 1))
def test_a_trace_kept_at_a_ratio_is_kept_at_every_higher_one(trace_id: bytes, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert HeadSampling(low).keeps(trace_id) <= HeadSampling(high).keeps(trace_id)
    assert HeadSampling(1).keeps(trace_id)


def test_a_ratio_keeps_about_its_share() -> None:
    head = HeadSampling(0.25)
    kept = sum(head.keeps(os.urandom(16)) for _ in range(4000))
    assert 850 < kept < 1150


def test_a_rate_keeps_so_many_a_second_and_saves_for_one_second_only() -> None:
    now = [100.0]
    head = HeadSampling(per_second=3, clock=lambda: now[0])

    def kept_of(asked: int) -> int:
        return sum(head.keeps(bytes(16)) for _ in range(asked))

    assert kept_of(10) == 3
    now[0] += 1 / 3
    assert kept_of(10) == 1
    now[0] += 60
    assert kept_of(10) == 3
    now[0] += 0.1
    assert kept_of(10) == 0


def test_a_rate_below_one_keeps_the_first() -> None:
    now = [0.0]
    head = HeadSampling(per_second=0.1, clock=lambda: now[0])
    assert [head.keeps(bytes(16)) for _ in range(3)] == [True, False, False]
    now[0] = 10.0
    assert head.keeps(bytes(16))


def test_what_is_left_out_here_is_left_out_where_it_goes_on(captured: Captured) -> None:
    tv.configure(head_ratio=0)
    with tv.trace("run"):
        headers = tv.inject({"tracestate": "vendor=1,traceview=old"})
    assert headers["traceparent"].endswith("-00")
    assert headers["tracestate"] == "traceview=left-out,vendor=1"
    tv.configure()
    with tv.extract(headers), tv.span("elsewhere"):
        pass
    assert not captured.parts
    assert tv.inject({}) == {}


def test_a_gateway_that_clears_the_sampled_flag_hides_nothing(captured: Captured) -> None:
    with tv.extract({"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "gateway=x"}), tv.span("seen"):
        pass
    assert captured.span("seen").trace_id == bytes.fromhex("a" * 32)


def test_a_child_process_is_left_out_with_its_parent() -> None:
    code = (
        "from traceview.testing import capture; import traceview as tv\n"
        "with capture() as c:\n with tv.span('x'): pass\n"
        "print(len(c.parts))"
    )
    tv.configure(head_ratio=0)
    with tv.trace("run"):
        headers = {key.upper(): value for key, value in tv.inject({}).items()}
    found = subprocess.run([sys.executable, "-c", code], env={**os.environ, **headers}, capture_output=True, check=True)
    assert found.stdout.split() == [b"0"]


# What is recorded of values


def test_inputs_and_outputs_can_be_left_away(captured: Captured) -> None:
    tv.configure(record_inputs=False, record_outputs=False)

    @tv.traced
    def work(x: int) -> int:
        return x + 1

    with tv.trace("run", input="in") as run:
        run.set_input("again")
        run.set_attribute("kept", 1)
        assert work(1) == 2
        run.set_output("out")
    run_span, work_span = captured.span("run"), captured.spans[1]
    assert (run_span.input, run_span.output, run_span.attributes) == (None, None, {"kept": 1})
    assert (work_span.input, work_span.output) == (None, None)


def test_long_values_are_cut_and_say_what_they_were(captured: Captured) -> None:
    tv.configure(max_value_bytes=1000)
    with tv.span(
        "s", input=[{"role": "user", "content": "ä" * 5000}], attributes={"short": 1, "long": "y" * 3000}
    ) as s:
        s.set_output("z" * 100_000)
        tv.state(memory=list(range(100_000)))
    span = captured.span("s")
    content = span.input[0]["content"]
    assert content.startswith("ä" * 400)
    assert content.endswith("… (cut: 5,000 characters)")
    assert span.output == "z" * 1000 + "… (cut: 100,000 characters)"
    assert span.attributes["short"] == 1
    assert span.attributes["long"].endswith("(cut: 3,000 characters)")
    assert span.events[0].attributes["memory"][-1].startswith("… (cut: ")
    cuts = {key: size for key, size in span.attributes.items() if key.startswith("traceview.cut.")}
    assert set(cuts) == {f"traceview.cut.{what}" for what in ("input", "output", "long", "traceview.state.memory")}
    assert cuts["traceview.cut.output"] == 100_005


@given(
    st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.integers(256, 400),
)
def test_a_cut_value_is_bounded_and_a_short_one_is_itself(value: Any, most: int) -> None:
    import msgspec

    kept, size = Cutter(most).cut(value)
    if size <= most:
        assert kept is value
    else:
        assert len(msgspec.msgpack.encode(kept)) < 4 * most


def test_secrets_leave_the_process_only_as_marks(captured: Captured) -> None:
    tv.configure(redact={"badge": "B-[0-9]{4}"})

    class Config:
        def model_dump(self) -> dict[str, str]:
            return {"api_key": "hunter2", "note": f"key {KEY}"}

    with tv.trace("run", input=Config(), metadata={"password": "hunter2"}) as run:
        run.set_output(f"use {KEY} and B-1234")
        tv.log(f"Authorization: Bearer {KEY}")
        with pytest.raises(ValueError), tv.span("fails"):
            raise ValueError(f"bad key {KEY}")
    said = repr(captured.parts)
    assert KEY not in said
    assert "hunter2" not in said
    assert "B-1234" not in said
    assert "[redacted:anthropic-key]" in said
    assert "[redacted:badge]" in said


@pytest.mark.expects_log
def test_should_shaping_fail_the_values_are_given_up(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    tv.configure(redact=True)
    monkeypatch.setattr("traceview.sdk.shaping.decode_part", lambda record: 1 / 0)
    with tv.span("s", input=KEY):
        pass
    (span,) = captured.spans
    assert (span.input, span.name) == (None, None)
    assert span.end_ns is not None


# How it is said


@pytest.mark.expects_log
@pytest.mark.parametrize(
    "wrong",
    [
        {"head_ratio": 1.5},
        {"head_ratio": "half"},
        {"head_per_second": 0},
        {"head_per_second": float("nan")},
        {"record_inputs": "no"},
        {"max_value_bytes": 10},
        {"max_value_bytes": True},
        {"redact": {"a": 1}},
    ],
)
def test_a_value_that_can_not_be_is_said_and_ignored(
    wrong: dict[str, Any], captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="traceview"):
        tv.configure(**wrong)
    (name,) = wrong
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"tv.configure({name}=…) is ignored: ")
    with tv.span("s", input="in"):
        pass
    assert captured.span("s").input == "in"


@pytest.mark.expects_log
def test_a_pattern_that_can_not_be_is_said_and_the_others_hold(
    captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="traceview"):
        tv.configure(redact={"bad": "(", "badge": "B-[0-9]{4}"})
    assert "bad" in caplog.records[0].getMessage()
    with tv.span("s", input=f"B-1234 {KEY}"):
        pass
    assert captured.span("s").input == "[redacted:badge] [redacted:anthropic-key]"


def test_the_environment_says_it_too_and_a_call_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEVIEW_HEAD_RATIO", "0")
    monkeypatch.setenv("TRACEVIEW_HEAD_PER_SECOND", "5")
    monkeypatch.setenv("TRACEVIEW_RECORD_OUTPUTS", "false")
    monkeypatch.setenv("TRACEVIEW_MAX_VALUE_BYTES", "4096")
    monkeypatch.setenv("TRACEVIEW_REDACT", "1")
    settings.configure_by_environment()
    assert settings._settings == settings.Settings(
        head_ratio=0, head_per_second=5, record_outputs=False, max_value_bytes=4096, redact=True
    )
    assert sampling.leaves_out(b"\xff" * 16)
    tv.configure(head_ratio=1, head_per_second=1e9, redact=False)
    assert not sampling.leaves_out(b"\x00" * 16)
    assert settings._settings.record_outputs is False


@pytest.mark.expects_log
def test_an_environment_with_mistakes_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRACEVIEW_HEAD_RATIO", "ten percent")
    monkeypatch.setenv("TRACEVIEW_RECORD_INPUTS", "maybe")
    with caplog.at_level(logging.WARNING, logger="traceview"):
        settings.configure_by_environment()
    assert [record.getMessage() for record in caplog.records] == [
        "TRACEVIEW_HEAD_RATIO is ignored: 'ten percent' is not a number from 0 to 1",
        "TRACEVIEW_RECORD_INPUTS is ignored: 'maybe' is not true or false",
    ]
    assert settings._settings == settings.Settings()
