from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from fairweather_app.common import time_limit
from fairweather_app.common.time_limit import CancelToken, TimeLimit, current_token
from fairweather_app.errors import GivenUpError

T = TypeVar("T")


class Hanging:
    """Work that hangs until it is let go; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.asked += 1
        self.begun.set()
        self.let_go.wait(60)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    work = Hanging()
    yield work
    work.let_go.set()


class SoonForWhatHangs(TimeLimit):
    """Gives what hangs 0.05 s, and other work as long as the busiest machine needs."""

    def run(self, what: str, work: Callable[[], T]) -> T:
        self.seconds = 0.05 if isinstance(work, Hanging) else 60
        return super().run(what, work)


def a_limit(clock: Callable[[], float] = lambda: 0.0) -> TimeLimit:
    return SoonForWhatHangs(0.05, pause=30, clock=clock)


def test_work_that_is_in_time_gives_what_it_gives_and_raises_what_it_raises() -> None:
    limit = a_limit()
    assert limit.run("x", lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        limit.run("x", lambda: 1 // 0)
    assert limit.run("x", lambda: 8) == 8


def test_work_that_hangs_is_given_up_and_not_asked_again_for_a_while(hanging: Hanging) -> None:
    now = [1000.0]
    limit = a_limit(lambda: now[0])
    with pytest.raises(GivenUpError, match=r"x did not answer within 0\.05 s$"):
        limit.run("x", hanging)
    now[0] += 10
    with pytest.raises(GivenUpError, match="asked again in 20 s"):
        limit.run("x", hanging)
    assert hanging.begun.wait(60)
    assert hanging.asked == 1
    assert limit.run("y", lambda: "another is asked all the same")
    now[0] += 21
    assert limit.run("x", lambda: "asked again") == "asked again"


def test_work_runs_beside_so_that_what_hangs_holds_up_nothing_else(hanging: Hanging) -> None:
    limit = a_limit()
    for name in "abc":
        with pytest.raises(GivenUpError):
            limit.run(name, hanging)
    assert limit.run("d", threading.current_thread) is not threading.current_thread()


def test_threads_are_used_again_and_their_number_is_bounded(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "MOST_THREADS", 2)
    limit = a_limit()
    for _ in range(20):
        limit.run("x", lambda: None)
    for name in "ab":
        with pytest.raises(GivenUpError):
            limit.run(name, hanging)
    with pytest.raises(GivenUpError, match="2 calls that were given up are still running"):
        limit.run("c", lambda: None)


class Listening:
    """Work that takes `seconds` and ends soon after its token is fired."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.threads: list[threading.Thread] = []

    def __call__(self) -> str:
        self.threads.append(threading.current_thread())
        stopped = threading.Event()
        limit = current_token()
        assert limit is not None
        limit.on_cancel(stopped.set)
        return "stopped" if stopped.wait(self.seconds) else "done"


def test_work_that_listens_and_was_quick_is_done_by_the_thread_that_asks() -> None:
    limit, work = TimeLimit(20, pause=30), Listening()
    for _ in range(3):
        assert limit.run("x", work) == "done"
    here = threading.current_thread()
    assert [each is here for each in work.threads] == [False, True, True]
    limit.run("x", lambda: "does not listen")
    assert limit.run("x", threading.current_thread) is not here


def test_what_is_late_is_interrupted_wherever_it_runs() -> None:
    limit, work = TimeLimit(20, pause=0), Listening()
    limit.run("x", work)  # quick, on the busiest machine
    limit.seconds, work.seconds = 0.4, 60
    for _ in range(2):  # on this thread, and then, since it was slow, on another
        with pytest.raises(GivenUpError, match=r"x did not answer within 0\.4 s$"):
            limit.run("x", work)
    assert [each is threading.current_thread() for each in work.threads] == [False, True, False]


def test_an_interrupt_that_was_fired_before_anybody_listened_is_heard() -> None:
    fired, heard = CancelToken(), []
    fired.cancel()
    fired.on_cancel(lambda: heard.append(True))
    assert heard
    assert current_token() is None


def test_no_thread_is_started_before_there_is_work() -> None:
    before = threading.active_count()
    a_limit()
    assert threading.active_count() == before


def test_what_is_never_asked_again_is_forgotten(hanging: Hanging) -> None:
    now = [0.0]
    limit = a_limit(lambda: now[0])
    for name in ("x", "y"):
        with pytest.raises(GivenUpError):
            limit.run(name, hanging)
        now[0] += 31
    assert set(limit._paused) == {"y"}
