"""Steps in control groups, with each executor."""

import threading

import pytest

from img.adapters.control_groups.memory import MemoryControlGroup, MemoryControlGroups
from img.adapters.executor.scripted import ScriptedExecutor
from img.application.ports.executor import OutputSink
from img.application.solver.limited import LimitedExecutor
from img.domain.process import DirectoryRoot, ExitStatus, Process, Root


def run(code: int, groups: MemoryControlGroups) -> tuple[ExitStatus, Process]:
    def end(process: Process, root: Root, output: OutputSink) -> ExitStatus:
        assert groups.in_use == 1
        return ExitStatus(code)

    scripted = ScriptedExecutor(end)
    status = LimitedExecutor(scripted, groups).run(
        Process(argv=("true",), env={}), DirectoryRoot(path="/"), lambda *_: None, threading.Event()
    )
    assert groups.in_use == 0
    return status, scripted.processes[0]


def test_a_process_is_told_its_groups() -> None:
    group = MemoryControlGroup(names=("/cpu/one", "/memory/one"))

    status, process = run(0, MemoryControlGroups(group))

    assert status == ExitStatus(0)
    assert process.control_groups == ("/cpu/one", "/memory/one")


@pytest.mark.parametrize(("code", "exceeded"), [(0, False), (137, True), (1, True)])
def test_only_a_failure_is_put_down_to_memory(code: int, exceeded: bool) -> None:
    status, _ = run(code, MemoryControlGroups(MemoryControlGroup(exceeded=True)))

    assert status == ExitStatus(code, out_of_memory=exceeded)


def test_a_failure_with_memory_left_is_just_that() -> None:
    assert run(137, MemoryControlGroups())[0] == ExitStatus(137)
