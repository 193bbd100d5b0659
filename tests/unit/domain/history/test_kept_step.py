"""Operations of steps, read from records."""

import json

import pytest

from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import Exec, ExecMount, InlineFile, MakeDirectory
from img.domain.history.facts import kept_operation
from img.domain.history.kept_step import UnreadableStep, exec_of
from img.domain.process import Network, Ulimit


def test_a_run_comes_back_from_its_record() -> None:
    operation = Exec(
        argv=("sh", "-c", "make"),
        env=(("A", "1"), ("TOKEN", "t0p")),
        cwd="/w",
        user="7",
        network=Network.NONE,
        mounts=(ExecMount(type="cache", target="/c", id="c", sharing="locked", mode=0o700),),
        hosts=(("h", "1.2.3.4"),),
        ulimits=(Ulimit(name="nofile", soft=1, hard=2),),
        files=(InlineFile(name=FileName("EOF"), content="#!/bin/sh\n", mode=0o755),),
        shm_size=9,
    )
    stored = json.loads(json.dumps(kept_operation(operation, ("TOKEN",))))

    found = exec_of(stored)

    assert found is not None
    assert found.env == (("A", "1"),)
    same = ("argv", "cwd", "user", "network", "mounts", "hosts", "ulimits", "files", "shm_size")
    assert [getattr(found, n) for n in same] == [getattr(operation, n) for n in same]


def test_other_steps_are_no_runs() -> None:
    assert exec_of(kept_operation(MakeDirectory(path="/w"))) is None
    assert exec_of({}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"network": "everywhere"},
        {"cwd": 7},
        {"shm_size": "much"},
        {"mounts": [{"type": "nfs", "target": "/"}]},
        {"mounts": [{"type": "bind"}]},
        {"ulimits": [{"name": "nofile"}]},
    ],
)
def test_an_operation_without_sense_is_refused(change: dict[str, object]) -> None:
    stored = {**kept_operation(Exec(argv=("a",))), **change}

    with pytest.raises(UnreadableStep):
        exec_of(stored)
