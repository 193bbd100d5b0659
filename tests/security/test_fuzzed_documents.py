"""Hostile manifests, indexes, configs and caches: each reader refuses or accepts them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.document_targets import Documents, Images
from tests.security.fuzzing import TOTAL, fuzz, shards
from tests.support.host.machine import in_memory


@pytest.fixture
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="img-fuzz-", dir=in_memory()))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("seeds", shards(TOTAL * 40 // 100, most=5000), ids=str)
def test_every_reader_takes_or_refuses_every_document(seeds: range, place: Path) -> None:
    assert fuzz(Documents(place), seeds) == len(seeds)


@pytest.mark.parametrize("seeds", shards(TOTAL * 3 // 100, most=500), ids=str)
def test_images_with_hostile_documents_do_no_harm(seeds: range, place: Path) -> None:
    images = Images(place)
    try:
        assert fuzz(images, seeds) == len(seeds)
    finally:
        images.close()
