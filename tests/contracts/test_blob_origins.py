"""Contract tests of records of the repositories of blobs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from img.adapters.blob_origins.memory import MemoryBlobOrigins
from img.adapters.blob_origins.sqlite import SqliteBlobOrigins
from img.adapters.storage.sqlite import Database
from img.application.ports.blob_origins import BlobOrigins
from img.testing.blob_origins import BASE, ONE, BlobOriginsContract


def in_sqlite(root: Path) -> BlobOrigins:
    return SqliteBlobOrigins(Database(root / "state.db"))


def in_memory(_root: Path) -> BlobOrigins:
    return MemoryBlobOrigins()


@pytest.fixture(params=[in_sqlite, in_memory])
def origins(request: pytest.FixtureRequest, tmp_path: Path) -> BlobOrigins:
    make: Callable[[Path], BlobOrigins] = request.param
    return make(tmp_path)


class TestBlobOrigins(BlobOriginsContract):
    pass


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
