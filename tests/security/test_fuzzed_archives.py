"""Hostile archives at every door: refused or taken, nothing outside is touched, nothing hangs.

$IMG_FUZZ says how many instead of 50,000, $IMG_FUZZ_SEED which is the first. A failure names its
seed and keeps the input. ``python -m tests.security.fuzz`` goes on for as long as one likes.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.archive_doors import DOORS, NEED_ROOT, Door
from tests.security.fuzzing import FIRST_SEED, TOTAL, fuzz, shards
from tests.support.host.descriptors import open_files
from tests.support.host.machine import in_memory

_SHARD = 500  # inputs in one test: some seconds; each is slower, as the state of the door grows
_LEAKED = 5  # descriptors that libraries may open once and keep


def _parts() -> list[object]:
    """Return every door with every part of its seeds."""
    parts: list[object] = []
    for door, share in DOORS.items():
        count = TOTAL * share // 100
        for seeds in shards(count, most=_SHARD):
            name = f"{door.name}-{seeds.start}"
            parts.append(pytest.param(door, seeds, id=name))
    return parts


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a directory in memory: these tests make many files."""
    made = Path(tempfile.mkdtemp(prefix="img-fuzz-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize(("kind", "seeds"), _parts())
def test_no_archive_gets_out_whatever_its_bytes(
    kind: type[Door], seeds: range, place: Path
) -> None:
    if kind in NEED_ROOT and os.geteuid() != 0:
        pytest.skip("makes the devices of overlays, which needs root")
    before = len(open_files())
    door = kind(place)
    try:
        assert fuzz(door, seeds) == len(seeds)
        left = [str(path) for path in place.glob("state/tmp/*")]
        assert left == [], "temporary files were left in the state"
    finally:
        door.close()
    assert len(open_files()) <= before + _LEAKED, "descriptors were left open"


def test_all_inputs_are_given_out() -> None:
    assert sum(DOORS.values()) == 100
    parts = shards(1000, most=150)
    assert [seed for part in parts for seed in part] == list(range(FIRST_SEED, FIRST_SEED + 1000))
    assert {len(part) for part in parts} == {142, 143}
