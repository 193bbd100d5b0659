"""Contract tests of the space that a state takes."""

import os
from pathlib import Path

import pytest

from img.adapters.state_space.files import FileStateSpace
from img.adapters.state_space.memory import MemoryStateSpace
from img.application.ports.state_space import Leftover, StateSpace
from img.testing.state_space import StateSpaceContract


def in_files(state: Path) -> StateSpace:
    for changed in (100, 200):
        draft = state / "tmp" / str(changed)
        draft.parent.mkdir(exist_ok=True)
        draft.write_bytes(b"x")
        os.utime(draft, (changed, changed))
    return FileStateSpace(state, state / "snapshots/same/boot-now")


def in_memory(_state: Path) -> StateSpace:
    return MemoryStateSpace(
        *(
            Leftover(id=str(changed), size=1, changed=changed, description="a draft")
            for changed in (100, 200)
        )
    )


@pytest.fixture(params=[in_files, in_memory])
def space(request: pytest.FixtureRequest, tmp_path: Path) -> StateSpace:
    made: StateSpace = request.param(tmp_path)
    return made


class TestStateSpace(StateSpaceContract):
    pass
