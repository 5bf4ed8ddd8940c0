"""What a program ships for those that are gone costs it nothing, holds nothing up, and is never lost on the way."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from traceview.protocol.dead_spool import DeadSpool, find_dead
from traceview.protocol.spool import Spool
from traceview.sdk.leftovers import Leftovers

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def make(root: Path) -> Iterator[Callable[..., Leftovers]]:
    context: zmq.Context[Any] = zmq.Context()
    made: list[Leftovers] = []

    def start(endpoint: str = NOWHERE) -> Leftovers:
        made.append(Leftovers(root, endpoint, context))
        return made[-1]

    yield start
    for leftovers in made:
        leftovers.stop()
    context.term()


@pytest.fixture
def silent() -> Iterator[str]:
    """Where somebody listens who never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def leave(root: Path, name: str = "ab" * 16, endpoint: str = NOWHERE) -> None:
    spool = Spool(root / name, endpoint=endpoint)
    spool.append(b"a record")
    spool.close()


def is_free(root: Path) -> bool:
    """Whether the lock of every spool can be had."""
    free = list(find_dead(root))
    for dead in free:
        dead.release()
    return len(free) == len(list(root.iterdir()))


def turn_until(leftovers: Leftovers, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        leftovers.turn()
        time.sleep(min(0.005, leftovers.due_in))


def test_where_there_is_nothing_it_looks_again_much_later(root: Path, make: Callable[..., Leftovers]) -> None:
    leftovers = make()
    leftovers.turn()
    assert not leftovers.waiting
    assert leftovers.due_in > 20


def test_what_can_not_be_shipped_stays_and_is_tried_again_ever_more_rarely(
    root: Path, make: Callable[..., Leftovers]
) -> None:
    leave(root)
    leftovers = make()
    turn_until(leftovers, lambda: leftovers.due_in > 0.5)
    assert leftovers.waiting
    assert is_free(root)
    leave(root, "cd" * 16)
    turn_until(leftovers, lambda: leftovers.due_in > 1.5)
    assert is_free(root)


def test_one_that_is_in_use_or_no_spool_of_ours_is_passed_over(root: Path, make: Callable[..., Leftovers]) -> None:
    leave(root, "no session")
    living = Spool(root / ("ab" * 16), endpoint=NOWHERE)
    leftovers = make()
    turn_until(leftovers, lambda: leftovers.due_in > 20)
    assert not leftovers.waiting
    assert len(list(root.iterdir())) == 2
    living.close()


def test_to_stop_lets_go_at_once(root: Path, make: Callable[..., Leftovers], silent: str) -> None:
    leave(root, endpoint=silent)
    leftovers = make(silent)
    leftovers.turn()
    assert leftovers.waiting
    assert not is_free(root)
    leftovers.stop()
    assert is_free(root)
    leftovers.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_fork_holds_nothing_that_its_parent_ships(root: Path, make: Callable[..., Leftovers], silent: str) -> None:
    leave(root, endpoint=silent)
    leftovers = make(silent)
    leftovers.turn()
    ends, talks = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        leftovers.forget()
        leftovers.forget()
        os.write(talks[1], b"x")
        os.read(ends[0], 1)
        os._exit(0)
    os.read(talks[0], 1)
    assert not is_free(root), "the child let go of its parent's lock"
    assert leftovers._dead is not None
    os.close(leftovers._dead.lock)  # as if the parent were killed
    leftovers._dead = None
    assert is_free(root), "the child holds it"
    os.write(ends[1], b"x")
    os.waitpid(child, 0)
    for end in (*ends, *talks):
        os.close(end)


@pytest.mark.expects_log
def test_a_fault_of_ours_is_said_once_and_the_spool_stays(
    root: Path, make: Callable[..., Leftovers], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(dead: DeadSpool) -> int:
        raise RuntimeError("a fault")

    monkeypatch.setattr(DeadSpool, "touched_ns", fail)
    leave(root)
    leftovers = make()
    leftovers.turn()
    assert leftovers.due_in > 0.5
    assert is_free(root)
