"""Contract suite of executors."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from img.application.ports.executor import (
    Cancellation,
    Executor,
    ExecutorUnavailable,
    ProcessNotStarted,
)
from img.domain.process import ExitStatus, Process, Root

NewRoot = Callable[[], Root]
"""Returns a root of its own at each call, with /bin/sh, and cat and sleep for it."""


def run(
    executor: Executor, root: Root, *argv: str, cancelled: Cancellation | None = None
) -> tuple[ExitStatus, dict[int, bytes]]:
    """Run a process without environment; return its status, and what it wrote by stream."""
    written = {1: b"", 2: b""}

    def keep(stream: int, data: bytes) -> None:
        written[stream] += data

    process = Process(argv=argv, env={})
    return executor.run(process, root, keep, cancelled or threading.Event()), written


def run_script(
    executor: Executor, root: Root, script: str, cancelled: Cancellation | None = None
) -> ExitStatus:
    """Run a shell script and return its status."""
    return run(executor, root, "/bin/sh", "-c", script, cancelled=cancelled)[0]


class ExecutorContract:
    """Promises of every Executor.

    Fixtures: ``executor``, and ``new_root``, a NewRoot.
    """

    def test_the_status_is_the_exit_code(self, executor: Executor, new_root: NewRoot) -> None:
        codes = [0, 1, 3, 126, 127, 255]

        found = [run_script(executor, new_root(), f"exit {code}").code for code in codes]

        assert found == codes

    def test_output_comes_by_its_stream(self, executor: Executor, new_root: NewRoot) -> None:
        _, written = run(executor, new_root(), "/bin/sh", "-c", "echo out; echo err >&2")

        assert written == {1: b"out\n", 2: b"err\n"}

    def test_stdin_is_empty(self, executor: Executor, new_root: NewRoot) -> None:
        status, written = run(executor, new_root(), "/bin/sh", "-c", "cat -")

        assert status.success
        assert written[1] == b""

    def test_a_command_that_is_not_there_is_not_started(
        self, executor: Executor, new_root: NewRoot
    ) -> None:
        with pytest.raises(ProcessNotStarted) as caught:
            run(executor, new_root(), "no-such-thing")

        assert caught.value.message == 'exec: "no-such-thing": executable file not found in $PATH'

    def test_a_run_that_was_cancelled_before_is_killed(
        self, executor: Executor, new_root: NewRoot
    ) -> None:
        cancelled = threading.Event()
        cancelled.set()

        assert run_script(executor, new_root(), "sleep 100", cancelled) == ExitStatus(137)

    def test_a_run_that_is_cancelled_while_it_runs_is_killed(
        self, executor: Executor, new_root: NewRoot
    ) -> None:
        cancelled = threading.Event()
        threading.Timer(0.1, cancelled.set).start()

        before = time.monotonic()
        assert run_script(executor, new_root(), "sleep 100", cancelled) == ExitStatus(137)
        assert time.monotonic() - before < 5

    @pytest.mark.parametrize("after_ms", [1, 4, 8, 12, 20])
    def test_a_run_that_is_cancelled_while_it_starts_is_killed(
        self, executor: Executor, new_root: NewRoot, after_ms: int
    ) -> None:
        root, cancelled = new_root(), threading.Event()
        threading.Timer(after_ms / 1000, cancelled.set).start()

        assert run_script(executor, root, "sleep 100", cancelled) == ExitStatus(137)

    def test_several_threads_may_run_at_once_each_in_a_root_of_its_own(
        self, executor: Executor, new_root: NewRoot
    ) -> None:
        roots = [new_root() for _ in range(12)]

        def exit_with(code: int) -> int:
            return run_script(executor, roots[code], f"exit {code}").code

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(exit_with, range(12))) == list(range(12))

    def test_after_close_nothing_runs(self, executor: Executor, new_root: NewRoot) -> None:
        executor.close()
        executor.close()

        with pytest.raises(ExecutorUnavailable):
            run_script(executor, new_root(), "exit 0")
