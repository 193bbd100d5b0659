"""Contract tests of executors."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from img.adapters.executor.scripted import ScriptedExecutor
from img.application.ports.executor import Executor, OutputSink, ProcessNotStarted
from img.domain.process import DirectoryRoot, ExitStatus, Process, Root
from img.testing.executor import ExecutorContract, NewRoot
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_roots import in_env, step_root


def small_shell(process: Process, root: Root, output: OutputSink) -> ExitStatus:
    """Run the few scripts of the contract suite."""
    if process.argv[0] != "/bin/sh":
        raise ProcessNotStarted(f'exec: "{process.argv[0]}": executable file not found in $PATH')
    verb, _, rest = process.argv[2].partition(" ")
    match verb:
        case "exit":
            return ExitStatus(int(rest))
        case "sleep":
            time.sleep(0.3)  # longer than any test waits before it cancels
        case "cat":
            output(1, b"")
        case "echo":
            output(1, b"out\n")
            output(2, b"err\n")
    return ExitStatus(0)


@pytest.fixture(
    params=[
        "scripted",
        *(
            pytest.param(f"{name} directory", marks=pytest.mark.userns)
            for name in (*ISOLATED, "chroot")
        ),
        *(pytest.param(f"{name} overlay", marks=pytest.mark.userns) for name in ISOLATED),
        pytest.param("proot directory", marks=pytest.mark.plain_user),
    ]
)
def kind(request: pytest.FixtureRequest) -> str:
    """Return the name of an executor, and of the kind of root."""
    found: str = request.param
    return found


@pytest.fixture
def new_root(kind: str) -> Iterator[NewRoot]:
    if kind == "scripted":
        yield lambda: DirectoryRoot(path="/nowhere")
        return
    with ExitStack() as made:
        yield lambda: made.enter_context(step_root(kind.split()[1])).root


@pytest.fixture
def executor(kind: str, new_root: NewRoot) -> Iterator[Executor]:
    if kind == "scripted":
        yield ScriptedExecutor(small_shell)
        return
    made = executor_named(kind.split(maxsplit=1)[0])
    yield made
    made.close()


class TestExecutor(ExecutorContract):
    pass


def test_the_scripted_executor_remembers_what_it_was_asked() -> None:
    executor = ScriptedExecutor()
    root = DirectoryRoot(path="/nowhere")
    first = replace(in_env(cwd="/a"), argv=("true",))

    executor.run(first, root, lambda *_: None, threading.Event())

    assert executor.processes == (first,)
    assert executor.asked == ((first, root),)
