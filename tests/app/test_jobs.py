"""Jobs: work happens on one other thread, the latest request wins, and closing waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from traceview.app.jobs import Jobs


@pytest.fixture
def jobs(qtbot: QtBot) -> Iterator[Jobs]:
    jobs = Jobs()
    yield jobs
    jobs.close()


def test_work_runs_elsewhere_and_its_answer_comes_here(jobs: Jobs, qtbot: QtBot) -> None:
    answers: list[tuple[threading.Thread, threading.Thread]] = []
    jobs.latest("a", threading.current_thread, lambda there: answers.append((there, threading.current_thread())))
    qtbot.waitUntil(lambda: bool(answers))
    there, here = answers[0]
    assert there is not here
    assert here is threading.main_thread()


def test_the_latest_request_of_a_key_wins(jobs: Jobs, qtbot: QtBot) -> None:
    may_go, ran, answers = threading.Event(), [], []

    def slow(n: int) -> int:
        assert may_go.wait(10)
        ran.append(n)
        return n

    for n in (1, 2, 3):
        jobs.latest("state", lambda n=n: slow(n), answers.append)
    jobs.latest("other", lambda: 9, answers.append)
    may_go.set()
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers == [3, 9]
    assert 2 not in ran


def test_an_error_is_handed_to_who_asked(jobs: Jobs, qtbot: QtBot) -> None:
    errors: list[Exception] = []
    jobs.latest("a", lambda: [][0], lambda _: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], IndexError)


@pytest.mark.expects_log
def test_an_error_nobody_waits_for_is_logged(jobs: Jobs, qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    jobs.latest("figures", lambda: [][0], lambda _: None)
    qtbot.waitUntil(lambda: bool(caplog.records))
    assert caplog.records[0].levelno == logging.ERROR
    assert "job figures failed" in caplog.text


def test_a_cancelled_request_is_not_answered(jobs: Jobs, qtbot: QtBot) -> None:
    may_go, answers = threading.Event(), []

    def slow() -> str:
        assert may_go.wait(10)
        return "late"

    jobs.latest("a", slow, answers.append)
    jobs.cancel("a")
    jobs.cancel("never asked")
    may_go.set()
    jobs.latest("b", lambda: "after", answers.append)
    qtbot.waitUntil(lambda: answers == ["after"])


def test_closing_waits_for_the_running_piece_drops_the_rest_and_is_safe_twice(qtbot: QtBot) -> None:
    jobs = Jobs()
    started, may_go, ran, answers = threading.Event(), threading.Event(), [], []

    def slow() -> None:
        started.set()
        assert may_go.wait(10)
        ran.append("slow")

    jobs.latest("a", slow, answers.append)
    jobs.latest("b", lambda: ran.append("never"), answers.append)
    assert started.wait(10)
    threading.Timer(0.05, may_go.set).start()
    jobs.close()
    jobs.close()
    jobs.latest("c", lambda: ran.append("too late"), answers.append)
    QApplication.processEvents()
    assert (ran, answers) == (["slow"], [])
