"""The inputs that are kept: those that failed once, and the smallest for each known outcome."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.archive_doors import DOORS, NEED_ROOT
from tests.security.dockerfile_target import Dockerfiles
from tests.security.document_targets import Documents
from tests.security.fuzzing import Target, failure_of
from tests.security.kept_inputs import CORPUS, kept
from tests.security.option_targets import CommandLines, Texts
from tests.support.host.machine import in_memory

_ARCHIVES = "archives"  # for all doors
_TARGETS: dict[str, tuple[type[Any], ...]] = {
    Documents.name: (Documents,),
    Dockerfiles.name: (Dockerfiles,),
    Texts.name: (Texts,),
    CommandLines.name: (CommandLines,),
    _ARCHIVES: tuple(door for door in DOORS if os.geteuid() == 0 or door not in NEED_ROOT),
}


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="img-corpus-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("folder", _TARGETS)
def test_what_is_kept_does_no_harm(folder: str, place: Path) -> None:
    tried = 0
    for kind in _TARGETS[folder]:
        (place / kind.name).mkdir()
        target: Target[Any] = kind(place / kind.name)
        try:
            for file in kept(folder):
                given = target.parse(file.read_bytes())
                assert failure_of(target, given) == "", f"{file} at {kind.name}"
                tried += 1
        finally:
            target.close()
    assert tried


def test_what_is_kept_is_small_and_of_a_target() -> None:
    assert {each.name for each in CORPUS.iterdir()} == set(_TARGETS)
    assert all(file.stat().st_size <= 4096 for file in CORPUS.glob("*/*"))
