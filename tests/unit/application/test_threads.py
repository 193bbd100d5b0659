"""Work in thread pools is cancelled with its caller, and when the caller is interrupted."""

from concurrent.futures import Future
from threading import Event

import pytest

from img.application.cancellation import cancelled_by, current_cancellation
from img.application.threads import threads
from img.domain.errors import BuildError

WAIT_S = 60  # until a test that hangs fails


def wait_for_cancellation(begun: Event) -> bool:
    begun.set()
    cancellation = current_cancellation()
    assert cancellation is not None
    return any(cancellation.wait(0.01) or cancellation.is_set() for _ in range(WAIT_S * 100))


def test_the_work_has_the_cancellation_of_the_caller() -> None:
    cancelled, begun = Event(), Event()

    with cancelled_by(cancelled), threads(1, "test") as pool:
        waiting = pool.submit(wait_for_cancellation, begun)
        assert begun.wait(WAIT_S)
        cancelled.set()

    assert waiting.result()


@pytest.mark.parametrize("of_caller", [None, Event()])
def test_an_interrupt_of_the_caller_cancels_the_work(of_caller: Event | None) -> None:
    begun = Event()
    waiting: list[Future[bool]] = []

    def interrupted() -> None:
        with threads(1, "test") as pool:
            waiting.append(pool.submit(wait_for_cancellation, begun))
            assert begun.wait(WAIT_S)
            raise KeyboardInterrupt

    with cancelled_by(of_caller or Event()), pytest.raises(KeyboardInterrupt):
        interrupted()

    assert waiting[0].result()


def test_after_a_failure_begun_work_comes_to_its_end() -> None:
    begun, go_on = Event(), Event()
    working: list[Future[bool]] = []

    def work() -> bool:
        begun.set()
        assert go_on.wait(WAIT_S)
        cancellation = current_cancellation()
        return cancellation is not None and cancellation.is_set()

    def failing() -> None:
        with threads(1, "test") as pool:
            working.append(pool.submit(work))
            assert begun.wait(WAIT_S)
            go_on.set()
            raise BuildError("failed")

    with pytest.raises(BuildError):
        failing()

    assert not working[0].result()
