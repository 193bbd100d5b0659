"""Hostile Dockerfiles, ignore files and options of builds: refused or built, in bounded time."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.dockerfile_target import Dockerfiles
from tests.security.fuzzing import TOTAL, fuzz, shards
from tests.support.host.machine import in_memory


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="img-fuzz-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("seeds", shards(TOTAL * 16 // 100, most=1000), ids=str)
def test_every_dockerfile_is_built_or_refused(seeds: range, place: Path) -> None:
    dockerfiles = Dockerfiles(place)
    try:
        assert fuzz(dockerfiles, seeds) == len(seeds)
    finally:
        dockerfiles.close()
