"""Long texts: a window of them is laid out, and what is copied is what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from traceview.app.inspectors.text_view import TextView
from traceview.app.inspectors.text_window import (
    LINE,
    WINDOW,
    WINDOW_LINES,
    window_around,
    window_at,
    window_before,
)
from traceview.app.theme import theme

LONG_LINES = "".join(f"{number:>9}" + "." * 90 + "\n" for number in range(60_000))


@pytest.fixture
def view(qtbot: QtBot) -> TextView:
    found = TextView()
    found.set_theme(theme(False))
    found.resize(384, 600)
    qtbot.addWidget(found)
    found.show()
    return found


def test_a_short_text_is_one_window() -> None:
    window = window_at("hello\nworld", 0)
    assert (window.start, window.end, window.shown, window.breaks) == (0, 11, "hello\nworld", ())
    assert window_at("", 0).shown == ""


def test_a_window_holds_256_kb_and_ends_with_a_line() -> None:
    window = window_at(LONG_LINES, 0)
    assert WINDOW - 200 < window.end <= WINDOW
    assert window.shown.endswith("\n")
    assert window_at("x" * (3 * WINDOW), 0).end == WINDOW


def test_a_window_holds_four_thousand_lines() -> None:
    text = "a\n" * 10_000
    window = window_at(text, 0)
    assert window.shown.count("\n") == WINDOW_LINES
    before = window_before(text, 12_000)
    assert before.end == 12_000
    assert before.start == 12_000 - 2 * WINDOW_LINES
    assert window_before(text, 100).start == 0


def test_windows_follow_one_another_without_a_gap() -> None:
    start, found = 0, []
    while start < len(LONG_LINES):
        window = window_at(LONG_LINES, start)
        found.append(window.shown)
        start = window.end
    assert "".join(found) == LONG_LINES
    back = window_before(LONG_LINES, len(LONG_LINES))
    assert back.end == len(LONG_LINES)
    assert back.start < len(LONG_LINES) - WINDOW // 2
    assert LONG_LINES[back.start - 1] == "\n"


def test_a_line_of_two_mb_is_broken_every_4096_characters() -> None:
    window = window_at("z" * 2_000_000, 0)
    assert max(map(len, window.shown.split("\n"))) == LINE
    assert len(window.breaks) == WINDOW // LINE - 1


def test_places_are_found_again_through_breaks_and_wide_letters() -> None:
    text = "😀" * 5_000 + "\nab\r\nc\rd"
    window = window_at(text, 0)
    for offset in (0, 1, LINE - 1, LINE, LINE + 1, 5_000, 5_001, len(text)):
        assert window.to_text(window.to_document(offset)) == offset
    assert window.shown.endswith("\nab \nc␍d")


def test_a_hit_s_window_begins_at_a_line_before_it() -> None:
    offset = 3_000_050
    window = window_around(LONG_LINES, offset)
    assert window.start < offset < window.end
    assert LONG_LINES[window.start - 1] == "\n"
    assert window_around("x" * 10**6, 500_000).start == 500_000 - 4_096


def test_the_footer_says_which_part_is_seen_and_leads_on_and_back(view: TextView) -> None:
    view.set_text("short")
    assert not view.footer.isVisible()
    view.set_text(LONG_LINES)
    assert view.footer.isVisible()
    assert view.footer.label.text.startswith("The first 262")
    assert not view.footer.back.isVisible()
    first = view.part
    view.footer.more.click()
    assert view.part.start == first.end
    assert " to " in view.footer.label.text
    view.footer.back.click()
    assert view.part.start == 0
    view.show_back()
    assert view.part.start == 0


def test_never_more_than_a_window_is_laid_out(view: TextView) -> None:
    view.set_text("z" * 12_000_000)
    assert view.edit.document().characterCount() < WINDOW + 200
    assert view.edit.document().blockCount() == WINDOW // LINE
    view.set_text("\n" * 3_000_000)
    assert view.edit.document().blockCount() <= WINDOW_LINES + 1


def test_what_is_copied_is_what_was_recorded(view: TextView, clipboard: Callable[[], str]) -> None:
    text = "a\x00b\u202e" + "x" * 5_000 + "\nend"
    view.set_text(text)
    assert "␀" in view.edit.toPlainText()
    view.edit.selectAll()
    view.edit.copy()
    assert clipboard() == text
    view.edit.moveCursor(QTextCursor.MoveOperation.Start)
    assert view.selected_text() == ""
    view.footer.copy.click()
    assert clipboard() == text


def test_a_search_goes_to_hits_outside_the_window(view: TextView, qtbot: QtBot) -> None:
    view.set_text(LONG_LINES + "the needle\n")
    view.look_for("NEEDLE")
    qtbot.waitUntil(lambda: view.finder.at == 0)
    assert view.part.end == len(view.text)
    assert view.part.to_text(view.edit.textCursor().position()) == LONG_LINES.__len__() + 4
    assert [mark.cursor.selectedText() for mark in view.edit.extraSelections()] == ["needle"]
    view.look_for("")
    assert view.edit.extraSelections() == []


def test_many_hits_are_marked_only_round_the_current_one(view: TextView, qtbot: QtBot) -> None:
    view.set_text("ab" * 4_000)
    view.look_for("a")
    qtbot.waitUntil(lambda: not view.finder.running)
    view.finder.go(-1)
    marks = view.edit.extraSelections()
    assert len(marks) == 400
    assert view.finder.count_text() == "4,000 of 4,000"


def test_a_text_that_grows_keeps_selection_and_place(view: TextView) -> None:
    view.set_text("first line\n" * 200)
    cursor = view.edit.textCursor()
    cursor.setPosition(3)
    cursor.setPosition(8, QTextCursor.MoveMode.KeepAnchor)
    view.edit.setTextCursor(cursor)
    view.set_text("first line\n" * 200 + "more", again=True)
    assert view.edit.toPlainText().endswith("more")
    assert view.selected_text() == "st li"
    view.set_text("other", again=True)
    assert view.edit.toPlainText() == "other"
    view.set_text("", again=True)
    view.set_text("new", again=True)
    assert view.edit.toPlainText() == "new"


def test_a_value_is_written_as_far_as_it_is_needed(view: TextView, qtbot: QtBot, clipboard: Callable[[], str]) -> None:
    view.set_value(list(range(200_000)))
    assert not view.whole
    assert 64_000 < len(view.text) < WINDOW
    assert "more than" in view.footer.label.text
    view.copy_all()
    qtbot.waitUntil(lambda: view.whole)
    assert clipboard().endswith("199999\n]")
    view.set_value({"a": 1})
    assert view.whole


def test_what_was_asked_of_one_text_is_not_done_to_the_next(
    view: TextView, qtbot: QtBot, clipboard: Callable[[], str]
) -> None:
    view.set_value(list(range(200_000)))
    view.copy_all()
    view.set_value(list(range(100_000)))
    view.look_for("99999")
    qtbot.waitUntil(lambda: view.whole)
    assert clipboard() == ""
    view.look_for("")
    view.set_value(list(range(150_000)))
    view.copy_all()
    view.set_value(list(range(150_001)), again=True)
    qtbot.waitUntil(lambda: clipboard().endswith("150000\n]"))


def test_a_search_in_a_value_s_text_first_writes_it(view: TextView, qtbot: QtBot) -> None:
    view.set_value(list(range(200_000)))
    view.look_for("199999")
    qtbot.waitUntil(lambda: view.finder.at == 0)
    assert view.part.start > 0
    view.set_value(list(range(100_000)))
    view.finder.stop()
    while view.part.end < len(view.text):
        view.show_more()
    view.show_more()
    view.show_more()
    qtbot.waitUntil(lambda: view.whole)


def test_a_text_is_saved_where_one_says(view: TextView, tmp_path: Path, qtbot: QtBot) -> None:
    view.set_value(list(range(200_000)))
    view.save()
    dialog = view.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.acceptMode() is QFileDialog.AcceptMode.AcceptSave
    target = tmp_path / "out.json"
    dialog.fileSelected.emit(str(target))
    dialog.reject()
    qtbot.waitUntil(target.exists)
    qtbot.waitUntil(lambda: "Saved in out.json" in view.footer.label.text)
    assert target.read_text(encoding="utf-8").endswith("199999\n]")
    view.set_text("a\ud800\r\nb")
    view.save_to(str(target))
    assert target.read_bytes() == "a\ufffd\r\nb".encode()
    view.save_to(str(tmp_path / "absent" / "x"))
    assert view.footer.label.text == "Not saved: No such file or directory."


def test_letters_are_left_to_the_window_s_keys(view: TextView, qtbot: QtBot) -> None:
    view.set_text("abc")
    qtbot.keyClick(view.edit, Qt.Key.Key_J)
    assert view.edit.toPlainText() == "abc"
    assert view.edit.isReadOnly()
