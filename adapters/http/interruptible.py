"""Requests that end at once when the work that they are for is cancelled."""

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from img.application.cancellation import POLL_S, StepCanceled, current_cancellation

_Result = TypeVar("_Result")


def interruptible(call: Callable[[], _Result], discard: Callable[[_Result], None]) -> _Result:
    """Return the result of ``call``. Raises StepCanceled once the thread's cancellation is set.

    Nothing interrupts a lookup of a name, a connection attempt or a wait for a response, except a
    signal in the main thread. So ``call`` gets a thread, which is abandoned when the cancellation
    is set; ``discard`` is then called with its result. Without a cancellation there is no thread.
    """
    cancellation = current_cancellation()
    if cancellation is None:
        return call()
    if cancellation.is_set():
        raise StepCanceled
    running = _Call(call, discard)
    try:
        # A daemon: img need not wait for a server that does not answer.
        Thread(target=running.run, name="request", daemon=True).start()
        while not running.ended.wait(POLL_S):
            if cancellation.is_set():
                raise StepCanceled
    except BaseException:
        running.abandon()
        raise
    return running.result()


class _Call(Generic[_Result]):
    def __init__(self, call: Callable[[], _Result], discard: Callable[[_Result], None]) -> None:
        self.ended = Event()
        self._call = call
        self._discard = discard
        self._results: list[_Result] = []
        self._error: BaseException | None = None
        self._abandoned = False
        self._lock = Lock()

    def run(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:
            self._error = error
        with self._lock:
            self.ended.set()
            if self._abandoned:
                self._drop()

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self.ended.is_set():
                self._drop()

    def result(self) -> _Result:
        if self._error is not None:
            raise self._error
        return self._results.pop()

    def _drop(self) -> None:
        while self._results:
            self._discard(self._results.pop())
