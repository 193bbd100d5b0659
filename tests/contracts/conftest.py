"""Fixtures of several contracts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from img.adapters.layer_archive.tar import TarLayerArchive
from img.adapters.linux.syscalls import MNT_DETACH, umount2
from img.application.ports.layer_archive import (
    LayerArchive,
)
from img.testing.snapshots import Lab
from tests.support.host.machine import ownership


@pytest.fixture(params=[TarLayerArchive])
def archive(request: pytest.FixtureRequest) -> LayerArchive:
    made: LayerArchive = request.param(ownership())
    return made


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a file system in memory: these tests create many files."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    path = Path(f"/dev/shm/img-test-{os.getpid()}-{os.urandom(4).hex()}")
    path.mkdir()
    yield path
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mounted = line.split(" ")[1].replace("\\040", " ")
        if mounted.startswith(f"{path}/"):  # of a workspace that a test gave up
            umount2(mounted, MNT_DETACH)
    shutil.rmtree(path)
