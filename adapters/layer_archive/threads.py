"""Threads for hashing and (de)compression, which release the GIL."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Generic, TypeVar

_Chunk = TypeVar("_Chunk")

_DEPTH = 4  # chunks of 1 MiB that may wait; keeps memory flat if one side is slow


class ReadAhead(Iterator[bytes]):
    """The chunks of an iterator that runs in a separate thread.

    Exceptions of the iterator are raised here. ``close`` must be called; afterwards the source of
    the iterator is not read any more.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_DEPTH)
        self._closed = False
        self._ended = False
        # The stream may watch the cancellation of this thread.
        run = copy_context().run
        self._thread = threading.Thread(
            target=run, args=[self._run], name="read-ahead", daemon=True
        )
        self._thread.start()

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        item = self._queue.get()
        if isinstance(item, bytes):
            return item
        self._ended = True
        if item is None:
            raise StopIteration
        raise item

    def close(self) -> None:
        """Stop the thread and wait for it. Idempotent."""
        self._closed = self._ended = True
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.01)  # it may be blocked on a full queue
            except queue.Empty:
                continue
        self._thread.join()

    def _run(self) -> None:
        try:
            for chunk in self._chunks:
                self._queue.put(chunk)
                if self._closed:
                    return
            self._queue.put(None)
        except BaseException as error:
            self._queue.put(error)


class Feeder(Generic[_Chunk]):
    """Passes chunks, in order, to a function that runs in a separate thread.

    The first chunk starts the thread. Exceptions of the function are raised by the next ``put`` or
    by ``finish``.
    """

    def __init__(self, consume: Callable[[_Chunk], object], name: str) -> None:
        self._consume = consume
        self._queue: queue.Queue[_Chunk | None] = queue.Queue(_DEPTH)
        self._error: BaseException | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._started = False

    @property
    def is_started(self) -> bool:
        """Return whether there was a first chunk."""
        return self._started

    def put(self, chunk: _Chunk) -> None:
        """Queue ``chunk``; block while the queue is full."""
        if self._error is not None:
            raise self._error
        if not self._started:
            self._thread.start()
            self._started = True
        self._queue.put(chunk)

    def finish(self) -> None:
        """Wait until everything is consumed, and raise the exception of the function."""
        self.stop()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Wait for the thread to end. Raises nothing; idempotent."""
        if not self._started:
            return
        if not self._ended:
            self._ended = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (chunk := self._queue.get()) is not None:
            if self._error is None:  # after a failure the queue is emptied, so that put never hangs
                try:
                    self._consume(chunk)
                except BaseException as error:
                    self._error = error
