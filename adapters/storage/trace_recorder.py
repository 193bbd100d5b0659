"""Recording of the questions of a build."""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from img.adapters.storage.trace_questions import ROWS, Answer, Question, ask, is_settled


class TraceRecorder:
    """The questions of one build with their answers, unless one cannot be asked again.

    Adapters that record call it before they read what they ask for, so that a change in between is
    noticed later. Threads may share it.
    """

    def __init__(self, on_stop: Callable[[], None] = lambda: None) -> None:
        """``on_stop`` is called when it is certain that there is no trace."""
        self._on_stop = on_stop
        self._lock = Lock()
        self._asked: dict[str, tuple[Question, Answer]] = {}
        self._obstacle = ""
        self._ended = False

    @property
    def obstacle(self) -> str:
        """The reason against a trace of the build, "" without one."""
        return self._obstacle

    @property
    def asked(self) -> Sequence[tuple[Question, Answer]]:
        """The questions and answers so far, each once."""
        return list(self._asked.values())

    def ask(self, *questions: Question) -> None:
        """Record questions with the answers of now."""
        for question in questions:
            at = time.time_ns()
            self.record(question, answer := ask(question))
            if not is_settled(question, answer, at):
                self.stop(f"{question[1]} has just changed")

    def record(self, question: Question, answer: Answer) -> None:
        """Record ``question`` with ``answer``. Two answers that differ stop the recording."""
        with self._lock:
            if self._ended:
                return
            _, known = self._asked.setdefault(repr(question), (question, answer))
        if known != answer:
            self.stop(f"{question[1]} changed during the build")

    def record_rows(self, query: str, parameters: Sequence[object], rows: list[Any]) -> None:
        """Record a query of the database. Rows with values that JSON cannot hold stop it."""
        if all(isinstance(value, str | int | None) for row in rows for value in row):
            self.record([ROWS, query, [*parameters]], rows)
        else:
            self.stop("a query with binary values")

    def stop(self, reason: str) -> None:
        """Keep no trace of this build, because of ``reason``."""
        if not self._ended and not self._obstacle:
            self._obstacle = reason
            self._on_stop()

    def end(self) -> None:
        """Record nothing from now on: what follows does not change the output."""
        self._ended = True


def stopping(names: Sequence[str]) -> Callable[[type], type]:
    """Return a decorator of classes: the methods ``names`` stop the attribute ``_recorder``.

    A class that records overrides the methods of its port that can be asked again; all others are
    given here.
    """

    def decorate(cls: type) -> type:
        for name in names:
            if name not in vars(cls):
                setattr(cls, name, _stopping(name, getattr(cls, name)))
        return cls

    return decorate


def _stopping(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def stop(self: Any, *arguments: Any, **named: Any) -> Any:
        self._recorder.stop(name)
        return method(self, *arguments, **named)

    return stop


def methods_of(*ports: type) -> list[str]:
    """Return the names of the public methods and attributes of ``ports``."""
    return sorted({name for port in ports for name in vars(port) if not name.startswith("_")})
