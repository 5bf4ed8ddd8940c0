"""Why a span failed: exceptions, tracebacks with the most recent call first, raw text where it isn't Python's."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QPainter

from traceview.app.inspectors.blocks import Block, HeadBlock, LineBlock, TextBlock
from traceview.app.inspectors.error_blocks import ExceptionBlock, FrameBlock, LibraryBlock, error_blocks
from traceview.app.inspectors.subject import Subject
from traceview.app.inspectors.tracebacks import Frame, parse_traceback
from traceview.app.theme import theme
from traceview.protocol.records import Event, Status
from traceview.testing import START_NS

MakeSubject = Callable[..., Subject]

CHAINED = """Traceback (most recent call last):
  File "/home/me/carrier/client.py", line 108, in track
    return fetch(url)
           ^^^^^^^^^^
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
  File "/venv/lib/python3.11/site-packages/httpx/_client.py", line 9, in send
ValueError: no JSON

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/home/me/agent.py", line 41, in <module>
    main()
  File "/home/me/carrier/http.py", line 57, in _raise_for_status
    raise GatewayTimeout(
        r.status,
    )
    ~~~~^^^^
  [Previous line repeated 3 more times]
carrier.GatewayTimeout: 504 from api.carrier.example

  after 1.50 s
"""


def paint(block: Block, width: int = 304) -> QImage:
    height = block.height(width)
    image = QImage(width, max(1, height), QImage.Format.Format_RGB32)
    painter = QPainter(image)
    block.paint(painter, QRect(0, 0, width, height), theme(False))
    painter.end()
    return image


def test_frames_stand_most_recent_call_first() -> None:
    last, cause = parse_traceback(CHAINED)
    assert [(frame.name, frame.place) for frame in last.frames] == [
        ("_raise_for_status", "carrier/http.py:57"),
        ("<module>", "me/agent.py:41"),
    ]
    assert last.frames[0].code == (
        "raise GatewayTimeout(",
        "r.status,",
        ")",
        "[Previous line repeated 3 more times]",
    )
    assert last.message == "carrier.GatewayTimeout: 504 from api.carrier.example\n\n  after 1.50 s"
    assert (cause.link, cause.message) == ("Caused by", "ValueError: no JSON")
    assert [frame.library for frame in cause.frames] == [True, True, False]


def test_python_s_own_tracebacks_are_read(tmp_path: Path) -> None:
    try:
        try:
            json.loads("{")
        except ValueError:
            raise KeyError("x")  # noqa: B904
    except KeyError:
        text = traceback.format_exc()
    last, handled = parse_traceback(text)
    assert handled.link == "While handling"
    assert handled.frames[0].library
    assert last.frames[0].name == "test_python_s_own_tracebacks_are_read"
    assert last.message == "KeyError: 'x'"
    assert parse_traceback(text.replace("\n", "\r\n")) == parse_traceback(text)


@pytest.mark.parametrize("text", ["", "goroutine 1 [running]:\nmain.main()", "Traceback (most recent call last):\nx"])
def test_other_texts_are_no_python_traceback(text: str) -> None:
    assert parse_traceback(text) == ()


def test_windows_and_frozen_paths_are_known() -> None:
    assert Frame(r"C:\Python\Lib\json\decoder.py", 3, "decode").library
    assert Frame("<frozen importlib._bootstrap>", 3, "f").library
    assert Frame(r"C:\work\app.py", 3, "f").place == "work/app.py:3"


def blocks_of(subject: Subject) -> list[Block]:
    return [block for group in error_blocks(subject, lambda *_: None) for block in group]


def exception(text: str | None = CHAINED, at: int = 3_440_000_000, **more: object) -> Event:
    said = {"exception.type": "carrier.GatewayTimeout", "exception.message": "504", "exception.stacktrace": text}
    return Event(START_NS + at, "exception", {key: value for key, value in (said | more).items() if value is not None})


def test_an_exception_is_a_card_with_its_traceback(subject: MakeSubject) -> None:
    blocks = blocks_of(subject("tool", status=Status.ERROR, events=(exception(),)))
    assert [type(block).__name__ for block in blocks] == [
        "ExceptionBlock",
        "HeadBlock",
        "FrameBlock",
        "FrameBlock",
        "HeadBlock",
        "TextBlock",
        "LibraryBlock",
        "FrameBlock",
    ]
    assert blocks[0].text() == "carrier.GatewayTimeout: 504"
    assert blocks[1].text() == CHAINED
    assert blocks[2].text().startswith('File "/home/me/carrier/http.py", line 57, in _raise_for_status\n    raise')
    for block in blocks:
        for width in (120, 304, 568):
            assert not paint(block, width).isNull()


def test_library_frames_are_folded_to_one_line(subject: MakeSubject) -> None:
    blocks = blocks_of(subject("tool", status=Status.ERROR, events=(exception(),)))
    library = next(block for block in blocks if isinstance(block, LibraryBlock))
    folded = library.height(304)
    assert library.hot(QPoint(5, 5), 304)
    assert not library.press(QPoint(5, 30), 304)
    assert library.press(QPoint(5, 5), 304)
    assert library.height(304) > folded
    assert "httpx" in library.text()
    paint(library)
    newer = LibraryBlock([Frame("x", 1, "f")])
    newer.adopt(library)
    assert newer.height(304) > folded


def test_the_last_exception_comes_first(subject: MakeSubject) -> None:
    events = (exception(None, 1, **{"exception.type": "First"}), exception(None, 2, **{"exception.type": "Second"}))
    blocks = blocks_of(subject("tool", status=Status.ERROR, events=events))
    assert [block.text() for block in blocks] == [
        "Second: 504",
        "No traceback was recorded.",
        "First: 504",
        "No traceback was recorded.",
    ]
    assert blocks[2].above > blocks[0].above
    assert isinstance(blocks[1], LineBlock)


def test_other_languages_stack_traces_are_shown_as_they_are(subject: MakeSubject) -> None:
    text = "goroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:3 +0x1d"
    blocks = blocks_of(subject("tool", status=Status.ERROR, events=(exception(text),)))
    assert isinstance(blocks[1], HeadBlock)
    assert isinstance(blocks[2], TextBlock)
    assert blocks[2].text() == text
    paint(blocks[2])


def test_a_failure_without_exception_says_what_is_known(subject: MakeSubject) -> None:
    silent = blocks_of(subject("tool", status=Status.ERROR))
    assert silent[0].text() == "Failed: The span failed without saying why."
    said = blocks_of(subject("tool", status=Status.ERROR, status_message="504 timeout"))
    assert said[0].text() == "Failed: 504 timeout"
    odd = Event(START_NS, "exception", {"exception.type": 5, "exception.stacktrace": ["x"]})
    assert blocks_of(subject("tool", status=Status.ERROR, events=(odd,)))[0].text() == "5"
    bare = Event(START_NS, "exception", {})
    card = blocks_of(subject("tool", status=Status.ERROR, events=(bare,)))[0]
    assert card.text() == "Exception"
    paint(card)


def test_a_long_message_folds_in_its_card() -> None:
    card = ExceptionBlock("a.very.long.module.name.GatewayTimeout", "line\n" * 40, "", lambda *_: None)
    folded = card.height(304)
    link = QPoint(20, folded - 20)
    assert card.hot(link, 304)
    assert card.press(link, 304)
    assert card.height(304) > folded
    paint(card)
    newer = ExceptionBlock("X", "line\n" * 40, "", lambda *_: None)
    newer.adopt(card)
    assert newer.height(304) == card.height(304)
    newer.adopt(LineBlock("x"))
    assert card.activate()
    assert card.select(QPoint(15, 40), QPoint(60, 40), 304)
    assert card.selected_text()
    card.clear_selection()
    assert card.selected_text() == ""


def test_a_thousand_hostile_frames_are_painted() -> None:
    text = (
        "Traceback (most recent call last):\n"
        + '  File "/a\x00b.py", line 1, in \u202ef\n    x\n' * 1_000
        + "E: \ud800"
    )
    (raised,) = parse_traceback(text)
    assert len(raised.frames) == 1_000
    paint(FrameBlock(raised.frames[0], failing=True), 40)
    assert parse_traceback("x" * 2_000_000) == ()
