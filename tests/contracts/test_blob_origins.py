"""What every memory of blobs' origins promises."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_origins.sqlite import SqliteBlobOrigins
from img.adapters.storage.sqlite import Database
from img.application.ports.blob_origins import BlobOrigins
from img.domain.digest import Digest

ONE, TWO, THREE = (Digest.of(content) for content in (b"1", b"2", b"3"))
APP = "registry.example/team/app"
BASE = "docker.io/library/base"


def in_sqlite(root: Path) -> BlobOrigins:
    return SqliteBlobOrigins(Database(root / "state.db"))


def in_memory(_root: Path) -> BlobOrigins:
    return MemoryBlobOrigins()


@pytest.fixture(params=[in_sqlite, in_memory])
def origins(request: pytest.FixtureRequest, tmp_path: Path) -> BlobOrigins:
    make: Callable[[Path], BlobOrigins] = request.param
    return make(tmp_path)


def test_of_an_unknown_blob_no_repository_is_known(origins: BlobOrigins) -> None:
    assert list(origins.repositories(ONE)) == []
    assert list(origins.digests()) == []


def test_the_repository_learned_last_comes_first(origins: BlobOrigins) -> None:
    origins.add(BASE, [ONE, TWO])
    origins.add(APP, [ONE])

    assert list(origins.repositories(ONE)) == [APP, BASE]
    assert list(origins.repositories(TWO)) == [BASE]
    assert set(origins.digests()) == {ONE, TWO}


def test_what_is_known_stays_as_it_was(origins: BlobOrigins) -> None:
    origins.add(BASE, [ONE])
    origins.add(APP, [ONE])
    origins.add(BASE, iter([ONE, ONE]))

    assert list(origins.repositories(ONE)) == [APP, BASE]


def test_one_repository_of_a_blob_can_be_forgotten(origins: BlobOrigins) -> None:
    origins.add(BASE, [ONE, TWO])
    origins.add(APP, [ONE])

    origins.forget(BASE, ONE)
    origins.forget(APP, THREE)
    origins.forget(BASE, TWO)

    assert list(origins.repositories(ONE)) == [APP]
    assert set(origins.digests()) == {ONE}


def test_blobs_can_be_forgotten_altogether(origins: BlobOrigins) -> None:
    origins.add(BASE, [ONE, TWO])
    origins.add(APP, [ONE])

    origins.remove(iter([ONE, THREE]))

    assert list(origins.repositories(ONE)) == []
    assert list(origins.repositories(TWO)) == [BASE]


def test_another_process_knows_it_too(tmp_path: Path) -> None:
    in_sqlite(tmp_path).add(BASE, [ONE])

    assert list(in_sqlite(tmp_path).repositories(ONE)) == [BASE]


def test_adding_what_is_known_writes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    SqliteBlobOrigins(database).add(BASE, [ONE])
    database.close()
    before = (tmp_path / "state.db").stat().st_mtime_ns

    again = Database(tmp_path / "state.db")
    SqliteBlobOrigins(again).add(BASE, [ONE])
    again.close()

    assert (tmp_path / "state.db").stat().st_mtime_ns == before
