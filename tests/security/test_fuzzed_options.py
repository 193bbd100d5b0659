"""Hostile command lines, values of options, and files of settings: understood or refused."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.fuzzing import TOTAL, fuzz, shards
from tests.security.option_targets import CommandLines, Texts
from tests.support.host.machine import in_memory


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="img-fuzz-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("seeds", shards(TOTAL, most=25_000), ids=str)
def test_every_reader_takes_or_refuses_every_text(seeds: range, place: Path) -> None:
    assert fuzz(Texts(place), seeds) == len(seeds)


@pytest.mark.parametrize("seeds", shards(TOTAL * 30 // 100, most=1500), ids=str)
def test_every_command_line_is_done_or_refused(seeds: range, place: Path) -> None:
    lines = CommandLines(place)
    try:
        assert fuzz(lines, seeds) == len(seeds)
    finally:
        lines.close()
