"""Random steps give the same result with every snapshotter as in a plain directory."""

import os
from pathlib import Path

import pytest

from tests.mutations.lab import try_all
from tests.support.snapshots.snapshot_base import real
from tests.support.snapshots.snapshot_lab import CLONING, FUSE, INDEXED, KINDS, NAIVE, Kind

_MOST = 300
_FEWER = {CLONING: 50, FUSE: 50}  # as naive; and slow
if "IMG_TESTS_ALL" not in os.environ:
    _FEWER |= {NAIVE: 100, INDEXED: 100}  # a plain copy, and the kernel's own index


@real
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_random_steps_are_those_of_a_plain_directory(kind: Kind, state: Path) -> None:
    try_all(kind, state, range(_FEWER.get(kind, _MOST)))
