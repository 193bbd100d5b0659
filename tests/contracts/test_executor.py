"""What every executor promises."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from img.adapters.executor.scripted import ScriptedExecutor
from img.application.ports.executor import ExecutorUnavailable, OutputSink, ProcessNotStarted
from img.domain.process import DirectoryRoot, ExitStatus, Process, Root
from tests.support.steps.executors import ISOLATED, executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root


def small_shell(process: Process, root: Root, output: OutputSink) -> ExitStatus:
    """Stand for the few scripts that the promises are put to the test with."""
    if process.argv[0] != "/bin/sh":
        raise ProcessNotStarted(f'exec: "{process.argv[0]}": executable file not found in $PATH')
    assert isinstance(root, DirectoryRoot)
    verb, _, rest = process.argv[2].partition(" ")
    match verb:
        case "exit":
            return ExitStatus(int(rest))
        case "sleep":
            time.sleep(0.3)
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
def steps(request: pytest.FixtureRequest) -> Iterator[Steps]:
    if request.param == "scripted":
        nowhere = StepRoot(root=DirectoryRoot(path="/nowhere"), changed=None, whole=())  # type: ignore[arg-type]
        yield Steps(ScriptedExecutor(small_shell), nowhere)
        return
    name, kind = request.param.split()
    executor = executor_named(name)
    with step_root(kind) as root:
        yield Steps(executor, root)
        executor.close()


def test_the_status_is_the_exit_code(steps: Steps) -> None:
    codes = [0, 1, 3, 126, 127, 255]

    assert [steps.run(["/bin/sh", "-c", f"exit {code}"]).code for code in codes] == codes


def test_output_comes_by_its_stream(steps: Steps) -> None:
    steps.run(["/bin/sh", "-c", "echo out; echo err >&2"])

    assert (steps.stdout, steps.stderr) == ("out\n", "err\n")


def test_stdin_is_empty(steps: Steps) -> None:
    assert steps.run(["/bin/sh", "-c", "cat -"]).success
    assert steps.stdout == ""


def test_a_command_that_is_not_there_is_not_started(steps: Steps) -> None:
    with pytest.raises(ProcessNotStarted) as caught:
        steps.run(["no-such-thing"])

    assert caught.value.message == ('exec: "no-such-thing": executable file not found in $PATH')


def test_a_run_that_was_cancelled_before_is_killed(steps: Steps) -> None:
    cancelled = threading.Event()
    cancelled.set()

    assert steps.run(["/bin/sh", "-c", "sleep 100"], cancelled=cancelled) == ExitStatus(137)


def test_a_run_that_is_cancelled_while_it_runs_is_killed(steps: Steps) -> None:
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()

    before = time.monotonic()
    assert steps.run(["/bin/sh", "-c", "sleep 100"], cancelled=cancelled) == ExitStatus(137)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("after_ms", [1, 4, 8, 12, 20])
def test_a_run_that_is_cancelled_while_it_starts_is_killed(steps: Steps, after_ms: int) -> None:
    cancelled = threading.Event()
    threading.Timer(after_ms / 1000, cancelled.set).start()

    assert steps.run(["/bin/sh", "-c", "sleep 100"], cancelled=cancelled) == ExitStatus(137)


def test_several_threads_may_run_at_once_each_in_a_root_of_its_own(steps: Steps) -> None:
    def run(code: int) -> int:
        with step_root("directory") as root:
            return Steps(steps.executor, root).run(["/bin/sh", "-c", f"exit {code}"]).code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(12))) == list(range(12))


def test_after_close_nothing_runs(steps: Steps) -> None:
    steps.executor.close()
    steps.executor.close()

    with pytest.raises(ExecutorUnavailable):
        steps.run(["/bin/sh", "-c", "exit 0"])


def test_the_scripted_executor_remembers_what_it_was_asked() -> None:
    executor = ScriptedExecutor()
    root = DirectoryRoot(path="/nowhere")
    first = replace(in_env(cwd="/a"), argv=("true",))

    executor.run(first, root, lambda *_: None, threading.Event())

    assert executor.processes == (first,)
    assert executor.asked == ((first, root),)
