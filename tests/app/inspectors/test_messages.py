"""A model call as figures and messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

from traceview.app.inspectors.blocks import Block, FoldBlock, HeadBlock, LineBlock, TextBlock
from traceview.app.inspectors.llm_card import CardBlock
from traceview.app.inspectors.llm_figures import first_token_ns, llm_figures
from traceview.app.inspectors.message_blocks import arguments_preview, conversation, image_line
from traceview.app.inspectors.subject import Subject
from traceview.app.theme import theme
from traceview.conventions.presented import Image
from traceview.protocol.records import Event
from traceview.sdk.cutting import Cutter
from traceview.testing import START_NS

MS = 1_000_000
MakeSubject = Callable[..., Subject]

CALL = {"id": "c1", "type": "function", "function": {"name": "orders.get", "arguments": '{"id": 48213}'}}
MESSAGES = [
    {"role": "system", "content": "You are a support agent."},
    {"role": "user", "content": "Parcel 48213 has not moved."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "name": "orders.get", "tool_call_id": "c1", "content": {"status": "in_transit"}},
]
FIGURES = {
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.request.max_tokens": 1024,
    "gen_ai.usage.input_tokens": 6512,
    "gen_ai.usage.output_tokens": 388,
    "gen_ai.usage.cache_read.input_tokens": 4096,
    "gen_ai.usage.reasoning.output_tokens": 128,
    "gen_ai.response.finish_reasons": ["stop"],
    "traceview.cost_usd": 0.015,
    "llm.cost.prompt_details.cache_read": 0.0051,
}


def blocks_of(subject: Subject) -> list[Block]:
    return [block for group in conversation(subject, lambda *_: None) for block in group]


def lines_of(subject: Subject) -> list[str]:
    """The conversation as one would read it out: one line per block."""
    return [
        f"# {block._title} ({block._right})".removesuffix(" ()") if isinstance(block, HeadBlock) else block.text()
        for block in blocks_of(subject)
        if not isinstance(block, CardBlock)
    ]


def paint(block: Block, width: int) -> QImage:
    height = block.height(width)
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(theme(True).bg1)
    painter = QPainter(image)
    block.paint(painter, QRect(0, 0, width, height), theme(True))
    painter.end()
    return image


def test_the_figures_add_up_as_in_the_picture(subject: MakeSubject) -> None:
    first = Event(START_NS + 702 * MS, "first token")
    found = llm_figures(subject("llm", ms=2180, input=MESSAGES, attributes=FIGURES, events=(first,)))
    assert (found.model, found.caption, found.finished) == ("gpt-4o", "openai · temperature 0.2", "finished: stop")
    assert found.figures == (
        ("Duration", "2.18\u2009s"),
        ("First token", "702\u2009ms"),
        ("Speed", "263\u2009tok/s"),
    )
    assert [(row.title, row.count, row.cost_usd) for row in found.rows] == [
        ("Cache read", 4096, 0.0051),
        ("Input", 2416, None),
        ("Reasoning", 128, None),
        ("Output", 260, None),
    ]
    assert (found.total, found.cost_usd, found.doubt) == (6900, 0.015, "")


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"gen_ai.usage.cache_read.input_tokens": 900}, "900 cached tokens of 100 input tokens: they don't add up"),
        ({"gen_ai.usage.reasoning.output_tokens": 90}, "90 reasoning tokens of 10 output tokens: they don't add up"),
        ({"llm.token_count.total": 500}, "The call states 500 tokens in all, its parts make 110"),
    ],
)
def test_sums_that_don_t_add_up_are_said(subject: MakeSubject, attributes: dict[str, Any], wanted: str) -> None:
    known = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}
    found = llm_figures(subject("llm", attributes=known | attributes))
    assert found.doubt == wanted
    assert CardBlock(found).height(352) > CardBlock(llm_figures(subject("llm", attributes=known))).height(352)
    paint(CardBlock(found), 352)


def test_a_chat_that_the_program_cut_is_shown_as_far_as_it_is_there(subject: MakeSubject) -> None:
    span = subject("llm", input=Cutter(100).cut([*MESSAGES[:2]] * 2)[0], output="Sorry!")
    lines = lines_of(span)
    assert lines[:3] == ["# System", "You are a support agent.", "# User"]
    assert lines[3].startswith("Parcel 48")
    assert lines[3].endswith(" characters)")
    assert lines[4:] == ["2 more messages cut by the program", "# Assistant", "Sorry!"]
    span = subject("llm", input=[*MESSAGES[:2], "… (cut: 1 more)"])
    assert lines_of(span)[-1] == "1 more message cut by the program"
    as_json = subject("llm", input=Cutter(150).cut(json.dumps(MESSAGES))[0])
    assert lines_of(as_json)[-1] == "Further messages cut by the program"
    for block in blocks_of(span):
        paint(block, 352)


def test_the_first_token_is_told_by_attributes_or_events(subject: MakeSubject) -> None:
    assert first_token_ns(subject("llm", attributes={"ai.response.msToFirstChunk": 12.5})) == 12_500_000
    assert first_token_ns(subject("llm", attributes={"gen_ai.server.time_to_first_token": 0.5})) == 500_000_000
    for name in ("First Token Stream Event", "gen_ai.first_token", "ai.stream.firstChunk"):
        events = (Event(START_NS, "other"), Event(START_NS + 5, name))
        assert first_token_ns(subject("llm", events=events)) == 5
    assert first_token_ns(subject("llm", attributes={"ai.response.msToFirstChunk": -1})) is None


def test_what_is_unknown_takes_no_room(subject: MakeSubject) -> None:
    bare = llm_figures(subject("llm", ms=None))
    assert bare.model == "Model not recorded"
    assert bare.figures == (("Duration", "running"),)
    assert bare.rows == ()
    assert bare.total is None
    whole = llm_figures(subject("llm", attributes=FIGURES))
    assert CardBlock(bare).height(352) < CardBlock(whole).height(352) / 2
    assert not llm_figures(subject("tool")).known
    instant = llm_figures(subject("llm", ms=0, attributes=FIGURES))
    assert [name for name, _ in instant.figures] == ["Duration"]
    backward = llm_figures(subject("llm", ms=-1500, attributes=FIGURES))
    assert backward.figures == (("Duration", "−1.50\u2009s"),)
    interrupted = subject("llm", ms=None, status=3)
    assert llm_figures(interrupted).figures == ()


def test_an_agent_s_tokens_are_its_span_s(subject: MakeSubject) -> None:
    found = llm_figures(subject("agent", attributes={"gen_ai.usage.input_tokens": 5, "gen_ai.operation.name": "chat"}))
    assert found.model == ""
    assert found.known
    paint(CardBlock(found), 304)


def test_the_card_copies_as_lines_and_is_painted_at_any_width(subject: MakeSubject) -> None:
    figures = llm_figures(subject("llm", attributes=FIGURES))
    card = CardBlock(figures)
    assert card.text().split("\n")[0] == "gpt-4o"
    assert "Total\t6900\t$0.0150" in card.text()
    assert "Input\t2416" in card.text()
    for width in (200, 304, 352, 568):
        assert not paint(card, width).isNull()
    assert card.height(200) > card.height(568)
    free = {key: value for key, value in FIGURES.items() if "cost" not in key}
    paint(CardBlock(llm_figures(subject("llm", attributes=free))), 352)


def test_a_conversation_reads_like_the_picture(subject: MakeSubject) -> None:
    answer = [{"role": "assistant", "content": "Refund $64.90.", "tool_calls": [CALL]}]
    found = subject("llm", input=MESSAGES, output=answer, attributes=FIGURES, reasoning="Five days without a scan.")
    assert lines_of(found) == [
        '1 setting {\n  "max_tokens": 1024\n}',
        "# System",
        "You are a support agent.",
        "# User",
        "Parcel 48213 has not moved.",
        "# Assistant",
        'orders.get {\n  "id": 48213\n}',
        "# Tool (orders.get)",
        '{\n  "status": "in_transit"\n}',
        "# Thinking (128 tok)",
        "Five days without a scan.",
        "# Assistant (260 tok)",
        "Refund $64.90.",
        'orders.get {\n  "id": 48213\n}',
    ]
    assert isinstance(blocks_of(found)[0], CardBlock)
    assert len(found.messages) == 5


def test_thinking_in_the_answer_is_not_shown_twice(subject: MakeSubject) -> None:
    answer = [{"role": "assistant", "content": [{"type": "thinking", "thinking": ""}, {"type": "text", "text": "Yes"}]}]
    found = subject("llm", input=MESSAGES[:1], output=answer, reasoning="hidden", attributes=FIGURES)
    assert lines_of(found)[3:] == [
        "# Thinking (128 tok)",
        "not disclosed by the provider",
        "# Assistant (260 tok)",
        "Yes",
    ]


def test_tool_results_inside_a_user_s_message_have_a_heading_of_their_own(subject: MakeSubject) -> None:
    mixed = [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "42"},
                {"type": "text", "text": "and now?"},
                {"type": "wonder", "value": [1]},
            ],
        },
        {"role": "tool-response", "content": "x"},
        {"role": "robot_one", "content": ""},
        {"role": "assistant", "content": []},
    ]
    lines = lines_of(subject("llm", input=mixed))
    assert lines[:4] == ["# Tool", "42", "# User", "and now?"]
    assert lines[4].startswith("part {")
    assert "# Tool response" in lines
    assert lines[lines.index("# Robot one") + 1] == "empty"
    assert lines[-2:] == ["# Assistant", "empty"]


def test_images_are_a_line_and_never_loaded(subject: MakeSubject) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/secret.png"}}]
    blocks = blocks_of(subject("llm", input=[{"role": "user", "content": parts}]))
    line = blocks[-1]
    assert isinstance(line, LineBlock)
    assert line.text() == "http://127.0.0.1:1/secret.png"
    paint(line, 352)
    assert image_line(Image(mime="image/png", size=1_200_000)) == "image/png · 1.2\u2009MB · not loaded"
    assert image_line(Image()) == "image · not loaded"


def test_tools_and_settings_are_offered_in_boxes(subject: MakeSubject) -> None:
    tools = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
    given = {"messages": MESSAGES[:2], "tools": tools, "model": "m"}
    found = subject("llm", input=given, attributes={"gen_ai.request.top_p": 0.9, "gen_ai.request.max_tokens": 5})
    boxes = [block for block in blocks_of(found) if isinstance(block, FoldBlock)]
    assert [box.text().split(" {")[0] for box in boxes] == ["1 tool offered", "2 settings"]
    assert json.loads(boxes[0].text().removeprefix("1 tool offered "))["search"]
    for box in boxes:
        paint(box, 352)
        box.activate()
        paint(box, 352)


def test_an_embedding_s_texts_are_shown(subject: MakeSubject) -> None:
    found = subject("embedding", input=["first text", "second"], attributes={"embedding.model_name": "e5"})
    assert lines_of(found) == ["# Text", "first text", "# Text", "second"]


def test_arguments_are_previewed_in_a_few_words() -> None:
    assert arguments_preview({"id": 48213, "deep": {}}) == "{id: 48213}"
    assert arguments_preview({"deep": {}}) == "{1}"
    assert arguments_preview([1, 2]) == "1, 2"
    assert arguments_preview({}) == ""
    assert arguments_preview("plain") == "plain"
    assert arguments_preview(7) == "7"


def test_hostile_messages_are_painted(subject: MakeSubject, hostile: dict[Any, Any]) -> None:
    said = [{"role": "user\u202e<b>", "content": "z" * 2_000_000}, {"role": "tool", "content": hostile}]
    for block in blocks_of(subject("llm", input=said, output="x\ud800")):
        assert block.estimate(304) > 0
        paint(block, 304)
        if isinstance(block, TextBlock):
            assert block.height(304) < 400
