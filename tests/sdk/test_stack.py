"""A thread with a small stack survives what has no end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from traceview.sdk import stack
from traceview.sdk.stack import Stack

from .conftest import Daemon, Finished  # isort: skip


def test_a_structure_without_end_is_recorded_from_a_thread_with_a_small_stack(
    daemon: Daemon, run_program: Callable[..., Finished]
) -> None:
    done = run_program(
        """
        import dataclasses
        import threading
        import traceview as tv

        @dataclasses.dataclass
        class Node:
            name: str
            up: object

        def work():
            circle = {"n": 1}
            circle["self"] = circle
            with tv.span("dict", input=circle) as span:
                span.set_output([circle])
            node = Node("a", None)
            node.up = node
            with tv.span("object", input=node, attributes={"node": node}):
                pass

        threading.stack_size(1024 * 1024)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )
    assert done.err == ""
    assert daemon.names == ["dict", "object"]
    given = {part.name: part.input for part in daemon.parts if part.name}
    assert given["dict"]["n"] == 1
    assert "circular" in given["dict"]["self"]
    assert "circular" in given["object"]["up"]


def asked_in_a_thread() -> bool:
    answers = []
    own = Stack()
    thread = threading.Thread(target=lambda: answers.append(own.is_ample))
    thread.start()
    thread.join()
    return answers[0]


@pytest.mark.skipif(not hasattr(stack.os, "confstr"), reason="this system has no such limits")
@pytest.mark.parametrize(
    ("limit", "asked", "libc", "main", "thread"),
    [
        (8 << 20, 0, "glibc 2.36", True, True),
        (8 << 20, 1 << 20, "glibc 2.36", True, False),
        (8 << 20, 0, None, True, False),
        (1 << 20, 0, "glibc 2.36", False, False),
        (1 << 20, 16 << 20, "glibc 2.36", False, True),
        (-1, 0, "glibc 2.36", True, False),
    ],
)
def test_a_stack_is_measured_by_what_the_system_gives_it(
    monkeypatch: pytest.MonkeyPatch, limit: int, asked: int, libc: str | None, main: bool, thread: bool
) -> None:
    import resource

    monkeypatch.setattr(stack, "_UNMEASURED", True)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (limit, limit))
    monkeypatch.setattr(threading, "stack_size", lambda: asked)
    monkeypatch.setattr(stack.os, "confstr", lambda _name: libc)
    assert Stack().is_ample is main
    assert asked_in_a_thread() is thread


def test_a_system_that_does_not_know_its_libc_is_not_taken_for_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> Any:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(stack.os, "confstr", refuse, raising=False)
    assert not stack._is_glibc()


def test_where_the_interpreter_measures_every_stack_is_ample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "_UNMEASURED", False)
    monkeypatch.setattr(stack, "_bytes", lambda: 0)
    assert asked_in_a_thread()
